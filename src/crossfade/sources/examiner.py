"""Compares what the real sources report with what the witnesses tell: minutes, closed days, and the 24 hours."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from zoneinfo import ZoneInfo

from crossfade.core.clock import DAY, HOUR, MINUTE, Clock
from crossfade.core.comparison import Reference
from crossfade.core.days import Days
from crossfade.core.recounted import Recounted
from crossfade.state.repository import State
from crossfade.state.samples import Sample, pair
from crossfade.state.scans import ScanEvent
from crossfade.state.stats import DailyStats
from crossfade.store.port import EventStore, MinuteCounts

from .recount import SIGN_IN, by_day, day_size, minute_values, minute_windows, window
from .witness import Told, Witnesses

USERS = "activeUsers"
"""The one figure of single persons, not of counts."""
TRIES = 5
"""How often a figure is read again because events came in meanwhile."""

Side = dict[str, int | None]
"""The fields of a window, as one of the two has them."""
ReadEnd = Callable[[int, str], ScanEvent | None]
"""An ended scan by its time and properties; None when they cannot be understood."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What was compared."""

    told: Told
    segment: int
    """Up to which journal segment events were counted."""
    windows: list[Recounted]
    beside: list[Sample] = field(default_factory=list)
    """Both sides of what was compared."""
    settled: frozenset[date] = field(default=frozenset())
    """Days that were compared as a whole. The others changed meanwhile, or their statistics are not counted yet."""


