"""Rollouts as they are stored: where each stands, what it did, who carries it out; and drills."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, Row, insert, select, update

from crossfade.core.decide import overtaken
from crossfade.core.flag import Flags, FlagValue
from crossfade.core.gate import Verdict
from crossfade.core.plan import Plan
from crossfade.core.rollout import Decision, Move, State, Status, actor

from . import audit, flags, leases, retirements
from .database import Database
from .flags import FlagChange
from .tables import drills, rollout_steps, rollouts


class RolloutError(ValueError):
    """There is no such rollout, or there can be none now. The message says why."""


class Overtaken(Exception):  # noqa: N818  it says what happened
    """Somebody else changed the rollout or the flags since they were read: look again. Nothing was stored."""


class Rollout(Struct, frozen=True):
    """A plan that is carried out, or was. Moments are microseconds since the epoch."""

    id: int
    plan: Plan
    started_at: int
    started_by: str
    reason: str | None
    turn: int
    """How often it was changed."""
    state: State
    said: tuple[str, ...]
    """At the last tick."""
    verdicts: tuple[Verdict, ...]

    @property
    def subject(self) -> str:
        """What it is called in the audit log."""
        return f"rollout {self.id}: {self.plan.name}"


class Step(Struct, frozen=True):
    """Something that a rollout did, or how it stood."""

    id: int
    at: int
    who: str
    move: Move
    phase: int
    step: int
    said: tuple[str, ...]
    changes: dict[str, FlagValue]
    verdicts: tuple[Verdict, ...]


class Drill(Struct, frozen=True):
    """A rehearsed rollback."""

    at: int
    who: str
    configuration: str
    """A fingerprint of what it was true for."""
    flags: tuple[str, ...]
    micros: int
    """Until the last process had the flags back."""
    processes: int
    unanswered: tuple[str, ...]
    problem: str | None
    """Why it did not pass; None if it did."""
    id: int = 0


Writing = Callable[[], AbstractContextManager[Connection]]


class Rollouts:
    """Any thread may call; every method may raise StateError."""

    def __init__(self, database: Database, changing: Writing) -> None:
        """``changing``: a transaction after which the flags in memory are those in the database."""
        self._database = database
        self._changing = changing

    def live(self) -> Rollout | None:
        """The one that is not over; there is one at most."""
        with self._database.reading() as connection:
            return _live(connection)

    def get(self, number: int) -> Rollout | None:
        with self._database.reading() as connection:
            row = connection.execute(select(rollouts).where(rollouts.c.id == number)).one_or_none()
        return None if row is None else _meant(row)

    def latest(self, limit: int = 20) -> tuple[Rollout, ...]:
        """The newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(rollouts).order_by(rollouts.c.id.desc()).limit(limit)).all()
        return tuple(map(_meant, rows))

    def newest(self) -> Rollout | None:
        """The last there was. Only that one can be live."""
        return next(iter(self.latest(1)), None)

    def steps(self, number: int, *, after: int = 0, limit: int = 10_000, holds: bool = True) -> tuple[Step, ...]:
        """What a rollout did, in order, behind the step of that id. Without ``holds``: only what was done, by the
        rollout or by people, which is little however long it took.
        """
        query = (select(rollout_steps).where(rollout_steps.c.rollout == number, rollout_steps.c.id > after)
                 .order_by(rollout_steps.c.id).limit(limit))
        if not holds:
            query = query.where((rollout_steps.c.move != Move.HOLD.value) | (rollout_steps.c.who != actor(number)))
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return tuple(_step(row) for row in rows)

    def begin(self, plan: Plan, state: State, *, at: int, who: str, reason: str | None) -> Rollout:
        """Store a new one, with its audit row. Raises RolloutError while another is not over."""
        with self._database.writing() as connection:
            live = _live(connection)
            if live is not None:
                raise RolloutError(f"rollout {live.id} ({live.plan.name}) is not over: abort it first")
            said = (f"{plan.name} starts with {plan.phases[state.phase].name}.",)
            row = connection.execute(insert(rollouts).values(
                plan=_json(plan), started_at=at, started_by=who, reason=reason, turn=0, over=False,
                state=_json(state), said=_json(said), verdicts="[]",
            ).returning(rollouts)).one()
            made = _meant(row)
            audit.write(connection, at=at, who=who, action="rollout.start", subject=made.subject, reason=reason,
                        new=plan.phases[state.phase].name)
        return made

    def apply(self, rollout: Rollout, seen: Flags, decision: Decision, *, at: int, who: str, noted: bool,
              reason: str | None = None) -> Rollout:
        """Store a decision: the state, the flags that it changes, a step if it is noted, and the audit rows.

        Raises Overtaken, and stores nothing, when the rollout or a flag is not as the decision saw it.
        """
        state = decision.state
        with self._changing() as connection:
            if flags.snapshot(connection).values != seen.values:
                raise Overtaken
            row = connection.execute(
                update(rollouts).where(rollouts.c.id == rollout.id, rollouts.c.turn == rollout.turn)
                .values(turn=rollout.turn + 1, over=state.status.over, state=_json(state), said=_json(decision.said),
                        verdicts=_json(decision.verdicts)).returning(rollouts)).one_or_none()
            if row is None:
                raise Overtaken
            told = " ".join(decision.said)
            flags.change(connection, decision.changes, who=who, at=at, reason=f"rollout {rollout.id}: {told}"[:1_000])
            if noted:
                _note(connection, rollout, decision, at=at, who=who)
            if decision.move is not Move.HOLD or decision.refused is not None or reason is not None:
                audit.write(
                    connection, at=at, who=who, subject=rollout.subject, old=rollout.state.status.value,
                    new=state.status.value, reason=told[:1_000],
                    action="rollout.refused" if decision.refused is not None else f"rollout.{decision.move}")
        return _meant(row)

    def take_back(self, changes: Mapping[str, FlagValue], *, who: str, at: int, reason: str) -> tuple[FlagChange, ...]:
        """Set flags back, and end the rollout that is about them: in one transaction, whoever holds the lease.

        A component that was retired meanwhile has nothing to go back to. Raises FlagError when there is no such flag.
        """
        with self._changing() as connection:
            retired, _ = retirements.retired(connection)
            changes = {name: value for name, value in changes.items() if name not in retired}
            made = flags.change(connection, changes, who=who, at=at, reason=reason)
            live = _live(connection)
            if live is not None:
                why = f"{who} rolled back: {reason}"
                _end(connection, live, changes, why, at=at, who=who)
        return made

    # The lease

    def hold(self, name: str, holder: str, *, now: int, length: int) -> bool:
        """Take or renew the lease of a task; whether this holder has it now."""
        with self._database.writing() as connection:
            return leases.hold(connection, name, holder, now=now, length=length)

    def release(self, name: str, holder: str) -> None:
        """Let the task go, for whoever comes next."""
        with self._database.writing() as connection:
            leases.release(connection, name, holder)

    # Drills

    def note_drill(self, drill: Drill) -> Drill:
        """Store it, with an audit row; what comes back has its number."""
        with self._database.writing() as connection:
            values = msgspec.structs.asdict(drill) | {
                "flags": _json(drill.flags), "unanswered": _json(drill.unanswered)}
            del values["id"]
            number = connection.execute(insert(drills).values(**values).returning(drills.c.id)).scalar_one()
            processes = f"{drill.processes:,} process{'es' if drill.processes != 1 else ''}"
            told = drill.problem or f"passed in {drill.micros / 1_000:.1f} ms with {processes}"
            audit.write(connection, at=drill.at, who=drill.who, action="drill", subject=", ".join(drill.flags),
                        reason=told)
        return replace(drill, id=number)

    def drills(self, limit: int = 20) -> tuple[Drill, ...]:
        """The newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(drills).order_by(drills.c.id.desc()).limit(limit)).all()
        return tuple(Drill(
            row.at, row.who, row.configuration, msgspec.json.decode(row.flags, type=tuple[str, ...]), row.micros,
            row.processes, msgspec.json.decode(row.unanswered, type=tuple[str, ...]), row.problem, row.id,
        ) for row in rows)


def _live(connection: Connection) -> Rollout | None:
    row = connection.execute(select(rollouts).where(rollouts.c.over.is_(False))).one_or_none()
    return None if row is None else _meant(row)


def _end(connection: Connection, live: Rollout, taken: Mapping[str, FlagValue], why: str, *, at: int,
         who: str) -> None:
    state = overtaken(live.plan, live.state, taken.keys(), why, at)
    if state is None:
        return
    decision = Decision(state, Move.REVERTED, (f"{live.plan.name} ends: {why}.",), taken)
    connection.execute(
        update(rollouts).where(rollouts.c.id == live.id)
        .values(turn=live.turn + 1, over=True, state=_json(state), said=_json(decision.said)))
    _note(connection, live, decision, at=at, who=who)
    audit.write(connection, at=at, who=who, action="rollout.reverted", subject=live.subject,
                old=live.state.status.value, new=Status.REVERTED.value, reason=why)


def _note(connection: Connection, rollout: Rollout, decision: Decision, *, at: int, who: str) -> None:
    state = decision.state
    connection.execute(insert(rollout_steps).values(
        rollout=rollout.id, at=at, who=who, move=decision.move.value, phase=state.phase, step=state.step,
        said=_json(decision.said), changes=_json(decision.changes), verdicts=_json(decision.verdicts)))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _meant(row: Row[tuple[object, ...]]) -> Rollout:
    return Rollout(
        row.id, msgspec.json.decode(row.plan, type=Plan), row.started_at, row.started_by, row.reason, row.turn,
        msgspec.json.decode(row.state, type=State), msgspec.json.decode(row.said, type=tuple[str, ...]),
        msgspec.json.decode(row.verdicts, type=tuple[Verdict, ...]),
    )


def _step(row: Row[tuple[object, ...]]) -> Step:
    return Step(
        row.id, row.at, row.who, Move(row.move), row.phase, row.step,
        msgspec.json.decode(row.said, type=tuple[str, ...]),
        msgspec.json.decode(row.changes, type=dict[str, FlagValue]),
        msgspec.json.decode(row.verdicts, type=tuple[Verdict, ...]),
    )
