"""The dimensions of quality, each a figure from 0 to 100 with its threshold, its verdict and a sentence."""

import math
from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from .binomial import lower_bound, needed, upper_bound
from .clock import SECOND
from .comparison import Reference
from .tally import Agreement, Tally
from .threshold import Ledger, Thresholds


class Status(StrEnum):
    """What can be said of a figure beside its threshold."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    """Too little was compared to tell."""
    NO_DATA = "no data"


class Dimension(Struct, frozen=True, rename="camel"):
    """One side of a component's quality."""

    name: str
    """``completeness``, ``validity``, ``freshness``, ``accuracy`` or ``consistency``."""
    value: float | None
    """From 0 to 100; for accuracy and consistency what is proved: the lower bound. None if nothing was compared."""
    threshold: float
    status: Status
    sentence: str
    example: str | None = None


class Proof(Struct, frozen=True, rename="camel"):
    """How often the real value agreed with its reference, and what that proves. Per cent."""

    agreeing: int
    compared: int
    figure: float
    low: float
    """The one-sided exact lower bound."""
    high: float
    """The one-sided exact upper bound."""
    needed: int | None
    """How many further windows, all of them agreeing, prove the threshold; None if a million would not."""
    within_noise: int = 0
    """Of the agreeing ones, those that agree only because the reference is not steady itself."""


def percent(part: int, whole: int) -> float | None:
    """Per cent, from 0 to 100; None of nothing. Counts that cannot be are taken for the nearest that can."""
    return 100 * max(0, min(part, whole)) / whole if whole > 0 else None


def shown(value: float) -> str:
    """Per cent as people read it. Cut, never rounded up: 94.999 is not 95."""
    return f"{math.floor(value * 100) / 100:g} %"


def filled(tally: Tally) -> float | None:
    """Per cent of the expected values of the real source that were there; None if it was never called.

    A call that failed leaves as many values open as an answer has on average.
    """
    calls = tally.calls.get("real", 0)
    answers = calls - sum(tally.errors.get("real", {}).values())
    if calls <= 0:
        return None
    if answers <= 0:
        return 0.0
    answered = min(1.0, answers / calls)
    share = percent(tally.present, tally.expected)
    return 100.0 * answered if share is None else share * answered


def completeness(tally: Tally, ledger: Ledger | None, thresholds: Thresholds) -> Dimension | None:
    """The values that are there; with the trackers' ledger also the events that arrived, whichever is less."""
    value = filled(tally)
    if value is None:
        return None
    stored = None if ledger is None else percent(ledger.stored, ledger.sent)
    if ledger is not None and stored is not None and stored < value:
        told = f"{ledger.stored:,} of {ledger.sent:,} events that were sent are stored"
        return _judged("completeness", stored, thresholds.quality, told)
    told = f"{tally.present:,} of {tally.expected:,} expected values were there"
    failures = sum(tally.errors.get("real", {}).values())
    if failures:
        told += f", and {failures:,} of {tally.calls.get('real', 0):,} calls gave none"
    return _judged("completeness", value, thresholds.quality, told, example_of(tally, "error") if failures else None)


def validity(tally: Tally, thresholds: Thresholds) -> Dimension | None:
    """The values that pass their checks, of those that are there."""
    value = percent(tally.valid, tally.present)
    if value is None:
        return None
    told = f"{max(0, tally.valid):,} of {tally.present:,} values passed their checks"
    return _judged("validity", value, thresholds.quality, told, example_of(tally, "invalid"))


def freshness(age_s: float | None, thresholds: Thresholds) -> Dimension | None:
    """100 while the data is young enough, less in proportion where it is older; 0 if it lies in the future."""
    if age_s is None:
        return None
    limit = thresholds.fresh_s
    if age_s < -1:
        return _judged("freshness", 0.0, thresholds.quality,
                       f"its newest data lies {-age_s:,.0f} s in the future, so a clock is wrong")
    value = 100.0 if age_s <= limit else 100.0 * limit / age_s
    return _judged("freshness", value, thresholds.quality,
                   f"its newest data is {max(0, age_s):,.0f} s old, where {limit:,.0f} s are allowed")


def age_s(tally: Tally, now: int) -> float | None:
    """How old the real source's newest data is, in seconds; None without any. Negative means a clock error."""
    return None if tally.newest is None else (now - tally.newest[1]) / SECOND


def proof(tally: Tally, kinds: Iterable[Reference], thresholds: Thresholds) -> Proof | None:
    """What the comparisons with these kinds of reference prove; None if there were none."""
    total = sum((tally.compared.get(kind, Agreement()) for kind in kinds), Agreement())
    n = total.compared
    if n <= 0:
        return None
    k = max(0, min(total.agreeing, n))
    confidence = thresholds.confidence
    return Proof(
        k, n, 100 * k / n, 100 * lower_bound(k, n, confidence), 100 * upper_bound(k, n, confidence),
        needed(k, n, thresholds.accuracy / 100, confidence), total.within_noise,
    )


def agreement(name: str, found: Proof | None, thresholds: Thresholds, example: str | None) -> Dimension:
    """Accuracy or consistency: passes if the lower bound reaches the threshold, fails if the upper does not.

    ====================== ============
    threshold is           verdict
    ====================== ============
    at most the lower      pass
    above the upper        fail
    between the two        inconclusive
    nothing was compared   inconclusive
    ====================== ============
    """
    wanted = thresholds.accuracy
    if found is None:
        more = needed(0, 0, wanted / 100, thresholds.confidence)
        return Dimension(name, None, wanted, Status.INCONCLUSIVE,
                         f"Nothing was compared yet: {_windows(more)} that agree would prove {shown(wanted)}.")
    example = example if found.agreeing < found.compared else None  # what was mended is no example any more
    told = f"{found.agreeing:,} of {found.compared:,} compared windows agree ({shown(found.figure)})"
    if found.low >= wanted:
        return Dimension(name, found.low, wanted, Status.PASS, f"{told}, which proves {shown(found.low)}.", example)
    if found.high < wanted:
        return Dimension(name, found.low, wanted, Status.FAIL,
                         f"{told}, so that {shown(wanted)} is out of question.", example)
    return Dimension(
        name, found.low, wanted, Status.INCONCLUSIVE,
        f"{told}, which proves only {shown(found.low)}: {_windows(found.needed)} more that agree "
        f"would prove {shown(wanted)}.", example)


def example_of(tally: Tally, sort: str) -> str | None:
    """The newest example of a sort, in words."""
    return next((example.words for example in tally.examples if example.sort == sort), None)


def _judged(name: str, value: float, threshold: float, told: str, example: str | None = None) -> Dimension:
    good = value >= threshold
    head = f"{name.capitalize()} is {shown(value)}"
    sentence = f"{head}: {told}." if good else f"{head}, where {shown(threshold)} is wanted: {told}."
    return Dimension(name, value, threshold, Status.PASS if good else Status.FAIL, sentence,
                     None if value == 100 else example)


def _windows(number: int | None) -> str:
    if number is None:
        return "more than a million windows"
    return "1 window" if number == 1 else f"{number:,} windows"
