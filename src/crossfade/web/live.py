"""Readings as the API gives them: JSON with provenance under ``meta.sources``, and Prometheus text."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from crossfade.core.alert import Alert, Evidence
from crossfade.core.clock import SECOND, iso
from crossfade.core.payloads import HistoryPoint, Payload
from crossfade.core.reading import Provenance, Reading
from crossfade.sources.component import Component

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

SECTIONS = ("system", "business", "infrastructure", "history", "alerts")
DEFAULT_DAYS = 30
_LABELS = ("name", "id", "service", "host")
"""Texts of a part that tell it from its like."""
_NOT_IN_A_NAME = re.compile("[^a-zA-Z0-9_]")


def document(readings: Sequence[Reading], components: Mapping[str, Component], now: int, *,
             days: int = DEFAULT_DAYS, alerts: Iterable[Alert] | None = None) -> dict[str, Json]:
    """The live dashboard's JSON: a section a component, null where it is unavailable; the alerts, where they are
    wanted.
    """
    out: dict[str, Json] = {}
    for reading in readings:
        out[components[reading.component].section] = payload_json(last_days(reading.payload, days))
    if alerts is not None:
        out["alerts"] = [alert_json(alert) for alert in alerts]
    out["meta"] = meta(readings, components, now)
    return out


def meta(readings: Sequence[Reading], components: Mapping[str, Component], now: int) -> dict[str, Json]:
    """When this was read, and where each component's payload comes from."""
    return {
        "at": iso(now),
        "sources": {
            reading.component: {
                **provenance_json(reading.provenance),
                "section": components[reading.component].section,
                "flag": components[reading.component].flag,
            }
            for reading in readings
        },
    }


def provenance_json(provenance: Provenance) -> dict[str, Json]:
    return {
        "source": provenance.source.value,
        "synthetic": provenance.synthetic,
        "asOf": maybe_iso(provenance.as_of),
        "fetchedAt": iso(provenance.fetched_at),
        "reason": provenance.reason.value,
        "error": provenance.error,
    }


def alert_json(alert: Alert) -> dict[str, Json]:
    """An alert, with its moments in ISO 8601."""
    return {
        "id": alert.id, "component": alert.key.component, "check": alert.key.check, "severity": alert.severity.value,
        "status": alert.status.value, "cause": alert.cause, "message": alert.message,
        "evidence": payload_json(alert.evidence), "since": iso(alert.since), "openedAt": maybe_iso(alert.opened_at),
        "absentSince": maybe_iso(alert.absent_since), "closedAt": maybe_iso(alert.closed_at), "flaps": alert.flaps,
        "acknowledgedAt": maybe_iso(alert.acknowledged_at), "acknowledgedBy": alert.acknowledged_by,
        "note": alert.note,
    }


def maybe_iso(moment: int | None) -> str | None:
    return None if moment is None else iso(moment)


def last_days(payload: Payload | None, days: int) -> Payload | None:
    """A timeline's last days, and gaps for those before it begins; any other payload as it is."""
    if isinstance(payload, tuple) and payload and isinstance(payload[-1], HistoryPoint):
        return payload[-days:]
    return payload


def payload_json(payload: Payload | Evidence | None) -> Json:
    built: Json = msgspec.to_builtins(payload)
    return built


def prometheus(readings: Sequence[Reading], components: Mapping[str, Component], now: int) -> str:
    """The same as gauges. Every sample says its source, and whether it is synthetic; an unknown value has no sample.

    Of the timeline only the last day is given: Prometheus keeps its own past.
    """
    samples = [
        sample for reading in readings for sample in _samples(reading, components[reading.component].section, now)
    ]
    return "".join(f"{line}\n" for line in _grouped(samples))


def _samples(reading: Reading, section: str, now: int) -> Iterator[str]:
    provenance = reading.provenance
    labels = {"source": provenance.source.value, "synthetic": "true" if provenance.synthetic else "false"}
    about = {"component": reading.component, **labels, "reason": provenance.reason.value}
    yield _sample("crossfade_component_source", about, 1)
    if provenance.as_of is not None:
        yield _sample("crossfade_component_age_seconds", {"component": reading.component, **labels},
                      (now - provenance.as_of) / SECOND)
    payload = reading.payload
    if isinstance(payload, tuple):
        payload = payload[-1] if payload else None
    if isinstance(payload, Struct):
        yield from _figures(f"crossfade_{section}", msgspec.to_builtins(payload, str_keys=True), labels)


def _figures(prefix: str, value: Json | tuple[Json, ...], labels: Mapping[str, str]) -> Iterator[str]:
    """The numbers in a payload, each under the path that leads to it; a named part becomes a label."""
    match value:
        case bool() | int() | float():
            yield from _known(prefix, labels, value)
        case dict():
            inner = {**labels, **_identity(value)}
            if isinstance(status := value.get("status"), str):
                yield _sample(f"{prefix}_up", inner, int(status == "up"))
            for key, part in value.items():
                yield from _figures(f"{prefix}_{_snake(key)}", part, inner)
        case list() | tuple():  # to_builtins() leaves a tuple as it is
            for number, part in enumerate(value):
                named = isinstance(part, dict) and not _identity(part).keys().isdisjoint({"name", "id"})
                yield from _figures(prefix, part, labels if named else {**labels, "number": str(number)})


def _identity(part: Mapping[str, Json]) -> dict[str, str]:
    return {key: text for key in _LABELS if isinstance(text := part.get(key), str)}


def _known(name: str, labels: Mapping[str, str], value: float) -> Iterator[str]:
    """The sample, unless it is no number at all."""
    if math.isfinite(value):
        yield _sample(name, labels, value)


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{key}="{_escape(text)}"' for key, text in labels.items())
    return f"{_NOT_IN_A_NAME.sub('_', name)}{{{inside}}} {+value!r}"


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)


def _grouped(samples: Iterable[str]) -> Iterator[str]:
    """All samples of a metric together, under its type, as the format demands."""
    by_name: dict[str, list[str]] = {}
    for sample in samples:
        by_name.setdefault(sample.partition("{")[0], []).append(sample)
    for name, group in by_name.items():
        yield f"# TYPE {name} gauge"
        yield from group
