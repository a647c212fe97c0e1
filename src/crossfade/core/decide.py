"""What a rollout does next.

`decide` looks at everything at each tick and does one thing. Whoever applies it stores the new state and the changed
flags in one transaction: then a crash at any moment only means that the next tick decides again.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from .dimension import Status as Figure
from .duration import rough, shown
from .flag import PERCENT, USE_REAL, Flags, FlagValue, share
from .gate import NOTHING, Verdict, When, at_end, judge
from .names import listed
from .plan import OnFail, Phase, Plan, back, switched_on
from .rollout import Action, Command, Decision, Facts, Move, State, Status

_ON_PAUSE = "Resume it, which sets the flags again, or abort it, which reverts all."
_BY_HAND = "A rollback ends it without them."


def decide(plan: Plan, state: State, facts: Facts, now: int, command: Command | None = None) -> Decision:
    """What a rollout does at this moment. The first line that holds is done. It never raises
    for a state that came of this plan.

    ========== ====================================== ===================================================
    standing   if                                     it
    ========== ====================================== ===================================================
    over       –                                      holds
    reverting  a flag is not back                     sets it again
    reverting  a process does not have it             holds, naming it
    reverting  –                                      is reverted
    soaking    a gate fails that counts throughout    reverts, paused or not
    either     a flag was changed by somebody else    pauses, naming it
    either     paused                                 holds
    soaking    a process does not have the step       holds, naming it; past the deadline it reverts
    soaking    the soak is not over                   holds; past the deadline it reverts
    soaking    a gate fails                           reverts
    soaking    a gate is inconclusive                 holds; past the deadline it reverts
    soaking    there is a next step, and a freeze     holds
    soaking    there is a next step                   steps
    soaking    there is a next phase                  as waiting
    soaking    –                                      is done
    waiting    the phase needs approval, or a flag,   holds
               or there is a freeze
    waiting    –                                      begins the phase
    ========== ====================================== ===================================================

    A command is followed before: abort reverts, pause, approve and skip are noted, resume sets the flags again. But a
    gate that fails throughout reverts, whoever pauses or resumes at that moment.
    """
    if state.status.over:
        return _over(plan, state, command)
    gone = now - state.seen_at
    watched = gone if facts.watched is None else facts.watched
    tick = _Tick(plan, facts, now, max(0, min(gone, watched, facts.longest_tick)))
    state = replace(state, seen_at=now)
    if command is None:
        decision = _look(tick, state)
        return replace(decision, said=_of_clock(tick, gone) + decision.said)
    told = _obey(tick, state, command)
    decision = _look(tick, told.state) if told.move is Move.HOLD else _unless_failing(tick, told, state)
    said = told.said + decision.said if decision is not told else told.said
    return replace(decision, said=_of_clock(tick, gone) + said, refused=told.refused,
                   verdicts=_verdicts(tick, state))


@dataclass(frozen=True, slots=True)
class _Tick:
    """What does not change while one tick is decided."""

    plan: Plan
    facts: Facts
    now: int
    counted: int
    """Of the time since the last tick, so much counts."""


def _over(plan: Plan, state: State, command: Command | None) -> Decision:
    told = f"{plan.name} is done." if state.status is Status.DONE else f"{plan.name} was reverted: {state.why}."
    refused = None if command is None else f"there is nothing to {command.action}: {told}"
    return Decision(state, Move.HOLD, (told,), refused=refused)


def _of_clock(tick: _Tick, gone: int) -> tuple[str, ...]:
    """What is remarkable about the time since the last tick."""
    if gone < 0:
        return (f"The clock went back by {shown(-gone)}, which counts as no time.",)
    if gone > tick.facts.longest_tick:
        return (f"Nobody watched for {shown(gone)}: it counts as {shown(tick.counted)}.",)
    return ()


def _obey(tick: _Tick, state: State, command: Command) -> Decision:
    """What a command does. HOLD means that the tick goes on with the state."""
    refused = _refusal(tick.plan, state, command)
    if refused is not None:
        return Decision(state, Move.HOLD, (f"{command.who} may not {command.action}: {refused}.",), refused=refused)
    who, reason = command.who, f": {command.reason}" if command.reason else ""
    match command.action:
        case Action.ABORT:
            return _revert(tick, state, f"{who} aborted it{reason}", everything=True)
        case Action.PAUSE:
            why = f"{who} paused it{reason}"
            return Decision(replace(state, paused=why), Move.PAUSE, (f"{why}.",))
        case Action.RESUME:
            return _resume(tick, state, who)
        case Action.APPROVE:
            return Decision(replace(state, approved_by=who), Move.HOLD, (f"{who} approved it.",))
        case Action.SKIP:
            return Decision(replace(state, skipped=f"{who}{reason}"), Move.HOLD, (f"{who} skips the soak{reason}.",))


def _refusal(plan: Plan, state: State, command: Command) -> str | None:
    """Why a command cannot be followed: the first line that holds."""
    action, waiting = command.action, state.status is Status.WAITING
    table = (
        (action is Action.ABORT, None),
        (state.status is Status.REVERTING, f"it goes back already: {state.why}"),
        (action is Action.PAUSE and state.paused is not None, f"it is paused already: {state.paused}"),
        (action is Action.RESUME and state.paused is None, "it is not paused"),
        (action is Action.APPROVE and not (waiting and plan.phases[state.phase].approval),
         "nothing waits for approval"),
        (action is Action.APPROVE and state.approved_by is not None, f"{state.approved_by} has approved it"),
        (action is Action.SKIP and state.status is not Status.SOAKING, "nothing soaks"),
        (action is Action.SKIP and not command.reason.strip(), "it needs a reason"),
    )
    return next((told for holds, told in table if holds), None)


def _resume(tick: _Tick, state: State, who: str) -> Decision:
    """The flags are as the rollout had them. What was changed meanwhile has not soaked."""
    changes = _differing(state.ours, tick.facts.flags)
    state = replace(state, paused=None)
    if not changes:
        return Decision(state, Move.RESUME, (f"{who} resumed it.",))
    return Decision(replace(state, soaked=0, known=False, skipped=None), Move.RESUME,
                    (f"{who} resumed it: set again {_listed(changes)}; it soaks anew.",), changes)


def _look(tick: _Tick, state: State) -> Decision:
    """The table of `decide`, below its commands."""
    if state.status is Status.REVERTING:
        return _go_back(tick, state)
    verdicts = _verdicts(tick, state)
    return replace(_watch(tick, state, verdicts), verdicts=verdicts)


def _unless_failing(tick: _Tick, told: Decision, state: State) -> Decision:
    """What somebody told it, if no gate fails by then."""
    failing = "" if told.move is Move.REVERT else _failing(tick, state, _verdicts(tick, state))
    return _fail(tick, told.state, failing) if failing else told


def _failing(tick: _Tick, state: State, verdicts: tuple[Verdict, ...]) -> str:
    """What the gates say that fail, of those that count throughout."""
    return " ".join(
        verdict.sentence for gate, verdict in zip(tick.plan.phases[state.phase].gates, verdicts, strict=False)
        if gate.judged is When.THROUGHOUT and verdict.status is Figure.FAIL)


def _watch(tick: _Tick, state: State, verdicts: tuple[Verdict, ...]) -> Decision:
    failing = _failing(tick, state, verdicts)
    if failing:
        return _fail(tick, state, failing)
    flags = tick.facts.flags
    drift = _differing(state.ours, flags)
    if drift and state.paused is None:
        why = f"somebody else set {_listed({name: flags[name] for name in drift})}"
        return Decision(replace(state, paused=why), Move.PAUSE, (
            f"Paused: {why}, where the rollout has {_listed(drift)}. {_ON_PAUSE}",))
    if state.paused is not None:
        return Decision(state, Move.HOLD, (f"Paused: {state.paused}. {_ON_PAUSE}",))
    return _enter(tick, state) if state.status is Status.WAITING else _soak(tick, state, verdicts)


def _soak(tick: _Tick, state: State, verdicts: tuple[Verdict, ...]) -> Decision:
    phase, everywhere = tick.plan.phases[state.phase], not tick.facts.waiting_for
    # Time counts from the first tick at which every process had the step.
    soaked = state.soaked + (tick.counted if state.known and everywhere else 0)
    state = replace(state, soaked=soaked, known=everywhere)
    if not everywhere:
        return _hold(tick, state, f"not known to have the flags yet: {listed(tick.facts.waiting_for)}")
    if soaked < phase.soak and state.skipped is None:
        return _hold(tick, state, f"soaked {rough(soaked)} of {shown(phase.soak)}")
    ends = [at_end(gate, verdict) for gate, verdict in zip(phase.gates, verdicts, strict=True)]
    told = {status: " ".join(verdict.sentence for end, verdict in zip(ends, verdicts, strict=True) if end is status)
            for status in ends}
    if Figure.FAIL in told:
        return _fail(tick, state, told[Figure.FAIL])
    if Figure.INCONCLUSIVE in told:
        return _hold(tick, state, f"the soak is over, but {told[Figure.INCONCLUSIVE]}")
    return _advance(tick, phase, state)


def _advance(tick: _Tick, phase: Phase, state: State) -> Decision:
    """All gates pass."""
    if state.step + 1 >= phase.steps:
        following = State(state.seen_at, phase=state.phase + 1, first=state.first, ours=state.ours,
                          before=state.before)
        return _enter(tick, following, passed=phase.name)
    freeze = tick.plan.frozen(phase, tick.now)
    if freeze is not None:
        return Decision(state, Move.HOLD, (
            f"{phase.name} passes; its next step waits for the end of a freeze, {freeze.words}.",))
    step = state.step + 1
    return _set(tick, replace(state, step=step, soaked=0, skipped=None), phase.targets(step), Move.STEP,
                f"{phase.name} passes at {phase.ramp[state.step]} %, and goes on to {phase.ramp[step]} %.")


def _enter(tick: _Tick, state: State, passed: str = "") -> Decision:
    """Before a phase, or behind the last."""
    head = (f"{passed} passed.",) if passed else ()
    if state.phase >= len(tick.plan.phases):
        return Decision(replace(state, status=Status.DONE), Move.DONE, (*head, f"{tick.plan.name} is done."))
    phase = tick.plan.phases[state.phase]
    lacking = _obstacle(tick, phase, state)
    if lacking is not None:
        return Decision(state, Move.PASS if passed else Move.HOLD, (*head, f"{phase.name} waits: {lacking}."))
    return _set(tick, replace(state, status=Status.SOAKING), phase.targets(0), Move.BEGIN, *head,
                f"{phase.name} begins.")


def _obstacle(tick: _Tick, phase: Phase, state: State) -> str | None:
    """Why a phase does not begin."""
    flags = tick.facts.flags
    lacking = [name for name in phase.needs if share(flags, name) != 100]
    if lacking:
        return f"{', '.join(lacking)} must be on for every viewer: set it, or abort the rollout"
    if phase.approval and state.approved_by is None:
        return "somebody must approve it, or abort the rollout"
    freeze = tick.plan.frozen(phase, tick.now)
    return None if freeze is None else f"nothing begins during a freeze, {freeze.words}"


def _set(tick: _Tick, state: State, targets: Mapping[str, FlagValue], move: Move, *said: str) -> Decision:
    flags = tick.facts.flags
    targets = {name: _never_less(name, value, flags) for name, value in targets.items()}
    before = {name: flags[name] for name in targets} | dict(state.before)
    state = replace(state, ours={**state.ours, **targets}, before=before, known=False)
    changes = _differing(targets, flags)
    return Decision(state, move, (*said, f"Set {_listed(changes)}." if changes else "All flags are set already."),
                    changes)


def _never_less(name: str, value: FlagValue, flags: Flags) -> FlagValue:
    """Viewers who have the real source keep it."""
    if name.startswith(PERCENT) and flags[USE_REAL + name.removeprefix(PERCENT)]:
        return max(value, flags[name])
    return value


def _hold(tick: _Tick, state: State, why: str) -> Decision:
    """It stays as it is, until the deadline."""
    phase, why = tick.plan.phases[state.phase], why.rstrip(".")
    state = replace(state, spent=state.spent + tick.counted)
    if state.spent >= phase.deadline:
        return _fail(tick, state, f"{phase.name} has not passed within {shown(phase.deadline)}: {why}")
    return Decision(state, Move.HOLD, (f"{phase.name} holds: {why}.",))


def _fail(tick: _Tick, state: State, why: str) -> Decision:
    return _revert(tick, state, why, everything=tick.plan.phases[state.phase].on_fail is OnFail.REVERT_ALL)


def _revert(tick: _Tick, state: State, why: str, *, everything: bool) -> Decision:
    """All of the plan's flags or those of the phase go back, whoever set them."""
    phases, flags = tick.plan.phases, tick.facts.flags
    names = {name for phase in (phases if everything else phases[state.phase:state.phase + 1])
             for name in phase.targets(0)}
    target = {name: back(name, state.before.get(name, flags[name])) for name in sorted(names)}
    changes, why = _differing(target, flags), why.rstrip(".")
    state = replace(state, status=Status.REVERTING, target=target, ours={}, paused=None, why=why)
    said = f"Set back {_listed(changes)}." if changes else "All flags are back already."
    return Decision(state, Move.REVERT, (f"Goes back: {why}.", said), changes)


