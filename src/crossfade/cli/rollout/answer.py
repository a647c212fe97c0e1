"""What a server tells of rollouts, as the commands read it."""

from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import Struct

from crossfade.cli.client import Json
from crossfade.cli.errors import CommandError
from crossfade.core.flag import FlagValue
from crossfade.core.gate import Verdict
from crossfade.core.rollout import Move, Status, is_actor

_T = TypeVar("_T")


class Gate(Struct, frozen=True, rename="camel"):
    name: str
    figure: str
    component: str | None
    least: float | None
    most: float | None
    judged: str
    verdict: Verdict | None = None

    @property
    def wanted(self) -> str:
        """``≥ 95``."""
        return f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"


class Phase(Struct, frozen=True, rename="camel"):
    name: str
    standing: str
    flags: dict[str, FlagValue] = msgspec.field(name="set")
    ramp: tuple[int, ...]
    soak_s: float
    deadline_s: float
    approval: bool
    on_fail: str
    gates: tuple[Gate, ...]
    needs: tuple[str, ...] = ()


class Drill(Struct, frozen=True, rename="camel"):
    """A rehearsed rollback."""

    at: datetime
    who: str
    flags: tuple[str, ...]
    milliseconds: float
    processes: int
    unanswered: tuple[str, ...]
    problem: str | None
    holds: bool | None = None
    """Whether it passed in the present configuration, where the server says so."""


class Check(Struct, frozen=True):
    """Of the preflight."""

    name: str
    status: str
    told: str


class Summary(Struct, frozen=True, rename="camel"):
    """A rollout in a line."""

    id: int
    plan: str
    status: Status
    paused: str | None
    why: str | None
    phase: str | None
    started_at: datetime
    started_by: str
    reason: str | None
    seen_at: datetime
    said: tuple[str, ...]


class Rollout(Summary, frozen=True, rename="camel"):
    """A rollout with its phases."""

    at: datetime
    """When the server told it."""
    trouble: str | None
    step: int
    soaked_s: float
    held_s: float
    phases: tuple[Phase, ...]
    approved_by: str | None = None
    skipped: str | None = None
    waiting_for: tuple[str, ...] = ()
    preflight: tuple[Check, ...] = ()
    drill: Drill | None = None

    @property
    def current(self) -> Phase | None:
        """The phase at which it stands; None behind the last."""
        return next((phase for phase in self.phases if phase.name == self.phase), None)


class Step(Struct, frozen=True, rename="camel"):
    """Something that a rollout did, or how it stood."""

    id: int
    at: datetime
    who: str
    move: Move
    phase: str | None
    step: int
    said: tuple[str, ...]
    changes: dict[str, FlagValue]
    verdicts: tuple[Verdict, ...]

    @property
    def by_itself(self) -> bool:
        """Whether nobody told it to."""
        return is_actor(self.who)

    @property
    def only_held(self) -> bool:
        """Whether nothing was done, and nobody told it anything."""
        return self.move is Move.HOLD and self.by_itself


def rollout(answer: Json) -> Rollout:
    """Raises CommandError when it is none."""
    return _read(answer, Rollout)


def rollouts(answer: Json) -> list[Summary]:
    """Raises CommandError when they are none."""
    return _read(answer, list[Summary])


def steps(answer: Json) -> list[Step]:
    """Raises CommandError when they are none."""
    return _read(answer, list[Step])


def drill(answer: Json) -> Drill:
    """Raises CommandError when it is none."""
    return _read(answer, Drill)


def drills(answer: Json) -> list[Drill]:
    """Raises CommandError when they are none."""
    return _read(answer, list[Drill])


def checks(answer: object) -> list[Check]:
    """Raises CommandError when they are none."""
    return _read(answer, list[Check])


def _read(answer: object, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(_harmless(answer), kind)
    except msgspec.ValidationError as error:
        raise CommandError(f"the server tells of rollouts in another way than this command knows ({error}): is it of "
                           "the same version?") from None


def _harmless(value: object) -> object:
    """Without characters that would steer a terminal: reasons and names are anybody's."""
    if isinstance(value, str):
        return "".join(char if char.isprintable() else " " for char in value)
    if isinstance(value, list):
        return [_harmless(item) for item in value]
    return {_harmless(key): _harmless(item) for key, item in value.items()} if isinstance(value, dict) else value