class Examiner:
    """Used by one thread. Every method raises StoreError or StateError when it cannot be told."""

    def __init__(self, store: EventStore, state: State, days: Days, witnesses: Witnesses, clock: Clock, *,
                 read_end: ReadEnd) -> None:
        self._store = store
        self._state = state
        self._days = days
        self._zone = ZoneInfo(days.zone)
        self._witnesses = witnesses
        self._clock = clock
        self._read_end = read_end

    def minutes(self, since: int, until: int) -> Examined:
        """Compares the minutes of a span with the rollup that the last 24 hours are counted from."""
        reported = self._store.minutes(since, until)
        examined, now = self._minutes(reported, since, until), self._clock.now()
        for minute, (shown, truth) in minute_values(reported.counts, examined.told.minutes).items():
            examined.beside.extend(pair("businessMetrics", minute * MINUTE, MINUTE, now, Reference.RECOUNT, real=shown,
                                        reference=truth))
        return examined

    def closed_days(self, days: Sequence[date]) -> Examined:
        """Compares consecutive days: their minutes, their counts, their statistics, and the users of their hours."""
        first, last = min(days), max(days)
        since, until = self._days.start(first), self._days.bounds(last)[1]
        before = self._store.last_segment()
        touched = self._store.days_touched(0)
        counts = self._store.days(first, last)
        stats = self._state.daily_stats(first, last)
        examined = self._minutes(self._store.minutes(since, until), since, until)
        users = {day: self._users(day, examined.told, before) for day in days}
        truth = by_day(examined.told.minutes, self._zone)
        changed = self._store.days_touched(before)  # of these, one part was read before and one after
        settled = set()
        for day in days:
            if day in changed:
                continue
            found = truth.get(day, Counter())
            examined.windows.extend(self._day(day, counts.get(day, {}), found, examined.told))
            examined.windows.extend(users[day])
            row = stats.get(day)
            if row is not None and row.segment >= touched.get(day, 0):
                sides = self._sides(row, found, examined.told)
                examined.windows.extend(self._row(row, sides, found, examined.told))
                examined.beside.extend(pair("historicalData", *self._span(day), self._clock.now(), Reference.RECOUNT,
                                            real=sides[0], reference=sides[1]))
                settled.add(day)
            elif not found:
                settled.add(day)
        return replace(examined, settled=frozenset(settled))

    def figures(self, at: int) -> list[Recounted]:
        """Compares what the dashboard would have shown at a closed moment: counts of 24 hours, users of one.

        Nothing when events came in whenever it was read.
        """
        for _ in range(TRIES):
            segment = self._store.last_segment()
            counts = self._store.counts(at - DAY, at)
            users = self._store.signed_in(at - HOUR, at)
            minutes = self._store.minutes(at - at % HOUR - DAY, at - at % HOUR + HOUR)
            if self._store.last_segment() == segment:
                break
        else:
            return []
        return self._figures(at, counts, users, MinuteCounts(segment, minutes.counts))

    def _figures(self, at: int, counts: Mapping[str, int], users: int, minutes: MinuteCounts) -> list[Recounted]:
        """The edges are no whole minutes, so that the raw events alone can tell."""
        found: Counter[str] = Counter()
        seen: set[str] = set()
        for facts in self._witnesses.raw_facts(minutes, at - DAY, at):
            for segment, ts, event, who in facts:
                if segment <= minutes.segment:
                    found[event] += 1
                    if event == SIGN_IN and who is not None and ts >= at - HOUR:
                        seen.add(who)
        now = self._clock.now()
        return [
            *window((at - DAY, at), counts, found, component="businessMetrics", kind="figures", total=found.total(),
                    witness="raw events", at=now),
            *window((at - HOUR, at), {USERS: users}, {USERS: len(seen)},
                    component="businessMetrics", kind="figures", total=len(seen), witness="raw events", at=now),
        ]

    def _minutes(self, reported: MinuteCounts, since: int, until: int) -> Examined:
        told = self._witnesses.tell(reported, since, until)
        windows = minute_windows(reported.counts, told.minutes, told.witness, self._clock.now())
        return Examined(told, reported.segment, windows)

    def _day(self, day: date, counts: Mapping[str, int], found: Counter[str], told: Told) -> list[Recounted]:
        """The day's counts by event."""
        return window(self._days.bounds(day), counts, found, component="historicalData", kind="day",
                      total=found.total(), witness=told.witness, at=self._clock.now())

    def _span(self, day: date) -> tuple[int, int]:
        start, end = self._days.bounds(day)
        return start, end - start

    def _sides(self, row: DailyStats, found: Counter[str], told: Told) -> tuple[Side, Side]:
        """The day's stored row, as the timeline shows it, and what the witness makes of the day."""
        shown: Side = {
            "files": row.files, "duplicates": row.duplicates, "cleanupActions": row.cleanup_actions,
        }
        truth: Side = {
            "files": found["file_processed"], "duplicates": found["duplicate_detected"],
            "cleanupActions": found["cleanup_executed"],
        }
        if told.count.detailed:
            shown["totalSize"], truth["totalSize"] = row.total_size, self._size(row.day, row.total_size, told)
        return shown, truth

    def _row(self, row: DailyStats, sides: tuple[Side, Side], found: Counter[str], told: Told) -> list[Recounted]:
        return window(
            self._days.bounds(row.day), *sides, component="historicalData", kind="statistics",
            total=found.total(), witness=told.witness, at=self._clock.now(),
        )

    def _size(self, day: date, reported: int | None, told: Told) -> int | None:
        """The size that the day's scans found, by its own events; where that differs, by all that is told of them.

        A scan that ended again on a later day is that day's, and a line of the journal may be a repeat.
        """
        start, end = self._days.bounds(day)
        ends = self._ends((ts, text) for ts, text in told.count.ends if start <= ts < end)
        size = day_size(ends)
        if size == reported:
            return size
        scans = {found.scan_id for found in ends}
        all_ends: list[ScanEvent] = []
        after = 0
        while part := self._store.scan_events(after):
            after = part[-1].segment
            ended = self._ends((found.at, found.properties) for found in part if found.event == "scan_completed")
            all_ends.extend(found for found in ended if found.scan_id in scans)
        last = {found.scan_id: found.at for found in sorted(all_ends, key=lambda found: found.at)}
        of_the_day = [found for found in all_ends if start <= found.at < end]
        its_own = day_size(found for found in of_the_day if start <= last[found.scan_id] < end)
        return its_own if its_own == reported else day_size(of_the_day)

    def _ends(self, told: Iterable[tuple[int, str]]) -> list[ScanEvent]:
        return [end for at, text in told if (end := self._read_end(at, text)) is not None]

    def _users(self, day: date, told: Told, segment: int) -> list[Recounted]:
        """Who signed in, in each hour that lies within the day."""
        if not told.count.detailed:
            return []
        start, end = self._days.bounds(day)
        hours = range(-(-start // HOUR), end // HOUR)
        return [found for hour in hours for found in self._users_of(hour, told, segment)]

    def _users_of(self, hour: int, told: Told, segment: int) -> list[Recounted]:
        span = hour * HOUR, (hour + 1) * HOUR
        reported = self._store.signed_in(*span)
        seen, witness = len(told.count.users.get(hour, ())), told.witness
        if seen != reported and witness == "journal":  # which may have told of repeats
            minutes = MinuteCounts(segment, self._store.minutes(*span).counts)
            again = self._witnesses.by_raw_events(minutes, *span)
            seen, witness = len(again.count.users.get(hour, ())), again.witness
        return window(span, {USERS: reported}, {USERS: seen}, component="businessMetrics", kind="hour",
                      total=seen, witness=witness, at=self._clock.now())
