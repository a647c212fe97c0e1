"""What the migration dashboard shows of a rollout: its phases and gates, and what it can be told. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from crossfade.core.clock import SECOND, iso
from crossfade.core.flag import FlagValue
from crossfade.core.gate import Gate, Verdict
from crossfade.core.plan import OnFail, Phase, back
from crossfade.core.rollout import State, Status
from crossfade.state.rollouts import Drill, Rollout, Step

from .migrationview import PAGE, TONES, flag_text
from .writing import SPACE, duration, moment, number

_STANDINGS = {Status.WAITING: "open", Status.SOAKING: "run", Status.REVERTING: "fail", Status.DONE: "pass",
              Status.REVERTED: "fail"}


@dataclass(frozen=True, slots=True)
class Judged:
    """A gate as it stands."""

    figure: str
    component: str
    value: str
    n: str
    bound: str
    wanted: str
    tone: str
    word: str
    sentence: str
    counts: str
    """When it counts."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A phase as it stands."""

    name: str
    standing: str
    tone: str
    sets: str
    soak: str
    notes: tuple[str, ...]
    progress: float | None
    """Of the soak in effect, from 0 to 1."""
    left: str
    gates: tuple[Judged, ...]
    current: bool


@dataclass(frozen=True, slots=True)
class Button:
    """Something that the rollout can be told, and what comes of it."""

    action: str
    label: str
    consequence: str
    reason: str
    """``needed``, ``welcome`` or ``no``."""


@dataclass(frozen=True, slots=True)
class RolloutView:
    """A rollout, under way or over."""

    id: int
    plan: str
    standing: str
    tone: str
    started_by: str
    started_at: str
    started_text: str
    reason: str
    said: tuple[str, ...]
    trouble: str
    behind: tuple[str, ...]
    passages: tuple[Passage, ...]
    buttons: tuple[Button, ...]
    over: bool
    link: str


@dataclass(frozen=True, slots=True)
class StepView:
    """Something that a rollout did."""

    at: str
    at_text: str
    who: str
    move: str
    phase: str
    said: tuple[str, ...]
    sets: str
    failing: tuple[str, ...]


def view(rollout: Rollout, *, behind: Sequence[str] = (), trouble: str | None = None) -> RolloutView:
    """The rollout as of its last tick. ``behind``: processes without the flags; ``trouble``: why it stands still."""
    state, over = rollout.state, rollout.state.status.over
    at = iso(rollout.started_at)
    return RolloutView(
        rollout.id, rollout.plan.name, state.word,
        "open" if state.paused and not over else _STANDINGS[state.status],
        rollout.started_by, at, moment(at), rollout.reason or "", rollout.said, "" if over else trouble or "",
        () if over else tuple(behind), tuple(_passage(index, rollout) for index in range(len(rollout.plan.phases))),
        buttons(rollout), over, f"{PAGE}/rollouts/{rollout.id}",
    )


def aside(rollout: Rollout | None) -> tuple[str, ...]:
    """What the verdict on the whole migration says of the rollout; nothing of one that is over."""
    if rollout is None or rollout.state.status.over:
        return ()
    phases, state = rollout.plan.phases, rollout.state
    phase = phases[min(state.phase, len(phases) - 1)]
    if state.paused is not None:
        return (f"the rollout {rollout.plan.name} is paused: {state.paused}",)
    if state.status is Status.SOAKING:
        return (f"{phase.name} soaks, {_left(phase, state)}",)
    if state.status is Status.REVERTING:
        return (f"the rollout {rollout.plan.name} goes back: {state.why}",)
    return (f"{phase.name} waits for approval" if _to_approve(rollout) else f"{phase.name} waits",)


def buttons(rollout: Rollout) -> tuple[Button, ...]:
    """What it can be told as it stands, see `decide`.

    ========= =====================================
    standing  it can be told to
    ========= =====================================
    over      –
    reverting –
    paused    resume, abort
    soaking   pause, skip while there is soak left, abort
    waiting   approve (if it must), pause, abort
    ========= =====================================
    """
    state = rollout.state
    if state.status.over or state.status is Status.REVERTING:
        return ()
    phase = rollout.plan.phases[min(state.phase, len(rollout.plan.phases) - 1)]
    found = []
    if _to_approve(rollout):
        found.append(Button("approve", f"Approve {phase.name}",
                            f"{phase.name} begins{_when_paused(state)}: sets {_sets(phase.targets(0))}.", "welcome"))
    if state.paused is not None:
        found.append(Button("resume", "Resume", "Goes on. A flag that somebody set meanwhile is set as the rollout had "
                            "it, and the step soaks anew.", "welcome"))
    else:
        found.append(Button("pause", "Pause", "No further step until somebody resumes it. Its gates go on watching: "
                            "what fails still goes back.", "welcome"))
    if state.status is Status.SOAKING and state.paused is None and state.skipped is None and state.soaked < phase.soak:
        found.append(Button("skip", "Skip the rest of the soak", "Goes on as soon as every gate passes, "
                            f"{_left(phase, state)} or not. The gates ask for what they always ask for.", "needed"))
    found.append(Button("abort", "Abort", f"Ends the rollout, and sets back: {_back(rollout)}.", "welcome"))
    return tuple(found)


