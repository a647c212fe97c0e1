"""How each component is laid out on the page: the built-in ones by hand, others by what their models declare."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from crossfade.core.flag import snake
from crossfade.core.value import is_number
from crossfade.sources.component import Component

Kind = Literal["text", "count", "number", "percent", "milliseconds", "bytes", "duration"]


P95_MS, ERROR_RATE = 250.0, 1.0
"""The guide's limits: milliseconds, and per cent of the requests."""


@dataclass(frozen=True, slots=True)
class Field:
    """A figure to be: where it lies in its payload, what it is called, how it is written."""

    path: str
    label: str
    kind: Kind
    hint: str = ""
    unit: str = ""
    """What is counted, where the kind does not say it."""
    limit: float | None = None
    """What the figure should stay below."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a component is shown: its figures, then its table."""

    title: str
    figures: tuple[Field, ...] = ()
    caption: str = ""
    rows: str = ""
    """Path of the table's rows in the payload; empty where the payload itself is the rows."""
    columns: tuple[Field, ...] = ()
    folded: bool = False
    """A series of days: its figures are those of the last one, its chart comes first, and its table unfolds, newest
    row first."""

    def field(self, path: str) -> Field | None:
        """The numeric figure under the path."""
        return next((field for field in self.figures if field.path == path and field.kind != "text"), None)


LAYOUTS: Mapping[str, Layout] = {
    "businessMetrics": Layout("Business", (
        Field("activeUsers", "Active users", "count", "last hour", "users"),
        Field("filesProcessed", "Files processed", "count", "last 24 hours", "files"),
        Field("duplicatesDetected", "Duplicates detected", "count", "last 24 hours", "files"),
        Field("cleanupActionsExecuted", "Clean-ups executed", "count", "last 24 hours", "clean-ups"),
        Field("backgroundScans", "Background scans", "count", "running now", "scans"),
        Field("authSuccessRate", "Sign-ins succeeded", "percent", "of the attempts; 100 without one"),
    )),
    "systemMetrics": Layout("System", (
        Field("scope", "Measured", "text", "the application, or this server"),
        Field("uptime", "Uptime", "duration", "since the start"),
        Field("requests", "Requests", "count", "in the window", "requests"),
        Field("responseTime", "Response time", "milliseconds", "median"),
        Field("responseTimeP95", "Response time", "milliseconds", "95th percentile", limit=P95_MS),
        Field("responseTimeP99", "Response time", "milliseconds", "99th percentile"),
        Field("errorRate", "Error rate", "percent", "of the requests", limit=ERROR_RATE),
        Field("cpuUsage", "Processor", "percent", "of all cores"),
        Field("memoryUsage", "Memory", "percent", "of the machine’s"),
        Field("processMemory", "Processes’ memory", "bytes", "resident"),
    ), "The application’s processes", "processes", (
        Field("pid", "Process", "text"),
        Field("status", "Status", "text"),
        Field("service", "Service", "text"),
        Field("host", "Host", "text"),
        Field("requests", "Requests", "count"),
        Field("responseTime", "Median", "milliseconds"),
        Field("responseTimeP95", "95th", "milliseconds"),
        Field("responseTimeP99", "99th", "milliseconds"),
        Field("errorRate", "Errors", "percent"),
        Field("uptime", "Uptime", "duration"),
        Field("memory", "Memory", "bytes"),
        Field("cpu", "Processor", "percent"),
    )),
    "infrastructureMetrics": Layout("Infrastructure", (
        Field("queue.events", "Events waiting", "count", "on disk, not in the store yet", "events"),
        Field("queue.bytes", "Queue", "bytes", "waiting"),
        Field("disk.usedPercent", "Disk used", "percent", "of the data folder’s"),
        Field("disk.free", "Disk free", "bytes"),
        Field("disk.total", "Disk size", "bytes"),
    ), "Services", "services", (
        Field("name", "Service", "text"),
        Field("status", "Status", "text"),
        Field("latency", "Latency", "milliseconds"),
        Field("uptime", "Uptime", "percent"),
        Field("probes", "Probes", "count"),
        Field("detail", "Found", "text"),
    )),
    "historicalData": Layout("History", (
        Field("files", "Files", "count", "today so far", "files"),
        Field("totalSize", "Total size", "bytes", "by today’s latest scan"),
        Field("duplicates", "Duplicates", "count", "today so far", "files"),
        Field("cleanupActions", "Clean-ups", "count", "today so far", "clean-ups"),
    ), caption="Each day as a row, newest first; today so far", columns=(
        Field("date", "Day", "text"),
        Field("files", "Files", "count"),
        Field("totalSize", "Total size", "bytes"),
        Field("duplicates", "Duplicates", "count"),
        Field("cleanupActions", "Clean-ups", "count"),
    ), folded=True),
}
"""How the built-in components are shown, in the page's order. Others come after them, as their models have it."""
_KINDS: Mapping[object, Kind] = {int: "count", float: "number", str: "text"}
_UNITS: Mapping[str, Kind] = {"%": "percent", "ms": "milliseconds", "bytes": "bytes", "s": "duration"}


def layout_of(component: Component) -> Layout:
    """How the component is shown: a figure for each plain field of its model, where nobody has laid it out."""
    if component.name in LAYOUTS or component.model is None:
        return LAYOUTS.get(component.name, Layout(component.name))
    figures = []
    for field in msgspec.structs.fields(component.model):
        told = _told_of(field.type)
        kind, unit = _kind_of(field.type, told)
        if kind is not None:
            limit = told.get("limit")
            figures.append(Field(field.encode_name, _words(field.name), kind, unit=unit,
                                 limit=float(limit) if is_number(limit) else None))
    return Layout(_words(component.name), tuple(figures))


def _told_of(annotation: object) -> Mapping[str, object]:
    """What the annotation says beside the type: ``unit``, and ``limit``, which the figure should stay below."""
    metas = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    return {key: value for meta in metas if isinstance(meta, Meta) for key, value in (meta.extra or {}).items()}


def _kind_of(annotation: object, told: Mapping[str, object]) -> tuple[Kind | None, str]:
    """How a field is written, and its unit where the writer does not say it. None for what is no plain figure."""
    bare = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    plain = [each for each in get_args(bare) or (bare,) if each is not type(None)]
    if plain and get_origin(plain[0]) is Annotated:  # ``Percent | None``
        return _kind_of(plain[0], {**_told_of(plain[0]), **told})
    unit = str(told.get("unit", ""))
    kind = _KINDS.get(plain[0]) if len(plain) == 1 else None
    return (_UNITS[unit], "") if kind in {"count", "number"} and unit in _UNITS else (kind, unit)


def _words(name: str) -> str:
    """``openOrders`` and ``open_orders`` as ``Open orders``."""
    return snake(name).replace("_", " ").strip().capitalize()
