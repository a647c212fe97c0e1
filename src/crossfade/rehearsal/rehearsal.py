"""A rehearsal: winds the clock, lets happen what was asked for, and writes down what the controller does."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
from msgspec import Struct
from msgspec.structs import replace

from crossfade.controller import Measure
from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND, ManualClock
from crossfade.core.dimension import Status as Figure
from crossfade.core.fault import FAULTS, Placed, spoil
from crossfade.core.flag import FlagValue, retreat
from crossfade.core.freeze import WEEK, Freeze
from crossfade.core.gate import NOTHING, Fact
from crossfade.core.healthy import healthy
from crossfade.core.pace import pace
from crossfade.core.plan import Plan, switched_on
from crossfade.core.rollout import LONGEST_TICK, Action, Command, State, Status, since
from crossfade.core.timeline import FAULT, Entry, compressed
from crossfade.core.wanted import wanted
from crossfade.state.errors import StateError
from crossfade.state.rollouts import Rollout, RolloutError

from .inline import Inline
from .room import WHO, Killed, Room, Server

MOST_LOOKS = 20_000
STUCK_AFTER = 10 * MINUTE
"""For so long nothing changes, and nothing is to come that could change it."""
NEVER = 7 * DAY
"""A freeze that has not ended after so long comes back before it is over."""
DOWN = 30 * SECOND
"""For how long a killed server is away."""
TURN = 30 * SECOND
"""For how long one of two servers carries it out."""
STATIC = frozenset({"approval-missing", "freeze"})
"""Faults that are there from the beginning, whatever their place."""
SOMEBODY = "somebody"


class Ended(StrEnum):
    """How a rehearsal ended."""

    COMPLETED = "completed"
    REVERTED = "reverted"
    STUCK = "stuck"
    """It waits for somebody, and nobody comes."""
    UNFINISHED = "unfinished"
    """What is recorded ended, or the time that the rehearsal may take."""


class Rehearsed(Struct, frozen=True, rename="camel"):
    """What would have happened when. Moments are microseconds since the epoch."""

    plan: str
    started_at: int
    ended_at: int
    ended: Ended
    why: str
    looks: int
    """How often the controller ticked."""
    timeline: tuple[Entry, ...]
    notes: tuple[str, ...]
    """What was not felt, not reached, not measured, or done in somebody's place."""
    wanted: tuple[str, ...]
    """What must be true for the plan to pass."""


async def undisturbed(plan: Plan, state: State, now: int) -> Mapping[str, Fact]:
    """The facts of a system in which nothing is wrong."""
    return {gate.name: healthy(gate, now - since(gate, state, now)) for gate in plan.phases[state.phase].gates}


def _never() -> bool:
    return False


