"""What may go wrong in a rehearsal: the faults there are, where each is placed, and what it does to what is measured.

What a fault does beside, to the clock, the flags or the processes, the rehearsal does for real.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from .alert import Severity
from .clock import HOUR, MINUTE, SECOND
from .duration import parse as duration
from .gate import NOTHING, Fact, Gate
from .ledger import FED_BY_EVENTS
from .plan import Plan

Symptom = Callable[[Fact, int], Fact]
"""What becomes of a healthy figure, so many microseconds after the fault began."""


class FaultError(ValueError):
    """There is no such fault, or no such place for it. The message says which there are."""


class Fault(Struct, frozen=True):
    """Something that may go wrong."""

    name: str
    sentence: str
    symptoms: Mapping[str, Symptom] = MappingProxyType({})
    """By figure; ``live`` stands for all live figures, ``live errorRate`` for those that end so."""
    alert: Severity | None = None
    """Of the alert that it raises."""
    of_events: bool = False
    """Whether only components that are fed by events feel it."""
    sudden: bool = False
    """Whether it happens in the middle of a soak, where no other place is named; else as soon as it can."""
    lasts: int | None = None
    """Microseconds; None for as long as its place lasts."""
    period: int | None = None
    """No step of the rehearsal is longer while it lasts, in microseconds."""


class Placed(Struct, frozen=True):
    """A fault, and where it strikes: in a phase, from a moment on, or wherever it can."""

    fault: Fault
    phase: int | None = None
    after: int | None = None
    """Microseconds since the rehearsal began."""

    @property
    def name(self) -> str:
        return self.fault.name


def _share(percent: int) -> Symptom:
    """So many of a hundred."""
    def change(fact: Fact, _age: int) -> Fact:
        k = fact.n * percent // 100
        return replace(fact, value=100 * k / fact.n, k=k, low=None, high=None) if fact.n else fact
    return change


def _value(value: float) -> Symptom:
    return lambda fact, _age: Fact(value, fact.n, example=fact.example)


def _worst(percent: float) -> Symptom:
    """A dimension that pulls the whole down, unless that is lower already."""
    def change(fact: Fact, _age: int) -> Fact:
        return fact if fact.value is None or fact.value <= percent else Fact(percent, fact.n)
    return change


def _counted(percent: int) -> Symptom:
    """So many of a hundred, as their number."""
    return lambda fact, _age: Fact(float(max(1, fact.n * percent // 100)), fact.n) if fact.n else fact


def _none(_fact: Fact, _age: int) -> Fact:
    return NOTHING


def _growing(fact: Fact, age: int) -> Fact:
    """What stands still since then, and becomes older."""
    return Fact((0.0 if fact.value is None else fact.value) + age / SECOND, max(1, fact.n))


def _by_turns(fact: Fact, age: int) -> Fact:
    """There for a minute, then gone for one."""
    return NOTHING if age // MINUTE % 2 == 0 else fact


def _failing(percent: int) -> dict[str, Symptom]:
    """So many of a hundred calls of the real source fail; the mock stands in."""
    return {
        "quality.error_rate": _share(percent), "quality.errors": _counted(percent),
        "quality.fallback_rate": _share(percent), "quality.fallback_triggers": _counted(percent),
        "quality.undeclared_synthetic": _counted(percent), "quality.completeness": _value(100.0 - percent),
        "quality.real_share": _value(100.0 - percent), "quality.quality": _worst(100.0 - percent),
    }


_DOWN: Mapping[str, Symptom] = {
    **_failing(100), "quality.validity": _none, "quality.freshness": _growing, "live": _none,
}
_EVENTS_LOST: Mapping[str, Symptom] = {
    "ledger.completeness": _share(90), "ledger.missing": _counted(10), "ledger.stored": _counted(90),
    "quality.completeness": _value(90), "quality.quality": _worst(90),
}
_NOTHING_COMES: Mapping[str, Symptom] = {"quality": _none, "ledger": _none}

FAULTS: Mapping[str, Fault] = MappingProxyType({fault.name: fault for fault in (
    Fault("bad-accuracy", "One window in ten does not agree with the recount.", {
        "quality.accuracy": _share(90), "quality.consistency": _share(90), "quality.mismatches": _counted(10),
        "quality.quality": _worst(90)}, Severity.CRITICAL),
    Fault("missing-events", "One event in ten that trackers sent does not arrive.", _EVENTS_LOST, Severity.WARNING,
          of_events=True),
    Fault("slow-source", "The real source, and the application, take ten seconds to answer.", {
        **{f"quality.latency_{name}": _value(10_000) for name in ("p50", "p95", "p99")},
        **{f"live responseTime{name}": _value(10_000) for name in ("", "P95", "P99")}}, Severity.WARNING),
    Fault("source-down", "The real source fails at every call.", _DOWN, Severity.WARNING),
    Fault("error-rate", "One call in ten of the real source fails, and one request in ten of the application.", {
        **_failing(10), "live errorRate": _value(10)}, Severity.WARNING),
    Fault("flapping", "For an hour the real source fails for a minute and works for a minute, by turns.", {
        **_failing(50), "live": _by_turns}, Severity.WARNING, lasts=HOUR, period=MINUTE // 2),
    Fault("mock-leak", "The real source gives what the mock made up, which is refused.", {
        **_DOWN, "quality.leaks": _counted(100)}, Severity.CRITICAL),
    Fault("stale-data", "The real source answers with data that becomes no newer.", {
        "quality.freshness": _growing, "quality.quality": _worst(50), "live": _none}, Severity.WARNING),
    Fault("invalid-values", "One value in ten does not pass its checks.", {
        "quality.validity": _value(90), "quality.quality": _worst(90)}, Severity.CRITICAL),
    Fault("clock-wrong", "The real source's data lies in the future.", {
        "quality.clock_errors": _counted(100), "quality.freshness": _value(-HOUR / SECOND),
        "quality.quality": _worst(0)}, Severity.WARNING),
    Fault("no-traffic", "No event comes, no source is called, nothing is compared.", _NOTHING_COMES),
    Fault("alert", "A critical alert opens that has another cause.", alert=Severity.CRITICAL),
    Fault("storage-full", "The disk of the control database is full for ten minutes.", sudden=True, lasts=10 * MINUTE),
    Fault("hand-changed-flag", "Somebody sets a flag of the phase otherwise, by hand.", sudden=True),
    Fault("hand-rollback", "Somebody rolls everything back, by hand.", sudden=True),
    Fault("pause", "Somebody pauses the rollout, and does not come back.", sudden=True),
    Fault("abort", "Somebody aborts the rollout.", sudden=True),
    Fault("clock-jump", "The clock goes forward by an hour.", sudden=True),
    Fault("clock-back", "The clock goes back by an hour.", sudden=True),
    Fault("process-silent", "A process does not say that it has the flags."),
    Fault("double-controller", "For ten minutes two servers carry it out; one, then the other falls silent.",
          sudden=True, lasts=10 * MINUTE, period=10 * SECOND),
    Fault("crash", "The server is killed while it stores a step, and starts again half a minute later.", sudden=True),
    Fault("approval-missing", "Nobody approves what needs approval."),
    Fault("freeze", "Nothing may be stepped forward for a day."),
)})


def place(text: str, plan: Plan) -> Placed:
    """``NAME``, ``NAME@PHASE`` by the phase's name or how it begins, or ``NAME@+10min``. Raises FaultError."""
    name, _, where = text.strip().partition("@")
    fault = FAULTS.get(name.strip())
    if fault is None:
        raise FaultError(f"there is no fault {name[:60]!r}; there are: {', '.join(FAULTS)}")
    where = where.strip()
    if where.startswith("+"):
        try:
            return Placed(fault, after=duration(where[1:]))
        except ValueError as error:
            raise FaultError(str(error)) from None
    return Placed(fault, phase=_phase(where, plan)) if where else Placed(fault)


