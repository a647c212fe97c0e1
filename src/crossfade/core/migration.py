"""Where the migration stands, in the guide's words: derived from a rollout, the flags and what is wrong, never stored.

``progress`` is the share of the plan's soaks that is done: of each phase its soak times the steps of its ramp. A phase
that is over counts for as long as its flags stand, so that a rollback takes its share away again.
"""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from .alert import Alert
from .clock import DAY, MINUTE
from .dimension import Status as Figure
from .flag import PERCENT, SHADOW, USE_REAL, Flags, FlagValue, share, stage
from .gate import Verdict, at_end
from .names import listed
from .plan import Phase, Plan, switched_on
from .quality import Quality
from .rollout import State, Status

LOOK = 15 * MINUTE
"""How exactly the end of a freeze is estimated."""
FURTHEST = 14 * DAY
"""No further ahead does anybody look for the end of a freeze."""


class Migration(Struct, frozen=True, rename="camel"):
    """The guide's MigrationStatus. Moments are microseconds since the epoch."""

    phase: str
    """Which one, and how it stands."""
    progress: float
    """Per cent, from 0 to 100."""
    started_at: int | None
    estimated_completion: int | None
    """When it was done, or will be if nothing holds it; None where something does, or will."""
    blockers: tuple[str, ...]
    """Why it does not go on, in sentences."""
    risks: tuple[str, ...]
    """What may keep it from going on."""


class Underway(Struct, frozen=True):
    """A rollout, the last there was, as it stood at its last tick."""

    plan: Plan
    state: State
    started_at: int
    said: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    """On the gates of the phase in effect."""


class Drilled(Struct, frozen=True):
    """The last rehearsed rollback."""

    at: int
    problem: str | None
    """Why it did not pass."""


class Around(Struct, frozen=True):
    """What a migration stands in."""

    flags: Flags
    components: Mapping[str, str]
    """Their ``use_real_…`` flags by their names."""
    alerts: tuple[Alert, ...] = ()
    """The open ones."""
    qualities: tuple[Quality, ...] = ()
    drilled: Drilled | None = None
    behind: tuple[str, ...] = ()
    """Processes that are not known to have the flags."""
    trouble: str | None = None
    """Why no rollout is carried out just now."""
    switched_at: int | None = None
    """When the first component that is real became so, where no rollout says more."""


def migration(found: Underway | None, around: Around, now: int) -> Migration:
    """How the migration stands at this moment. Never raises for a state that came of its plan."""
    if found is None:
        return _by_flags(around)
    blockers = tuple(_blockers(found, around))
    return Migration(_phase(found.plan, found.state), progress(found.plan, found.state, around.flags),
                     found.started_at, _completion(found, now, held=bool(blockers)), blockers,
                     tuple(_risks(found, around)))


def progress(plan: Plan, state: State, flags: Flags) -> float:
    """Per cent: the soak that is done of all there is; see above. A soak that was skipped counts as done."""
    whole = sum(map(_soak, plan.phases))
    done = sum(_soak(phase) for phase, holds in zip(plan.phases, stands(plan, state, flags), strict=False) if holds)
    if state.status is Status.SOAKING and state.phase < len(plan.phases):
        phase = plan.phases[state.phase]
        done += phase.soak * state.step + max(0, min(state.soaked, phase.soak))
    return 100 * done / whole if whole > 0 else 100.0 * (state.status is Status.DONE)


def stands(plan: Plan, state: State, flags: Flags) -> tuple[bool, ...]:
    """Of each phase that is over, whether its flags still are what it made of them, or what a later one did."""
    over = plan.phases[:state.phase]
    reached = {name: value for phase in over for name, value in phase.targets(phase.steps - 1).items()}
    return tuple(all(_holds(name, reached[name], flags) for name in phase.targets(0)) for phase in over)


def components_of(plan: Plan, components: Mapping[str, str]) -> tuple[str, ...]:
    """Those that a plan switches or looks at, of these."""
    flags = {name for phase in plan.phases for name in switched_on(phase)}
    looked_at = {gate.component for phase in plan.phases for gate in phase.gates}
    return tuple(name for name, flag in components.items() if flag in flags or name in looked_at)


def _by_flags(around: Around) -> Migration:
    """Without any rollout the flags alone say how far it is."""
    live = [name for name, flag in around.components.items() if share(around.flags, flag)]
    shares = sum(share(around.flags, flag) for flag in around.components.values())
    told = f"{len(live)} of {len(around.components)} components live" if live else "not started"
    return Migration(told, shares / len(around.components) if around.components else 0.0,
                     around.switched_at if live else None, None, tuple(_trouble(around)),
                     tuple(_wrong(around.components, around)))


def _soak(phase: Phase) -> int:
    return max(0, phase.soak) * phase.steps


