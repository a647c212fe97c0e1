"""``GET /metrics``: everything that is measured, for Prometheus. The figures that are shown are elsewhere (``live``).

A part that cannot be told now is left out, and ``crossfade_part_told`` says so: the others are given all the same.
"""

from collections.abc import Callable, Iterator, Mapping

import psutil
import structlog
from litestar import Response, Router, get

from crossfade import __version__
from crossfade.app import App, total
from crossfade.core.alert import Severity
from crossfade.core.answers import BOUNDS
from crossfade.core.clock import MINUTE, SECOND
from crossfade.core.dimension import Proof, Status
from crossfade.core.event import Why
from crossfade.core.flag import PERCENT, Stage, stage
from crossfade.core.ledger import Liveness, completeness, liveness
from crossfade.core.quality import DataSource, Quality, ValidationStatus
from crossfade.core.reading import Origin
from crossfade.state.errors import StateError
from crossfade.store.port import StoreError

from .auth import may_read
from .context import AppDependency
from .exposition import MEDIA_TYPE, Exposition, Kind, Metric

log = structlog.get_logger(__name__)

OLDEST_VIEW = MINUTE
"""Microseconds after which the last look at quality is left out: a figure of then must not pass for one of now."""
REASONS = frozenset({*Why, "overflow", "corrupt", "memory", "sampled", "before_send", "hook_failed"})
"""Why events are rejected and dropped. A tracker may tell any other word: all of those are ``other`` here."""


