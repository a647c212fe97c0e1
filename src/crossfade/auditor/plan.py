"""Which days are to be examined, and which of them together."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from crossfade.core.clock import DAY, HOUR, MINUTE
from crossfade.state.recounts import RecountedDay

GROUP_EVENTS = 100_000
GROUP_DAYS = 100
"""Consecutive days are examined together up to so many: a look at the store costs as much for a hundred as for one."""
RETRY = 10 * MINUTE
"""How long a day waits that could not be compared as a whole."""
AGAIN = HOUR
"""How long a day that late events keep changing waits before it is examined again."""
ANYWAY = 7 * DAY
"""After which a day is examined again though nothing touched it: a figure may go wrong by other ways than events."""


def due(days: Sequence[date], touched: Mapping[date, int], known: Mapping[date, RecountedDay], now: int) -> list[date]:
    """Of the closed days those that were never examined as a whole, not since a later segment touched them, or not for
    long; newest first.
    """
    return [day for day in sorted(days, reverse=True) if _is_due(touched.get(day, 0), known.get(day), now)]


def _is_due(touched: int, row: RecountedDay | None, now: int) -> bool:
    if row is None:
        return True
    if row.segment is None:
        return now - row.at >= RETRY
    return now - row.at >= (AGAIN if touched > row.segment else ANYWAY)


def grouped(days: Sequence[date], events: Mapping[date, int], by_journal: date | None) -> list[date]:
    """The first of the days, newest first, that can be examined together: consecutive, and not too much in all.

    Days that the journal tells of, from ``by_journal`` on, are not mixed with others.
    """
    group: list[date] = []
    held = 0
    for day in days:
        held += events.get(day, 0)
        if group and (held > GROUP_EVENTS or len(group) >= GROUP_DAYS or _apart(group[-1], day, by_journal)):
            break
        group.append(day)
    return group


def _apart(later: date, day: date, by_journal: date | None) -> bool:
    return later - day != timedelta(days=1) or (by_journal is not None and day < by_journal <= later)
