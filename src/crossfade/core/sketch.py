"""Latencies in few numbers: counts by the buckets of ``core/latency.py``, without the empty ones.

At most MOST buckets are kept. What lies below them counts in the lowest one that is kept, so that the slow end, which
is asked for, stays exact; and so that the order in which sketches are merged makes no difference.
"""

from collections.abc import Mapping

from .latency import BUCKETS, bucket_of, quantile_ms
from .summed import summed

MOST = 96

Sketch = Mapping[int, int]


def bucket(latency_us: int) -> int:
    """In which bucket a latency counts."""
    return bucket_of(min(latency_us, 2**53) / 1_000_000)


def merged(one: Sketch, other: Sketch) -> dict[int, int]:
    """Both together."""
    return folded(summed(one, other))


def folded(counts: dict[int, int]) -> dict[int, int]:
    """At most MOST buckets: the lowest are counted in the lowest one that is kept."""
    if len(counts) <= MOST:
        return counts
    numbers = sorted(counts)
    lowest = numbers[-MOST]
    kept = {number: counts[number] for number in numbers[-MOST:]}
    kept[lowest] += sum(counts[number] for number in numbers[:-MOST])
    return kept


def quantiles_ms(counts: Sketch, *shares: float) -> tuple[float | None, ...]:
    """The latencies of the nearest ranks, in milliseconds; None without a call."""
    dense = [max(0, counts.get(number, 0)) for number in range(BUCKETS)]
    return tuple(quantile_ms(dense, share) if any(dense) else None for share in shares)
