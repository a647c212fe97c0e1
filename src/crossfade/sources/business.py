"""``businessMetrics``: what the users do, from the events they caused."""

import asyncio
from collections.abc import Callable

from crossfade.core.canary import mark
from crossfade.core.clock import DAY, HOUR
from crossfade.core.payloads import BusinessMetrics
from crossfade.state.repository import State
from crossfade.store.port import EventStore

from .component import Sample, SourceError
from .synthetic import around, daily, rng


class RealBusiness:
    """Counts the stored events: the last 24 hours, and the last hour for active users."""

    def __init__(self, store: EventStore, state: State, as_of: Callable[[int], int | None], scan_timeout: int) -> None:
        """``as_of`` tells up to when every acknowledged event is stored; ``scan_timeout`` is in microseconds."""
        self._store = store
        self._state = state
        self._as_of = as_of
        self._scan_timeout = scan_timeout

    async def fetch(self, now: int) -> Sample:
        as_of = await asyncio.to_thread(self._as_of, now)  # before anything is counted: never too young
        if as_of is None:
            raise SourceError("events from before the start are still being loaded")
        counts, users, scans = await asyncio.gather(
            asyncio.to_thread(self._store.counts, now - DAY, now),
            asyncio.to_thread(self._store.signed_in, now - HOUR, now),
            asyncio.to_thread(self._state.running_scans, now - self._scan_timeout),
        )
        return Sample(
            BusinessMetrics(
                active_users=users,
                files_processed=counts.get("file_processed", 0),
                duplicates_detected=counts.get("duplicate_detected", 0),
                cleanup_actions_executed=counts.get("cleanup_executed", 0),
                background_scans=scans,
                auth_success_rate=success_rate(counts.get("auth_attempt", 0), counts.get("auth_success", 0)),
            ),
            as_of,
        )


def success_rate(attempts: int, successes: int) -> float:
    """Successes per hundred attempts. 100 without an attempt, as the guide has it.

    Never more, though the attempt that a success belongs to may lie before the window.
    """
    return min(100.0, 100.0 * successes / attempts) if attempts else 100.0


class MockBusiness:
    """Made-up figures, the same for the same seed and minute."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    async def fetch(self, now: int) -> Sample:
        dice = rng(self._seed, "businessMetrics", now)
        return Sample(
            BusinessMetrics(
                active_users=round(around(dice, daily(now, 40, 120), 0.05)),
                files_processed=round(around(dice, daily(now, 9_000, 12_000), 0.01)),
                duplicates_detected=round(around(dice, daily(now, 700, 1_000), 0.02)),
                cleanup_actions_executed=round(around(dice, daily(now, 110, 160), 0.03)),
                background_scans=round(daily(now, 0, 4)),
                auth_success_rate=mark(round(around(dice, daily(now, 96, 98), 0.005), 1)),
            ),
            now,
        )
