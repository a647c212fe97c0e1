"""What each built-in component shows: the guide's names, camelCase outside.

A field that may be ``None`` is one that can be honestly unknown; it is shown as a gap, never as 0.

What a value must be stands with its field: type, range and unit; what must hold between values, in ``CHECKS``. The
limits are those of the guide's validators, but zero is a value, and a count may be as high as it is: whether it is
true, the recount tells. ``core/check.py`` reads both.
"""

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from .rule import AtMost, OneRowADay, OnlyIf, Rule, Unique, Voluntary

Count = Annotated[int, Meta(ge=0)]
Bytes = Annotated[int, Meta(ge=0, extra={"unit": "bytes"})]
Seconds = Annotated[float, Meta(ge=0, extra={"unit": "s"})]
Percent = Annotated[float, Meta(ge=0, le=100, extra={"unit": "%"})]
Milliseconds = Annotated[float, Meta(ge=0, extra={"unit": "ms"})]
ResponseTime = Annotated[float, Meta(ge=0, le=10_000, extra={"unit": "ms"})]
Events = Annotated[int, Meta(ge=0, extra={"unit": "events"})]


class BusinessMetrics(Struct, frozen=True, rename="camel"):
    """What the users do. Counts are of the last 24 hours, active users of the last hour."""

    active_users: Annotated[int, Meta(ge=0, extra={"unit": "users"})]
    """Distinct users with an ``auth_success`` in the last hour; events without a user id aside."""
    files_processed: Events
    """``file_processed`` events."""
    duplicates_detected: Events
    """``duplicate_detected`` events."""
    cleanup_actions_executed: Events
    """``cleanup_executed`` events."""
    background_scans: Count
    """Scans that started and have not ended; after a day without an end a scan no longer counts."""
    auth_success_rate: Percent
    """Per cent of the sign-in attempts; 100 when there was none."""


class ProcessMetrics(Struct, frozen=True, rename="camel"):
    """One process of the application, by its own reports."""

    CHECKS: ClassVar[tuple[Rule, ...]] = (
        Unique("id"), AtMost("response_time", "response_time_p95"), AtMost("response_time_p95", "response_time_p99"),
        OnlyIf("response_time", "requests"), OnlyIf("response_time_p95", "requests"),
        OnlyIf("response_time_p99", "requests"),
    )

    id: str
    """Another in every process."""
    service: str
    """What the application calls this part of itself; may be empty."""
    host: str
    pid: Count
    status: str
    """``up``; ``ended``: it said goodbye; ``down``: it has been silent for three of its intervals."""
    requests: Count
    """Answered in the window."""
    response_time: ResponseTime | None
    """Median, in milliseconds; None without a request."""
    response_time_p95: ResponseTime | None
    """95th percentile, in milliseconds; None without a request."""
    response_time_p99: ResponseTime | None
    """99th percentile, in milliseconds; None without a request."""
    error_rate: Percent
    """Per cent of the requests answered with a status of 500 or more; 0 without a request."""
    uptime: Seconds
    """Seconds since its start; of one that is no longer up, until its last report."""
    memory: Bytes | None
    """Bytes resident; None if its machine does not tell."""
    cpu: Annotated[float, Meta(ge=0, extra={"unit": "%"})] | None
    """Per cent of one core over its last interval; None in its first report."""
    as_of: str
    """The time of its last report."""


class SystemMetrics(Struct, frozen=True, rename="camel"):
    """How the application does, by the reports of its processes; the server itself, while no process ever reports.

    Requests are those of a sliding window.
    """

    CHECKS: ClassVar[tuple[Rule, ...]] = (
        AtMost("response_time", "response_time_p95"), AtMost("response_time_p95", "response_time_p99"),
        OnlyIf("response_time", "requests"), OnlyIf("response_time_p95", "requests"),
        OnlyIf("response_time_p99", "requests"),
    )

    scope: str
    """``application``: some process of it has reported within the last 24 hours; else ``server``."""
    uptime: Seconds
    """Seconds since the start; of the application, since that of the process that runs for the longest."""
    requests: Count
    """Answered in the window: the sample behind the next four."""
    response_time: ResponseTime | None
    """Median, in milliseconds; None without a request."""
    response_time_p95: ResponseTime | None
    """95th percentile, in milliseconds; None without a request."""
    response_time_p99: ResponseTime | None
    """99th percentile, in milliseconds; None without a request."""
    error_rate: Percent
    """Per cent of the requests answered with a status of 500 or more; 0 without a request."""
    memory_usage: Percent | None
    """Per cent of the machine's memory in use, on the host where that is highest; None if none tells."""
    process_memory: Bytes | None
    """Bytes resident in the server's process, or in all of the application's together; None if one does not tell."""
    cpu_usage: Percent | None
    """Per cent of all cores in use since the last look, on the host where that is highest; None at the first look."""
    processes: tuple[ProcessMetrics, ...]
    """Of the application: those that are up, and those that had a part in the window. Empty for the server."""


class Service(Struct, frozen=True, rename="camel"):
    """One part that the rest stands on."""

    CHECKS: ClassVar[tuple[Rule, ...]] = (Unique("name"),)

    name: str
    """``eventStore``, ``stateStore``, ``ingestQueue``, or a target's name in the settings."""
    status: Annotated[str, Meta(pattern="^(up|degraded|down|unknown)$")]
    """``up``, ``degraded``, ``down`` or ``unknown`` (not probed yet)."""
    latency: Milliseconds | None
    """Of the last successful probe, in milliseconds."""
    uptime: Percent | None
    """Per cent of the probes kept that succeeded; None before the first."""
    probes: Count
    """How many probes that is."""
    detail: str
    """In words: what was found."""


class IngestQueue(Struct, frozen=True, rename="camel"):
    """What is acknowledged and on disk, but not yet in the event store."""

    events: Events
    """Waiting."""
    bytes: Bytes
    """Of the journal that they take."""


class Disk(Struct, frozen=True, rename="camel"):
    """The file system that holds the data folder, in bytes."""

    CHECKS: ClassVar[tuple[Rule, ...]] = (AtMost("free", "total"),)

    total: Bytes
    """Its size."""
    free: Bytes
    """What the server may still use."""
    used_percent: Percent
    """As ``df`` counts it."""


class InfrastructureMetrics(Struct, frozen=True, rename="camel"):
    """What the server stands on: stores, queue, disk, and the targets that the settings name."""

    services: tuple[Service, ...]
    queue: IngestQueue
    disk: Disk


class HistoryPoint(Struct, frozen=True, rename="camel"):
    """One day of storage. A day that nobody counted is a row of None: a gap, not a zero."""

    CHECKS: ClassVar[tuple[Rule, ...]] = (OneRowADay("date"), Voluntary("total_size"))

    date: Annotated[str, Meta(min_length=10, max_length=10)]
    """In the time zone of the settings."""
    files: Events | None
    """``file_processed`` events of the day."""
    total_size: Bytes | None
    """Bytes, by the latest completed scan of the day; None without one."""
    duplicates: Events | None
    """``duplicate_detected`` events of the day."""
    cleanup_actions: Events | None
    """``cleanup_executed`` events of the day."""


HistoricalData = tuple[HistoryPoint, ...]
"""One point a day, oldest first, the last one today."""

Payload = Struct | tuple[Struct, ...]
"""What any component shows: a struct, or a series of them."""
