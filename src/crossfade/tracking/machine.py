"""What the machine tells of a process and of itself: from /proc where there is one, else from psutil if it is there."""

import os
from pathlib import Path
from typing import Protocol

from crossfade.core.clock import SECOND
from crossfade.core.cpu import CpuTimes

PROC = Path("/proc")
_START_TIME = 19
"""Where the start time stands in ``/proc/self/stat``, behind the program's name; see proc(5)."""
_COUNTERS = 8
"""Of the processor's counters in ``/proc/stat``: a guest's, which follow, are in the user's already."""


class Machine(Protocol):
    """Each may raise OSError, or LookupError or ValueError for what it does not understand."""

    def started_at(self) -> int:
        """When this process started, in microseconds since the epoch."""

    def resident(self) -> int:
        """Bytes of memory that this process holds."""

    def memory_percent(self) -> float:
        """Per cent of the machine's memory in use."""

    def cpu(self) -> CpuTimes:
        """The machine's counters. Waiting for a disk is not work."""


def find(proc: Path = PROC) -> Machine | None:
    """How this machine can be asked; None where it cannot."""
    if (proc / "self" / "statm").exists():
        return ProcMachine(proc)
    try:
        return PsutilMachine()
    except ImportError:
        return None


class ProcMachine:
    """Linux: the kernel's own files."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc

    def started_at(self) -> int:
        behind_name = (self._proc / "self" / "stat").read_text(errors="replace").rpartition(")")[2].split()
        ticks = int(behind_name[_START_TIME])
        return self._field("stat", "btime") * SECOND + ticks * SECOND // os.sysconf("SC_CLK_TCK")

    def resident(self) -> int:
        pages = (self._proc / "self" / "statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def memory_percent(self) -> float:
        total, available = self._field("meminfo", "MemTotal:"), self._field("meminfo", "MemAvailable:")
        return round(min(100.0, max(0.0, 100 * (total - available) / total)), 1)

    def cpu(self) -> CpuTimes:
        line = (self._proc / "stat").read_text().partition("\n")[0]
        _, _, _, idle, wait, *_ = counters = [int(part) for part in line.split()[1 : 1 + _COUNTERS]]
        total, hertz = sum(counters), os.sysconf("SC_CLK_TCK")
        return CpuTimes(total / hertz, (total - idle - wait) / hertz)

    def _field(self, file: str, name: str) -> int:
        for line in (self._proc / file).read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
        raise LookupError(f"{file} has no {name}")


class PsutilMachine:
    """Elsewhere, with psutil."""

    def __init__(self) -> None:
        """Raises ImportError without psutil."""
        import psutil  # noqa: PLC0415  an application need not have it

        self._psutil = psutil
        self._process = psutil.Process()

    def started_at(self) -> int:
        return int(self._process.create_time() * SECOND)

    def resident(self) -> int:
        return int(self._process.memory_info().rss)

    def memory_percent(self) -> float:
        return float(self._psutil.virtual_memory().percent)

    def cpu(self) -> CpuTimes:
        times = self._psutil.cpu_times()
        return CpuTimes(sum(times), sum(times) - times.idle)
