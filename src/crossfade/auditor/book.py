"""Examines, keeps what was found, tells it, and has repaired what may be."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import structlog
from msgspec.structs import replace

from crossfade.core.clock import DAY, MINUTE, SECOND, Clock, iso
from crossfade.core.days import Days
from crossfade.core.recounted import Recounted
from crossfade.sources.examiner import USERS, Examined, Examiner
from crossfade.state.recounts import RecountedDay, Replaced
from crossfade.state.repository import State
from crossfade.store.port import EventStore

log = structlog.get_logger(__name__)

LOGGED = 5
"""Disagreements that the log names at a time."""
NAMED = 20
"""Windows that the audit row of a repair names."""
EDGE = 17 * SECOND + 1
"""The dashboard's moments are no whole minutes, so none is examined."""

_Window = tuple[str, str, int, int]
"""Component, kind, start and end."""
Emit = Callable[[Sequence[Recounted]], None]
"""Is told every window that was compared, once; and again when it no longer agrees."""
Repair = Callable[[Collection[int], Collection[date]], None]
"""Has the store count the rollups of minutes and of days anew."""
CountDays = Callable[[Collection[date]], None]
"""Has the statistics of closed days counted anew."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a piece of work."""

    events: int = 0
    windows: int = 0
    wrong: tuple[Recounted, ...] = ()
    unsettled: int = 0


