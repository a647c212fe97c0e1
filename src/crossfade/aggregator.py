"""Keeps what is derived from events in step with them: scans, and the statistics of closed days.

Every closed day that lacks its row gets it, so downtime heals; a day that a late event touched is counted again.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Literal

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
    """Follows the loader; ``heal`` may also be called by hand."""

    def __init__(self, store: EventStore, state: State, days: Days, clock: Clock) -> None:
        self._store = store
        self._state = state
        self._days = days
        self._clock = clock
        self._seen = -1
        self._today: date | None = None

    def follow(self) -> None:
        """Takes in what the loader brought."""
        self.record_scans()
        self.heal()

    def record_scans(self) -> int:
        """Brings the scans up to the last loaded segment; gives how many events that took."""
        cursor = self._state.cursor(FOLLOWER)
        through = self._store.last_segment()
        if through <= cursor:
            return 0
        found = self._store.scan_events(cursor)
        events = [event for stored in found if (event := scan_event(stored)) is not None]
        self._state.record_scans(events, follower=FOLLOWER, segment=through)
        return len(events)

    def heal(self, *, all_days: bool = False) -> list[DailyStats]:
        """Counts the closed days that lack their row or have changed since they were counted.

        Every day is looked at on the first call and on a new day; else those that events came for since the last.
        """
        now = self._clock.now()
        today = self._days.of(now)
        through = self._store.last_segment()
        first_look = all_days or today != self._today
        if through == self._seen and not first_look:
            return []
        touched = self._store.days_touched(0 if first_look else self._seen)
        rows = self.count(self._wanted(touched, today, first_look=first_look), now)
        self._state.put_daily_stats(rows)
        self._today, self._seen = today, through
        if rows:
            log.info("aggregator: counted closed days", days=len(rows))
        return rows

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
            for day in self._days.between(first, yesterday):
                if day not in closed and day not in counted and self._state.alive(*self._days.bounds(day)):
                    wanted[day] = 0
        return wanted


class _ScanProperties(msgspec.Struct, rename="camel"):
    """What a scan tells of itself."""

    scan_id: str
    path: str | None = None
    status: Literal["completed", "cancelled", "failed"] = "completed"
    files: int | None = None
    total_size: int | None = None
    duplicate_bytes: int | None = None


def scan_event(stored: StoredScanEvent) -> ScanEvent | None:
    """A scan's begin or end; None for one that does not say which scan it is, or says it wrongly."""
    try:
        told = msgspec.json.decode(stored.properties, type=_ScanProperties)
    except msgspec.MsgspecError as error:
        log.warning("aggregator: a scan event is passed over",
                    segment=stored.segment, event=stored.event, error=str(error))
        return None
    started = stored.event == "scan_started"
    return ScanEvent(
        scan_id=told.scan_id, at=stored.at, kind="started" if started else "ended",
        status="running" if started else told.status, path=told.path, files=told.files,
        total_size=told.total_size, duplicate_bytes=told.duplicate_bytes,
    )
