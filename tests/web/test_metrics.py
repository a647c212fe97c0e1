"""``/metrics`` of a real application that was not started, as the reference parser reads it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from crossfade.app import App
from crossfade.core.alert import AlertKey, Condition, Severity
from crossfade.core.clock import MINUTE, SECOND, ManualClock
from crossfade.core.comparison import Reference, compare
from crossfade.core.observation import ErrorKind
from crossfade.core.reading import Origin
from crossfade.settings import Settings
from crossfade.sources.call import Outcome
from crossfade.web.metrics import PARTS, exposition

NOW = 1_790_000_000 * SECOND
ROOT = Path(__file__).parent.parent.parent
BUSINESS = ("component", "businessMetrics")
Found = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def app(tmp_path: Path, clock: ManualClock) -> Iterator[App]:
    made = App(Settings(data=tmp_path / "data"), clock, {"USE_REAL_BUSINESS_METRICS": "true"})
    yield made
    made.close()


def told(app: App) -> Found:
    """All samples, none of them twice."""
    found: Found = {}
    for family in families(exposition(app)):
        assert family.documentation
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found
            found[key] = sample.value
    return found


def of(found: Found, name: str, *labels: tuple[str, str]) -> float:
    return found[f"crossfade_{name}", frozenset(labels)]


def names(found: Found) -> set[str]:
    return {name for name, _ in found}


def test_every_part_is_told_and_every_metric_documented(app: App) -> None:
    found = told(app)
    assert {part: of(found, "part_told", ("part", part)) for part in PARTS} == dict.fromkeys(PARTS, 1)
    reference = (ROOT / "docs" / "reference.md").read_text()
    for family in families(exposition(app)):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert f"| `{name}` | {family.type} |" in reference


def test_quality_is_that_of_the_last_look(app: App) -> None:
    assert "crossfade_component_quality_percent" not in names(told(app))  # nobody has looked
    asyncio.run(app.reader.observe("businessMetrics"))
    same = compare("businessMetrics", "files", 3, 3, Reference.RECOUNT, window=(0, MINUTE), at=NOW)
    app.observer.compared([same] * 4)
    app.monitor.view = app.monitor.look()
    quality = app.monitor.quality("businessMetrics")
    found = told(app)
    assert of(found, "component_quality_percent", BUSINESS) == quality.quality
    assert of(found, "component_window_calls", BUSINESS) == quality.calls == 1
    accuracy = (BUSINESS, ("against", "accuracy"))
    assert of(found, "component_agreement_percent", *accuracy) == 100
    assert of(found, "component_compared_windows", *accuracy) == 4
    assert quality.accuracy_proof is not None
    assert of(found, "component_agreement_lower_bound_percent", *accuracy) == quality.accuracy_proof.low < 95
    for dimension in quality.dimensions:
        assert of(found, "component_dimension_percent", BUSINESS, ("dimension", dimension.name)) == dimension.value
    assert quality.latency_p95 is not None
    assert of(found, "component_latency_seconds", BUSINESS, ("quantile", "0.95")) == quality.latency_p95 / 1_000
    assert of(found, "component_status", BUSINESS, ("status", quality.status)) == 1
    assert of(found, "health_percent") == app.monitor.health().value
    assert ("crossfade_component_quality_percent", frozenset({("component", "systemMetrics")})) not in found


def test_a_look_of_long_ago_does_not_pass_for_one_of_now(app: App, clock: ManualClock) -> None:
    asyncio.run(app.reader.observe("businessMetrics"))
    app.monitor.view = app.monitor.look()
    clock.advance(MINUTE)
    assert "crossfade_component_quality_percent" in names(told(app))
    clock.advance(1)
    found = told(app)
    assert of(found, "part_told", ("part", "quality")) == 0
    assert not any(name.startswith(("crossfade_component_quality", "crossfade_health")) for name in names(found))
    assert of(found, "quality_looked_timestamp_seconds") == NOW / SECOND


def test_counters_say_source_reason_and_what_is_made_up(app: App) -> None:
    for _ in range(3):
        asyncio.run(app.reader.read("businessMetrics"))
    asyncio.run(app.reader.read("systemMetrics"))
    system = app.reader.components["systemMetrics"]
    app.observer.called(system, Origin.REAL, Outcome(NOW, None, error="down", kind=ErrorKind.TIMEOUT))
    app.observer.shed(system)
    found = told(app)
    flag = ("reason", "flag")
    assert of(found, "readings_total", BUSINESS, ("source", "real"), ("synthetic", "false"), flag) == 3
    other = ("component", "systemMetrics")
    assert of(found, "readings_total", other, ("source", "mock"), ("synthetic", "true"), flag) == 1
    assert of(found, "source_calls_total", BUSINESS, ("source", "real")) == 1
    assert of(found, "source_errors_total", other, ("source", "real"), ("kind", "timeout")) == 1
    assert of(found, "shadow_shed_total", other) == 1
    assert of(found, "shadow_shed_total", BUSINESS) == 0


def test_flags_and_stages(app: App) -> None:
    app.state.change_flags({"percent_business_metrics": 25, "shadow_system_metrics": True}, who="me", at=NOW)
    found = told(app)
    assert of(found, "flag", ("flag", "use_real_business_metrics")) == 1
    assert of(found, "flag", ("flag", "log_data_sources")) == 0
    assert of(found, "flag_percent", ("flag", "percent_business_metrics")) == 25
    assert sum(name.startswith("crossfade_flag") for name, _ in found) == len(app.flag_names)
    stages = {(dict(labels)["component"], dict(labels)["stage"]) for (name, labels), value in found.items()
              if name == "crossfade_component_stage" and value}
    assert stages == {("businessMetrics", "ramping"), ("systemMetrics", "shadow"), ("historicalData", "mock"),
                      ("infrastructureMetrics", "mock")}


def test_the_ledger_and_the_events(app: App) -> None:
    account = {"id": "01976f4e-0000-7000-8000-000000000001", "sequence": 5, "delivered": 1,
               "rejected": {"too_old": 1, "whatever a client says": 2, "more": 1}, "dropped": {"sampled": 7}}
    send(app, {"batch": [{"type": "track", "event": "e", "userId": "u", "messageId": "m", "sequence": 1}],
               "tracker": account})
    assert of(told(app), "events_pending") == app.journal.pending_events > 0
    assert app.loader.load_pending() == 1
    found = told(app)
    assert of(found, "events_stored_total") == of(found, "ledger_arrived_total") == 1
    assert of(found, "events_pending") == 0
    assert of(found, "ledger_sent_total") == 5
    assert of(found, "ledger_rejected_total", ("reason", "too_old")) == 1
    assert of(found, "ledger_rejected_total", ("reason", "other")) == 3
    assert "whatever a client says" not in {label for _, labels in found for _, label in labels}
    assert of(found, "ledger_dropped_total", ("reason", "sampled")) == 7
    assert of(found, "trackers", ("state", "live")) == 1
    assert of(found, "trackers", ("state", "silent")) == 0


def send(app: App, body: dict[str, object]) -> None:
    taken = app.ingest.take("batch", msgspec.json.encode(body), 1)
    assert taken.on_disk is not None
    taken.on_disk.result(timeout=10)


def test_open_alerts(app: App) -> None:
    condition = Condition(AlertKey("historicalData", 'a "check"\n'), Severity.WARNING, "why", "what")
    for at in (NOW, NOW + MINUTE):
        app.alerts.consider([condition], at)
    found = told(app)
    alert, = (dict(labels) for name, labels in found if name == "crossfade_alert_open")
    assert (alert["component"], alert["severity"], alert["status"]) == ("historicalData", "warning", "open")
    assert [of(found, "alerts_open", ("severity", severity)) for severity in Severity] == [0, 1, 0]


def test_answers_are_those_that_were_measured(app: App) -> None:
    app.answers["/v1"].record(200, 0.004)
    app.answers["/v1"].record(503, 0.2)
    found = told(app)
    route = ("route", "/v1")
    assert of(found, "http_answer_seconds_bucket", route, ("le", "0.005")) == 1
    assert of(found, "http_answer_seconds_bucket", route, ("le", "+Inf")) == 2
    assert of(found, "http_answer_seconds_sum", route) == pytest.approx(0.204)
    assert of(found, "http_answers_total", route, ("status", "503")) == 1
    assert of(found, "http_answer_seconds_count", ("route", "/api")) == 0


def test_a_part_that_fails_is_left_out_and_the_others_stay(app: App) -> None:
    app.store.close()
    found = told(app)
    assert of(found, "part_told", ("part", "ledger")) == of(found, "part_told", ("part", "events")) == 0
    assert of(found, "part_told", ("part", "flags")) == 1
    assert "crossfade_ledger_sent_total" not in names(found)
    assert of(found, "process_resident_memory_bytes") > 1e6
