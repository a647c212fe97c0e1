"""What to do about a component's quality, each with the evidence that speaks for it."""

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from .dimension import shown
from .quality import Quality
from .threshold import GUIDE, Thresholds


class Recommendation(Struct, frozen=True, rename="camel"):
    """One thing to do, and why."""

    component: str
    check: str
    text: str
    """A sentence of the guide's, or of its kind, with the figures behind it."""
    figure: float | None
    threshold: float | None
    n: int
    """What the figure is made of: calls, readings, values or windows."""


def recommend(qualities: Iterable[Quality], thresholds: Thresholds = GUIDE) -> tuple[Recommendation, ...]:
    """What to do, component by component. Never raises."""
    return tuple(
        advice for quality in qualities for rule in _RULES for advice in rule(quality, thresholds)
    )


def _fallbacks(quality: Quality, thresholds: Thresholds) -> Iterator[Recommendation]:
    found, limit = quality.fallback_triggers, thresholds.fallbacks_noted
    if found > limit:
        yield Recommendation(
            quality.component, "fallbacks",
            f"High fallback rate for {quality.component}. Check data availability. "
            f"({found:,} of {quality.served:,} readings fell back to the mock; more than {limit:,} are too many.)",
            float(found), float(limit), quality.served)


def _errors(quality: Quality, thresholds: Thresholds) -> Iterator[Recommendation]:
    if quality.errors > thresholds.errors:
        example = next((each.words for each in quality.examples if each.sort == "error"), "no example is kept")
        yield Recommendation(
            quality.component, "errors",
            f"Multiple errors in {quality.component}. Review error logs. ({quality.errors:,} of {quality.calls:,} "
            f"calls failed; more than {thresholds.errors:,} are too many. The newest: {example}.)",
            float(quality.errors), float(thresholds.errors), quality.calls)


def _accuracy(quality: Quality, thresholds: Thresholds) -> Iterator[Recommendation]:
    found = quality.accuracy_proof
    if found is None:
        return
    if found.figure < thresholds.accuracy or quality.mismatches > 0:
        low = found.figure < thresholds.accuracy
        head = f"Low data accuracy in {quality.component}. Validate data sources." if low else \
            f"{quality.component} differs from the recount. Run `crossfade audit`."
        yield Recommendation(
            quality.component, "accuracy",
            f"{head} ({found.agreeing:,} of {found.compared:,} windows agree: {shown(found.figure)}, where "
            f"{shown(thresholds.accuracy)} is wanted.)",
            found.figure, thresholds.accuracy, found.compared)
    elif found.low < thresholds.accuracy and found.needed is not None:
        yield Recommendation(
            quality.component, "accuracy",
            f"Wait for more windows of {quality.component} to be compared. ({found.agreeing:,} of "
            f"{found.compared:,} agree, which proves {shown(found.low)}; {found.needed:,} more that agree would prove "
            f"{shown(thresholds.accuracy)}.)",
            found.low, thresholds.accuracy, found.compared)


def _gaps(quality: Quality, thresholds: Thresholds) -> Iterator[Recommendation]:
    for dimension in quality.dimensions:
        if dimension.name == "completeness" and dimension.value is not None and \
                dimension.value < thresholds.quality:
            yield Recommendation(
                quality.component, "completeness",
                f"Values of {quality.component} are missing. Check that its collectors run. ({dimension.sentence})",
                dimension.value, dimension.threshold, quality.calls)


def _invalid(quality: Quality, thresholds: Thresholds) -> Iterator[Recommendation]:
    if quality.validity is not None and quality.validity < 100:
        sentence = next(each.sentence for each in quality.dimensions if each.name == "validity")
        yield Recommendation(
            quality.component, "validity",
            f"Values of {quality.component} are not what they should be. Mend the source or the model's checks. "
            f"({sentence})",
            quality.validity, thresholds.quality, quality.calls)


def _age(quality: Quality, thresholds: Thresholds) -> Iterator[Recommendation]:
    age = quality.freshness
    if quality.clock_errors > 0 or (age is not None and age < -1):
        yield Recommendation(
            quality.component, "clock",
            f"Set the clocks of whatever feeds {quality.component}. ({quality.clock_errors:,} of {quality.calls:,} "
            "answers had data from the future.)", age, 0.0, quality.calls)
    elif age is not None and age > thresholds.fresh_s:
        yield Recommendation(
            quality.component, "freshness",
            f"Data of {quality.component} stands still. Check that events arrive and are loaded. (The newest is "
            f"{age:,.0f} s old; {thresholds.fresh_s:,.0f} s are allowed.)", age, thresholds.fresh_s, quality.calls)


def _speed(quality: Quality, thresholds: Thresholds) -> Iterator[Recommendation]:
    p95 = quality.latency_p95
    if p95 is not None and p95 > thresholds.p95_ms:
        yield Recommendation(
            quality.component, "latency",
            f"The real source of {quality.component} is slow. Look at its queries. (P95 of {quality.calls:,} calls is "
            f"{p95:,.0f} ms; {thresholds.p95_ms:,.0f} ms are allowed.)", p95, thresholds.p95_ms, quality.calls)


_RULES: tuple[Callable[[Quality, Thresholds], Iterator[Recommendation]], ...] = (
    _fallbacks, _errors, _accuracy, _gaps, _invalid, _age, _speed,
)
