"""The second reader of systemMetrics and infrastructureMetrics: other instruments that measure the same.

It shares no code with the real sources: they ask psutil and shutil, it reads the kernel's files, see proc(5), and asks
fstatvfs(3). Every figure was taken between two of its readings, so it must lie between them, give or take what is
stated here; readings too far apart prove nothing, and nothing is compared.
"""

import os
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crossfade.core.clock import SECOND, Clock
from crossfade.core.comparison import Comparison, Reference, Tolerance, compare
from crossfade.core.latency import RELATIVE_ERROR
from crossfade.core.payloads import InfrastructureMetrics, ProcessMetrics, SystemMetrics
from crossfade.store.port import StoreError

from .beside import Seen, Unreadable

SYSTEM, INFRASTRUCTURE = "systemMetrics", "infrastructureMetrics"
PROC = Path("/proc")

MEMORY_POINTS = 1.0
"""Points of per cent: the machine's memory moves while it is read."""
CPU_POINTS = 1.0
"""Points of per cent, beside what the counters leave open: they go by hundredths of a second."""
RESIDENT = 4 << 20
"""Bytes of the server's own memory, or two per cent of it."""
RESIDENT_SHARE = 0.02
REPORTED_SHARE = 0.25
"""Of an application's process, which reported its memory some seconds ago; or 32 MiB."""
REPORTED = 32 << 20
UPTIME_S = 2.0
"""Or one per cent: the clock may have been set a little."""
UPTIME_SHARE = 0.01
TRANSIT_MS = 50.0
"""By how much a client may find an answer slower than the server does: the way there and back."""
FREE = 16 << 20
"""Bytes of the disk, which others use too."""
USED_POINTS = 0.2
"""Points of per cent: it is shown in tenths."""

FARTHEST = SECOND // 2
"""Microseconds between the two readings, beyond which they are of different times."""
WIDEST_CPU = 20.0
"""Points that the counters may leave open, beyond which they tell nothing."""
LEAST_REST = SECOND // 4
"""Microseconds between two answers, below which the real source repeats its CPU figure."""
STEADY = SECOND // 2
"""For how long nothing must have come or gone, for the queue to be counted."""
MOST_QUEUED = 32 << 20
"""Bytes of the journal that are counted; a longer queue is not."""
SAME_START_S = 3.0
"""How far a process's start may be from what it tells, to be the same process and not a later one of its number."""
MOST_PROCESSES = 50
_COUNTERS = 8  # a guest's times, which follow, are in the user's already
_START_TIME = 19  # behind the program's name in /proc/PID/stat

Window = tuple[int, int]


@dataclass(frozen=True, slots=True)
class MachineLook:
    """The machine and this process at a moment. The counters are in ticks, of all cores together."""

    at: int
    memory_percent: float
    resident: int
    boot_s: float
    """Seconds since the machine started."""
    total: int
    busy: int


@dataclass(frozen=True, slots=True)
class DiskLook:
    """The data folder's file system in bytes, and the journal's files that the store has not loaded."""

    at: int
    total: int
    free: int
    used_percent: float
    queue: tuple[tuple[Path, int], ...]
    """Each with its size."""


