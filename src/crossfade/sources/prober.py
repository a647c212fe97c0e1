"""Asks every probe again and again, and keeps what came of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from crossfade.core.clock import Clock
from crossfade.core.payloads import Service

from .probe import Impaired, Probe, ProbeError, shown

KEPT = 8_640
"""Results kept of each probe: a day of them, one every ten seconds."""


class Results:
    """The last results of one probe, oldest first out, a byte each."""

    def __init__(self, kept: int = KEPT) -> None:
        self._ring = bytearray(kept)
        self._next = 0
        self.probes = 0
        self.successes = 0

    def add(self, success: bool) -> None:
        self.successes += success - self._ring[self._next]
        self._ring[self._next] = success
        self._next = (self._next + 1) % len(self._ring)
        self.probes = min(self.probes + 1, len(self._ring))

    def last(self, wanted: int) -> list[bool]:
        """The latest results, the latest one first; fewer if there are fewer."""
        return [bool(self._ring[self._next - 1 - back]) for back in range(min(wanted, self.probes))]


def status(latest: Sequence[bool], *, impaired: bool, slow: bool) -> str:
    """What the latest results, newest first, and the newest answer make of a service.

    ``down`` if the last probe failed; ``degraded`` if its answer was late or impaired, or if one just before it
    failed; ``unknown`` without any.
    """
    if not latest:
        return "unknown"
    if not latest[0]:
        return "down"
    return "degraded" if impaired or slow or not all(latest) else "up"


class Watched:
    """A probe and what came of it so far."""

    def __init__(self, probe: Probe, slow_ms: float) -> None:
        self.probe = probe
        self.probed_at: int | None = None
        """When the last probe began."""
        self._slow_ms = slow_ms
        self._results = Results()
        self._latency: float | None = None
        self._impaired = False
        self._detail = "not probed yet"

    def answered(self, at: int, detail: str, latency_ms: float) -> None:
        self._latency = latency_ms
        self._impaired = isinstance(detail, Impaired)
        self._keep(at, detail, success=True)

    def failed(self, at: int, detail: str) -> None:
        self._keep(at, detail, success=False)

    def _keep(self, at: int, detail: str, *, success: bool) -> None:
        self.probed_at = at
        self._detail = shown(detail)
        self._results.add(success)

    def service(self) -> Service:
        kept = self._results
        slow = self._latency is not None and self._latency > self._slow_ms
        return Service(
            name=self.probe.name,
            status=status(kept.last(3), impaired=self._impaired, slow=slow),
            latency=self._latency,
            uptime=100 * kept.successes / kept.probes if kept.probes else None,
            probes=kept.probes,
            detail=self._detail,
        )


class Prober:
    """Asks all probes at once, each with a deadline, and again after a pause. Times are in seconds.

    Raises ValueError if two probes have the same name.
    """

    def __init__(
        self, probes: Sequence[Probe], clock: Clock, *, interval_s: float = 10, timeout_s: float = 3,
        slow_ms: float = 1_000, pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        names = [probe.name for probe in probes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two things to probe have the same name: {', '.join(twice)}")
        self._watched = [Watched(probe, slow_ms) for probe in probes]
        self._clock = clock
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._pause = pause

    async def run(self) -> None:
        """Probe until cancelled."""
        while True:
            await self.probe_all()
            await self._pause(self._interval_s)

    async def probe_all(self) -> None:
        """Ask every part once. Never fails: a failing part is the finding."""
        async with asyncio.TaskGroup() as tasks:
            for watched in self._watched:
                tasks.create_task(self._ask(watched))

    async def _ask(self, watched: Watched) -> None:
        at = self._clock.now()
        began = time.perf_counter()
        deadline = asyncio.timeout(self._timeout_s)
        try:
            async with deadline:
                detail = await watched.probe.ask()
        except Exception as error:  # noqa: BLE001 - a probe may raise anything: that is its finding
            late = deadline.expired()
            watched.failed(at, f"no answer in {self._timeout_s:g} s" if late else _told(error))
        else:
            watched.answered(at, detail, (time.perf_counter() - began) * 1_000)

    def services(self) -> tuple[Service, ...]:
        """Every part as the last probes found it, in the order given."""
        return tuple(watched.service() for watched in self._watched)

    def probed_at(self) -> int | None:
        """When the part asked longest ago was last asked, of those asked at all; None if none was."""
        probed = [watched.probed_at for watched in self._watched if watched.probed_at is not None]
        return min(probed, default=None)


def _told(error: Exception) -> str:
    text = str(error)
    if isinstance(error, ProbeError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
