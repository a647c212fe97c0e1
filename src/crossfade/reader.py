"""Reads a component for a viewer: the flags choose the source, and the reading says which it was, and why.

A source that fails costs nobody an exception: with ``fallback_on_error`` the best stand-in is served, labelled as
what it is; without it the component is unavailable. One computation of a source serves all viewers for a moment, and
never more than one runs at a time. The source that is not shown may be read in the shadow, after the answer.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import structlog

from crossfade.core.check import LEAD
from crossfade.core.clock import SECOND, Clock
from crossfade.core.flag import Evaluation, Flags, evaluate, shadows
from crossfade.core.observation import ErrorKind
from crossfade.core.payloads import Payload
from crossfade.core.reading import Origin, Provenance, Reading, Reason
from crossfade.sources.call import Fetching, Outcome, call
from crossfade.sources.component import Component, Source

log = structlog.get_logger(__name__)

MOST_SHADOWS = 4
"""Shadow readings that may be under way at a time; more are shed, and counted."""
SHADOW_AFTER_S = 0.005
"""Seconds from a reading to its shadow. The answer is out by then: what a source does before it first waits for
something would else be waited for by whoever reads several components at once, or in a task of its own."""


AHEAD = 0.8
"""Of an answer's time: after that whoever reads has the source asked again, and does not wait for it. So hardly anybody
ever waits, and no answer is served for longer."""


class Watch(Protocol):
    """Is told what happens, on the event loop: it must be quick, and raise nothing."""

    def called(self, component: Component, origin: Origin, outcome: Outcome) -> None:
        """A source was asked."""

    def served(self, component: Component, reading: Reading) -> None:
        """A viewer got a reading."""

    def paired(self, component: Component, real: Outcome, before: Outcome, after: Outcome) -> None:
        """The real source was asked between two calls of the legacy one; all three answered."""

    def shed(self, component: Component) -> None:
        """A shadow reading was due and not done: too many were under way."""


class _Slot:
    """A component's source with its last outcome, its last good one, and the call that is under way."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.last: Outcome | None = None
        self.spoiled = False
        self.good: Outcome | None = None
        self.running: asyncio.Task[Outcome] | None = None
        self.abandoned: set[Fetching] = set()


def decide(answered: bool, young: bool, stand_ins: Sequence[Reason], *, fallback: bool,
           stale: bool) -> tuple[Reason, ...]:
    """What is tried, in this order, where the real source is wanted.

    ======== ===== ======== =================================================
    answered young fallback tried
    ======== ===== ======== =================================================
    yes      yes   –        FLAG: as it is
    yes      no    –        STALE: as it is, and labelled old
    no       –     off      FAILED: nothing
    no       –     on       the component's stand-ins; STALE only when ``stale``
    ======== ===== ======== =================================================

    ``young``: whether what was answered is of the last while. ``stale``: whether the last good value still is.
    """
    if answered:
        return (Reason.FLAG if young else Reason.STALE,)
    if not fallback:
        return (Reason.FAILED,)
    return (*(reason for reason in stand_ins if stale or reason is not Reason.STALE), Reason.FAILED)


