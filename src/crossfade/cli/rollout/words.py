"""A rollout in sentences: what it does and why, what is needed from whoever reads it, and the command for that."""

import math
from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import Struct

from crossfade.core.clock import SECOND
from crossfade.core.dimension import Status as Figure
from crossfade.core.duration import rough
from crossfade.core.names import listed
from crossfade.core.rollout import Status

from .answer import Phase, Rollout

UNWATCHED_S = 30
"""Seconds after which a live rollout that nobody looked at is told to be left alone."""
ABORT = "`crossfade rollout abort` takes everything back."


class Headline(Struct, frozen=True):
    """What is read first."""

    now: str
    """What the rollout does, and why."""
    need: str
    """What is needed from the reader, and what comes next."""
    well: bool
    """Whether it goes on, or is done."""


def headline(told: Rollout) -> Headline:
    """The first line that holds.

    ========= =============================== ==== ===============================================
    standing  if                              well it is told
    ========= =============================== ==== ===============================================
    done      –                               yes  that all is done
    reverted  –                               no   why it was reverted
    any       it cannot be carried out        no   why
    any       nobody looked at it for a while no   for how long
    reverting –                               no   why, and who does not have the flags
    any       paused                          no   why
    waiting   –                               yes  for what
    soaking   a process lacks the flags       yes  which
    soaking   the soak is over                yes  what is not proved yet
    soaking   –                               yes  how long still, and how the gates stand
    ========= =============================== ==== ===============================================
    """
    rows: tuple[tuple[bool, Callable[[Rollout], Headline]], ...] = (
        (told.status is Status.DONE, _done), (told.status is Status.REVERTED, _reverted),
        (told.trouble is not None, _stuck), (unwatched(told) > UNWATCHED_S, _unwatched),
        (told.status is Status.REVERTING, _reverting), (told.paused is not None, _paused),
        (told.status is Status.WAITING, _waiting), (bool(told.waiting_for), _spreading),
        (soak_left(told) == 0 or told.skipped is not None, _unproved),
    )
    return next((say for holds, say in rows if holds), _soaking)(told)


def soak_left(told: Rollout) -> int:
    """Seconds that the step is still watched at the least, begun ones counted whole."""
    phase = told.current
    return 0 if phase is None else max(0, math.ceil(phase.soak_s - told.soaked_s))


def unwatched(told: Rollout) -> float:
    """Seconds since the rollout was last looked at."""
    return (told.at - told.seen_at).total_seconds()


def span(seconds: float) -> str:
    """``1 h 52 min``."""
    return rough(round(max(0.0, seconds) * SECOND))


def moment(at: datetime) -> str:
    """ISO 8601 in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def title(told: Rollout) -> str:
    return f"Rollout {told.id} ({told.plan})"


def where(told: Rollout) -> str:
    """The phase, and its step where it has several."""
    phase = told.current
    if phase is None:
        return "nothing"
    return f"{phase.name} at {phase.ramp[told.step]} % of the viewers" if phase.ramp else phase.name


def _done(told: Rollout) -> Headline:
    run = [phase for phase in told.phases if phase.standing != "left out"]
    took = span((told.seen_at - told.started_at).total_seconds())
    return Headline(f"{title(told)} is done: {_counted(len(run), 'phase')} passed in {took}.",
                    "Nothing is needed. `crossfade rollback --all` would still take everything back at once.", True)


def _reverted(told: Rollout) -> Headline:
    return Headline(f"{title(told)} was reverted: {_end(told.why)}",
                    f"`crossfade rollout history {told.id}` tells how it came to that. When the cause is mended: "
                    "`crossfade rollout start`.", False)


def _stuck(told: Rollout) -> Headline:
    return Headline(f"{title(told)} stands still: {_end(told.trouble)}",
                    "It goes on by itself when that is mended; the server's log says more. The flags stay as they are: "
                    "`crossfade rollback --all` takes everything back.", False)


def _unwatched(told: Rollout) -> Headline:
    return Headline(f"{title(told)} stands still: no server has looked at it for {span(unwatched(told))}.",
                    "See whether the server that carries it out still runs. The flags stay as they are: `crossfade "
                    "rollback --all` takes everything back.", False)


def _reverting(told: Rollout) -> Headline:
    lacking = f" It is over when these have the flags: {listed(told.waiting_for)}." if told.waiting_for else ""
    return Headline(f"{title(told)} goes back: {_end(told.why)}{lacking}", "Nothing is needed: it ends by itself.",
                    False)


def _paused(told: Rollout) -> Headline:
    return Headline(f"{title(told)} is paused in {where(told)}: {_end(told.paused)}",
                    "The flags stay as they are and no time counts, but a gate that counts throughout still takes it "
                    f"back. `crossfade rollout resume` goes on, {ABORT}", False)


def _waiting(told: Rollout) -> Headline:
    phase = told.current
    said = " ".join(told.said)
    if phase is not None and phase.approval and told.approved_by is None and "must approve" in said:
        return Headline(f"{title(told)}: {said}", f"`crossfade rollout approve` begins {phase.name}, {ABORT}", True)
    return Headline(f"{title(told)}: {said}", f"Nothing is needed but that: it goes on by itself. {ABORT}", True)


def _spreading(told: Rollout) -> Headline:
    return Headline(f"{title(told)} waits until every process has the flags of {where(told)}. Not known to have them: "
                    f"{listed(told.waiting_for)}.", f"See whether they still run. {_or_back(told)}", True)


def _unproved(told: Rollout) -> Headline:
    return Headline(f"{title(told)}: {' '.join(told.said)}",
                    f"It goes on by itself as soon as that is proved. {_or_back(told)}", True)


def _soaking(told: Rollout) -> Headline:
    phase = told.current
    if phase is None:
        return Headline(f"{title(told)}: {' '.join(told.said)}", "", True)
    return Headline(f"{title(told)} watches {where(told)}, {span(told.soaked_s)} of {span(phase.soak_s)}: "
                    f"{_gates(phase)}", f"Nothing is needed: in {span(soak_left(told))} it goes on to {_next(told)} if "
                    f"its gates pass, and a gate that fails takes it back. {ABORT}", True)


def _gates(phase: Phase) -> str:
    """How the gates stand, with the sentences of those that do not pass."""
    verdicts = [gate.verdict for gate in phase.gates]
    if None in verdicts:
        return "its gates have not been judged yet."
    lacking = [verdict.sentence for verdict in verdicts if verdict and verdict.status is not Figure.PASS]
    if lacking:
        return f"{len(lacking)} of {_counted(len(verdicts), 'gate')} not passed yet. {' '.join(lacking)}"
    return {1: "its gate passes.", 2: "both gates pass."}.get(len(verdicts), f"all {len(verdicts)} gates pass.")


def _next(told: Rollout) -> str:
    """What follows on the step in effect."""
    phase = told.current
    if phase is not None and told.step + 1 < len(phase.ramp):
        return f"{phase.ramp[told.step + 1]} %"
    names = [each.name for each in told.phases]
    following = names[names.index(phase.name) + 1:] if phase is not None else []
    return following[0] if following else "the end"


def _or_back(told: Rollout) -> str:
    """Until when a phase must have passed."""
    phase = told.current
    if phase is None:
        return ABORT
    back = "everything" if phase.on_fail == "revert_all" else phase.name
    return f"If that takes more than {span(phase.deadline_s - told.held_s)} from now, {back} goes back. {ABORT}"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _end(text: str | None) -> str:
    """As a sentence ends."""
    return (text or "nobody said why").rstrip(". ") + "."
