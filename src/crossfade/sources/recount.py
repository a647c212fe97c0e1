"""The recount: the ground truth, counted in plain Python from single events.

It shares no query with the real sources: no rollup, no GROUP BY, no count(). What the sources report is compared
with it window by window, and any difference at all is a disagreement.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from crossfade.core.clock import HOUR, MINUTE
from crossfade.core.recounted import ALL, Kind, Recounted, Witness
from crossfade.state.scans import ScanEvent

Fact = tuple[int, int, str, str | None]
"""One event: its segment, its time, its name, and its detail: the user who signed in, what an ended scan found."""
Minutes = Mapping[tuple[int, str], int]
"""Events by minute since the epoch and name."""

SIGN_IN = "auth_success"
SCAN_END = "scan_completed"
COUNTED = (SCAN_END, "file_processed", "duplicate_detected", "cleanup_executed", "auth_attempt", SIGN_IN)
"""Events that the dashboard counts by name."""
MOST_DETAILS = 500_000
"""Users and scans that are remembered; a span with more of them is judged by its counts alone."""


class Count:
    """What was counted so far."""

    def __init__(self) -> None:
        self.facts = 0
        self.minutes: Counter[tuple[int, str]] = Counter()
        self.users: dict[int, set[str]] = {}
        """Who signed in, by hour since the epoch."""
        self.ends: list[tuple[int, str]] = []
        """Ends of scans: when, and the properties as they were sent."""
        self.detailed = True
        """Whether users and ends are all there."""
        self._details = 0

    def take(self, facts: Iterable[Fact], through: int) -> None:
        """Counts the facts of segments up to ``through``."""
        minutes = self.minutes
        for segment, ts, event, detail in facts:
            if segment > through:
                continue
            self.facts += 1
            minutes[ts // MINUTE, event] += 1
            if detail is not None and self.detailed:
                self._keep(ts, event, detail)

    def _keep(self, ts: int, event: str, detail: str) -> None:
        if event == SIGN_IN:
            users = self.users.setdefault(ts // HOUR, set())
            self._details -= len(users)
            users.add(detail)
            self._details += len(users)
        else:
            self.ends.append((ts, detail))
            self._details += 1
        if self._details > MOST_DETAILS:
            self.detailed = False
            self.users.clear()
            self.ends.clear()


def detail(event: str, user_id: str | None, properties: str) -> str | None:
    """What is needed of an event beside its name and its time."""
    if event == SIGN_IN:
        return user_id or None
    return properties if event == SCAN_END else None


def spans(minutes: Minutes, since: int, until: int, most: int) -> Iterator[tuple[int, int]]:
    """Cuts ``[since, until)`` into parts of ``most`` events, if those of a minute are spread evenly; newest first."""
    totals = per_minute(minutes)
    end, held = until, 0
    for minute in sorted(totals, reverse=True):
        if held + totals[minute] <= most:
            held += totals[minute]
            continue
        pieces = -(-totals[minute] // most)
        for cut in range((minute + 1) * MINUTE, minute * MINUTE, -(MINUTE // pieces)):
            if since < cut < end:
                yield cut, end
                end = cut
        held = totals[minute] if pieces == 1 else most
    yield since, end


def per_minute(minutes: Minutes) -> Counter[int]:
    """Events of each minute, whatever their name."""
    totals: Counter[int] = Counter()
    for (minute, _), n in minutes.items():
        totals[minute] += n
    return totals


def by_day(minutes: Minutes, zone: ZoneInfo) -> dict[date, Counter[str]]:
    """Minutes added up to the days of a time zone, by way of its calendar and not of the days' bounds."""
    found: dict[date, Counter[str]] = {}
    dates: dict[int, date] = {}
    for (minute, event), n in minutes.items():
        day = dates.get(minute)
        if day is None:
            day = dates[minute] = datetime.fromtimestamp(minute * 60, zone).date()
        found.setdefault(day, Counter())[event] += n
    return found


