"""``historicalData``: storage day by day; closed days as they were counted, today as it stands."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import lru_cache

from crossfade.core.days import Days
from crossfade.core.payloads import HistoricalData, HistoryPoint
from crossfade.state.repository import State
from crossfade.state.stats import DailyStats
from crossfade.store.port import EventStore

from .component import Sample, SourceError
from .synthetic import around, rng

MAX_DAYS = 3660
"""Days that a timeline spans at the most."""
LEAST_DAYS = 366
"""Days that it spans at the least, gaps or not; further back it begins with the first day that was counted."""


class RealHistory:
    """Closed days from the daily statistics, today from the event store; a day that nobody counted is a gap."""

    def __init__(self, store: EventStore, state: State, days: Days, as_of: Callable[[int], int | None]) -> None:
        self._store = store
        self._state = state
        self._days = days
        self._as_of = as_of

    async def fetch(self, now: int) -> Sample:
        return await asyncio.to_thread(self._fetch, now)

    def _fetch(self, now: int) -> Sample:
        as_of = self._as_of(now)
        if as_of is None:
            raise SourceError("events from before the start are still being loaded")
        today = self._days.of(now)
        return Sample((*self._closed(today), self._today(today)), as_of)

    def _closed(self, today: date) -> list[HistoryPoint]:
        first = today - timedelta(days=MAX_DAYS - 1)
        counted = self._state.daily_stats(first, today - timedelta(days=1))
        begin = min([*counted, today - timedelta(days=LEAST_DAYS - 1)])
        return [_closed(counted[day]) if day in counted else _gap(day)
                for day in self._days.between(begin, today - timedelta(days=1))]

    def _today(self, today: date) -> HistoryPoint:
        counts = self._store.days(today, today).get(today, {})
        sizes = self._state.latest_sizes([(today, *self._days.bounds(today))])
        return point(today, counts, sizes.get(today))


def _closed(stats: DailyStats) -> HistoryPoint:
    return HistoryPoint(stats.day.isoformat(), stats.files, stats.total_size, stats.duplicates, stats.cleanup_actions)


@lru_cache(MAX_DAYS)
def _gap(day: date) -> HistoryPoint:
    return HistoryPoint(day.isoformat(), None, None, None, None)


def point(day: date, counts: Mapping[str, int], total_size: int | None) -> HistoryPoint:
    """A day that was watched: an event that did not happen counts 0, a size that nobody measured is unknown."""
    return HistoryPoint(
        date=day.isoformat(),
        files=counts.get("file_processed", 0),
        total_size=total_size,
        duplicates=counts.get("duplicate_detected", 0),
        cleanup_actions=counts.get("cleanup_executed", 0),
    )


class MockHistory:
    """A made-up timeline, the same for the same seed and day."""

    def __init__(self, seed: int, days: Days) -> None:
        self._seed = seed
        self._days = days
        self._kept: Mapping[date, HistoricalData] = {}

    async def fetch(self, now: int) -> Sample:
        today = self._days.of(now)
        if today not in self._kept:  # thousands of throws of the dice, once a day
            self._kept = {today: await asyncio.to_thread(self._timeline, today)}
        return Sample(self._kept[today], now)

    def _timeline(self, today: date) -> HistoricalData:
        first = today - timedelta(days=MAX_DAYS - 1)
        return tuple(self._point(day) for day in self._days.between(first, today))

    def _point(self, day: date) -> HistoryPoint:
        dice = rng(self._seed, f"historicalData/{day}", 0)
        weekend = 0.4 if day.weekday() >= 5 else 1.0
        return HistoryPoint(
            date=day.isoformat(),
            files=round(around(dice, 9_500 * weekend, 0.15)),
            total_size=round(around(dice, 1.2e12, 0.01)),
            duplicates=round(around(dice, 800 * weekend, 0.2)),
            cleanup_actions=round(around(dice, 130 * weekend, 0.2)),
        )
