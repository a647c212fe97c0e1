"""Keeps what is derived from events in step with them: scans, and the statistics of closed days.

Every closed day that lacks its row gets it, so downtime heals; a day that a late event touched is counted again.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from threading import RLock
from typing import Annotated, Literal

import msgspec
import structlog

from crossfade.core.clock import Clock
from crossfade.core.days import Days
from crossfade.sources.history import point
from crossfade.state.repository import State
from crossfade.state.scans import ScanEvent
from crossfade.state.stats import DailyStats
from crossfade.store.port import EventStore
from crossfade.store.port import ScanEvent as StoredScanEvent

log = structlog.get_logger(__name__)

FOLLOWER = "scans"
QUIET_DAYS = 31
"""How far back a day without any event is looked at, where no event is older."""


class Aggregator:
    """Follows the loader; ``heal`` may also be called by hand, on any thread."""

    def __init__(self, store: EventStore, state: State, days: Days, clock: Clock) -> None:
        self._store = store
        self._state = state
        self._days = days
        self._clock = clock
        self._seen = -1
        self._today: date | None = None
        self._working = RLock()

    def follow(self) -> None:
        """Takes in what the loader brought."""
        self.heal()

    def record_scans(self) -> int:
        """Brings the scans up to the last loaded segment; gives how many events that took."""
        count = 0
        with self._working:
            cursor = self._state.cursor(FOLLOWER)
            while (through := self._store.last_segment()) > cursor:
                found = self._store.scan_events(cursor)
                cursor = found[-1].segment if found else through
                events = scan_events(found)
                self._state.record_scans(events, follower=FOLLOWER, segment=cursor)
                count += len(events)
        return count

    def heal(self, *, all_days: bool = False) -> list[DailyStats]:
        """Counts the closed days that lack their row or have changed since they were counted.

        Every day is looked at on the first call and on a new day; else those that events came for since the last.
        """
        with self._working:
            now = self._clock.now()
            today = self._days.of(now)
            through = self._store.last_segment()
            first_look = all_days or today != self._today
            if through == self._seen and not first_look:
                return []
            self.record_scans()  # before the days are counted: their sizes come from scans
            touched = self._store.days_touched(0 if first_look else self._seen)
            # What is loaded from now on may be counted or not: such a day is looked at again.
            known = {day: min(segment, through) for day, segment in touched.items()}
            rows = self.count(self._wanted(known, today, first_look=first_look), now)
            self._state.put_daily_stats(rows)
            self._today, self._seen = today, through
        if rows:
            log.info("aggregator: counted closed days", days=len(rows))
        return rows

    def mend(self, days: Collection[date]) -> None:
        """Counts closed days again whose row is known to be wrong."""
        with self._working:
            touched = self._store.days_touched(0)
            self._state.put_daily_stats(self.count({day: touched.get(day, 0) for day in days}, self._clock.now()))

    def lacking(self) -> list[date]:
        """The closed days that should have their row and have none, or one from before later events. In order."""
        today = self._days.of(self._clock.now())
        return sorted(self._wanted(self._store.days_touched(0), today, first_look=True))

    def count(self, wanted: Mapping[date, int], now: int) -> list[DailyStats]:
        """The statistics of days, each with the last segment that touched it."""
        if not wanted:
            return []
        counts = self._store.days(min(wanted), max(wanted))
        sizes = self._state.latest_sizes([(day, *self._days.bounds(day)) for day in wanted])
        rows = []
        for day, segment in wanted.items():
            found = point(day, counts.get(day, {}), sizes.get(day))
            rows.append(DailyStats(
                day=day, files=found.files or 0, total_size=found.total_size, duplicates=found.duplicates or 0,
                cleanup_actions=found.cleanup_actions or 0, segment=segment, aggregated_at=now,
            ))
        return rows

    def _wanted(self, touched: Mapping[date, int], today: date, *, first_look: bool) -> dict[date, int]:
        """Closed days to count: those with events since they were counted, and watched days without any."""
        closed = {day: segment for day, segment in touched.items() if day < today}
        yesterday = today - timedelta(days=1)
        first = min([*closed, today - timedelta(days=QUIET_DAYS)])
        counted = self._state.daily_stats(first, yesterday)
        wanted = {
            day: segment for day, segment in closed.items()
            if day not in counted or counted[day].segment < segment
        }
        if first_look:
            empty = [day for day in self._days.between(first, yesterday) if day not in closed and day not in counted]
            wanted |= dict.fromkeys(self._watched(empty), 0)
        return wanted

    def _watched(self, days: Sequence[date]) -> Sequence[date]:
        """Those of the days, which are in order, in which a collector was alive; years without any cost one look."""
        if not days or not self._state.alive(self._days.start(days[0]), self._days.bounds(days[-1])[1]):
            return ()
        if len(days) == 1:
            return days
        half = len(days) // 2
        return (*self._watched(days[:half]), *self._watched(days[half:]))


class _Begin(msgspec.Struct, rename="camel"):
    """What a scan tells of itself when it starts."""

    scan_id: Annotated[str, msgspec.Meta(min_length=1)]
    path: str | None = None


class _End(_Begin, rename="camel"):
    """What it tells when it has ended."""

    status: Literal["completed", "cancelled", "failed"] = "completed"
    files: int | None = None
    total_size: int | None = None
    duplicate_bytes: int | None = None


def scan_events(found: Sequence[StoredScanEvent]) -> list[ScanEvent]:
    """The scans' begins and ends that can be understood; the others are passed over, with one line in the log."""
    events = []
    passed_over = []
    for stored in found:
        try:
            events.append(scan_event(stored))
        except (ValueError, msgspec.MsgspecError, RecursionError) as error:
            passed_over.append(str(error))
    if passed_over:
        log.warning("aggregator: scan events are passed over", events=len(passed_over),
                    through_segment=found[-1].segment, first_error=passed_over[0])
    return events


def scan_event(stored: StoredScanEvent) -> ScanEvent:
    """A scan's begin or end. Raises ValueError or MsgspecError when it does not say which scan, or says it wrongly."""
    if stored.event == "scan_started":
        begin = msgspec.json.decode(stored.properties, type=_Begin)
        return ScanEvent(begin.scan_id, stored.at, "started", path=begin.path)
    end = msgspec.json.decode(stored.properties, type=_End)
    return ScanEvent(
        end.scan_id, stored.at, "ended", end.status, path=end.path, files=end.files, total_size=end.total_size,
        duplicate_bytes=end.duplicate_bytes,
    )