class MachineReader:
    """Reads ``/proc``."""

    def __init__(self, clock: Clock, proc: Path = PROC) -> None:
        self._clock = clock
        self._proc = proc

    def look(self) -> MachineLook:
        """Raises Unreadable."""
        try:
            meminfo = dict(line.split(":", 1) for line in (self._proc / "meminfo").read_text().splitlines())
            total, available = (int(meminfo[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
            pages = int((self._proc / "self" / "statm").read_text().split()[1])
            first_line = (self._proc / "stat").read_text().partition("\n")[0]
            counters = [int(part) for part in first_line.split()[1 : 1 + _COUNTERS]]
            return MachineLook(
                at=self._clock.now(), memory_percent=100 * (1 - available / total),
                resident=pages * os.sysconf("SC_PAGE_SIZE"), boot_s=self._boot_s(),
                total=sum(counters), busy=sum(counters) - counters[3] - counters[4],
            )
        except (OSError, LookupError, ValueError, ZeroDivisionError) as error:
            raise Unreadable(f"the kernel's files do not tell: {error}") from None

    def process(self, pid: int) -> tuple[float, int] | None:
        """Seconds since another process of this host started, and the bytes that it holds; None if it is not there."""
        try:
            fields = (self._proc / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
            pages = int((self._proc / str(pid) / "statm").read_text().split()[1])
            age_s = self._boot_s() - int(fields[_START_TIME]) / os.sysconf("SC_CLK_TCK")
        except (OSError, LookupError, ValueError):
            return None
        return age_s, pages * os.sysconf("SC_PAGE_SIZE")

    def _boot_s(self) -> float:
        return float((self._proc / "uptime").read_text().split()[0])


class DiskReader:
    """Asks the folder's file system, and lists the journal."""

    def __init__(self, data: Path, journal: Path, last_segment: Callable[[], int], clock: Clock) -> None:
        """``last_segment``: through which the event store has loaded; it may raise StoreError."""
        self._data = data
        self._journal = journal
        self._last_segment = last_segment
        self._clock = clock

    def look(self) -> DiskLook:
        """Raises Unreadable."""
        try:
            descriptor = os.open(self._data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                found = os.fstatvfs(descriptor)
            finally:
                os.close(descriptor)
            loaded = self._last_segment()
            queue = tuple(sorted((path, path.stat().st_size) for path in self._journal.glob("*.tsv")
                                 if path.stem.isdecimal() and int(path.stem) > loaded))
        except FileNotFoundError:
            raise Unreadable("a file went while it was looked at") from None
        except (OSError, StoreError) as error:
            raise Unreadable(f"the data folder does not tell: {error}") from None
        used = found.f_blocks - found.f_bfree
        usable = used + found.f_bavail
        return DiskLook(self._clock.now(), found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize,
                        100 * used / usable if usable else 0.0, queue)


class SystemSecond:
    """Compares systemMetrics: the server's own figures, or those of the application's processes on this host."""

    def __init__(self, machine: MachineReader, started_at: int) -> None:
        """``started_at``: since when the uptime is told. Raises Unreadable without /proc."""
        look = machine.look()
        self._machine = machine
        self._began_s = look.boot_s - (look.at - started_at) / SECOND
        self._residents: dict[str, int] = {}
        self._host = socket.gethostname()

    def compare(self, seen: Sequence[Seen[MachineLook]]) -> list[Comparison]:
        """The newest answer, field by field; nothing if its readings are too far apart."""
        if not seen or not near(seen[-1].before.at, seen[-1].after.at):
            return []
        metrics = seen[-1].sample.payload
        if not isinstance(metrics, SystemMetrics):
            return []
        if metrics.scope == "server":
            return server(metrics, seen, self._began_s)
        return self._processes(metrics.processes, window_of(seen[-1].before.at, seen[-1].after.at))

    def _processes(self, told: Iterable[ProcessMetrics], window: Window) -> list[Comparison]:
        """Each process that is here, and was at the last look: what it told in between lies between the two."""
        now: dict[str, int] = {}
        found = []
        for process in [each for each in told if each.host == self._host and each.status == "up"][:MOST_PROCESSES]:
            here = self._machine.process(process.pid)
            if here is None or process.memory is None or abs(here[0] - process.uptime) > SAME_START_S:
                continue
            earlier = self._residents.get(process.id)
            now[process.id] = here[1]
            if earlier is not None:
                found.append(between(SYSTEM, f"processes.{process.pid}.memory", process.memory, (earlier, here[1]),
                                     allowed=give(REPORTED, REPORTED_SHARE, here[1]), window=window))
        self._residents = now
        return found


def server(metrics: SystemMetrics, seen: Sequence[Seen[MachineLook]], began_s: float) -> list[Comparison]:
    """The server's own figures beside the readings; ``began_s``: seconds from the machine's start to the server's."""
    before, after = seen[-1].before, seen[-1].after
    window = window_of(before.at, after.at)
    uptime = after.boot_s - began_s
    found = [
        between(SYSTEM, "memoryUsage", metrics.memory_usage, (before.memory_percent, after.memory_percent),
                allowed=MEMORY_POINTS, window=window),
        between(SYSTEM, "processMemory", metrics.process_memory, (before.resident, after.resident),
                allowed=give(RESIDENT, RESIDENT_SHARE, after.resident), window=window),
        between(SYSTEM, "uptime", metrics.uptime, (before.boot_s - began_s, uptime),
                allowed=give(UPTIME_S, UPTIME_SHARE, uptime), window=window),
    ]
    open_to = cpu_span(seen)
    if open_to is not None:
        found.append(between(SYSTEM, "cpuUsage", metrics.cpu_usage, open_to, allowed=CPU_POINTS, window=window))
    return found


def cpu_span(seen: Sequence[Seen[MachineLook]]) -> tuple[float, float] | None:
    """The least and the most that a CPU figure over the last two answers can be; None where that is not known.

    Each answer's own look at the counters lies between the readings around it, and counters only grow.
    """
    if len(seen) < 2 or any(one.rest is None or one.rest < LEAST_REST for one in seen[-2:]):
        return None
    first, last = seen[-2:]
    least_total, most_total = last.before.total - first.after.total, last.after.total - first.before.total
    if least_total <= 0:
        return None
    low = 100 * max(0, last.before.busy - first.after.busy) / most_total
    high = min(100.0, 100 * max(0, last.after.busy - first.before.busy) / least_total)
    return (low, high) if high - low <= WIDEST_CPU else None


def infrastructure(seen: Sequence[Seen[DiskLook]]) -> list[Comparison]:
    """The disk; and the queue, if nothing came or went meanwhile. Nothing if the readings are too far apart."""
    if not seen or not near(seen[-1].before.at, seen[-1].after.at):
        return []
    before, after = seen[-1].before, seen[-1].after
    metrics, window = seen[-1].sample.payload, window_of(before.at, after.at)
    if not isinstance(metrics, InfrastructureMetrics):
        return []
    found = [
        between(INFRASTRUCTURE, "disk.total", metrics.disk.total, (before.total, after.total), allowed=0,
                window=window),
        between(INFRASTRUCTURE, "disk.free", metrics.disk.free, (before.free, after.free), allowed=FREE,
                window=window),
        between(INFRASTRUCTURE, "disk.usedPercent", metrics.disk.used_percent,
                (before.used_percent, after.used_percent), allowed=USED_POINTS, window=window),
    ]
    counted = count(after.queue) if steady(seen) else None
    if counted is not None:
        found += [between(INFRASTRUCTURE, field, told, (here, here), allowed=0, window=window)
                  for field, told, here in (("queue.events", metrics.queue.events, counted[0]),
                                            ("queue.bytes", metrics.queue.bytes, counted[1]))]
    return found


def steady(seen: Sequence[Seen[DiskLook]]) -> bool:
    """Whether the queue was the same for a while: what is just being written or loaded is on both sides, or none."""
    if len(seen) < 2 or seen[-1].before.at - seen[-2].after.at < STEADY:
        return False
    return seen[-2].after.queue == seen[-1].before.queue == seen[-1].after.queue


def count(queue: Sequence[tuple[Path, int]]) -> tuple[int, int] | None:
    """Lines and bytes of the files as long as they were; None if they are too long, or gone."""
    size = sum(each for _, each in queue)
    if size > MOST_QUEUED:
        return None
    lines = 0
    try:
        for path, each in queue:
            with path.open("rb") as file:
                lines += file.read(each).count(b"\n")
    except OSError:  # loaded and packed by now
        return None
    return lines, size


def response_time(server_ms: float | None, client_ms: float, window: Window) -> Comparison:
    """What the server's histogram says of a few requests, beside the client that timed them: never longer."""
    longer = server_ms is not None and server_ms > client_ms
    return compare(SYSTEM, "responseTime", server_ms, round(client_ms, 3), Reference.SECOND_READER, window=window,
                   at=window[1], tolerance=Tolerance(0.1 if longer else TRANSIT_MS, RELATIVE_ERROR))


def between(component: str, field: str, real: float | None, readings: tuple[float, float], *, allowed: float,
            window: Window) -> Comparison:
    """A figure taken between two readings: as far as ``allowed`` outside them agrees."""
    one, other = readings
    middle = one if one == other else (one + other) / 2
    return compare(component, field, real, middle, Reference.SECOND_READER, window=window, at=window[1],
                   tolerance=Tolerance(allowed + abs(one - other) / 2))


def give(absolute: float, share: float, value: float) -> float:
    """The larger of an absolute distance and a share of the value."""
    return max(absolute, share * abs(value))


def near(before: int, after: int) -> bool:
    """Whether two readings are of one time. A clock that was set back says no."""
    return 0 <= after - before <= FARTHEST


def window_of(before: int, after: int) -> Window:
    """Half-open, so it holds at least one moment."""
    return before, max(after, before + 1)