class Rehearsal:
    """One run of a plan."""

    def __init__(self, plan: Plan, measure: Measure, *, start: int, flags: Mapping[str, FlagValue],
                 faults: Sequence[Placed] = (), until: int | None = None,
                 enough: Callable[[], bool] = _never) -> None:
        """``measure``: what the gates look at; the faults change it. ``flags``: as they are at the start.

        ``until``: the end of what is known, by the clock. ``enough``: whether the rehearsal has taken long enough.
        """
        self._plan = _with_freezes(plan, faults, start)
        self._source = measure
        self._clock = ManualClock(start)
        self._start = start
        self._flags = flags
        self._faults = faults
        self._until = until
        self._enough = enough
        self._after = 0
        self._skew = 0
        self._began: dict[int, int] = {}
        self._over: set[int] = set()
        self._felt: set[int] = set()
        self._entries: list[Entry] = []
        self._looks = 0
        self._seen = 0
        self._still = 0
        self._unmeasured: dict[str, int] = {}
        self._soaking_looks: dict[str, int] = {}
        self._approved: list[str] = []
        self._troubled: str | None = None

    def run(self) -> Rehearsed:
        """In the calling thread, which has no event loop. Raises RolloutError, StateError or OSError when it cannot
        even begin.
        """
        with asyncio.Runner() as runner:
            runner.get_loop().set_default_executor(Inline())
            return runner.run(self._run())

    async def _run(self) -> Rehearsed:
        with (TemporaryDirectory(prefix="crossfade-rehearsal-") as folder,
              structlog.contextvars.bound_contextvars(rehearsal=self._plan.name),
              closing(Room(Path(folder), self._clock, self._flags, self._measured, self._behind)) as room):
            self._room = room
            self._rollout = await room.first.controller.start(self._plan, who=WHO)
            self._write_static()
            while (ended := self._ended()) is None:
                await self._step()
            return self._told(*ended)

    # One step

    async def _step(self) -> None:
        step = self._length()
        self._wind(step)
        before = _key(self._rollout)
        await self._let_happen()
        await self._tick(max(LONGEST_TICK, step))
        await self._approve()
        self._still = 0 if _key(self._rollout) != before else self._still + step

    def _length(self) -> int:
        """Not beyond the moment at which something happens, and at least a second."""
        now = self._clock.now()
        step = pace(self._plan, self._rollout.state, now)
        if self._still >= MINUTE:
            step = max(step, MINUTE)
        active = [placed.fault.period for index, placed in self._active()]
        edges = [edge - self._after for edge in self._edges()]
        if self._until is not None:
            edges.append(self._until - now)
        return max(SECOND, min([step, *edges, *(period for period in active if period is not None)]))

    def _wind(self, step: int) -> None:
        self._clock.advance(step)
        self._after += step

    async def _tick(self, longest: int) -> None:
        self._looks += 1
        for server in self._turn():
            server.controller.longest_tick = longest
            try:
                made = await server.controller.tick()
            except Killed:
                self._write(FAULT, "The server is killed; what it was about to store is not stored.")
                self._wind(DOWN)
                self._room.restart()
                continue
            # A server that did nothing may have found the rollout ended, or another at it.
            self._rollout = made or self._room.first.book.latest(1)[0]
            self._note_trouble(server)
        self._note_unmeasured()

    def _turn(self) -> list[Server]:
        """The servers that are awake: with two of them both, the second, both, the first."""
        first, second = self._room.first, self._room.second
        if second is None:
            return [first]
        began = next(self._began[index] for index, placed in self._active() if placed.name == "double-controller")
        return ([first, second], [second], [second, first], [first])[(self._after - began) // TURN % 4]

    async def _approve(self) -> None:
        state = self._rollout.state
        if state.status is not Status.WAITING or state.paused is not None or state.approved_by is not None:
            return
        phase = self._plan.phases[state.phase]
        if not phase.approval or self._is_missing("approval-missing", state.phase):
            return
        try:
            self._rollout = await self._room.first.controller.command(Command(Action.APPROVE, WHO))
        except (RolloutError, StateError) as error:  # the disk may be full just now: the next step tries again
            self._write(FAULT, f"It could not be approved: {error}.")
            return
        self._approved.append(phase.name)

    # Faults

    def _active(self) -> list[tuple[int, Placed]]:
        return [(index, placed) for index, placed in enumerate(self._faults)
                if index in self._began and index not in self._over]

    def _edges(self) -> list[int]:
        """The moments still to come at which a fault begins or ends."""
        begins = [placed.after for index, placed in enumerate(self._faults)
                  if placed.after is not None and index not in self._began and placed.name not in STATIC]
        ends = [self._began[index] + placed.fault.lasts for index, placed in self._active()
                if placed.fault.lasts is not None]
        return begins + ends

    def _is_due(self, placed: Placed) -> bool:
        state = self._rollout.state
        if placed.after is not None:
            return self._after >= placed.after
        if placed.phase is not None and state.phase != placed.phase:
            return False
        if placed.fault.sudden:
            return state.status is Status.SOAKING and 2 * state.soaked >= self._plan.phases[state.phase].soak
        return placed.phase is None or state.status is Status.SOAKING

    def _is_over(self, index: int, placed: Placed) -> bool:
        if placed.fault.lasts is not None:
            return self._after >= self._began[index] + placed.fault.lasts
        return placed.phase is not None and self._rollout.state.phase != placed.phase and not placed.fault.sudden

    def _is_missing(self, name: str, phase: int) -> bool:
        """Whether a fault that is there from the beginning strikes this phase now."""
        return any(placed.name == name and placed.phase in {None, phase} and self._after >= (placed.after or 0)
                   for placed in self._faults)

    async def _let_happen(self) -> None:
        for index, placed in enumerate(self._faults):
            if placed.name in STATIC:
                continue
            if index in self._began and index not in self._over and self._is_over(index, placed):
                self._over.add(index)
                self._end(placed)
            elif index not in self._began and self._is_due(placed):
                self._began[index] = self._after
                self._write(FAULT, f"{placed.name}: {placed.fault.sentence}")
                await self._begin(index, placed)

    async def _begin(self, index: int, placed: Placed) -> None:
        """What a fault does beside what is measured."""
        server, clock = self._room.first, self._clock
        if placed.fault.symptoms or placed.fault.alert is not None:
            return
        self._felt.add(index)
        match placed.name:
            case "storage-full":
                server.full = True
            case "crash":
                server.doomed = True
            case "clock-jump" | "clock-back":
                skew = HOUR if placed.name == "clock-jump" else -HOUR
                clock.advance(skew)
                self._skew += skew
            case "double-controller":
                self._room.join()
            case "hand-changed-flag":
                self._set_by_hand(server)
            case "hand-rollback":
                real = [flag for phase in self._plan.phases for flag in switched_on(phase)]
                server.book.take_back(retreat(real), who=SOMEBODY, at=clock.now(), reason="a fault of the rehearsal")
                self._write("rollback", "Everything is rolled back.", who=SOMEBODY)
            case "pause" | "abort":
                await self._command(server, Action(placed.name))

    def _end(self, placed: Placed) -> None:
        self._write(FAULT, f"{placed.name} is over.")
        self._room.first.full = self._room.first.full and placed.name != "storage-full"
        if placed.name == "double-controller":
            self._room.leave()

    def _set_by_hand(self, server: Server) -> None:
        phase = self._plan.phases[min(self._rollout.state.phase, len(self._plan.phases) - 1)]
        name, value = next(iter(phase.flags.items()))
        other = not value if isinstance(value, bool) else max(0, value - 1)
        server.state.change_flags({name: other}, who=SOMEBODY, at=self._clock.now())

    async def _command(self, server: Server, action: Action) -> None:
        try:
            await server.controller.command(Command(action, SOMEBODY, "a fault of the rehearsal"))
        except (RolloutError, StateError) as error:
            self._write(FAULT, f"It could not be told to {action}: {error}.")

    def _behind(self) -> Sequence[str]:
        return tuple("a silent process" for _, placed in self._active() if placed.name == "process-silent")

    async def _measured(self, plan: Plan, state: State, now: int) -> Mapping[str, Fact]:
        found = dict(await self._source(plan, state, now))
        for gate in plan.phases[state.phase].gates:
            for index, placed in self._active():
                was = found.get(gate.name, NOTHING)
                found[gate.name] = spoil(placed.fault, gate, was, self._after - self._began[index])
                if found[gate.name] != was:
                    self._felt.add(index)
        return found

    # What is written down

    def _write(self, move: str, *said: str, who: str = WHO) -> None:
        self._note_steps()
        state = self._rollout.state
        phase = self._plan.names[state.phase] if state.phase < len(self._plan.phases) else None
        self._entries.append(Entry(self._clock.now(), self._after, self._after, phase, move, who, said))

    def _write_static(self) -> None:
        for placed in self._faults:
            if placed.name in STATIC:
                self._write(FAULT, f"{placed.name}: {placed.fault.sentence}")

    def _note_steps(self) -> None:
        """What the controller has noted since it was last asked: before a fault is written down, and at the end."""
        names = self._plan.names
        for step in self._room.first.book.steps(self._rollout.id, after=self._seen, limit=2 * MOST_LOOKS):
            self._seen = step.id
            after = step.at - self._start - self._skew
            self._entries.append(Entry(
                step.at, after, after, names[step.phase] if step.phase < len(names) else None,
                step.move.value, step.who, step.said, step.changes, step.verdicts))

    def _note_trouble(self, server: Server) -> None:
        trouble = server.controller.trouble
        if trouble is not None and trouble != self._troubled:
            self._write("trouble", f"{trouble}.")
        self._troubled = trouble

    def _note_unmeasured(self) -> None:
        for verdict in self._rollout.verdicts:
            self._soaking_looks[verdict.gate] = self._soaking_looks.get(verdict.gate, 0) + 1
            if verdict.status is Figure.NO_DATA:
                self._unmeasured[verdict.gate] = self._unmeasured.get(verdict.gate, 0) + 1

    # The end

    def _ended(self) -> tuple[Ended, str] | None:
        state, said = self._rollout.state, " ".join(self._rollout.said)
        if state.status is Status.DONE:
            return Ended.COMPLETED, said
        if state.status is Status.REVERTED:
            return Ended.REVERTED, state.why or said
        if self._is_stuck():
            return Ended.STUCK, self._troubled or said
        if self._until is not None and self._clock.now() >= self._until:
            return Ended.UNFINISHED, f"what is recorded ends here; until then: {said}"
        if self._looks >= MOST_LOOKS or self._enough():
            return Ended.UNFINISHED, f"a rehearsal takes no longer than this; until then: {said}"
        return None

    def _is_stuck(self) -> bool:
        state, now = self._rollout.state, self._clock.now()
        thaws = state.paused is None and self._plan.frozen(self._plan.phases[state.phase], now) is not None
        return self._still >= (NEVER if thaws else STUCK_AFTER) and not self._edges()

    def _told(self, ended: Ended, why: str) -> Rehearsed:
        self._note_steps()
        return Rehearsed(self._plan.name, self._start, self._clock.now(), ended, why, self._looks,
                         compressed(self._entries), tuple(self._notes(ended)), wanted(self._plan))

    def _notes(self, ended: Ended) -> list[str]:
        notes = [f"{name} was approved by the rehearsal: in earnest somebody must." for name in self._approved]
        for index, placed in enumerate(self._faults):
            if placed.name in STATIC:
                if placed.name == "approval-missing" and not any(phase.approval for phase in self._plan.phases):
                    notes.append("approval-missing changes nothing: no phase of the plan asks for approval.")
            elif index not in self._began:
                notes.append(f"{placed.name} did not come about: the rollout ended before it got there.")
            elif index not in self._felt:
                notes.append(f"{placed.name} went unnoticed: no gate that was in effect looks at what it changes.")
            elif ended is Ended.COMPLETED and (placed.fault.symptoms or placed.fault.alert is not None):
                notes.append(f"{placed.name} was measured, but the gates that look at it let it pass.")
        return notes + [
            f"Nothing was measured of {gate} in {count:,} of {self._soaking_looks[gate]:,} looks."
            for gate, count in sorted(self._unmeasured.items()) if 2 * count >= self._soaking_looks[gate]]


def _key(rollout: Rollout) -> tuple[object, ...]:
    """What changes while a rollout gets anywhere."""
    state = rollout.state
    return (state.status, state.phase, state.step, state.soaked, state.known, state.spent, state.paused,
            state.approved_by)


def _with_freezes(plan: Plan, faults: Sequence[Placed], start: int) -> Plan:
    """The plan, with a day's freeze for each fault that is one: of a phase, or from a moment on of all."""
    for placed in faults:
        if placed.fault is FAULTS["freeze"]:
            freeze = _day(start + (placed.after or 0))
            if placed.phase is None:
                plan = replace(plan, freeze=(*plan.freeze, freeze))
            else:
                phases = list(plan.phases)
                phases[placed.phase] = replace(phases[placed.phase], freeze=(*phases[placed.phase].freeze, freeze))
                plan = replace(plan, phases=tuple(phases))
    return plan


def _day(moment: int) -> Freeze:
    """From the minute on, for 24 hours."""
    days, minute = divmod(moment // MINUTE, 24 * 60)
    time = f"{minute // 60:02}:{minute % 60:02}"
    return Freeze(days=(WEEK[(days + 3) % 7],), start=time, end=time)  # the epoch began on a Thursday
