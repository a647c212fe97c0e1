"""The story of a rollout, told from the steps that were kept: each phase from its beginning to its end, each gate's
figure over time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from .dimension import Status as Figure
from .flag import Flags, FlagValue
from .gate import Gate, Verdict
from .migration import stands
from .plan import Plan
from .rollout import Move, State, is_actor

MOST_POINTS = 240
"""Points of a curve: more cannot be told apart on paper."""
MOST_DEEDS = 1_000

_GRAVITY = {Figure.PASS: 0, Figure.NO_DATA: 1, Figure.INCONCLUSIVE: 2, Figure.FAIL: 3}


class Noted(Protocol):
    """A step as it was kept: what was done at a moment, with the verdicts that it was done on."""

    @property
    def at(self) -> int: ...
    @property
    def who(self) -> str: ...
    @property
    def move(self) -> Move: ...
    @property
    def phase(self) -> int: ...
    @property
    def step(self) -> int: ...
    @property
    def said(self) -> tuple[str, ...]: ...
    @property
    def changes(self) -> Mapping[str, FlagValue]: ...
    @property
    def verdicts(self) -> tuple[Verdict, ...]: ...


class Ending(StrEnum):
    """How a phase stands, or came to its end."""

    NOT_BEGUN = "not begun"
    IN_EFFECT = "in effect"
    PASSED = "passed"
    FAILED = "reverted"
    """By its gates, its deadline, or somebody's abort."""
    OVERTAKEN = "rolled back"
    """Somebody rolled back past the rollout."""


class Point(Struct, frozen=True, rename="camel"):
    """A gate's figure at a moment, with what was proved of it."""

    at: int
    figure: float | None
    low: float | None
    high: float | None
    status: Figure


class Curve(Struct, frozen=True, rename="camel"):
    """A gate's figure over its phase."""

    gate: Gate
    points: tuple[Point, ...]


class Mark(Struct, frozen=True, rename="camel"):
    """From when on so many per cent of the viewers had the real source."""

    at: int
    percent: int


class Passage(Struct, frozen=True, rename="camel"):
    """A phase as it went. What has not happened is None."""

    name: str
    ending: Ending
    holds: bool | None
    """Whether its flags stand now, if it passed."""
    began_at: int | None
    ended_at: int | None
    steps: tuple[Mark, ...]
    said: tuple[str, ...]
    """At its end, or at last."""
    verdicts: tuple[Verdict, ...]
    """At its end, or the last there were."""
    curves: tuple[Curve, ...]


class Deed(Struct, frozen=True, rename="camel"):
    """Something that was done: by the rollout, or by somebody."""

    at: int
    who: str
    move: Move
    phase: str | None
    said: tuple[str, ...]
    changes: Mapping[str, FlagValue]


class Chronicle(Struct, frozen=True, rename="camel"):
    """The whole story."""

    passages: tuple[Passage, ...]
    """A phase each, in the plan's order."""
    deeds: tuple[Deed, ...]
    left_off: int
    """Further deeds, beyond the most that are told."""


def chronicle(plan: Plan, state: State, steps: Iterable[Noted], flags: Flags) -> Chronicle:
    """The story of these steps, which are in order. Never raises for steps of this plan.

    A step keeps the verdicts on the phase that was in effect before it, and the phase that is in effect after it.
    """
    pages = [_Page() for _ in plan.phases]
    deeds: list[Deed] = []
    count, current = 0, None
    for step in steps:
        if current is not None:
            pages[current].judge(step)
        current = _turn(plan, pages, current, step)
        if step.move is not Move.HOLD or step.changes or not is_actor(step.who):
            count += 1
            if len(deeds) < MOST_DEEDS:
                name = plan.names[step.phase] if step.phase < len(plan.names) else None
                deeds.append(Deed(step.at, step.who, step.move, name, step.said, step.changes))
    holds = dict(enumerate(stands(plan, state, flags)))
    passages = tuple(page.closed(phase.name, phase.gates, holds.get(index))
                     for index, (phase, page) in enumerate(zip(plan.phases, pages, strict=True)))
    return Chronicle(passages, tuple(deeds), count - len(deeds))


class _Page:
    """A phase while its steps are read."""

    def __init__(self) -> None:
        self.ending = Ending.NOT_BEGUN
        self.began_at: int | None = None
        self.ended_at: int | None = None
        self.marks: list[Mark] = []
        self.said: tuple[str, ...] = ()
        self.verdicts: tuple[Verdict, ...] = ()
        self.points: dict[str, list[Point]] = {}

    def judge(self, step: Noted) -> None:
        if step.verdicts:
            self.verdicts = step.verdicts
        self.said = step.said
        for verdict in step.verdicts:
            found = verdict.evidence
            self.points.setdefault(verdict.gate, []).append(
                Point(step.at, found.figure, found.low, found.high, verdict.status))

    def begin(self, step: Noted, percent: int) -> None:
        self.ending, self.began_at, self.said = Ending.IN_EFFECT, step.at, step.said
        self.marks.append(Mark(step.at, percent))

    def end(self, step: Noted, how: Ending) -> None:
        self.ending, self.ended_at = how, step.at

    def closed(self, name: str, gates: Iterable[Gate], holds: bool | None) -> Passage:
        curves = tuple(Curve(gate, thinned(self.points.get(gate.name, ()))) for gate in gates)
        return Passage(name, self.ending, holds if self.ending is Ending.PASSED else None, self.began_at,
                       self.ended_at, tuple(self.marks), self.said, self.verdicts, curves)


_ENDS = {Move.PASS: Ending.PASSED, Move.BEGIN: Ending.PASSED, Move.DONE: Ending.PASSED, Move.REVERT: Ending.FAILED,
         Move.REVERTED: Ending.OVERTAKEN}


def _turn(plan: Plan, pages: Sequence[_Page], current: int | None, step: Noted) -> int | None:
    """Ends and begins phases by a step; which one is in effect after it."""
    if current is not None and step.move in _ENDS:
        pages[current].end(step, _ENDS[step.move])
        current = None
    if step.phase >= len(pages):
        return current
    ramp = plan.phases[step.phase].ramp
    percent = ramp[step.step] if step.step < len(ramp) else 100
    if step.move is Move.BEGIN:
        pages[step.phase].begin(step, percent)
        return step.phase
    if step.move is Move.STEP and current is not None:
        pages[current].marks.append(Mark(step.at, percent))
    return current


def thinned(points: Sequence[Point], most: int = MOST_POINTS) -> tuple[Point, ...]:
    """At most about so many points: the first, the last, and of each part of the rest its least, its largest and its
    gravest, so that no peak is lost.
    """
    if len(points) <= most:
        return tuple(points)
    size = -(-3 * len(points) // max(3, most - 2))
    kept = {0, len(points) - 1}
    for start in range(0, len(points), size):
        kept |= set(_telling(points, range(len(points))[start:start + size]))
    return tuple(points[index] for index in sorted(kept))


def _telling(points: Sequence[Point], part: Sequence[int]) -> Iterator[int]:
    known = [(figure, index) for index in part if (figure := points[index].figure) is not None]
    if known:
        yield min(known)[1]
        yield max(known)[1]
    yield max(part, key=lambda index: _GRAVITY[points[index].status])