class Reader:
    """Serves readings of the components it was given."""

    def __init__(self, components: Iterable[Component], flags: Callable[[], Flags], clock: Clock, *,
                 max_age: float, watch: Watch | None = None, draw: Callable[[], float] = random.random) -> None:
        """``max_age``: seconds for which one computation serves all viewers; ``draw``: of numbers from 0 to 1."""
        self._components = {component.name: component for component in components}
        self.components: Mapping[str, Component] = self._components
        self._flags = flags
        self._clock = clock
        self._max_age = int(max_age * SECOND)
        self._watch = watch
        self._draw = draw
        self._slots = {
            (component.name, origin): _Slot(source)
            for component in self.components.values() for origin, source in component.sources().items()
        }
        self._shadows: set[asyncio.Task[None]] = set()
        self._shadowed_at: dict[str, int] = {}
        self.served: Counter[tuple[str, Origin, Reason]] = Counter()
        """How many readings of each kind there were since the start."""

    async def read(self, name: str, viewer: str | None = None) -> Reading:
        """The component as the viewer sees it now. Raises KeyError for one that there is not; nothing else."""
        component = self.components[name]
        flags = self._flags()
        evaluation = evaluate(flags, component.flag, viewer)
        reading = await self._read(component, evaluation, flags)
        if reading.provenance.source is Origin.MOCK and component.flag in (flags := self._flags()).retired:
            # Its mock was retired while it was asked.
            evaluation = evaluate(flags, component.flag, viewer)
            reading = await self._read(component, evaluation, flags)
        self.served[name, reading.provenance.source, reading.provenance.reason] += 1
        if self._watch is not None:
            self._watch.served(component, reading)
        self._ask_ahead(component, Origin.REAL if evaluation.real else component.base)
        if shadows(flags, component.flag):
            self._cast_shadow(component, evaluation)
        return reading

    async def read_all(self, names: Iterable[str], viewer: str | None = None) -> tuple[Reading, ...]:
        """Several components at once."""
        return tuple(await asyncio.gather(*(self.read(name, viewer) for name in names)))

    async def observe(self, name: str) -> Outcome:
        """Has the real source called, unless that was a moment ago; no viewer is shown anything of it."""
        return await self._ask(self.components[name], Origin.REAL)

    def unregister_mock(self, name: str) -> None:
        """Lets go of the component's mock: from now on nobody can read it. To be called on the event loop."""
        self._components[name] = replace(self.components[name], mock=None)
        self._slots.pop((name, Origin.MOCK), None)

    def register_mock(self, name: str, mock: Source) -> None:
        """Gives the component a mock, again. To be called on the event loop."""
        self._components[name] = replace(self.components[name], mock=mock)
        self._slots[name, Origin.MOCK] = _Slot(mock)

    async def look(self, name: str) -> Reading:
        """The component as nobody in particular sees it: no viewer is counted. Raises KeyError, and nothing else."""
        component, flags = self.components[name], self._flags()
        return await self._read(component, evaluate(flags, component.flag), flags)

    async def look_real(self, name: str) -> Reading:
        """What the real source gives, whatever the flags say; nobody is shown it. Raises KeyError, and nothing else."""
        component = self.components[name]
        real = await self._ask(component, Origin.REAL)
        return _reading(component, Origin.REAL, real, Reason.FLAG, real.error)

    def spoil(self, names: Collection[str]) -> None:
        """Has the components' real sources asked anew by the next who reads them: there is news."""
        for (name, origin), slot in self._slots.items():
            if origin is Origin.REAL and name in names:
                slot.spoiled = True

    def variant(self, viewer: str | None) -> tuple[bool, ...]:
        """Which components the viewer gets from the real source just now."""
        flags = self._flags()
        return tuple(evaluate(flags, component.flag, viewer).real for component in self.components.values())

    async def close(self) -> None:
        """Ends what is read in the shadow, and ahead."""
        tasks = (*self._shadows, *(slot.running for slot in self._slots.values() if slot.running is not None))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, component: Component, evaluation: Evaluation, flags: Flags) -> Reading:
        if evaluation.real:
            stand_ins = tuple(reason for reason in component.stand_ins
                              if reason is not Reason.FALLBACK or component.flag not in flags.retired)
            return await self._read_real(component, evaluation, stand_ins, fallback=flags.fallback_on_error)
        return await self._read_base(component, evaluation, fallback=flags.fallback_on_error)

    async def _read_real(self, component: Component, evaluation: Evaluation, stand_ins: Sequence[Reason], *,
                         fallback: bool) -> Reading:
        real = await self._ask(component, Origin.REAL)
        limit = int(component.stale_limit * SECOND)
        good = self._slots[component.name, Origin.REAL].good
        reasons = decide(
            real.sample is not None, real.sample is not None and real.at - real.sample.as_of <= limit,
            stand_ins, fallback=fallback,
            stale=good is not None and good.sample is not None and -LEAD <= real.at - good.sample.as_of <= limit,
        )
        if reasons[0] is Reason.FLAG:
            return _reading(component, Origin.REAL, real, evaluation.reason, None)
        if real.sample is not None:
            return _reading(component, Origin.REAL, real, Reason.STALE, None)
        return await self._stand_in(component, reasons, real)

    async def _read_base(self, component: Component, evaluation: Evaluation, *, fallback: bool) -> Reading:
        """The legacy source, or the mock where there is none."""
        base = await self._ask(component, component.base)
        if base.sample is not None or component.base is Origin.MOCK or not fallback:
            return _reading(component, component.base, base, evaluation.reason, base.error)
        return await self._stand_in(component, (Reason.FALLBACK, Reason.FAILED), base)

    async def _stand_in(self, component: Component, reasons: Iterable[Reason], failed: Outcome) -> Reading:
        """The first stand-in that has a value."""
        for reason in reasons:
            match reason:
                case Reason.STALE:
                    origin, found = Origin.REAL, self._slots[component.name, Origin.REAL].good
                case Reason.LEGACY if component.legacy is not None:
                    origin, found = Origin.LEGACY, await self._ask(component, Origin.LEGACY)
                case Reason.FALLBACK:
                    origin, found = Origin.MOCK, await self._ask(component, Origin.MOCK)
                case _:
                    continue
            if found is not None and found.sample is not None:
                return _reading(component, origin, found, reason, failed.error)
        return _reading(component, Origin.UNAVAILABLE, failed, Reason.FAILED, failed.error)

    async def _ask(self, component: Component, origin: Origin) -> Outcome:
        """The source's answer: the last one while it is fresh, else one that is awaited by all who ask."""
        slot = self._slots.get((component.name, origin))
        if slot is None:
            return Outcome(self._clock.now(), None, f"{component.name} has no {origin}", ErrorKind.FAILED)
        if slot.last is not None and self._is_fresh(slot):
            return slot.last
        return await asyncio.shield(slot.running or self._start(component, origin, slot))

    def _ask_ahead(self, component: Component, origin: Origin) -> None:
        """Has an answer ready before the last one is too old."""
        slot = self._slots.get((component.name, origin))
        if (slot is not None and slot.last is not None and slot.running is None and self._is_fresh(slot)
                and self._clock.now() - slot.last.at >= AHEAD * self._max_age):
            self._start(component, origin, slot)

    def _start(self, component: Component, origin: Origin, slot: _Slot) -> asyncio.Task[Outcome]:
        slot.running = asyncio.create_task(self._call(component, origin, slot))
        # Apart from the call: who reads must not suffer when what happened cannot be noted.
        slot.running.add_done_callback(lambda task: self._report(component, origin, task))
        return slot.running

    def _is_fresh(self, slot: _Slot) -> bool:
        return slot.last is not None and not slot.spoiled and 0 <= self._clock.now() - slot.last.at < self._max_age

    async def _call(self, component: Component, origin: Origin, slot: _Slot) -> Outcome:
        slot.spoiled = False  # what is news while it is asked, it may not tell
        try:
            outcome = await self._call_past_cache(component, origin, slot)
        finally:
            slot.running = None
        slot.last = outcome
        if outcome.sample is not None:
            slot.good = outcome
        return outcome

    async def _call_past_cache(self, component: Component, origin: Origin, slot: _Slot) -> Outcome:
        mock = self._slots.get((component.name, Origin.MOCK))
        good = None if mock is None else mock.good
        made_up = None if good is None or good.sample is None else good.sample.payload
        return await call(slot.source, component, origin, self._clock, made_up, abandoned=slot.abandoned)

    def _report(self, component: Component, origin: Origin, task: asyncio.Task[Outcome]) -> None:
        if not task.cancelled():
            self._note(component, origin, task.result())

    def _note(self, component: Component, origin: Origin, outcome: Outcome) -> None:
        if self._watch is not None:
            self._watch.called(component, origin, outcome)
        if outcome.error is not None:
            log.warning("source failed", component=component.name, source=origin, error=outcome.error,
                        kind=outcome.kind)
        elif self._flags().log_data_sources:
            log.info("source answered", component=component.name, source=origin, micros=outcome.micros)

    # The shadow

    def _cast_shadow(self, component: Component, evaluation: Evaluation) -> None:
        """Has the other source read, unless it was a moment ago. Nobody waits for it."""
        if component.legacy is None and evaluation.real:
            return  # a mock has nothing to compare
        now = self._clock.now()
        if 0 <= now - self._shadowed_at.get(component.name, -self._max_age) < self._max_age:
            return
        self._shadowed_at[component.name] = now
        if component.shadow_share < 1 and self._draw() >= component.shadow_share:
            return
        if len(self._shadows) >= MOST_SHADOWS:
            if self._watch is not None:
                self._watch.shed(component)
            return
        task = asyncio.create_task(self._shadow(component), name=f"shadow {component.name}")
        self._shadows.add(task)
        task.add_done_callback(self._shadows.discard)

    async def _shadow(self, component: Component) -> None:
        await asyncio.sleep(SHADOW_AFTER_S)
        if component.legacy is None:
            await self._ask(component, Origin.REAL)
            return
        before = await self._ask(component, Origin.LEGACY)
        real = await self._ask(component, Origin.REAL)
        # A second time, past the cache: how much it differs from itself is the noise of the comparison.
        after = await self._call_past_cache(component, Origin.LEGACY, self._slots[component.name, Origin.LEGACY])
        asyncio.get_running_loop().call_soon(self._note, component, Origin.LEGACY, after)
        if self._watch is not None and before.sample and real.sample and after.sample:
            self._watch.paired(component, real, before, after)


def _reading(component: Component, origin: Origin, outcome: Outcome, reason: Reason, error: str | None) -> Reading:
    sample = outcome.sample if origin is not Origin.UNAVAILABLE else None
    if sample is None:
        told = Provenance(Origin.UNAVAILABLE, False, None, outcome.at, Reason.FAILED, error or outcome.error)
        return Reading(component.name, None, told)
    payload: Payload = sample.payload
    return Reading(component.name, payload,
                   Provenance(origin, origin is Origin.MOCK, sample.as_of, outcome.at, reason, error))