def day_size(ends: Iterable[ScanEvent]) -> int | None:
    """The bytes that a day's last completed scan found. Of a scan that ended more than once the last end counts."""
    last: dict[str, ScanEvent] = {}
    for end in ends:
        last[end.scan_id] = max(last.get(end.scan_id, end), end, key=_rank)
    completed = [end for end in last.values() if end.status == "completed"]
    return max(completed, key=lambda end: (end.at, end.scan_id)).total_size if completed else None


def _rank(end: ScanEvent) -> tuple[int, str, int, int, int]:
    """The later end is the greater; between ends of one moment the order is arbitrary, and the same as the state's."""
    sizes = (-1 if size is None else size for size in (end.total_size, end.files, end.duplicate_bytes))
    return (end.at, end.status, *sizes)  # type: ignore[return-value]


def differing(reported: Minutes, recounted: Minutes) -> set[tuple[int, str]]:
    """The minutes and names of which the two say something else."""
    if reported == recounted:
        return set()
    return {key for key in reported.keys() | recounted.keys() if reported.get(key, 0) != recounted.get(key, 0)}


def minute_windows(reported: Minutes, recounted: Minutes, witness: Witness, at: int) -> list[Recounted]:
    """A window for every minute in which anything happened. An idle minute proves nothing, and is none."""
    wrong = differing(reported, recounted)
    wrong_minutes = {minute for minute, _ in wrong}
    totals: Counter[int] = Counter()
    for (minute, _), n in recounted.items():
        totals[minute] += n
    agreed = [
        _minute(minute, ALL, n, n, witness=witness, at=at)
        for minute, n in totals.items() if n and minute not in wrong_minutes
    ]
    return agreed + [
        _minute(minute, event, reported.get((minute, event), 0), recounted.get((minute, event), 0), witness=witness,
                at=at)
        for minute, event in sorted(wrong)
    ]


def minute_values(reported: Minutes, recounted: Minutes) -> dict[int, tuple[dict[str, int], dict[str, int]]]:
    """Both sides of every minute in which anything happened: all its events, those that the dashboard counts by name,
    and those that differ.
    """
    totals: dict[int, list[int]] = {}
    for place, side in enumerate((reported, recounted)):
        for (minute, _), n in side.items():
            totals.setdefault(minute, [0, 0])[place] += n
    wrong: dict[int, set[str]] = {}
    for minute, event in differing(reported, recounted):
        wrong.setdefault(minute, set()).add(event)
    found = {}
    for minute, (shown, truth) in totals.items():
        names = [name for name in COUNTED if (minute, name) in recounted or (minute, name) in reported]
        names += sorted(wrong.get(minute, set()).difference(names))
        found[minute] = ({ALL: shown} | {name: reported.get((minute, name), 0) for name in names},
                         {ALL: truth} | {name: recounted.get((minute, name), 0) for name in names})
    return found


def _minute(minute: int, field: str, reported: int, recounted: int, *, witness: Witness, at: int) -> Recounted:
    start = minute * MINUTE
    return Recounted("businessMetrics", "minute", start, start + MINUTE, field, reported, recounted, witness, at)


def window(span: tuple[int, int], reported: Mapping[str, int | None], recounted: Mapping[str, int | None], *,
           component: str, kind: Kind, total: int, witness: Witness, at: int) -> list[Recounted]:
    """One window with several fields: whole when they agree and anything happened, else those that differ.

    A field that one side does not have is 0 there.
    """
    both = ((field, reported.get(field, 0), recounted.get(field, 0)) for field in sorted({*reported, *recounted}))
    wrong = [
        Recounted(component, kind, *span, field, shown, true, witness, at) for field, shown, true in both
        if shown != true
    ]
    if wrong or not total:
        return wrong
    return [Recounted(component, kind, *span, ALL, total, total, witness, at)]
