"""How each component is laid out on the page: the built-in ones by hand, others by what their models declare."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from crossfade.core.flag import snake
from crossfade.sources.component import Component

Kind = Literal["text", "count", "percent", "milliseconds", "bytes", "duration"]


@dataclass(frozen=True, slots=True)
class Field:
    """A figure to be: where it lies in its payload, what it is called, how it is written."""

    path: str
    label: str
    kind: Kind
    hint: str = ""


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
    """A series: its chart comes first, and its table unfolds, newest row first."""


LAYOUTS: Mapping[str, Layout] = {
    "businessMetrics": Layout("Business", (
        Field("activeUsers", "Active users", "count", "last hour"),
        Field("filesProcessed", "Files processed", "count", "last 24 hours"),
        Field("duplicatesDetected", "Duplicates detected", "count", "last 24 hours"),
        Field("cleanupActionsExecuted", "Clean-ups executed", "count", "last 24 hours"),
        Field("backgroundScans", "Background scans", "count", "running now"),
        Field("authSuccessRate", "Sign-ins succeeded", "percent", "of the attempts; 100 without one"),
    )),
    "systemMetrics": Layout("System", (
        Field("scope", "Measured", "text", "the application, or this server"),
        Field("uptime", "Uptime", "duration", "since the start"),
        Field("requests", "Requests", "count", "in the window"),
        Field("responseTime", "Response time", "milliseconds", "median"),
        Field("responseTimeP95", "Response time", "milliseconds", "95th percentile"),
        Field("responseTimeP99", "Response time", "milliseconds", "99th percentile"),
        Field("errorRate", "Error rate", "percent", "of the requests"),
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
        Field("queue.events", "Events waiting", "count", "on disk, not in the store yet"),
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
    "historicalData": Layout("History", caption="Each day as a row, newest first; today so far", columns=(
        Field("date", "Day", "text"),
        Field("files", "Files", "count"),
        Field("totalSize", "Total size", "bytes"),
        Field("duplicates", "Duplicates", "count"),
        Field("cleanupActions", "Clean-ups", "count"),
    ), folded=True),
}
"""How the built-in components are shown, in the page's order. Others come after them, as their models have it."""
_KINDS: Mapping[object, Kind] = {int: "count", float: "count", str: "text"}
_UNITS: Mapping[str, Kind] = {"%": "percent", "ms": "milliseconds", "bytes": "bytes", "s": "duration"}


def layout_of(component: Component) -> Layout:
    """How the component is shown: a figure for each plain field of its model, where nobody has laid it out."""
    if component.name in LAYOUTS or component.model is None:
        return LAYOUTS.get(component.name, Layout(component.name))
    figures = []
    for field in msgspec.structs.fields(component.model):
        kind, unit = _kind_of(field.type)
        if kind is not None:
            figures.append(Field(field.encode_name, _words(field.name), kind, unit))
    return Layout(_words(component.name), tuple(figures))


def _kind_of(annotation: object) -> tuple[Kind | None, str]:
    """How a field is written, and its unit where the writer does not say it. None for what is no plain figure."""
    told = get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    plain = [each for each in get_args(told[0]) or (told[0],) if each is not type(None)]
    unit = next((str(meta.extra["unit"]) for meta in told[1:] if isinstance(meta, Meta) and meta.extra
                 and "unit" in meta.extra), "")
    kind = _KINDS.get(plain[0]) if len(plain) == 1 else None
    return (_UNITS[unit], "") if kind == "count" and unit in _UNITS else (kind, unit)


def _words(name: str) -> str:
    """``openOrders`` and ``open_orders`` as ``Open orders``."""
    return snake(name).replace("_", " ").strip().capitalize()