def _gauge(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(f"crossfade_{name}", Kind.GAUGE, meaning, labels)


def _counter(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(f"crossfade_{name}_total", Kind.COUNTER, meaning, labels)


def _of_component(name: str, meaning: str, *labels: str) -> Metric:
    return _gauge(f"component_{name}", meaning, "component", *labels)


PART = _gauge("part_told", "1 if this part of the metrics could be told, 0 if it is left out.", "part")
BUILD = _gauge("build_info", "Always 1; the version is a label.", "version")

HEALTH = _gauge("health_percent", "The quality of the worst component.")
LOOKED = _gauge("quality_looked_timestamp_seconds", "When quality was looked at last.")
WINDOW = _gauge("quality_window_seconds", "The window over which quality is told.")
DIMENSION = _of_component("dimension_percent", "One dimension of quality.", "dimension")
THRESHOLD = _of_component("dimension_threshold_percent", "What the dimension should reach.", "dimension")
STATUS = _of_component("status", "1 for what can be said of the component's quality, 0 for the rest.", "status")
DATA_SOURCE = _of_component("data_source", "1 for where the served values came from, 0 for the rest.", "data_source")
VALIDATION = _of_component("validation_status", "1 for how the checks went, 0 for the rest.", "status")
LATENCY = _of_component("latency_seconds", "Latency of the real source's calls in the window.", "quantile")
STAGE = _of_component("stage", "1 for the stage that the flags make, 0 for the rest.", "stage")

FIGURES: tuple[tuple[Metric, Callable[[Quality], float | None]], ...] = (
    (_of_component("quality_percent", "The worst dimension."), lambda quality: quality.quality),
    (_of_component("real_share_percent", "Served values that were real."), lambda quality: quality.real_share),
    (_of_component("completeness_percent", "Expected values that were there."), lambda quality: quality.completeness),
    (_of_component("validity_percent", "Values that passed their checks."), lambda quality: quality.validity),
    (_of_component("freshness_seconds", "Age of the real source's newest data; negative is a clock error."),
     lambda quality: quality.freshness),
    (_of_component("error_rate_percent", "The real source's calls that failed."), lambda quality: quality.error_rate),
    (_of_component("fallback_rate_percent", "Readings with the mock in place of a failing real source, of those that "
                   "should be real."), lambda quality: quality.fallback_rate),
    (_of_component("legacy_score_percent", "The guide's weighted score."), lambda quality: quality.legacy_score),
    (_of_component("window_calls", "Calls of the real source in the window."), lambda quality: quality.calls),
    (_of_component("window_errors", "Of them: failed."), lambda quality: quality.errors),
    (_of_component("window_readings", "Readings that viewers were given in the window."),
     lambda quality: quality.served),
    (_of_component("window_fallbacks", "Of them: the mock in place of a failing real source."),
     lambda quality: quality.fallback_triggers),
    (_of_component("window_stale", "Of them: the last good real value in place of a failing source."),
     lambda quality: quality.stale),
    (_of_component("window_unavailable", "Of them: without a value."), lambda quality: quality.unavailable),
    (_of_component("window_undeclared_synthetic", "Of them: made up where the flag asks for real values."),
     lambda quality: quality.undeclared_synthetic),
    (_of_component("window_clock_errors", "Answers of the real source whose data lay in the future."),
     lambda quality: quality.clock_errors),
    (_of_component("window_leaks", "Answers of the real source that the mock had made up."),
     lambda quality: quality.leaks),
    (_of_component("window_shadow_shed", "Shadow calls that were not made, for lack of room."),
     lambda quality: quality.shadow_shed),
    (_of_component("mismatches", "Windows that do not agree with the recount."), lambda quality: quality.mismatches),
)
"""Of each component; what is unknown has no sample."""

PROOF_FIGURE = _of_component("agreement_percent", "Compared windows that agree with their reference; against is "
                             "accuracy (a recount, a second reader) or consistency (a legacy system).", "against")
PROOF_LOW = _of_component("agreement_lower_bound_percent", "What that proves: the one-sided exact lower bound.",
                          "against")
PROOF_COMPARED = _of_component("compared_windows", "How many windows were compared.", "against")
PROOF_AGREEING = _of_component("agreeing_windows", "How many of them agree.", "against")

SERVED = _counter("readings", "Readings that viewers were given since the start.", "component", "source", "synthetic",
                  "reason")
CALLS = _counter("source_calls", "Calls of a source since the start.", "component", "source")
ERRORS = _counter("source_errors", "Failed calls of a source since the start.", "component", "source", "kind")
SHED = _counter("shadow_shed", "Shadow calls since the start that were not made, for lack of room.", "component")

FLAG = _gauge("flag", "A switch: 1 is on.", "flag")
FLAG_PERCENT = _gauge("flag_percent", "The share of the viewers that get the real source while it is on.", "flag")

SENT = _counter("ledger_sent", "Events that trackers took.")
ARRIVED = _counter("ledger_arrived", "Of them: in the store, each by itself or by an earlier one with its message id.")
STORED = _counter("ledger_stored", "Of them: with a message id of their own.")
DEDUPLICATED = _counter("ledger_deduplicated", "Trackers' events that came once more, and were passed over.")
REJECTED = _counter("ledger_rejected", "Trackers' events that were not taken.", "reason")
DROPPED = _counter("ledger_dropped", "Events that trackers will not send.", "reason")
OTHERS_REJECTED = _counter("ledger_rejected_of_others", "Rejected events that no tracker sent.", "reason")
WAITING = _gauge("ledger_waiting", "Trackers' events that were not sent yet, so far as they told.")
MISSING = _gauge("ledger_missing", "Trackers' events that nobody accounts for.")
COMPLETE = _gauge("ledger_completeness_percent", "Events in the store, of those that should be.")
TRACKERS = _gauge("trackers", "Trackers by state; nothing more will come of the settled ones.", "state")

EVENTS_STORED = _counter("events_stored", "Events that ever came into the store.")
EVENTS_DUPLICATE = _counter("events_duplicate", "Events that came once more.")
EVENTS_QUARANTINED = _counter("events_quarantined", "Lines that the store refused; they are kept with the reason.")
EVENTS_PENDING = _gauge("events_pending", "Events on disk that are not in the store yet.")
BYTES_PENDING = _gauge("events_pending_bytes", "What they take in the journal.")
STORE_BYTES = _gauge("event_store_bytes", "What the event store takes on disk.")

ALERT = _gauge("alert_open", "1 for each open alert.", "component", "check", "severity", "status")
ALERTS = _gauge("alerts_open", "How many alerts are open.", "severity")

ANSWER = Metric("crossfade_http_answer_seconds", Kind.HISTOGRAM, "From a request to its answer's last byte: /v1 takes "
                "events, /api is what is read and changed, other the pages. Streams are left out.", ("route",))
STATUSES = _counter("http_answers", "Answers since the start, by their status; 499: the client left before.", "route",
                    "status")

MEMORY = _gauge("process_resident_memory_bytes", "The server's memory.")
CPU = _counter("process_cpu_seconds", "Time of one core that the server took since its start.")
STARTED = _gauge("process_start_time_seconds", "When the server started, since the epoch.")


@get("/metrics", guards=[may_read], sync_to_thread=True)
def metrics(app: AppDependency) -> Response[bytes]:
    """Everything that is measured, as Prometheus text."""
    return Response(exposition(app).encode(errors="replace"), media_type=MEDIA_TYPE)


def exposition(app: App) -> str:
    """All parts, those that cannot be told now left out."""
    out = Exposition()
    out.add(BUILD, 1, __version__)
    for name, part in PARTS.items():
        try:
            part(app, out)
        except (StateError, StoreError, OSError, psutil.Error) as error:
            log.warning("metrics: a part cannot be told now", part=name, error=str(error))
            out.add(PART, 0, name)
        else:
            out.add(PART, 1, name)
    return out.text()


def _quality(app: App, out: Exposition) -> None:
    view = app.monitor.view
    out.add(LOOKED, view.at / SECOND)
    out.add(WINDOW, app.settings.quality_window_s)
    if app.clock.now() - view.at > OLDEST_VIEW:
        raise StateError("nobody has looked at quality for more than a minute")
    out.add(HEALTH, app.monitor.health().value)
    for quality in view.qualities:
        _component(quality, out)


def _component(quality: Quality, out: Exposition) -> None:
    name = quality.component
    for metric, figure in FIGURES:
        out.add(metric, figure(quality), name)
    for dimension in quality.dimensions:
        out.add(DIMENSION, dimension.value, name, dimension.name)
        out.add(THRESHOLD, dimension.threshold, name, dimension.name)
    _proof("accuracy", quality.accuracy_proof, name, out)
    _proof("consistency", quality.consistency_proof, name, out)
    for quantile, latency in (("0.5", quality.latency_p50), ("0.95", quality.latency_p95),
                              ("0.99", quality.latency_p99)):
        out.add(LATENCY, None if latency is None else latency / 1_000, name, quantile)
    out.one_of(STATUS, Status, quality.status, name)
    out.one_of(DATA_SOURCE, DataSource, quality.data_source, name)
    out.one_of(VALIDATION, ValidationStatus, quality.validation_status, name)


def _proof(against: str, proof: Proof | None, component: str, out: Exposition) -> None:
    if proof is not None:
        out.add(PROOF_FIGURE, proof.figure, component, against)
        out.add(PROOF_LOW, proof.low, component, against)
        out.add(PROOF_COMPARED, proof.compared, component, against)
        out.add(PROOF_AGREEING, proof.agreeing, component, against)


def _counters(app: App, out: Exposition) -> None:
    for (component, origin, reason), count in sorted(app.reader.served.copy().items()):
        out.add(SERVED, count, component, origin, "true" if origin is Origin.MOCK else "false", reason)
    for (component, origin), count in sorted(app.observer.calls.copy().items()):
        out.add(CALLS, count, component, origin)
    for (component, origin, kind), count in sorted(app.observer.errors.copy().items()):
        out.add(ERRORS, count, component, origin, kind)
    for component in app.reader.components:
        out.add(SHED, app.observer.sheds[component], component)


def _flags(app: App, out: Exposition) -> None:
    flags = app.state.flags()
    for name in app.flag_names:
        if flags.is_retired(name):
            continue
        out.add(FLAG_PERCENT if name.startswith(PERCENT) else FLAG, flags[name], name)
    for component in app.reader.components.values():
        out.one_of(STAGE, Stage, stage(flags, component.flag), component.name)


def _ledger(app: App, out: Exposition) -> None:
    ledger = app.store.ledger()
    standing = total(ledger)
    for metric, value in ((SENT, standing.sent), (ARRIVED, standing.arrived), (STORED, standing.stored),
                          (DEDUPLICATED, standing.deduplicated), (WAITING, standing.waiting),
                          (MISSING, standing.missing), (COMPLETE, completeness(standing))):
        out.add(metric, value)
    for metric, counts in ((REJECTED, standing.rejected), (DROPPED, standing.dropped),
                           (OTHERS_REJECTED, ledger.nameless)):
        for reason, count in _known(counts):
            out.add(metric, count, reason)
    now = app.clock.now()
    states = [liveness(entry, now, app.started_at) for entry in ledger.entries]
    for state in Liveness:
        out.add(TRACKERS, states.count(state), state)
    out.add(TRACKERS, ledger.past_trackers, "settled")


def _known(counts: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Whatever words a client makes up, there are only so many time series."""
    yield from sorted((reason, count) for reason, count in counts.items() if reason in REASONS)
    if others := sum(count for reason, count in counts.items() if reason not in REASONS):
        yield "other", others


def _events(app: App, out: Exposition) -> None:
    out.add(EVENTS_PENDING, app.journal.pending_events)
    out.add(BYTES_PENDING, app.journal.pending_bytes)
    status = app.store.status()
    for metric, value in ((EVENTS_STORED, status.stored), (EVENTS_DUPLICATE, status.duplicates),
                          (EVENTS_QUARANTINED, status.quarantined), (STORE_BYTES, status.bytes)):
        out.add(metric, value)


def _alerts(app: App, out: Exposition) -> None:
    live = app.alerts.live()
    for alert in live:
        out.add(ALERT, 1, alert.key.component, alert.key.check, alert.severity, alert.status)
    for severity in Severity:
        out.add(ALERTS, sum(alert.severity is severity for alert in live), severity)


def _answers(app: App, out: Exposition) -> None:
    for route, answers in app.answers.items():
        out.histogram(ANSWER, BOUNDS, tuple(answers.counts), answers.seconds, route)
        for status, count in sorted(answers.statuses.copy().items()):
            out.add(STATUSES, count, route, str(status))


def _process(_: App, out: Exposition) -> None:
    process = psutil.Process()
    times = process.cpu_times()
    out.add(MEMORY, process.memory_info().rss)
    out.add(CPU, times.user + times.system)
    out.add(STARTED, process.create_time())


PARTS: Mapping[str, Callable[[App, Exposition], None]] = {
    "quality": _quality, "counters": _counters, "flags": _flags, "ledger": _ledger, "events": _events,
    "alerts": _alerts, "answers": _answers, "process": _process,
}
HANDLERS = (metrics,)
routes = Router(path="/", route_handlers=list(HANDLERS))
