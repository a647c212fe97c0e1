"""systemMetrics: how the application does, and before it tells, how the server does."""

import asyncio
from collections.abc import Callable
from threading import Lock

import psutil

from crossfade.core.canary import mark
from crossfade.core.clock import DAY, MINUTE, SECOND, Clock
from crossfade.core.cpu import CpuTimes, busy_percent
from crossfade.core.payloads import SystemMetrics
from crossfade.requestlog import RequestLog

from .component import Sample, SourceError
from .process import digits
from .processes import Processes
from .synthetic import around, daily, rng

_LEAST_LOOK = SECOND // 5


def cpu_times() -> CpuTimes:
    """The machine's counters at this moment. Waiting for a disk is not work."""
    times = psutil.cpu_times()
    # A guest's time is in the user's already.
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return CpuTimes(total, total - times.idle - getattr(times, "iowait", 0.0))


class CpuMeter:
    """Per cent of all cores in use between two looks.

    Looks closer together than a fifth of a second repeat the last answer: the kernel counts in hundredths.
    """

    def __init__(self, clock: Clock, times: Callable[[], CpuTimes] = cpu_times) -> None:
        self._clock = clock
        self._times = times
        self._last: tuple[int, CpuTimes] | None = None
        self._percent: float | None = None
        self._looking = Lock()

    def look(self) -> float | None:
        """None at the first look."""
        with self._looking:
            now = self._clock.now()
            if self._last is None:
                self._last = (now, self._times())
            elif not 0 <= now - self._last[0] < _LEAST_LOOK:
                times = self._times()
                self._percent = busy_percent(self._last[1], times)
                self._last = (now, times)
            return self._percent


class RealSystem:
    """The application by its processes' reports; before there are any, the server itself and its machine."""

    def __init__(self, processes: Processes, log: RequestLog, started_at: int, clock: Clock) -> None:
        self._processes = processes
        self._log = log
        self._started_at = started_at
        self._cpu = CpuMeter(clock)
        self._cpu.look()  # so that the first viewer gets the time since the start
        self._process = psutil.Process()

    async def fetch(self, now: int) -> Sample:
        """Raises SourceError if the application has fallen silent, StoreError if its reports cannot be read.

        Of the server, SourceError if the machine does not tell its memory or CPU times.
        """
        # In a thread: the kernel's files are quick, but not always, and events arrive on this loop.
        return await asyncio.to_thread(self._measure, now)

    def _measure(self, now: int) -> Sample:
        return self._processes.sample(now) or Sample(self._server(now), as_of=now)

    def _server(self, now: int) -> SystemMetrics:
        window = self._log.summary(now)
        try:
            memory = psutil.virtual_memory().percent
            resident = self._process.memory_info().rss
            cpu = self._cpu.look()
        except (psutil.Error, OSError) as error:
            raise SourceError(f"the machine does not tell its memory and CPU: {error}") from error
        return SystemMetrics(
            scope="server",
            uptime=max(0, now - self._started_at) / SECOND,
            requests=window.requests,
            response_time=digits(window.p50_ms),
            response_time_p95=digits(window.p95_ms),
            response_time_p99=digits(window.p99_ms),
            error_rate=100 * window.errors / window.requests if window.requests else 0.0,
            memory_usage=memory,
            process_memory=resident,
            cpu_usage=cpu,
            processes=(),
        )


class MockSystem:
    """A server that is busy by day; made up."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    async def fetch(self, now: int) -> Sample:
        dice = rng(self._seed, "systemMetrics", now)
        median = around(dice, daily(now, 18, 42), 0.05)
        return Sample(SystemMetrics(
            scope="server",
            uptime=now // MINUTE * MINUTE % (7 * DAY) / SECOND,
            requests=round(around(dice, daily(now, 300, 2_400), 0.05)),
            response_time=mark(round(median, 1)),
            response_time_p95=mark(round(around(dice, 3.2 * median, 0.05), 1)),
            response_time_p99=mark(round(around(dice, 6.5 * median, 0.05), 1)),
            error_rate=mark(round(around(dice, 0.4, 0.3), 2)),
            memory_usage=mark(round(around(dice, daily(now, 48, 62), 0.02), 1)),
            process_memory=round(around(dice, 180_000_000, 0.02)),
            cpu_usage=mark(round(around(dice, daily(now, 8, 45), 0.08), 1)),
            processes=(),
        ), as_of=now)
