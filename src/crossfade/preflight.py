"""Before a rollout: do its sources answer, do events arrive, does everybody hear of flags, was a rollback drilled?"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from enum import StrEnum

from msgspec import Struct

from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND, Clock
from crossfade.core.dimension import Status as Figure
from crossfade.core.gate import NOTHING, When, judge
from crossfade.core.ledger import FED_BY_EVENTS
from crossfade.core.names import listed
from crossfade.core.plan import Plan
from crossfade.core.report import of_use
from crossfade.core.rollout import State
from crossfade.core.rollout import Status as Standing
from crossfade.measure import Measured
from crossfade.reader import Reader
from crossfade.state.errors import StateError
from crossfade.state.rollouts import Drill, RolloutError
from crossfade.store.port import EventStore, StoreError

WATCHED = 15 * MINUTE
"""How far back the gates are looked at."""


class Result(StrEnum):
    """Of a check. What is not known keeps nobody from starting: the rollout's gates will ask again."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Check(Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    status: Result
    told: str


class Preflight:
    """Looks at everything that a plan stands on, from one of its phases on."""

    def __init__(self, reader: Reader, store: EventStore, measure: Measured, clock: Clock, *,
                 behind: Callable[[], Sequence[str]], drill: Callable[[str], Awaitable[Drill]]) -> None:
        """``drill`` gives the drill that holds for the present configuration, or makes one in that person's name."""
        self._reader = reader
        self._store = store
        self._measure = measure
        self._clock = clock
        self._behind = behind
        self._drill = drill

    async def run(self, plan: Plan, at: str | None, who: str) -> tuple[Check, ...]:
        """Every check, in the order of what stands on what. Never raises but when it is cancelled."""
        first = plan.names.index(at) if at in plan.names else 0
        components = [component.name for component in self._reader.components.values()
                      if any(component.flag in phase.flags for phase in plan.phases[first:])]
        sources = await asyncio.gather(*map(self._source, components))
        events = [] if FED_BY_EVENTS.isdisjoint(components) else [await asyncio.to_thread(self._events)]
        return (*sources, *events, self._processes(), *await self._gates(plan, first), await self._rehearsed(who))

    async def _source(self, name: str) -> Check:
        outcome = await self._reader.observe(name)
        if outcome.sample is None:
            return Check(f"source of {name}", Result.FAILED, f"it does not answer: {outcome.error}")
        return Check(f"source of {name}", Result.PASSED, f"answers in {outcome.micros / 1_000:.1f} ms")

    def _events(self) -> Check:
        """Whether any came: without events the real figures would be true, and empty."""
        now = self._clock.now()
        try:
            hour, day = (of_use(self._store.counts(now - span, now + 1)) for span in (HOUR, DAY))
        except StoreError as error:
            return Check("events", Result.UNKNOWN, f"the event store cannot be asked: {error}")
        if hour:
            return Check("events", Result.PASSED, f"{hour:,} in the last hour")
        if day:
            return Check("events", Result.UNKNOWN, f"none in the last hour, {day:,} in the last day")
        return Check("events", Result.FAILED, "none in the last day: does the application track them?")

    def _processes(self) -> Check:
        behind = self._behind()
        if behind:
            return Check("flags", Result.FAILED, f"not known to have the present flags: {listed(behind)}")
        return Check("flags", Result.PASSED, "every process has the present flags")

    async def _gates(self, plan: Plan, first: int) -> Iterable[Check]:
        """What the phases' gates say of what was seen so far; the worst of each phase is told."""
        return [await self._phase(plan, index, first=index == first) for index in range(first, len(plan.phases))]

    async def _phase(self, plan: Plan, index: int, *, first: bool) -> Check:
        phase, now = plan.phases[index], self._clock.now()
        measured = await self._measure(
            plan, State(now, status=Standing.SOAKING, phase=index, soaked=WATCHED), now)
        verdicts = [(gate, judge(gate, measured.get(gate.name, NOTHING))) for gate in phase.gates]
        name = f"gates of {phase.name}"
        failing = [verdict.sentence for gate, verdict in verdicts if verdict.status is Figure.FAIL]
        # What would fail at the end of a soak may mend until then; what counts throughout would fail at once.
        at_once = any(gate.judged is When.THROUGHOUT for gate, verdict in verdicts if verdict.status is Figure.FAIL)
        if failing:
            return Check(name, Result.FAILED if at_once and first else Result.UNKNOWN,
                         "as it is now they would fail: " + " ".join(failing))
        open_ones = [verdict.sentence for _, verdict in verdicts if verdict.status is not Figure.PASS]
        if open_ones:
            return Check(name, Result.UNKNOWN, "not proved yet: " + " ".join(open_ones))
        return Check(name, Result.PASSED, "pass on what was seen in the last 15 minutes")

    async def _rehearsed(self, who: str) -> Check:
        try:
            drill = await self._drill(who)
        except (StateError, RolloutError) as error:
            return Check("rollback drill", Result.FAILED, f"it cannot be made: {error}")
        if drill.problem is not None:
            return Check("rollback drill", Result.FAILED, drill.problem)
        age = (self._clock.now() - drill.at) // SECOND
        told = f"{drill.micros / 1_000:.1f} ms to the last of {drill.processes} processes"
        return Check("rollback drill", Result.PASSED, told + (f", {age // 60} min ago" if age > 60 else ""))


def failed(checks: Iterable[Check]) -> list[Check]:
    """Those that keep a rollout from starting."""
    return [check for check in checks if check.status is Result.FAILED]