def _go_back(tick: _Tick, state: State) -> Decision:
    changes = _differing(state.target, tick.facts.flags)
    if changes:
        return Decision(state, Move.REVERT, (f"Set back once more {_listed(changes)}.",), changes)
    if tick.facts.waiting_for:
        return Decision(state, Move.HOLD, (
            f"Goes back; not known to have the flags yet: {listed(tick.facts.waiting_for)}. {_BY_HAND}",))
    return Decision(replace(state, status=Status.REVERTED), Move.REVERTED,
                    (f"{tick.plan.name} was reverted: {state.why}.",))


def _verdicts(tick: _Tick, state: State) -> tuple[Verdict, ...]:
    """On all gates of a phase in effect, whether they count yet or not."""
    if state.status is not Status.SOAKING:
        return ()
    measured = tick.facts.measured
    return tuple(judge(gate, measured.get(gate.name, NOTHING)) for gate in tick.plan.phases[state.phase].gates)


def _differing(wanted: Mapping[str, FlagValue], flags: Flags) -> dict[str, FlagValue]:
    """What is to be set: a retired component's flags are what they are."""
    return {name: value for name, value in wanted.items() if flags[name] != value and not flags.is_retired(name)}


def _listed(values: Mapping[str, FlagValue]) -> str:
    return ", ".join(f"{name} = {str(value).lower()}" for name, value in values.items())


def overtaken(plan: Plan, state: State, taken: Collection[str], why: str, now: int) -> State | None:
    """The state of a rollout when somebody takes these flags back; None if the plan is not about them.

    It is over: what was rolled back is never set again by a rollout that somebody forgot. What it set beside that
    stays as it is.
    """
    about = {name for phase in plan.phases for name in switched_on(phase)}
    if state.status.over or about.isdisjoint(taken):
        return None
    return replace(state, seen_at=now, status=Status.REVERTED, why=why, ours={}, paused=None)
