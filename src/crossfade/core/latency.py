"""Latencies counted in buckets that grow by a constant factor, so that every quantile has the same relative error.

After DDSketch (Masson, Rim and Lee, VLDB 2019), with the range cut off at both ends: a fixed number of buckets, which
add up over slots, processes and hosts.
"""

import math
from collections.abc import Sequence

RELATIVE_ERROR = 0.02
"""Of a quantile, for latencies between SHORTEST and LONGEST."""
SHORTEST = 10e-6
"""Seconds. Anything quicker counts as this."""
LONGEST = 100.0
"""Seconds. Anything slower counts as this."""

# Bucket n > 0 holds the latencies from SHORTEST · GROWTH^(n-1) to SHORTEST · GROWTH^n.
_GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_SCALE = 1 / math.log(_GROWTH)
_SHIFT = 1 - math.log(SHORTEST) * _SCALE
_LAST = math.ceil(math.log(LONGEST / SHORTEST) * _SCALE) + 1
BUCKETS = _LAST + 1


def bucket_of(seconds: float) -> int:
    """In which bucket a latency is counted."""
    if seconds >= LONGEST:
        return _LAST
    return int(math.log(seconds) * _SCALE + _SHIFT) if seconds > SHORTEST else 0


def quantile_ms(counts: Sequence[int], share: float) -> float | None:
    """The latency of the nearest rank, in milliseconds, from the counts of the buckets; None if all are 0."""
    rank = max(1, math.ceil(share * sum(counts)))
    seen = 0
    for bucket, count in enumerate(counts):
        seen += count
        if seen >= rank:
            return _middle(bucket) * 1_000
    return None


def _middle(bucket: int) -> float:
    """The latency, in seconds, whose relative distance to both ends of the bucket is the same."""
    if bucket == 0:
        return SHORTEST
    if bucket == _LAST:
        return LONGEST
    return SHORTEST * float(_GROWTH ** (bucket - 1)) * (1 + RELATIVE_ERROR)
