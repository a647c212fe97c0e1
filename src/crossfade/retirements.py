"""Retires the mocks of components, for this process too: what the flags call retired has no mock to be read.

The archived flags are purged when they were kept for long enough.
"""

import asyncio
from collections.abc import Callable, Mapping

import structlog
from msgspec import Struct

from crossfade.core.clock import DAY, HOUR, SECOND, Clock
from crossfade.core.flag import Stage, stage
from crossfade.core.retirement import Prospect, Retirement, RetirementError
from crossfade.reader import Reader
from crossfade.sources.component import Source
from crossfade.state.errors import StateError
from crossfade.state.repository import State

log = structlog.get_logger(__name__)

PERIOD = HOUR


class Standing(Struct, frozen=True):
    """How far a component is on the way to the end of its mock."""

    component: str
    flag: str
    stage: Stage
    prospect: Prospect | None
    """None for one that is retired."""
    retirement: Retirement | None = None
    declared: bool = True
    """False for one that was retired and is no component of this server any more."""


class Retirements:
    """Changes are made on the event loop; what asks the database may raise StateError."""

    def __init__(self, state: State, reader: Reader, clock: Clock, mocks: Callable[[], Mapping[str, Source]], *,
                 after_days: float) -> None:
        """``mocks``: makes the mocks of all components, for those that get theirs back."""
        self._state = state
        self._reader = reader
        self._clock = clock
        self._mocks = mocks
        self.wait = int(after_days * DAY)
        """Microseconds for which a component must have been real only."""

    def standing(self) -> tuple[Standing, ...]:
        """All components in their order, and retired ones that are no longer declared."""
        now, flags = self._clock.now(), self._state.flags()
        components = self._reader.components
        retired = {found.component: found for found in self._state.retirements()}
        left = [part for part in components.values() if part.name not in retired]
        ahead = {found.flag: found for found in self._state.prospects((part.flag for part in left), at=now,
                                                                      wait=self.wait)}
        known = [Standing(part.name, part.flag, stage(flags, part.flag), ahead.get(part.flag), retired.get(part.name))
                 for part in components.values()]
        return (*known, *(Standing(name, found.flag, Stage.RETIRED, None, found, declared=False)
                          for name, found in retired.items() if name not in components))

    def foresee(self, component: str) -> Standing:
        """One component. Raises RetirementError when there is none of the name."""
        found = next((one for one in self.standing() if one.component == component), None)
        if found is None:
            raise RetirementError(f"there is no component {component[:80]!r}; there are: "
                                  + ", ".join(self._reader.components))
        return found

    async def retire(self, component: str, *, who: str, reason: str | None = None,
                     despite: str | None = None) -> Retirement:
        """Takes the component's mock and flags away. Raises RetirementError with all that is lacking."""
        flag = self._declared(component)
        made = await asyncio.to_thread(self._state.retire, component, flag, who=who, at=self._clock.now(),
                                       wait=self.wait, reason=reason, despite=despite)
        self.reconcile()
        log.info("retired", component=component, who=who)
        return made

    async def undo(self, component: str, *, who: str, reason: str | None = None) -> Retirement:
        """Gives the component its mock and flags back. Raises RetirementError when it is too late, or not retired."""
        self._declared(component)
        undone = await asyncio.to_thread(self._state.undo_retirement, component, who=who, at=self._clock.now(),
                                         reason=reason)
        self.reconcile()
        log.info("retirement undone", component=component, who=who)
        return undone

    def reconcile(self) -> None:
        """Lets go of the mocks of components that are retired by now, and gives the others theirs back."""
        retired = self._state.flags().retired
        parts = tuple(self._reader.components.values())
        for part in parts:
            if part.flag in retired and part.mock is not None:
                self._reader.unregister_mock(part.name)
        lost = [part.name for part in parts if part.flag not in retired and part.mock is None]
        found = self._mocks() if lost else {}
        for name in lost:
            if name in found:
                self._reader.register_mock(name, found[name])

    def purge(self) -> tuple[Retirement, ...]:
        """Deletes archived flags that were kept for long enough."""
        over = self._state.purge_retired(self._clock.now())
        for found in over:
            log.info("archived flags purged", component=found.component)
        return over

    async def run(self) -> None:
        """Purges at once, and every hour until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.purge)
                self.reconcile()
            except StateError as error:
                log.warning("retirements: archived flags cannot be purged now", error=str(error))
            await asyncio.sleep(PERIOD / SECOND)

    def _declared(self, component: str) -> str:
        found = self._reader.components.get(component)
        if found is None:
            raise RetirementError(f"there is no component {component[:80]!r} here; there are: "
                                  + ", ".join(self._reader.components))
        return found.flag
