"""What a rollout's gates look at, measured: quality, the ledger, live figures, alerts."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

import msgspec
import structlog

from crossfade.core.alert import Alert
from crossfade.core.clock import SECOND
from crossfade.core.fact import of_alerts, of_ledger, of_live, of_quality
from crossfade.core.figures import lookup
from crossfade.core.gate import NOTHING, Fact, Gate
from crossfade.core.ledger import Standing
from crossfade.core.plan import Plan
from crossfade.core.rollout import State, since
from crossfade.core.threshold import Window
from crossfade.monitor import Monitor
from crossfade.reader import Reader
from crossfade.state.errors import StateError
from crossfade.store.port import StoreError

log = structlog.get_logger(__name__)


class Measured:
    """The facts of a plan's phase. What cannot be known just now is left out, and logged."""

    def __init__(self, monitor: Monitor, reader: Reader, *, ledger: Callable[[], Standing],
                 alerts: Callable[[], Iterable[Alert]]) -> None:
        """``ledger`` may raise StoreError. ``alerts`` are those that a rollout should heed: not those about itself."""
        self._monitor = monitor
        self._reader = reader
        self._ledger = ledger
        self._alerts = alerts

    async def __call__(self, plan: Plan, state: State, now: int) -> Mapping[str, Fact]:
        """By the gates' names. Raises nothing but what cancels it."""
        found: dict[str, Fact] = {}
        await self._ask(plan.phases[state.phase].gates)
        for gate in plan.phases[state.phase].gates:
            try:
                found[gate.name] = await self._fact(gate, Window(since(gate, state, now), now + 1))
            except (StateError, StoreError) as error:
                log.warning("rollout: a gate cannot be measured now", gate=gate.name, error=str(error))
        return found

    async def _ask(self, gates: Iterable[Gate]) -> None:
        """Has the real sources called, so that there is something to judge though nobody looks."""
        names = {gate.component for gate in gates} & self._reader.components.keys()
        await asyncio.gather(*(self._reader.observe(name) for name in names))

    async def _fact(self, gate: Gate, window: Window) -> Fact:
        family, _, name = gate.figure.partition(".")
        match family:
            case "quality":
                quality = await asyncio.to_thread(self._monitor.standing, gate.component, window)
                return of_quality(quality, name)
            case "ledger":
                return of_ledger(await asyncio.to_thread(self._ledger), name)
            case "alerts":
                return of_alerts(self._alerts(), name, gate.component)
        return await self._live(name)

    async def _live(self, path: str) -> Fact:
        """A figure of the real source, whatever viewers are shown: nothing made up is held against a gate."""
        section, _, rest = path.partition(".")
        component = next((each for each in self._reader.components.values() if each.section == section), None)
        if component is None:
            return NOTHING
        outcome = await self._reader.observe(component.name)
        if outcome.sample is None or outcome.at - outcome.sample.as_of > component.stale_limit * SECOND:
            return NOTHING
        return of_live(lookup(msgspec.to_builtins(outcome.sample.payload), rest))
