"""A gate: what a figure must be for a rollout to go on, and what can be said of it.

Three things can be said, and a fourth where nothing was measured. What is not proved either way neither passes nor
fails: a share is judged by its exact bounds, a quantile by enough calls to know it.
"""

import math
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct

from .binomial import lower_bound, needed, upper_bound
from .dimension import Status


class When(StrEnum):
    """When a gate that fails counts."""

    THROUGHOUT = "throughout"
    """At once, at any time of the soak."""
    AT_END = "at_end"
    """When the soak is over."""


class NoData(StrEnum):
    """What it means at the soak's end that nothing was measured."""

    HOLD = "hold"
    FAIL = "fail"
    PASS = "pass"  # noqa: S105 - no password


QUANTILES: Mapping[str, float] = MappingProxyType({
    "quality.latency_p50": 0.5, "quality.latency_p95": 0.95, "quality.latency_p99": 0.99,
})
"""Figures that are a quantile. So few calls that the largest may well lie below it say nothing of it."""


class Gate(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a figure must be. Raises ValueError if it could never be judged."""

    figure: str
    """Where it comes from and its name: ``quality.accuracy``, ``ledger.missing``, ``live.system.errorRate``,
    ``alerts.critical``."""
    component: str = ""
    """Of which; empty for a figure of the whole."""
    least: float | None = None
    """It must be at least that; or …"""
    most: float | None = None
    """… at most that."""
    window: int | None = None
    """Microseconds that are looked back; None for as long as it has soaked, which is the most in any case."""
    sample: int = 1
    """How many it must be made of, for either verdict."""
    judged: When = When.THROUGHOUT
    no_data: NoData = NoData.HOLD

    def __post_init__(self) -> None:
        if (self.least is None) == (self.most is None):
            raise ValueError("a gate has either 'least' or 'most'")
        if not math.isfinite(self.threshold):
            raise ValueError("a gate's threshold is a finite number")
        if self.sample < 1:
            raise ValueError("a gate's 'sample' is at least 1")
        if self.window is not None and self.window <= 0:
            raise ValueError("a gate's 'window' is longer than nothing")

    @property
    def threshold(self) -> float:
        """The number that the figure is held against."""
        return self.least if self.least is not None else self.most if self.most is not None else math.nan

    @property
    def side(self) -> str:
        """On which side of the threshold the figure is to be: ``at least``, ``at most``."""
        return "at least" if self.least is not None else "at most"

    @property
    def name(self) -> str:
        """What it is known by within its phase."""
        side = "least" if self.least is not None else "most"
        return f"{self.component}:{self.figure}:{side}" if self.component else f"{self.figure}:{side}"


class Fact(Struct, frozen=True):
    """What was measured of a gate's figure in its window."""

    value: float | None
    """None if it is unknown."""
    n: int
    """Of how many it is made."""
    k: int | None = None
    """Where the figure is the share k of n, in per cent: k. It is then judged by its exact bounds."""
    low: float | None = None
    """The least that the figure is proved to be, where whoever measured it knows; else the value itself."""
    high: float | None = None
    """The most that it may be."""
    example: str | None = None
    """One thing that went wrong; or, with its full stop, a sentence that says what makes the figure what it is."""


NOTHING = Fact(None, 0)


class Evidence(Struct, frozen=True, rename="camel"):
    """By what a gate was judged."""

    figure: float | None
    n: int
    low: float | None
    high: float | None
    threshold: float
    example: str | None = None


class Verdict(Struct, frozen=True, rename="camel"):
    """What can be said of a gate, and why."""

    gate: str
    status: Status
    evidence: Evidence
    sentence: str


def judge(gate: Gate, fact: Fact = NOTHING) -> Verdict:
    """The verdict on a gate. Never raises: a figure that cannot be is none.

    =============================== ============ ============
    the figure                      at least     at most
    =============================== ============ ============
    was not measured                no data      no data
    is made of too few              inconclusive inconclusive
    threshold up to its lower bound pass         –
    threshold above its upper bound fail         –
    threshold from its upper bound  –            pass
    threshold below its lower bound –            fail
    threshold between the two       inconclusive inconclusive
    =============================== ============ ============
    """
    bounds = _bounds(fact)
    if bounds is None:
        return _verdict(gate, NOTHING, (None, None), Status.NO_DATA, "nothing was measured")
    few = max(gate.sample, _few(gate))
    if fact.n < few:
        return _verdict(gate, fact, bounds, Status.INCONCLUSIVE, f"{fact.n:,} measured, where {few:,} are needed")
    low, high = bounds
    status = _at_least(low, high, gate.least) if gate.least is not None else _at_most(low, high, gate.threshold)
    told = f"{fact.n:,} measured"
    if low < high:
        told += f", which prove {low:.6g} to {high:.6g}"
    return _verdict(gate, fact, bounds, status, told)


def at_end(gate: Gate, verdict: Verdict) -> Status:
    """What the verdict counts for when the soak is over: pass, fail or inconclusive."""
    if verdict.status is not Status.NO_DATA:
        return verdict.status
    return {NoData.HOLD: Status.INCONCLUSIVE, NoData.FAIL: Status.FAIL, NoData.PASS: Status.PASS}[gate.no_data]


def _bounds(fact: Fact) -> tuple[float, float] | None:
    """Between what the figure lies; None if it is unknown, or cannot be."""
    if fact.value is None or not math.isfinite(fact.value) or fact.n < 1:
        return None
    if fact.k is not None:
        if not 0 <= fact.k <= fact.n:
            return None
        return 100 * lower_bound(fact.k, fact.n), 100 * upper_bound(fact.k, fact.n)
    low = fact.value if fact.low is None else fact.low
    high = fact.value if fact.high is None else fact.high
    return (low, high) if low <= high else None


def _few(gate: Gate) -> int:
    quantile = QUANTILES.get(gate.figure)
    return 1 if quantile is None else needed(0, 0, quantile) or 1


def _at_least(low: float, high: float, threshold: float) -> Status:
    return Status.PASS if low >= threshold else Status.FAIL if high < threshold else Status.INCONCLUSIVE


def _at_most(low: float, high: float, threshold: float) -> Status:
    return Status.PASS if high <= threshold else Status.FAIL if low > threshold else Status.INCONCLUSIVE


def _verdict(gate: Gate, fact: Fact, bounds: tuple[float | None, float | None], status: Status, why: str) -> Verdict:
    head = f"{gate.component}: {gate.figure}" if gate.component else gate.figure
    value = "unknown" if fact.value is None else f"{fact.value:.6g}"
    told = f"{head} is {value}, where {gate.side} {gate.threshold:g} is wanted: {status} ({why})."
    if fact.example is not None and status is not Status.PASS:
        told += f" {fact.example}" if fact.example.endswith(".") else f" For example, {fact.example}."
    return Verdict(gate.name, status, Evidence(fact.value, fact.n, *bounds, gate.threshold, fact.example), told)
