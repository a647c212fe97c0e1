"""What a plan asks for before it is done, in sentences."""

from collections.abc import Iterator

from .binomial import needed
from .duration import shown
from .fact import PROVED
from .gate import Gate, NoData, When
from .plan import Phase, Plan


def wanted(plan: Plan) -> tuple[str, ...]:
    """All that must be true for the plan to pass, phase by phase."""
    return tuple(sentence for phase in plan.phases for sentence in _of_phase(phase, plan))


def _of_phase(phase: Phase, plan: Plan) -> Iterator[str]:
    whole = shown(phase.soak * phase.steps)
    yield f"{phase.name}: watched for {whole} by all processes, and passed within {shown(phase.deadline)}."
    if phase.needs:
        yield f"{phase.name}: {', '.join(phase.needs)} on for every viewer before."
    if phase.approval:
        yield f"{phase.name}: approved by somebody."
    for freeze in (*plan.freeze, *phase.freeze):
        yield f"{phase.name}: no step {freeze.words}."
    for gate in phase.gates:
        yield f"{phase.name}: {_of_gate(gate)}."


def _of_gate(gate: Gate) -> str:
    when = "all the time" if gate.judged is When.THROUGHOUT else "at the soak's end"
    told = f"{gate.component + ': ' if gate.component else ''}{gate.figure} {gate.side} {gate.threshold:g}, {when}"
    few = gate.sample
    if gate.figure in PROVED:
        proof = _proof(gate)
        if proof is None:
            return f"{told}, which nothing can prove: no number of looks excludes the opposite"
        few = max(few, proof)
        told += f", proved by {few:,} without an exception, or more with some"
    elif few > 1:
        told += f", made of {few:,}"
    nothing = {NoData.HOLD: "waits", NoData.FAIL: "fails", NoData.PASS: "passes"}[gate.no_data]
    return f"{told}; with nothing measured it {nothing}"


def _proof(gate: Gate) -> int | None:
    """How many without an exception prove it; None if none do."""
    share = gate.threshold / 100 if gate.least is not None else 1 - gate.threshold / 100
    return None if share >= 1 else needed(0, 0, share)
