"""A plan: the phases in which components go from mock to real, and what each must prove before the next.

It is written in TOML, see `planfile`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct, field

from .duration import shown
from .fact import refusal
from .flag import PERCENT, USE_REAL, FlagError, FlagValue, canonical, check
from .freeze import Freeze, endless
from .gate import Gate

SAFE: Mapping[str, FlagValue] = {"fallback_on_error": True}
"""What a global flag goes back to, whatever it was before."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,59}")


class OnFail(StrEnum):
    """What is taken back when a phase fails. The rollout ends in either case."""

    REVERT_PHASE = "revert_phase"
    REVERT_ALL = "revert_all"


class Phase(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One change, watched until it has proved itself. Spans are microseconds."""

    name: str
    flags: dict[str, FlagValue] = field(name="set")
    """What it sets. A component that is switched on without a ramp is on for every viewer."""
    soak: int
    """For how long each step is watched at the least."""
    deadline: int
    """How long the phase may take before it fails: only the time counts in which it was watched."""
    gates: tuple[Gate, ...]
    ramp: tuple[int, ...] = ()
    """Per cent of the viewers, step by step up to 100."""
    approval: bool = False
    """Whether somebody must say yes before it begins."""
    on_fail: OnFail = OnFail.REVERT_PHASE
    needs: tuple[str, ...] = ()
    """Components' ``use_real_…`` flags that must be on for every viewer before it begins."""
    freeze: tuple[Freeze, ...] = ()
    """When it is not stepped forward, beside the plan's own."""

    @property
    def steps(self) -> int:
        """How many there are: one without a ramp."""
        return max(1, len(self.ramp))

    def targets(self, step: int) -> dict[str, FlagValue]:
        """All flags as they are to be in a step, counted from 0."""
        percent = self.ramp[step] if self.ramp else 100
        return {PERCENT + name.removeprefix(USE_REAL): percent for name in switched_on(self)} | dict(self.flags)


class Plan(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Phases, one after the other."""

    name: str
    phases: tuple[Phase, ...]
    freeze: tuple[Freeze, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the phases, in order."""
        return tuple(phase.name for phase in self.phases)

    def frozen(self, phase: Phase, now: int) -> Freeze | None:
        """The window in which nothing is stepped forward at the moment, if there is one."""
        return next((each for each in (*self.freeze, *phase.freeze) if each.covers(now)), None)


Place = tuple[str | int, ...]
"""Where something stands in a plan: ``("phases", 0, "soak")``."""
Complaint = tuple[Place, str]
_ENDLESS = "this leaves no moment of the week free, and nothing would ever begin: write days, or start and end"


def switched_on(phase: Phase) -> tuple[str, ...]:
    """The components' flags that the phase turns to real."""
    return tuple(name for name, value in phase.flags.items() if name.startswith(USE_REAL) and value is True)


def back(name: str, before: FlagValue) -> FlagValue:
    """What a flag goes back to: never to real data, and always to the fallback; else to what it was."""
    return False if name.startswith(USE_REAL) else SAFE.get(name, before)


def complaints(plan: Plan, flags: Iterable[str], components: Iterable[str]) -> list[Complaint]:
    """Everything in a plan that cannot be carried out with these flags and components."""
    known, parts = tuple(flags), tuple(components)
    found: list[Complaint] = [] if plan.phases else [((), "a plan has at least one phase: write [[phases]]")]
    counts = Counter(plan.names)
    found += _of_freezes((), plan.freeze)
    for index, phase in enumerate(plan.phases):
        where: Place = ("phases", index)
        if not _NAME.fullmatch(phase.name):
            found.append(((*where, "name"), f"{phase.name!r} is no name: letters, digits, spaces and -_. up to 60"))
        if counts[phase.name] > 1:
            found.append(((*where, "name"), f"two phases are called {phase.name!r}"))
        found += _of_freezes(plan.freeze, phase.freeze, where)
        for each in (_of_times(phase), _of_flags(phase, known), _of_ramp(phase), _of_gates(phase, parts)):
            found += [((*where, *place), message) for place, message in each]
        found += [((*where, "needs"), message) for message in _of_needs(plan, index, known)]
        found += [(where, message) for message in _going_down(plan, index)]
    return found


def _of_freezes(before: Sequence[Freeze], freezes: Sequence[Freeze], where: Place = ()) -> Iterable[Complaint]:
    """At the first that, with those before it, leaves no moment."""
    if not endless(before):
        number = next((number for number in range(len(freezes)) if endless((*before, *freezes[:number + 1]))), None)
        if number is not None:
            yield (*where, "freeze", number), _ENDLESS


def _of_times(phase: Phase) -> Iterable[Complaint]:
    if phase.soak < 1:
        yield ("soak",), "a soak lasts longer than nothing"
    elif phase.deadline <= phase.soak * phase.steps:
        whole = shown(phase.soak * phase.steps)
        yield ("deadline",), f"the deadline of {shown(phase.deadline)} is not after the soak of {whole} in all"


def _of_flags(phase: Phase, known: tuple[str, ...]) -> Iterable[Complaint]:
    if not phase.flags:
        yield ("set",), "a phase sets at least one flag"
    for name, value in phase.flags.items():
        try:
            if canonical(name, known) != name:
                yield ("set", name), f"write {canonical(name, known)} for {name}"
            check(name, value)
        except FlagError as error:
            yield ("set", name), str(error)
        if name.startswith(USE_REAL) and value is False:
            yield ("set", name), f"{name} = false goes back: a plan goes forward, a failing phase back by itself"


def _of_ramp(phase: Phase) -> Iterable[Complaint]:
    if not phase.ramp:
        return
    if any(not 0 < percent <= 100 for percent in phase.ramp) or phase.ramp[-1] != 100:
        yield ("ramp",), "a ramp is per cent from 1 to 100, and ends with 100"
    if any(one >= other for one, other in zip(phase.ramp, phase.ramp[1:], strict=False)):
        yield ("ramp",), "every step of a ramp is larger than the one before"
    if not switched_on(phase):
        yield ("ramp",), "a ramp needs a use_real_… = true to be the share of"
    for name in phase.flags:
        if name.startswith(PERCENT):
            yield ("set", name), f"{name} is set by the ramp"


def _of_gates(phase: Phase, components: tuple[str, ...]) -> Iterable[Complaint]:
    if not phase.gates:
        yield ("gates",), "a phase without a gate would prove nothing: write [[phases.gates]]"
    counts = Counter(gate.name for gate in phase.gates)
    for index, gate in enumerate(phase.gates):
        place: Place = ("gates", index)
        refused = refusal(gate.figure)
        if refused:
            yield (*place, "figure"), refused
        if counts[gate.name] > 1:
            yield (*place, "figure"), f"two gates are about {gate.name}"
        if gate.figure.startswith("quality.") and not gate.component:
            yield place, f"{gate.figure} is of a component: write component = …"
        if gate.component and gate.figure.startswith(("ledger.", "live.")):
            yield (*place, "component"), f"{gate.figure} is of no single component"
        elif gate.component and gate.component not in components:
            yield (*place, "component"), f"there is no component {gate.component!r}; there are: {', '.join(components)}"


def _of_needs(plan: Plan, index: int, known: tuple[str, ...]) -> Iterable[str]:
    for name in plan.phases[index].needs:
        if not name.startswith(USE_REAL) or name not in known:
            there = ", ".join(each for each in known if each.startswith(USE_REAL))
            yield f"{name!r} is no component's flag; there are: {there}"
        elif any(name in switched_on(phase) for phase in plan.phases[index:]):
            yield f"{name} is not set before this phase, so that it would wait for itself"


def _going_down(plan: Plan, index: int) -> Iterable[str]:
    """Viewers who have real data keep it, but for a failing phase that goes back."""
    for name, percent in plan.phases[index].targets(0).items():
        reached = [phase.targets(phase.steps - 1)[name] for phase in plan.phases[:index]
                   if name in phase.targets(phase.steps - 1)]
        if name.startswith(PERCENT) and reached and max(reached) > percent:
            yield f"{name} goes down from {max(reached)} to {percent}, where a plan only goes forward"