def _phase(text: str, plan: Plan) -> int:
    names = [name.casefold() for name in plan.names]
    wanted = text.casefold()
    found = [index for index, name in enumerate(names) if name == wanted] or [
        index for index, name in enumerate(names) if name.startswith(wanted)]
    if len(found) != 1:
        raise FaultError(f"{text[:60]!r} is {'more than one' if found else 'no'} phase of the plan; there are: "
                         + ", ".join(plan.names))
    return found[0]


def spoil(fault: Fault, gate: Gate, fact: Fact, age: int) -> Fact:
    """What is measured in place of the fact when the fault began so many microseconds ago. What it does not touch
    stays as it is; and a figure is spoilt at once, as if the fault had lasted for all of its window."""
    if fault.of_events and gate.component and gate.component not in FED_BY_EVENTS:
        return fact
    family, _, rest = gate.figure.partition(".")
    if family == "alerts":
        return _alerted(fault, gate, fact, rest)
    last = rest.rpartition(".")[2]
    names = (gate.figure, f"{family} {last}", family)
    symptom = next((fault.symptoms[name] for name in names if name in fault.symptoms), None)
    return fact if symptom is None else symptom(fact, age)


def _alerted(fault: Fault, gate: Gate, fact: Fact, severity: str) -> Fact:
    if fault.alert is None or severity not in {"any", fault.alert.value}:
        return fact
    example = f"{gate.component or 'a component'}: {fault.sentence[0].lower()}{fault.sentence[1:-1]}"
    return Fact((fact.value or 0.0) + 1, max(1, fact.n), example=example)

