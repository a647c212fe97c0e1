"""A rollout: where it stands, what it is told, and what is done with it. What it does next is in `decide`."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from .clock import MINUTE
from .flag import Flags, FlagValue
from .gate import Fact, Gate, Verdict
from .plan import Plan

LONGEST_TICK = MINUTE
"""Of the time between two ticks no more counts: what nobody watched is no soak, and a clock may jump."""


class Status(StrEnum):
    """Where a rollout stands."""

    WAITING = "waiting"
    """Before a phase: for approval, the end of a freeze, or what the phase needs."""
    SOAKING = "soaking"
    """A step is in effect, and watched."""
    REVERTING = "reverting"
    """The flags go back; not all processes have said to know it."""
    DONE = "done"
    REVERTED = "reverted"

    @property
    def over(self) -> bool:
        """Whether nothing more happens."""
        return self in {Status.DONE, Status.REVERTED}


class State(Struct, frozen=True, rename="camel"):
    """All that a rollout remembers from one tick to the next. Spans are microseconds."""

    seen_at: int
    """The moment of the last tick."""
    status: Status = Status.WAITING
    phase: int = 0
    """Which one of the plan, from 0; one too many when it is done."""
    step: int = 0
    """Of the phase's ramp, from 0."""
    first: int = 0
    """The phase it was begun at. Those before were left out."""
    soaked: int = 0
    """For how long the step was watched while every process had it."""
    known: bool = False
    """Whether every process had the step at the last tick."""
    spent: int = 0
    """For how long the phase has been held back, towards its deadline; pauses and freezes aside."""
    paused: str | None = None
    """Why it was paused; None if it goes on."""
    approved_by: str | None = None
    """Who said yes to the phase."""
    skipped: str | None = None
    """Why the step need not soak any longer."""
    ours: Mapping[str, FlagValue] = {}
    """What the flags are by the rollout. Another value is somebody else's."""
    before: Mapping[str, FlagValue] = {}
    """What the flags were before the rollout set them first."""
    target: Mapping[str, FlagValue] = {}
    """What the flags go back to, while they do."""
    why: str | None = None
    """Why it goes back, or went."""

    @property
    def word(self) -> str:
        """How it stands, in a word: its status, or ``paused``."""
        return "paused" if self.paused is not None and not self.status.over else self.status.value

    def word_of(self, phase: int) -> str:
        """The same of one of its phases, by its place: ``left out``, ``passed``, ``to come`` or ``never begun``, where
        it is not the one in effect.
        """
        if phase == self.phase:
            return self.word
        if phase < self.first:
            return "left out"
        return "passed" if phase < self.phase else "never begun" if self.status is Status.REVERTED else "to come"


def actor(number: int) -> str:
    """In whose name a rollout acts where nobody told it to."""
    return f"rollout {number}"


def is_actor(who: str) -> bool:
    """Whether that is a rollout's name, and nobody's."""
    return who.startswith("rollout ")


class Action(StrEnum):
    """What a rollout can be told."""

    PAUSE = "pause"
    RESUME = "resume"
    APPROVE = "approve"
    ABORT = "abort"
    SKIP = "skip"
    """The rest of the soak. What its gates ask for they still ask for."""


class Command(Struct, frozen=True):
    """Somebody tells a rollout something."""

    action: Action
    who: str
    reason: str = ""
    """Needed to skip a soak."""


class Facts(Struct, frozen=True):
    """What was found at a tick."""

    flags: Flags
    measured: Mapping[str, Fact] = {}
    """By the gate's name. What is not there was not measured."""
    waiting_for: tuple[str, ...] = ()
    """Processes that have not said yet to have these flags."""
    watched: int | None = None
    """For how long whoever decides has watched since it last did, by its own clock; None for the time since anybody
    did. Two servers whose clocks differ do not make time between them.
    """
    longest_tick: int = LONGEST_TICK
    """Of the time since the last tick no more counts. Who knows that nothing happened meanwhile may count more."""


class Move(StrEnum):
    """What a decision does."""

    HOLD = "hold"
    BEGIN = "begin"
    """A phase."""
    STEP = "step"
    """Its next step."""
    PASS = "pass"  # noqa: S105 - no password
    """A phase is over; the next waits for something."""
    PAUSE = "pause"
    RESUME = "resume"
    REVERT = "revert"
    REVERTED = "reverted"
    DONE = "done"


class Decision(Struct, frozen=True, rename="camel"):
    """What is done at a tick, and why."""

    state: State
    move: Move
    said: tuple[str, ...]
    """At least one sentence."""
    changes: Mapping[str, FlagValue] = {}
    """Flags to be set with the state, in one transaction."""
    verdicts: tuple[Verdict, ...] = ()
    """On every gate of the phase that is in effect."""
    refused: str | None = None
    """Why the command was not followed; the tick was decided all the same."""


def start(plan: Plan, now: int, at: str | None = None) -> State:
    """The state of a rollout that begins with the phase of this name, else with the first. Raises ValueError."""
    if at is not None and at not in plan.names:
        raise ValueError(f"the plan has no phase {at!r}; there are: {', '.join(plan.names)}")
    first = 0 if at is None else plan.names.index(at)
    return State(now, phase=first, first=first)


def since(gate: Gate, state: State, now: int) -> int:
    """From when on a gate's figure is looked at: never further back than the step was watched."""
    return now - (state.soaked if gate.window is None else min(gate.window, state.soaked))
