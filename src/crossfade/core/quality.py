"""How good a component's data was over a window: the worst of its dimensions, named; never a mean.

Whatever cannot be known is None. Accuracy without a reference is unknown, not perfect.
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from .comparison import Reference
from .dimension import (
    Dimension,
    Proof,
    Status,
    age_s,
    agreement,
    completeness,
    example_of,
    freshness,
    percent,
    proof,
    validity,
)
from .observation import ErrorKind
from .reading import Origin, Reason
from .sketch import quantiles_ms
from .tally import Example, Tally
from .threshold import GUIDE, Ledger, Thresholds, Window

MOST_WITH_UNDECLARED = 49.0
"""The best health there is while made-up values are served where the flags ask for real ones."""

ACCURACY = (Reference.RECOUNT, Reference.SECOND_READER)


class DataSource(StrEnum):
    """What the values came from that were served in the window. A stale real value is real."""

    REAL = "real"
    MIXED = "mixed"
    MOCK = "mock"
    LEGACY = "legacy"
    NONE = "none"
    """No value was served."""


class ValidationStatus(StrEnum):
    """The guide's words."""

    PASSED = "passed"
    WARNING = "warning"
    """Some values are invalid, but few enough; or there was none to be checked."""
    FAILED = "failed"


class Quality(Struct, frozen=True, rename="camel"):
    """One component over one window. Per cent are from 0 to 100; None is unknown."""

    component: str
    window: Window
    status: Status
    sentence: str
    """The worst dimension in words, with its figure, its threshold and an example."""
    quality: float | None
    """The worst of the dimensions that have a figure."""
    worst: str | None
    """Its name."""
    dimensions: tuple[Dimension, ...]
    data_source: DataSource
    real_share: float | None
    """Per cent of the served values that were real."""
    accuracy: float | None
    """Per cent of the compared windows that agree with a recount or a second reader."""
    accuracy_proof: Proof | None
    consistency: float | None
    """The same beside a legacy system."""
    consistency_proof: Proof | None
    completeness: float | None
    validity: float | None
    freshness: float | None
    """Seconds since the time of the newest data; a negative one is a clock error."""
    validation_status: ValidationStatus
    latency_p50: float | None
    """Of the real source's calls, in milliseconds."""
    latency_p95: float | None
    latency_p99: float | None
    calls: int
    """Of the real source."""
    errors: int
    error_rate: float | None
    served: int
    """Readings that viewers were given, unavailable ones too."""
    fallback_triggers: int
    """Of them: the mock in place of a failing real source."""
    fallback_rate: float | None
    """Per cent of the readings for which the flag asks for real values."""
    stale: int
    """Readings with the last good real value in place of a failing source."""
    unavailable: int
    undeclared_synthetic: int
    """Readings with made-up values where the flags do not ask for the mock: a fallback."""
    clock_errors: int
    """Answers of the real source whose data lay in the future."""
    leaks: int
    """Answers of the real source that the mock had made up; they were not shown as real."""
    mismatches: int
    """Windows that do not agree with the recount."""
    shadow_shed: int
    """Shadow calls that were not made, for lack of room."""
    legacy_score: float | None
    """The guide's weighted score; None without accuracy or completeness."""
    examples: tuple[Example, ...] = ()


class Health(Struct, frozen=True, rename="camel"):
    """All components together: the worst of them."""

    value: float | None
    component: str | None
    """The one it comes from."""
    sentence: str


def assess(tally: Tally, window: Window, thresholds: Thresholds = GUIDE, *, now: int,
           ledger: Ledger | None = None) -> Quality:
    """The quality of what a tally holds. ``ledger`` is the trackers' account, where there is one. Never raises."""
    accuracy, consistency = (proof(tally, kinds, thresholds) for kinds in (ACCURACY, (Reference.LEGACY,)))
    age = age_s(tally, now)
    dimensions = _dimensions(tally, age, thresholds, ledger, accuracy=accuracy, consistency=consistency)
    worst = _worst(dimensions)
    figures = {dimension.name: dimension.value for dimension in dimensions}
    p50, p95, p99 = quantiles_ms(tally.latency, 0.5, 0.95, 0.99)
    calls, errors = tally.calls.get(Origin.REAL, 0), sum(tally.errors.get(Origin.REAL, {}).values())
    fallbacks = tally.served.get(f"{Origin.MOCK}/{Reason.FALLBACK}", 0)
    recount = tally.compared.get(Reference.RECOUNT)
    status = _status(dimensions)
    kinds = tally.errors.get(Origin.REAL, {})
    return Quality(
        component=tally.component, window=window, status=status, sentence=_sentence(tally, dimensions, worst, status),
        quality=None if worst is None else worst.value, worst=None if worst is None else worst.name,
        dimensions=dimensions, data_source=_data_source(tally), real_share=_real_share(tally),
        accuracy=None if accuracy is None else accuracy.figure, accuracy_proof=accuracy,
        consistency=None if consistency is None else consistency.figure, consistency_proof=consistency,
        completeness=figures.get("completeness"), validity=figures.get("validity"), freshness=age,
        validation_status=_validation(figures.get("validity"), thresholds),
        latency_p50=p50, latency_p95=p95, latency_p99=p99,
        calls=calls, errors=errors, error_rate=percent(errors, calls),
        served=sum(tally.served.values()), fallback_triggers=fallbacks,
        fallback_rate=percent(fallbacks, _meant_real(tally)),
        stale=tally.served.get(f"{Origin.REAL}/{Reason.STALE}", 0),
        unavailable=_served_by(tally, Origin.UNAVAILABLE), undeclared_synthetic=tally.undeclared,
        clock_errors=tally.ahead + kinds.get(ErrorKind.FUTURE, 0), leaks=kinds.get(ErrorKind.LEAK, 0),
        mismatches=0 if recount is None else recount.compared - recount.agreeing,
        shadow_shed=tally.shed,
        legacy_score=legacy_score(accuracy, figures.get("completeness"), errors, fallbacks), examples=tally.examples,
    )


