"""The live document and the Prometheus text, read back by a small parser of the format's own grammar."""

import json
import math
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from crossfade.core.clock import SECOND, iso
from crossfade.core.payloads import HistoryPoint
from crossfade.core.reading import Origin, Provenance, Reading, Reason
from crossfade.sources.component import Component, Sample
from crossfade.web.live import document, last_days, payload_json, prometheus, provenance_json

from .page_samples import (
    ALL_REAL,
    BUSINESS,
    COMPONENTS,
    HISTORY,
    HOSTILE,
    INFRASTRUCTURE,
    MIXED,
    NOW,
    ODD,
    SYSTEM,
    reading,
)

BY_NAME = {component.name: component for component in COMPONENTS}
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\} (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def parse(text):
    """Samples by name and labels. Fails on anything that Prometheus' text format does not know."""
    samples, types = {}, {}
    current = None
    assert text == "" or text.endswith("\n")
    for line in text.split("\n")[:-1]:
        if line.startswith("# TYPE "):
            _, _, current, kind = line.split(" ")
            assert current not in types, "the samples of a metric stand together"
            types[current] = kind
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        name, labels, number = match.groups()
        assert name == current
        assert NUMBER.fullmatch(number), line
        pairs = [(key, re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], value))
                 for key, value in LABEL.findall(labels)]
        assert len(dict(pairs)) == len(pairs)
        key = name, frozenset(pairs)
        assert key not in samples, "twice the same"
        samples[key] = float(number)
    assert set(types.values()) <= {"gauge"}
    return {(name, tuple(sorted(labels))): value for (name, labels), value in samples.items()}


def figures(readings, components=BY_NAME):
    """The samples, every one of which says where it is from."""
    honest = {(told.provenance.source.value, str(told.provenance.synthetic).lower()) for told in readings}
    found = parse(prometheus(readings, components, NOW))
    for (_, labels), value in found.items():
        told = dict(labels)
        assert (told["source"], told["synthetic"]) in honest
        assert math.isfinite(value)
    return found


@pytest.mark.parametrize("readings", [ALL_REAL, MIXED, ODD], ids=["real", "mixed", "odd"])
def test_every_reading_is_prometheus_text(readings):
    named = {dict(labels)["component"] for (name, labels) in figures(readings) if name == "crossfade_component_source"}
    assert named == {told.component for told in readings}


def test_figures_are_those_of_the_payload():
    real = (("source", "real"), ("synthetic", "false"))
    found = figures(ALL_REAL)
    assert found["crossfade_business_files_processed", real] == BUSINESS.files_processed
    assert found["crossfade_system_error_rate", real] == SYSTEM.error_rate
    assert ("crossfade_system_response_time_p95", real) not in found  # unknown, so there is no sample
    assert found["crossfade_infrastructure_queue_bytes", real] == INFRASTRUCTURE.queue.bytes
    assert found["crossfade_infrastructure_services_up", (("name", "mail"), *real)] == 0
    assert found["crossfade_infrastructure_services_up", (("name", "eventStore"), *real)] == 1
    assert found["crossfade_history_total_size", real] == HISTORY[-1].total_size
    first = (("host", HOSTILE), ("id", "p1234"), ("service", "web"), *real)
    assert found["crossfade_system_processes_up", first] == 1
    assert found["crossfade_system_processes_response_time_p99", first] == 2.5
    assert sum(name == "crossfade_system_processes_requests" for name, _ in found) == len(SYSTEM.processes)
    ages = {dict(labels)["component"]: value for (name, labels), value in found.items()
            if name == "crossfade_component_age_seconds"}
    assert ages == {"businessMetrics": 0, "systemMetrics": 3, "infrastructureMetrics": 4000, "historicalData": 0}


def test_what_is_unavailable_has_no_figures_but_says_so():
    found = figures([reading("businessMetrics", None, "unavailable", "failed", age=None, error="down")])
    assert list(found) == [("crossfade_component_source", (
        ("component", "businessMetrics"), ("reason", "failed"), ("source", "unavailable"), ("synthetic", "false")))]


