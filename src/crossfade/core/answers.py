"""The answers that were given since the start: how many took how long, and their statuses."""

from bisect import bisect_left

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: the upper ends of the buckets, each included in its own. What is slower is in one more."""


class Answers:
    """Counts that only grow. One thread records; any thread may read a copy of them."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        """How many fell into each bucket, and none of those below."""
        self.seconds = 0.0
        """What all of them took together."""
        self.statuses: dict[int, int] = {}
        """How many had each HTTP status; 499 is a client that left before."""

    def record(self, status: int, seconds: float) -> None:
        """Counts one answer."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds
        self.statuses[status] = self.statuses.get(status, 0) + 1
