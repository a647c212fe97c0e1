"""Counts of requests, that add up over intervals, processes and hosts."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .latency import BUCKETS, quantile_ms


@dataclass(frozen=True, slots=True)
class Counts:
    """How many requests there were, how long they took, and how many failed."""

    buckets: Mapping[int, int]
    """Requests by latency: those buckets of ``latency.py`` that have any."""
    errors: int

    @property
    def requests(self) -> int:
        return sum(self.buckets.values())

    @property
    def error_rate(self) -> float:
        """Per cent of the requests; 0 without one."""
        requests = self.requests
        return 100 * self.errors / requests if requests else 0.0

    def quantiles_ms(self, *shares: float) -> tuple[float | None, ...]:
        """Of the latencies, by the nearest rank, in milliseconds; None without a request."""
        dense = [0] * BUCKETS
        for bucket, count in self.buckets.items():
            dense[bucket] = count
        return tuple(quantile_ms(dense, share) for share in shares)


def merged(parts: Iterable[Counts]) -> Counts:
    """All of them as one."""
    buckets: Counter[int] = Counter()
    errors = 0
    for part in parts:
        buckets.update(part.buckets)
        errors += part.errors
    return Counts(buckets, errors)