def step_view(step: Step, names: Sequence[str]) -> StepView:
    at = iso(step.at)
    return StepView(at, moment(at), step.who, step.move.value, names[step.phase] if step.phase < len(names) else "",
                    step.said, _sets(step.changes),
                    tuple(each.sentence for each in step.verdicts if TONES[each.status] == "fail"))


def drill_words(drill: Drill | None) -> str:
    """How a rollback went when it was rehearsed last."""
    return "no drill yet in this configuration" if drill is None else f"last drill: {drilled(drill)}"


def drilled(drill: Drill) -> str:
    """``84 ms to 3 processes``."""
    if drill.problem is not None:
        return f"did not pass: {drill.problem}"
    processes = f"{drill.processes:,} process" + ("es" if drill.processes != 1 else "")
    return f"{number(drill.micros / 1_000)}{SPACE}ms to {processes}"


def _passage(index: int, rollout: Rollout) -> Passage:
    phase, state, current = rollout.plan.phases[index], rollout.state, index == rollout.state.phase
    soaking = current and state.status is Status.SOAKING
    told, tone = _standing_of(index, rollout)
    verdicts = {each.gate: each for each in rollout.verdicts} if current else {}
    return Passage(
        phase.name, told, tone, _sets(phase.targets(state.step if soaking else phase.steps - 1)),
        f"soak {_times(phase)}, at most {duration(phase.deadline / SECOND)}", tuple(_notes(phase)),
        min(1.0, state.soaked / phase.soak) if soaking else None, _left(phase, state) if soaking else "",
        tuple(judged(gate, verdicts.get(gate.name)) for gate in phase.gates), current and not state.status.over,
    )


def _standing_of(index: int, rollout: Rollout) -> tuple[str, str]:
    state = rollout.state
    told = state.word_of(index)
    if index != state.phase:
        return told, "pass" if told == "passed" else "none"
    if state.status is Status.SOAKING:
        phase = rollout.plan.phases[index]
        told += f", {phase.ramp[state.step]} % of the viewers" if phase.ramp else ""
    if _to_approve(rollout):
        told = "waits for approval"
    return told, "open" if state.paused is not None and not state.status.over else _STANDINGS[state.status]


def _notes(phase: Phase) -> Iterable[str]:
    if phase.ramp:
        yield "in steps: " + ", ".join(f"{each} %" for each in phase.ramp)
    if phase.approval:
        yield "somebody must approve it"
    if phase.needs:
        yield f"needs {', '.join(phase.needs)}"
    if phase.freeze:
        yield "not during " + "; ".join(each.words for each in phase.freeze)
    yield "if it fails, " + ("everything goes back" if phase.on_fail is OnFail.REVERT_ALL else "it goes back alone")


def judged(gate: Gate, found: Verdict | None) -> Judged:
    head = Judged(gate.figure, gate.component, "–", "–", "–", f"{gate.side} {number(gate.threshold)}", "none",
                  "not judged yet", "", "at the end" if gate.judged == "at_end" else "throughout")
    if found is None:
        return head
    evidence = found.evidence
    bound = evidence.low if gate.least is not None else evidence.high
    return Judged(
        gate.figure, gate.component, "unknown" if evidence.figure is None else number(evidence.figure),
        f"{evidence.n:,}", "–" if bound is None else number(bound), head.wanted, TONES[found.status],
        found.status.value, found.sentence, head.counts,
    )


def _to_approve(rollout: Rollout) -> bool:
    state = rollout.state
    return (state.status is Status.WAITING and state.phase < len(rollout.plan.phases)
            and rollout.plan.phases[state.phase].approval and state.approved_by is None)


def _when_paused(state: State) -> str:
    return " when it is resumed" if state.paused is not None else ""


def _back(rollout: Rollout) -> str:
    before = rollout.state.before
    return _sets({name: back(name, before[name]) for name in rollout.state.ours if name in before}) \
        or "nothing, since nothing was set"


def _left(phase: Phase, state: State) -> str:
    left = max(0, phase.soak - state.soaked)
    if not left:
        return "its soak over"
    return f"{duration(left / SECOND)} of {duration(phase.soak / SECOND)} left"


def _times(phase: Phase) -> str:
    each = duration(phase.soak / SECOND)
    return f"{phase.steps} × {each}" if phase.steps > 1 else each


def _sets(values: Mapping[str, FlagValue]) -> str:
    return ", ".join(f"{name} = {flag_text(value)}" for name, value in values.items())


