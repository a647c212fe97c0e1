"""Readings as the API gives them: JSON with provenance under ``meta.sources``, and Prometheus text."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from crossfade.core.alert import Alert, Evidence
from crossfade.core.clock import SECOND, iso
from crossfade.core.payloads import HistoryPoint, Payload
from crossfade.core.reading import Provenance, Reading
from crossfade.sources.component import Component

from .exposition import Exposition, Kind, Metric, name_of
from .proof import Vouched

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

SECTIONS = ("system", "business", "infrastructure", "history", "alerts")
DEFAULT_DAYS = 30
_LABELS = ("name", "id", "service", "host")
"""Texts of a part that tell it from its like."""
Figure = tuple[str, Mapping[str, str], float]
"""A name, its labels, its value."""


def document(readings: Sequence[Reading], components: Mapping[str, Component], now: int, *,
             days: int = DEFAULT_DAYS, alerts: Iterable[Alert] | None = None,
             proofs: Mapping[str, Vouched] | None = None, waiting: bool = False) -> dict[str, Json]:
    """The live dashboard's JSON: a section a component, null where it is unavailable; the alerts, where they are
    wanted. ``proofs``: what vouches for the components; ``waiting``: no event has ever come.
    """
    out: dict[str, Json] = {}
    for reading in readings:
        out[components[reading.component].section] = payload_json(last_days(reading.payload, days))
    if alerts is not None:
        out["alerts"] = [alert_json(alert) for alert in alerts]
    out["meta"] = meta(readings, components, now, proofs, waiting=waiting)
    return out


def meta(readings: Sequence[Reading], components: Mapping[str, Component], now: int,
         proofs: Mapping[str, Vouched] | None = None, *, waiting: bool = False) -> dict[str, Json]:
    """When this was read, and where each component's payload comes from."""
    proofs = proofs or {}
    return {
        "at": iso(now),
        "waitingForFirstEvent": waiting,
        "sources": {
            reading.component: {
                **provenance_json(reading.provenance),
                "section": components[reading.component].section,
                "flag": components[reading.component].flag,
                "proof": msgspec.to_builtins(proofs.get(reading.component)),
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
    out = Exposition()
    for reading in readings:
        _add_reading(out, reading, components[reading.component].section, now)
    return out.text()


def _add_reading(out: Exposition, reading: Reading, section: str, now: int) -> None:
    provenance = reading.provenance
    labels = {"source": provenance.source.value, "synthetic": "true" if provenance.synthetic else "false"}
    about = {"component": reading.component, **labels, "reason": provenance.reason.value}
    out.labelled(Metric("crossfade_component_source", Kind.GAUGE), 1, about)
    if provenance.as_of is not None:
        out.labelled(Metric("crossfade_component_age_seconds", Kind.GAUGE), (now - provenance.as_of) / SECOND,
                     {"component": reading.component, **labels})
    payload = reading.payload
    if isinstance(payload, tuple):
        payload = payload[-1] if payload else None
    if isinstance(payload, Struct):
        figures = msgspec.to_builtins(payload, str_keys=True)
        for name, inner, value in _figures(f"crossfade_{section}", figures, labels):
            out.labelled(Metric(name_of(name), Kind.GAUGE), value, inner)


def _figures(prefix: str, value: Json | tuple[Json, ...], labels: Mapping[str, str]) -> Iterator[Figure]:
    """The numbers in a payload, each under the path that leads to it; a named part becomes a label."""
    match value:
        case bool() | int() | float():
            yield prefix, labels, value
        case dict():
            inner = {**labels, **_identity(value)}
            if isinstance(status := value.get("status"), str):
                yield f"{prefix}_up", inner, int(status == "up")
            for key, part in value.items():
                yield from _figures(f"{prefix}_{_snake(key)}", part, inner)
        case list() | tuple():  # to_builtins() leaves a tuple as it is
            for number, part in enumerate(value):
                named = isinstance(part, dict) and not _identity(part).keys().isdisjoint({"name", "id"})
                yield from _figures(prefix, part, labels if named else {**labels, "number": str(number)})


def _identity(part: Mapping[str, Json]) -> dict[str, str]:
    return {key: text for key in _LABELS if isinstance(text := part.get(key), str)}


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)
