"""What a plan's gates would measure of a system in which nothing is wrong: for rehearsals."""

from collections.abc import Mapping
from types import MappingProxyType

from .clock import SECOND
from .fact import PROVED
from .gate import NOTHING, Fact, Gate

CALLS_A_SECOND = 1
"""So often the controller has the real source of a gate called, even though nobody looks."""
COMPARED_BEFORE = 1_440
"""Windows that agreed with the recount before the rollout began: the minutes of a day."""
EVENTS_BEFORE = 100_000
"""Events that trackers sent before it."""

_GROWING = frozenset({"quality.calls", "quality.served"})
"""They are their own number."""
_PROOFS = frozenset({"quality.accuracy", "quality.consistency"})
_USUAL: Mapping[str, float] = MappingProxyType({
    "quality.freshness": 1.0, "quality.latency_p50": 5.0, "quality.latency_p95": 20.0, "quality.latency_p99": 40.0,
})
"""Seconds, and milliseconds. Any other figure is 0 where it must be small, and 100 where it must be large."""


def healthy(gate: Gate, watched: int) -> Fact:
    """What is measured when the step was watched for so many microseconds: it passes once it is made of enough.

    How many that are is as in a real rollout, so that a gate which asks for more than come in time holds here too.
    """
    n = _count(gate.figure, CALLS_A_SECOND * watched // SECOND)
    if not n:
        return NOTHING
    if gate.figure in PROVED:
        return Fact(100.0, n, k=n) if gate.least is not None else Fact(0.0, n, k=0)
    return Fact(float(n) if gate.figure in _GROWING else _good(gate), n)


def _count(figure: str, calls: int) -> int:
    """Of how many a figure is made by then."""
    if figure.startswith(("live.", "alerts.")):
        return 1
    if figure.startswith("ledger."):
        return EVENTS_BEFORE + calls
    return COMPARED_BEFORE + calls // 60 if figure in _PROOFS else calls


def _good(gate: Gate) -> float:
    """A figure on the right side of the gate's threshold; the usual one if that is."""
    if gate.least is not None:
        return max(gate.least, 100.0)
    return min(gate.threshold, _USUAL.get(gate.figure, 0.0))