def test_a_series_without_a_day_has_no_figures():
    assert {name for name, _ in figures([reading("historicalData", ())])} == {
        "crossfade_component_source", "crossfade_component_age_seconds"}


def test_nothing_is_no_text():
    assert prometheus((), BY_NAME, NOW) == ""


class Part(Struct, frozen=True, rename="camel"):
    """Whatever a component of somebody else may show."""

    name: str
    value: float | int | bool | str | None
    many: list[float] = []
    more: dict[str, float | None] = {}
    parts: tuple["Part", ...] = ()


numbers = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
leaves = st.builds(Part, st.text(), numbers, st.lists(st.floats(), max_size=3),
                   st.dictionaries(st.text("ab", max_size=4), st.floats(), max_size=3))
payloads = st.builds(Part, st.text(), numbers, st.just([]), st.just({}),
                     st.lists(leaves, max_size=4, unique_by=lambda part: part.name).map(tuple))


@given(payload=payloads, origin=st.sampled_from([Origin.REAL, Origin.MOCK]), error=st.none() | st.text())
def test_any_payload_is_prometheus_text(payload, origin, error):
    told = Provenance(origin, origin is Origin.MOCK, NOW, NOW, Reason.FLAG, error)
    component = Component("other-part", "öther section", "flag", Still(), Still())
    found = figures([Reading("other-part", payload, told)], {"other-part": component})
    assert all(name.startswith("crossfade_") for name, _ in found)


class Still:
    async def fetch(self, now: int) -> Sample:
        return Sample(BUSINESS, now)


def test_keys_become_names_that_prometheus_knows():
    class Odd(Struct, frozen=True):
        values: dict[str, int]

    found = figures([reading("businessMetrics", Odd({"disk /dev/sda": 1, "p95": 2, "reqPerSec": 3}))])
    assert {name for name, _ in found} >= {
        "crossfade_business_values_disk__dev_sda", "crossfade_business_values_p95",
        "crossfade_business_values_req_per_sec"}


def test_a_number_may_be_a_key():
    class Numbered(Struct, frozen=True):
        by_status: dict[int, int]

    found = figures([reading("businessMetrics", Numbered({200: 7}))])
    assert found["crossfade_business_by_status_200", (("source", "real"), ("synthetic", "false"))] == 7


@pytest.mark.parametrize("readings", [ALL_REAL, MIXED, ODD], ids=["real", "mixed", "odd"])
def test_the_document_says_of_every_section_where_it_is_from(readings):
    made = json.loads(msgspec.json.encode(document(readings, BY_NAME, NOW, alerts=())))
    assert made["meta"]["at"] == iso(NOW)
    assert made["alerts"] == []
    for told in readings:
        source = made["meta"]["sources"][told.component]
        assert (made[source["section"]] is None) == (told.payload is None)
        assert source["synthetic"] is told.provenance.synthetic
        assert (source["source"], source["reason"]) == (told.provenance.source, told.provenance.reason)
        assert source["error"] == told.provenance.error
        assert source["flag"] == BY_NAME[told.component].flag


def test_fields_are_camel_case():
    assert payload_json(SYSTEM)["responseTimeP95"] is None
    assert payload_json(BUSINESS)["cleanupActionsExecuted"] == 0
    assert "alerts" not in document(ALL_REAL, BY_NAME, NOW)


def test_provenance_is_iso_time():
    told = Provenance(Origin.REAL, False, NOW - SECOND, NOW, Reason.STALE, "down")
    assert provenance_json(told) == {"source": "real", "synthetic": False, "asOf": iso(NOW - SECOND),
                                     "fetchedAt": iso(NOW), "reason": "stale", "error": "down"}


def test_a_timeline_is_cut_to_its_last_days():
    points = tuple(HistoryPoint(f"2026-01-{day:02}", day, None, 0, 0) for day in range(1, 32))
    assert last_days(points, 30) == points[1:]
    assert last_days(points, 99) == points
    assert last_days(BUSINESS, 1) is BUSINESS
    assert last_days(None, 1) is None
    assert last_days((), 1) == ()
    shown = document([reading("historicalData", points)], BY_NAME, NOW, days=2)["history"]
    assert [part["date"] for part in shown] == ["2026-01-30", "2026-01-31"]
