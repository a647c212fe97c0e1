"""What became of each phase, told from the steps of a rollout."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from crossfade.core.flag import FlagValue
from crossfade.core.gate import Verdict
from crossfade.core.rollout import Move

from .answer import Rollout, Step


@dataclass(slots=True)
class Chapter:
    """A phase, as it went."""

    began: datetime | None = None
    ended: datetime | None = None
    verdicts: tuple[Verdict, ...] = ()
    """By which it passed or failed, or the latest."""
    taken_back: bool = False
    """Whether a flag that it set was set back."""


def chapters(told: Rollout, steps: Iterable[Step]) -> Mapping[str, Chapter]:
    """By the phases' names. A step's verdicts are about the phase that was in effect before it."""
    found = {phase.name: Chapter() for phase in told.phases}
    before: str | None = None
    for step in steps:
        chapter = found.get(before or "")
        if chapter is not None:
            chapter.verdicts = step.verdicts or chapter.verdicts
            if chapter.ended is None and (step.phase != before or step.move in {Move.REVERT, Move.REVERTED}):
                chapter.ended = step.at
        if step.move is Move.BEGIN and step.phase in found:
            found[step.phase].began = step.at
        if step.move in {Move.REVERT, Move.REVERTED}:
            _take_back(told, found, step.changes)
        before = step.phase
    return found


def _take_back(told: Rollout, found: Mapping[str, Chapter], changes: Mapping[str, FlagValue]) -> None:
    for phase in told.phases:
        if found[phase.name].began is not None and any(
                name in changes and changes[name] != value for name, value in phase.flags.items()):
            found[phase.name].taken_back = True
