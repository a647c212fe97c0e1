"""Carries out rollouts: looks, decides, stores, again and again. Of several servers one does, by a lease.

What is decided is pure, see `core/decide`; what is stored is one transaction, which comes about only if nothing has
changed since it was decided. So a crash at any moment, a second server or a flag that somebody sets in between only
mean that the next tick decides anew.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import structlog

from crossfade.core.alert import AlertKey, Condition, Severity
from crossfade.core.clock import HOUR, MINUTE, SECOND, Clock
from crossfade.core.decide import decide
from crossfade.core.flag import Flags
from crossfade.core.gate import Fact
from crossfade.core.plan import Plan
from crossfade.core.rollout import LONGEST_TICK, Command, Decision, Facts, Move, State, Status, actor, start
from crossfade.state.errors import StateError
from crossfade.state.rollouts import Overtaken, Rollout, RolloutError, Rollouts

log = structlog.get_logger(__name__)

TICK_S = 1.0
LEASE = "rollout"
LEASE_LENGTH = 15 * SECOND
"""For how long a server that fell silent keeps the others waiting."""
TRIES = 5
"""How often a decision is made anew when somebody changed something meanwhile."""
TOLD_FOR = HOUR
"""For how long a rollout that was reverted is an alert."""
COMPONENT = "rollout"
"""Under which the alerts about rollouts stand."""


class Measure(Protocol):
    """What the gates of the phase in effect look at, by their names; what cannot be known is left out."""

    async def __call__(self, plan: Plan, state: State, now: int, /) -> Mapping[str, Fact]: ...


class Controller:
    """One task may run it; any may command."""

    def __init__(self, book: Rollouts, flags: Callable[[], Flags], clock: Clock, *, measure: Measure, holder: str,
                 behind: Callable[[int], Sequence[str]], changed: Callable[[], None]) -> None:
        """``flags``: as they are in the database just now. ``behind``: names of the processes that are not known to
        have a revision of them. ``changed`` is called when flags may have changed. ``holder``: what this server is
        called in the lease.
        """
        self._book = book
        self._flags = flags
        self._clock = clock
        self._measure = measure
        self._holder = holder
        self._behind = behind
        self._changed = changed
        self._turn = asyncio.Lock()
        self._noted: tuple[int, int] = 0, 0
        self._watched_at: int | None = None
        self.longest_tick = LONGEST_TICK
        """See `Facts`: a rehearsal takes longer steps."""
        self.trouble: str | None = None
        """Why no rollout is carried out just now."""
        self._last: Rollout | None = None

    async def run(self) -> None:
        """Ticks until it is cancelled."""
        try:
            while True:
                await self.tick()
                await asyncio.sleep(TICK_S)
        finally:
            with suppress(StateError):
                await asyncio.to_thread(self._book.release, LEASE, self._holder)

    async def tick(self) -> Rollout | None:
        """Takes the live rollout one step on; None if there is none, or another server does it. Never raises."""
        try:
            made = await self._tick()
        except StateError as error:
            if self.trouble is None:
                log.warning("rollout: it cannot be carried out now", error=str(error))
            self.trouble = f"the rollout cannot be carried out now: {error}"
            return None
        except Exception as error:  # nothing may end the watch
            log.exception("rollout: a tick failed")
            self.trouble = f"the rollout cannot be carried out now: {str(error) or type(error).__name__}"
            return None
        self.trouble = None
        return made

    async def start(self, plan: Plan, *, who: str, reason: str | None = None, at: str | None = None) -> Rollout:
        """Begins a rollout, at the phase of that name or the first. Raises RolloutError or StateError."""
        now = self._clock.now()
        try:
            state = start(plan, now, at)
        except ValueError as error:
            raise RolloutError(str(error)) from None
        begun = await asyncio.to_thread(self._book.begin, plan, state, at=now, who=who, reason=reason)
        try:
            return await self._step(None) or await asyncio.to_thread(self._book.get, begun.id) or begun
        except (StateError, RolloutError) as error:  # it is under way all the same: the next tick takes its first step
            log.warning("rollout: its first step waits", rollout=begun.id, error=str(error))
            return begun

    async def command(self, command: Command) -> Rollout:
        """Tells the live rollout something. Raises RolloutError when it cannot be followed, or StateError."""
        made = await self._step(command)
        if made is None:
            raise RolloutError("no rollout is under way")
        return made

    def conditions(self) -> Iterator[Condition]:
        """What people should be told of: the rollout does not go on, or went back."""
        last = self._last
        if self.trouble is not None:
            yield _condition("stuck", Severity.CRITICAL, self.trouble)
        if last is None:
            return
        if last.state.status is Status.REVERTED and self._clock.now() - last.state.seen_at < TOLD_FOR:
            yield _condition("reverted", Severity.CRITICAL, f"{last.plan.name} was reverted: {last.state.why}")
        elif last.state.paused is not None and not last.state.status.over:
            yield _condition("paused", Severity.WARNING, f"{last.plan.name} is paused: {last.state.paused}")

    async def _tick(self) -> Rollout | None:
        newest = await asyncio.to_thread(self._book.newest)
        if newest is None or newest.state.status.over:
            self._last = newest
            return None
        if not await asyncio.to_thread(self._book.hold, LEASE, self._holder, now=self._clock.now(),
                                       length=LEASE_LENGTH):
            return None
        return await self._step(None)

    async def _step(self, command: Command | None) -> Rollout | None:
        """One decision, made and stored; None without a live rollout. Whoever commands needs no lease."""
        async with self._turn:
            for _ in range(TRIES):
                rollout = await asyncio.to_thread(self._book.live)
                if rollout is None:
                    return None
                with suppress(Overtaken):
                    return await self._decide(rollout, command)
        raise RolloutError("the rollout or its flags are being changed by others all the time: try again")

    async def _decide(self, rollout: Rollout, command: Command | None) -> Rollout:
        now = self._clock.now()
        flags = await asyncio.to_thread(self._flags)
        self._changed()  # another server may have set them: what is read anew here, every process hears of
        measured = await self._measured(rollout, now)
        watched = 0 if self._watched_at is None else max(0, now - self._watched_at)
        facts = Facts(flags, measured, tuple(self._behind(flags.revision)), watched,
                      self.longest_tick)
        decision = decide(rollout.plan, rollout.state, facts, now, command)
        noted = self._is_noted(rollout, decision, now, command)
        made = await asyncio.to_thread(
            self._book.apply, rollout, flags, decision, at=now, noted=noted,
            who=actor(rollout.id) if command is None else command.who,
            reason=None if command is None else command.reason,
        )
        if noted:
            self._noted = rollout.id, now
        self._last, self._watched_at = made, now
        if decision.changes:
            self._changed()
        if decision.move is not Move.HOLD:
            log.info("rollout", rollout=rollout.id, plan=rollout.plan.name, move=decision.move.value,
                     said=" ".join(decision.said))
        if decision.refused is not None:
            raise RolloutError(decision.refused)
        return made

    async def _measured(self, rollout: Rollout, now: int) -> Mapping[str, Fact]:
        if rollout.state.status is not Status.SOAKING:
            return {}
        return await self._measure(rollout.plan, rollout.state, now)

    def _is_noted(self, rollout: Rollout, decision: Decision, now: int, command: Command | None) -> bool:
        """Whether a step is kept for good: all that happens, each change of a verdict, and a figure a minute."""
        before = [verdict.status for verdict in rollout.verdicts]
        number, at = self._noted
        soaking = decision.state.status is Status.SOAKING and decision.state.paused is None
        return (command is not None or decision.move is not Move.HOLD
                or [verdict.status for verdict in decision.verdicts] != before
                or number != rollout.id or not 0 <= now - at < (MINUTE if soaking else HOUR))


def _condition(check: str, severity: Severity, message: str) -> Condition:
    return Condition(AlertKey(COMPONENT, check), severity, f"the rollout is {check}", message[:500])