def _holds(name: str, wanted: FlagValue, flags: Flags) -> bool:
    if name.startswith(USE_REAL):
        return not wanted or share(flags, name) > 0
    if name.startswith(PERCENT):  # more viewers than were asked for are no step back
        return max(flags[name], share(flags, USE_REAL + name.removeprefix(PERCENT))) >= wanted
    return name.startswith(SHADOW) or flags[name] == wanted


def _phase(plan: Plan, state: State) -> str:
    if state.status is Status.DONE or state.phase >= len(plan.phases):
        return Status.DONE.value
    phase = plan.phases[state.phase]
    ramping = phase.ramp and state.status is Status.SOAKING
    at = f" at {phase.ramp[min(state.step, phase.steps - 1)]} %" if ramping else ""
    return f"{phase.name}{at}: {state.word}"


def _blockers(found: Underway, around: Around) -> Iterator[str]:
    state, said = found.state, " ".join(found.said)
    if state.status is Status.REVERTED:
        yield f"It was reverted: {(state.why or 'nobody said why').rstrip('.')}."
        return
    if state.status is Status.DONE:
        yield from _undone(found, around.flags)
        return
    yield from _trouble(around)
    if state.paused is not None:
        yield f"It is paused: {state.paused.rstrip('.')}."
    elif state.status is not Status.SOAKING:
        yield said or f"It is {state.status}."
    elif around.behind:
        yield f"Not known to have the flags yet: {listed(around.behind)}."
    yield from (verdict.sentence for verdict, blocks in _judged(found) if blocks)


def _judged(found: Underway) -> Iterator[tuple[Verdict, bool]]:
    """The verdicts that do not pass, each with whether it keeps the phase from going on."""
    state = found.state
    if state.status is not Status.SOAKING or state.phase >= len(found.plan.phases):
        return
    phase = found.plan.phases[state.phase]
    over = state.soaked >= phase.soak or state.skipped is not None
    for gate, verdict in zip(phase.gates, found.verdicts, strict=False):
        end = at_end(gate, verdict)
        if end is not Figure.PASS:
            yield verdict, over or verdict.status is Figure.FAIL


def _undone(found: Underway, flags: Flags) -> Iterator[str]:
    """What somebody took back after the end."""
    for phase, holds in zip(found.plan.phases, stands(found.plan, found.state, flags), strict=False):
        if not holds:
            yield f"{phase.name} passed, but its flags have been changed since."


def _trouble(around: Around) -> Iterator[str]:
    if around.trouble is not None:
        yield f"{around.trouble[:1].upper()}{around.trouble[1:].rstrip('.')}."


def _risks(found: Underway, around: Around) -> Iterator[str]:
    plan, state = found.plan, found.state
    yield from (verdict.sentence for verdict, blocks in _judged(found) if not blocks)
    yield from _wrong(components_of(plan, around.components), around)
    if state.status.over:
        return
    yield from (f"{phase.name} will wait until somebody approves it." for phase in plan.phases[state.phase + 1:]
                if phase.approval)
    if around.drilled is None:
        yield "No rollback was rehearsed: crossfade rollout drill does it."
    elif around.drilled.problem is not None:
        yield f"The last rehearsed rollback did not pass: {around.drilled.problem.rstrip('.')}."


def _wrong(names: Iterable[str], around: Around) -> Iterator[str]:
    """Open alerts about the components, and what is served of them that is not what it should be."""
    wanted = set(names)
    for alert in around.alerts:
        if alert.live and alert.key.component in wanted:
            yield f"{alert.key.component}: {alert.message.rstrip('.')} ({alert.severity})."
    for quality in around.qualities:
        flag = around.components.get(quality.component)
        if quality.component not in wanted or flag is None or not share(around.flags, flag):
            continue
        told = f"though it is {stage(around.flags, flag)}"
        if quality.undeclared_synthetic > 0:
            yield f"{quality.component}: {quality.undeclared_synthetic:,} readings were made up, {told}."
        if quality.stale > 0:
            yield f"{quality.component}: {quality.stale:,} readings were stale, {told}."


def _completion(found: Underway, now: int, *, held: bool) -> int | None:
    """The end, if every soak takes its time, freezes last, and no one else is waited for."""
    plan, state = found.plan, found.state
    if state.status is Status.DONE:
        return state.seen_at
    if held or state.status is not Status.SOAKING or any(phase.approval for phase in plan.phases[state.phase + 1:]):
        return None
    phase = plan.phases[state.phase]
    left = [] if state.skipped is not None else [max(0, phase.soak - state.soaked)]
    end = now + sum(left)
    for following in [phase] * (phase.steps - state.step - 1) + [
            each for each in plan.phases[state.phase + 1:] for _ in range(each.steps)]:
        begins = _thawed(plan, following, end)
        if begins is None:
            return None
        end = begins + following.soak
    return end


def _thawed(plan: Plan, phase: Phase, at: int) -> int | None:
    """When a step of the phase may be taken, from a moment on."""
    return next((moment for moment in range(at, at + FURTHEST, LOOK) if plan.frozen(phase, moment) is None), None)
