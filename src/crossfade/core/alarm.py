"""Which conditions hold now that people should hear of, by the guide's thresholds.

Quality below its threshold has no alarm of its own: the dimension that pulls it down has.
"""

from collections.abc import Collection, Iterable, Iterator

from .alert import AlertKey, Condition, Evidence, Severity
from .dimension import Status, shown
from .quality import Quality, ValidationStatus
from .threshold import GUIDE, Thresholds

FAILING = "the real source fails"
WRONG = "the data is wrong"
OLD = "the data stands still"
CLOCK = "a clock is wrong"
SLOW = "the real source is slow"
LEAK = "the mock leaks"


def alerts(qualities: Iterable[Quality], thresholds: Thresholds = GUIDE, *,
           real: Collection[str] = ()) -> tuple[Condition, ...]:
    """The conditions that hold. ``real`` are the components whose flags ask for real values. Never raises.

    ============ ================================================= ==================
    check        holds when                                        severity
    ============ ================================================= ==================
    mockLeak     the real source gave what the mock made up        critical
    noData       the flag asks for real values and none was read   warning
    stale        the newest data is older than allowed             warning
    clock        data lies in the future                           warning
    fallbacks    more than 10; more than 50                        info; warning
    errors       more than 5                                       info
    errorRate    more than 1 %                                     warning
    completeness below its threshold                               warning
    validity     below its threshold                               critical
    accuracy     a window differs from the recount; below 95 %     warning; critical
    consistency  below 95 %                                        warning
    latency      P95 above 250 ms                                  warning
    ============ ================================================= ==================
    """
    return tuple(
        condition for quality in qualities
        for part in (_serving(quality, thresholds, real), _source(quality, thresholds), _data(quality, thresholds))
        for condition in part
    )


def _serving(quality: Quality, thresholds: Thresholds, real: Collection[str]) -> Iterator[Condition]:
    name, error = quality.component, _example(quality, "error")
    if quality.leaks > 0:
        yield _condition(
            quality, "mockLeak", Severity.CRITICAL, LEAK,
            f"The real source of {name} gave what its mock made up, {quality.leaks:,} times.",
            Evidence(float(quality.leaks), 0.0, quality.calls, error))
    if name in real and quality.calls <= 0:
        yield _condition(quality, "noData", Severity.WARNING, FAILING,
                         f"No real data of {name} was read, though its flag asks for it.", Evidence(0.0, 1.0, 0, error))
    if quality.fallback_triggers > thresholds.fallbacks_noted:
        many = quality.fallback_triggers > thresholds.fallbacks
        limit = thresholds.fallbacks if many else thresholds.fallbacks_noted
        yield _condition(
            quality, "fallbacks", Severity.WARNING if many else Severity.INFO, FAILING,
            f"{'Excessive' if many else 'Many'} fallbacks for {name}: {quality.fallback_triggers:,}, "
            f"where {limit:,} are allowed.",
            Evidence(float(quality.fallback_triggers), float(limit), quality.served, error))


def _source(quality: Quality, thresholds: Thresholds) -> Iterator[Condition]:
    name, error, age = quality.component, _example(quality, "error"), quality.freshness
    if age is not None and age > thresholds.fresh_s:
        yield _condition(quality, "stale", Severity.WARNING, FAILING if quality.errors > 0 else OLD,
                         f"The newest real data of {name} is {age:,.0f} s old, where "
                         f"{thresholds.fresh_s:,.0f} s are allowed.",
                         Evidence(age, thresholds.fresh_s, quality.calls, error))
    if quality.clock_errors > 0 or (age is not None and age < -1):
        yield _condition(quality, "clock", Severity.WARNING, CLOCK,
                         f"Data of {name} lies in the future: a clock is wrong.",
                         Evidence(age, 0.0, quality.clock_errors, _example(quality, "invalid", "asOf")))
    if quality.errors > thresholds.errors:
        yield _condition(quality, "errors", Severity.INFO, FAILING,
                         f"{quality.errors:,} errors in {name}, where {thresholds.errors:,} are allowed.",
                         Evidence(float(quality.errors), float(thresholds.errors), quality.calls, error))
    if quality.error_rate is not None and quality.error_rate > thresholds.error_rate:
        yield _condition(quality, "errorRate", Severity.WARNING, FAILING,
                         f"{shown(quality.error_rate)} of the calls for {name} failed, where "
                         f"{shown(thresholds.error_rate)} is allowed.",
                         Evidence(quality.error_rate, thresholds.error_rate, quality.calls, error))
    if quality.latency_p95 is not None and quality.latency_p95 > thresholds.p95_ms:
        yield _condition(quality, "latency", Severity.WARNING, SLOW,
                         f"P95 of {name} is {quality.latency_p95:,.0f} ms, where {thresholds.p95_ms:,.0f} ms "
                         "are allowed.",
                         Evidence(quality.latency_p95, thresholds.p95_ms, quality.calls))


def _data(quality: Quality, thresholds: Thresholds) -> Iterator[Condition]:
    for dimension in quality.dimensions:
        if dimension.name == "completeness" and dimension.status is Status.FAIL:
            yield _condition(quality, "completeness", Severity.WARNING, FAILING if quality.errors > 0 else WRONG,
                             f"{quality.component}: {dimension.sentence}",
                             Evidence(dimension.value, dimension.threshold, quality.calls, dimension.example))
        if dimension.name == "validity" and quality.validation_status is ValidationStatus.FAILED:
            yield _condition(quality, "validity", Severity.CRITICAL, WRONG,
                             f"Data validation failed for {quality.component}: {dimension.sentence}",
                             Evidence(dimension.value, dimension.threshold, quality.calls, dimension.example))
    yield from _compared(quality, thresholds)


def _compared(quality: Quality, thresholds: Thresholds) -> Iterator[Condition]:
    name, limit, example = quality.component, thresholds.accuracy, _example(quality, "mismatch")
    found = quality.accuracy_proof
    if found is not None and (quality.mismatches > 0 or found.figure < limit):
        yield _condition(quality, "accuracy", Severity.CRITICAL if found.figure < limit else Severity.WARNING, WRONG,
                         f"{found.compared - found.agreeing:,} of {found.compared:,} compared windows of {name} "
                         f"do not agree ({shown(found.figure)} do).",
                         Evidence(found.figure, limit, found.compared, example))
    legacy = quality.consistency_proof
    if legacy is not None and legacy.figure < limit:
        yield _condition(quality, "consistency", Severity.WARNING, WRONG,
                         f"{shown(legacy.figure)} of {legacy.compared:,} compared windows of {name} agree with the "
                         f"legacy system, where {shown(limit)} is wanted.",
                         Evidence(legacy.figure, limit, legacy.compared, example))


def _condition(quality: Quality, check: str, severity: Severity, cause: str, message: str,  # noqa: PLR0917
               evidence: Evidence) -> Condition:
    return Condition(AlertKey(quality.component, check), severity, cause, message, evidence)


def _example(quality: Quality, sort: str, field: str | None = None) -> str | None:
    return next((example.words for example in quality.examples
                 if example.sort == sort and field in {None, example.field}), None)
