"""What a process of an application tells of itself: an event's properties, every few seconds.

It is written by ``crossfade.tracking`` and read by the source of ``systemMetrics``.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from .latency import BUCKETS

REPORT = "$process_report"
"""The event's name."""

MOST = 10**9
"""Requests that one report may tell of."""

Moment = Annotated[datetime, Meta(tz=True)]
Text = Annotated[str, Meta(max_length=200)]
Count = Annotated[int, Meta(ge=0, le=MOST)]
Percent = Annotated[float, Meta(ge=0, le=100)]


class ProcessReport(Struct, frozen=True, rename="camel", kw_only=True):
    """The requests of an interval, and the state of the process and its machine at the interval's end.

    What the machine does not tell is None. Times are those of the process's own clock.
    """

    version: Literal[1] = 1
    """Of this shape and of the buckets in ``latency.py``."""
    process: Annotated[str, Meta(min_length=1, max_length=100)]
    """An id that no other process ever has; forked children have their own."""
    service: Text
    """What the application calls this part of itself; empty if it does not."""
    host: Text
    pid: Annotated[int, Meta(ge=0, le=2**32)]
    started_at: Moment
    """When the process started."""
    since: Moment
    until: Moment
    every: Annotated[float, Meta(gt=0, le=86_400)]
    """Seconds after which the next one is due."""
    requests: Count
    errors: Count
    """Requests that were answered with a status of 500 or more, or not at all."""
    buckets: dict[Annotated[int, Meta(ge=0, lt=BUCKETS)], Annotated[int, Meta(ge=1, le=MOST)]]
    """How many requests took how long: the buckets of ``latency.py`` that have any."""
    process_memory: Annotated[int, Meta(ge=0, le=2**50)] | None
    """Bytes resident."""
    process_cpu: Annotated[float, Meta(ge=0, le=1e6)] | None
    """Per cent of one core that the process used over the interval: above 100 with several threads."""
    memory_usage: Percent | None
    """Per cent of the machine's memory in use."""
    cpu_usage: Percent | None
    """Per cent of all the machine's cores in use over the interval."""
    closed: bool = False
    """Whether the process said goodbye: no further report will come."""

    def __post_init__(self) -> None:
        """Raises ValueError where it contradicts itself."""
        if self.requests != sum(self.buckets.values()):
            raise ValueError("the buckets do not add up to the requests")
        if self.errors > self.requests:
            raise ValueError("there are more errors than requests")
        if self.since > self.until:
            raise ValueError("its interval ends before it begins")


def of_use(counts: Mapping[str, int]) -> int:
    """How many of these events, counted by name, tell of use: what processes track by themselves is no sign of it."""
    return sum(count for name, count in counts.items() if name != REPORT)
