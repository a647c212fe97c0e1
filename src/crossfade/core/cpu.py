"""How busy a machine is, from two looks at its counters."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Seconds that all cores together have spent so far, and those of them in work."""

    total: float
    busy: float


def busy_percent(before: CpuTimes, after: CpuTimes) -> float | None:
    """Per cent of the time between two looks in work; None if the counters did not advance."""
    total = after.total - before.total
    if total <= 0:
        return None
    return min(100.0, max(0.0, 100 * (after.busy - before.busy) / total))