class Book:
    """Used by one thread. Every method raises StoreError or StateError."""

    def __init__(self, store: EventStore, state: State, days: Days, clock: Clock, examiner: Examiner, *, emit: Emit,
                 repair: Repair, count_days: CountDays) -> None:
        self._store = store
        self._state = state
        self._days = days
        self._clock = clock
        self._examiner = examiner
        self._emit = emit
        self._repair = repair
        self._count_days = count_days

    def minutes(self, day: date, since: int, until: int) -> Result:
        """Compares minutes of an open day."""
        row = self._state.recounted_days().get(day)
        doubted = self._doubted()
        examined = self._examiner.minutes(since, until)
        if self._forgotten(since):
            return Result()
        wrong = _wrong(examined.windows)
        new = self._row(day, since, until, examined, examined.windows)
        if row is not None and since <= row.until and until >= row.since:
            outside = [window for window in examined.windows if not row.since <= window.start < row.until]
            new = replace(new, since=min(since, row.since), until=max(until, row.until),
                          windows=row.windows + _count(outside))
        self._state.put_recount((new,), Replaced(("minute",), since, until), wrong, examined.beside)
        self._tell(_news(examined.windows, row, doubted, until))
        return Result(examined.told.count.facts, _count(examined.windows), wrong)

    def closed_days(self, days: Sequence[date]) -> Result:
        """Compares consecutive closed days as wholes."""
        known, doubted = self._state.recounted_days(), self._doubted()
        since, until = self._days.start(min(days)), self._days.bounds(max(days))[1]
        examined = self._examiner.closed_days(days)
        if self._forgotten(since):
            return Result()
        sorted_days = sorted(days)
        by_day: dict[date, list[Recounted]] = {day: [] for day in days}
        starts = [self._days.start(day) for day in sorted_days]
        for window in examined.windows:
            by_day[sorted_days[bisect_right(starts, window.start) - 1]].append(window)
        rows = [self._row(day, *self._days.bounds(day), examined, by_day[day]) for day in days]
        wrong = _wrong(examined.windows)
        self._state.put_recount(rows, Replaced(("minute", "hour", "day", "statistics"), since, until), wrong,
                                examined.beside)
        self._tell([window for day, windows in by_day.items()
                    for window in _news(windows, known.get(day), doubted, self._days.bounds(day)[1])])
        return Result(examined.told.count.facts, _count(examined.windows), wrong, len(days) - len(examined.settled))

    def figures(self, closed: int) -> Result:
        """Compares what the dashboard showed shortly after the moment, a whole minute that is past."""
        at = closed + EDGE
        if self._forgotten(at - DAY):
            return Result()
        windows = self._examiner.figures(at)
        wrong = _wrong(windows)
        self._state.put_recount((), Replaced(("figures",), 0, at), wrong)
        self._tell(windows)
        return Result(0, _count(windows), wrong)

    def mend(self, wrong: Sequence[Recounted], who: str) -> None:
        """Has the rollups and the statistics counted anew that do not agree, and says so in the audit log before."""
        rollups = [window for window in wrong if _rolled_up(window)]
        rows = {self._days.of(window.start) for window in wrong if window.kind == "statistics"}
        self._record([window for window in wrong if _rolled_up(window) or window.kind == "statistics"], who)
        if rollups:
            self._repair(
                {minute for window in rollups if window.kind != "day"
                 for minute in range(window.start // MINUTE, -(-window.end // MINUTE))},
                {self._days.of(window.start) for window in rollups if window.kind == "day"},
            )
        if rows or rollups:
            self._count_days(rows | {self._days.of(window.start) for window in rollups if window.kind == "day"})

    def _record(self, wrong: Sequence[Recounted], who: str) -> None:
        if not wrong:
            return
        named = wrong[:NAMED]
        more = f" and {len(wrong) - NAMED:,} more" if len(wrong) > NAMED else ""
        self._state.record_repair(
            at=self._clock.now(), who=who,
            subject=", ".join(dict.fromkeys(f"{window.kind} {iso(window.start)}" for window in named)) + more,
            old=", ".join(f"{window.field}={window.reported}" for window in named) + more,
            new=", ".join(f"{window.field}={window.recounted}" for window in named) + more,
            reason="the recount does not agree: counted anew from the raw events",
        )

    def _row(self, day: date, since: int, until: int, examined: Examined, windows: Sequence[Recounted]) -> RecountedDay:
        return RecountedDay(
            day, since, until, examined.segment if day in examined.settled else None, _count(windows),
            examined.told.witness, self._clock.now(),
        )

    def _doubted(self) -> set[_Window]:
        """The windows that are known to disagree."""
        return {_window(found) for found in self._state.mismatches()}

    def _forgotten(self, since: int) -> bool:
        """Whether raw events of the span may be gone: then nobody can tell, and nothing that was counted is worth."""
        return self._store.reach().forgotten > since

    def _tell(self, new: Sequence[Recounted]) -> None:
        wrong = _wrong(new)
        for window in wrong[:LOGGED]:
            log.error("auditor: a figure is not what was counted", component=window.component, window=iso(window.start),
                      kind=window.kind, field=window.field, reported=window.reported, recounted=window.recounted,
                      witness=window.witness)
        if len(wrong) > LOGGED:
            log.error("auditor: more figures are not what was counted", more=len(wrong) - LOGGED)
        if new:
            self._emit(new)


def _rolled_up(window: Recounted) -> bool:
    """Whether it is of a rollup's own span: the last 24 hours are told minute by minute as well, but for the users."""
    return window.kind in {"minute", "day"} or window.field == USERS


def _news(windows: Iterable[Recounted], row: RecountedDay | None, doubted: Container[_Window],
          end: int) -> list[Recounted]:
    """Those that nobody was told of yet, and those that agreed before and no longer do.

    ========== =============================== ======
    agrees     before                          told
    ========== =============================== ======
    yes        not compared                    yes
    yes        compared, whatever came of it   no
    no         known to disagree               no
    no         not compared, or agreed         yes
    ========== =============================== ======

    ``end``: of the day; one that was compared until there was compared as a whole.
    """
    return [window for window in windows
            if (not _compared(window, row, end) if window.agrees else _window(window) not in doubted)]


def _compared(window: Recounted, row: RecountedDay | None, end: int) -> bool:
    """Whether what is known of the window's day has it in it."""
    if row is None:
        return False
    match window.kind:
        case "minute":
            return row.since <= window.start < row.until
        case "statistics":
            return row.segment is not None
        case _:
            return row.until >= end


def _window(found: Recounted) -> _Window:
    return found.component, found.kind, found.start, found.end


def _wrong(windows: Iterable[Recounted]) -> tuple[Recounted, ...]:
    return tuple(window for window in windows if not window.agrees)


def _count(windows: Iterable[Recounted]) -> int:
    """Windows, of which one that disagrees in several fields is told several times."""
    return len({_window(window) for window in windows})