def health(qualities: Iterable[Quality]) -> Health:
    """The worst component, and never more than 49 while an undeclared made-up value is served. Never raises."""
    known = list(qualities)
    measured = [(each.quality, each) for each in known if each.quality is not None]
    value, worst = min(measured, key=lambda pair: pair[0], default=(None, None))
    undeclared = next((each for each in known if each.undeclared_synthetic > 0), None)
    if undeclared is not None and (value is None or value > MOST_WITH_UNDECLARED):
        return Health(MOST_WITH_UNDECLARED, undeclared.component, (
            f"{undeclared.undeclared_synthetic:,} readings of {undeclared.component} were made up, "
            "though its flags do not ask for the mock."))
    if worst is None:
        return Health(None, None, "No real data has been read.")
    return Health(value, worst.component, f"{worst.component}: {worst.sentence}")


def legacy_score(accuracy: Proof | None, complete: float | None, errors: int, fallbacks: int) -> float | None:
    """The guide's weights: accuracy 40, completeness 30, no error 20, no fallback 10. None while an input is unknown.

    It is a mean, which hides what is worst; it stands here for those who compare.
    """
    if accuracy is None or complete is None:
        return None
    return 0.4 * accuracy.figure + 0.3 * complete + (0 if errors else 20) + (0 if fallbacks else 10)


def _dimensions(tally: Tally, age: float | None, thresholds: Thresholds, ledger: Ledger | None, *,
                accuracy: Proof | None, consistency: Proof | None) -> tuple[Dimension, ...]:
    measured = (completeness(tally, ledger, thresholds), validity(tally, thresholds), freshness(age, thresholds))
    found = [dimension for dimension in measured if dimension is not None]
    example = example_of(tally, "mismatch")
    if consistency is not None:
        found.append(agreement("consistency", consistency, thresholds, example))
    if accuracy is not None or (found and consistency is None and thresholds.proof):
        found.append(agreement("accuracy", accuracy, thresholds, example))
    return tuple(found)


def _worst(dimensions: Iterable[Dimension]) -> Dimension | None:
    measured = [(dimension.value, dimension) for dimension in dimensions if dimension.value is not None]
    return min(measured, key=lambda pair: pair[0], default=(None, None))[1]


def _status(dimensions: Iterable[Dimension]) -> Status:
    """The gravest: one that fails, else one that is inconclusive; no data without any."""
    found = {dimension.status for dimension in dimensions}
    gravest = (Status.FAIL, Status.INCONCLUSIVE, Status.PASS)
    return next((status for status in gravest if status in found), Status.NO_DATA)


def _sentence(tally: Tally, dimensions: Iterable[Dimension], worst: Dimension | None, status: Status) -> str:
    """Of the worst dimension among those that make the status what it is."""
    if worst is None or status is Status.NO_DATA:
        return f"No real data of {tally.component} was read."
    telling = [dimension for dimension in dimensions if dimension.status is status]
    told = worst if status is Status.PASS else _worst(telling) or telling[0]
    return f"{told.sentence} For example, {told.example}." if told.example else told.sentence


def _validation(valid: float | None, thresholds: Thresholds) -> ValidationStatus:
    if valid is None:
        return ValidationStatus.WARNING
    if valid < thresholds.quality:
        return ValidationStatus.FAILED
    return ValidationStatus.PASSED if valid == 100 else ValidationStatus.WARNING


def _served_by(tally: Tally, origin: Origin) -> int:
    return sum(count for kind, count in tally.served.items() if kind.partition("/")[0] == origin)


def _values(tally: Tally) -> int:
    """Readings that had a value."""
    return sum(tally.served.values()) - _served_by(tally, Origin.UNAVAILABLE)


def _real_share(tally: Tally) -> float | None:
    return percent(_served_by(tally, Origin.REAL), _values(tally))


def _data_source(tally: Tally) -> DataSource:
    """Real only if every value was: shares are rounded, counts are not."""
    values = _values(tally)
    if values <= 0:
        return DataSource.NONE
    for origin in (Origin.REAL, Origin.MOCK, Origin.LEGACY):
        if _served_by(tally, origin) >= values:
            return DataSource(origin.value)
    return DataSource.MIXED


def _meant_real(tally: Tally) -> int:
    """Readings for which the flag asks for real values, whatever was served then."""
    others = {f"{origin}/{reason}" for origin in (Origin.MOCK, Origin.LEGACY) for reason in (Reason.FLAG, Reason.RAMP)}
    return sum(count for kind, count in tally.served.items() if kind not in others)
