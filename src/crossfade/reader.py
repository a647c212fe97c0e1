"""Reads a component for a viewer: the flag chooses the source, and the reading says which it was, and why.

A source that fails costs nobody an exception: with ``fallback_on_error`` the last good real value stands in while it
is young (labelled stale), then the mock (labelled mock); without it the component is unavailable. One computation of
a source serves all viewers for a moment, and never more than one runs at a time.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import astuple

from crossfade.core.clock import SECOND, Clock
from crossfade.core.flag import Flags, evaluate
from crossfade.core.payloads import Payload
from crossfade.core.reading import Origin, Provenance, Reading, Reason
from crossfade.sources.component import Component, Sample, Source

log = structlog.get_logger(__name__)

_PLAIN = frozenset({int, str, bool, type(None)})


class Outcome(Struct, frozen=True):
    """What one call of a source did: gave a sample, or failed."""

    at: int
    sample: Sample | None
    error: str | None


class _Slot:
    """A component's source with its last outcome, its last good one, and the call that is under way."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.last: Outcome | None = None
        self.good: Outcome | None = None
        self.running: asyncio.Task[Outcome] | None = None


def decide(real: Outcome, good: Outcome | None, *, fallback: bool, stale_limit: int) -> Reason:
    """What is served where the flag asks for the real source.

    ======== ======== ================= ========
    answered fallback last good is      served
    ======== ======== ================= ========
    yes      –        –                 FLAG
    no       off      –                 FAILED
    no       on       young enough      STALE
    no       on       too old or none   FALLBACK
    ======== ======== ================= ========
    """
    if real.sample is not None:
        return Reason.FLAG
    if not fallback:
        return Reason.FAILED
    if good is not None and good.sample is not None and real.at - good.sample.as_of <= stale_limit:
        return Reason.STALE
    return Reason.FALLBACK


class Reader:
    """Serves readings of the components it was given."""

    def __init__(self, components: Iterable[Component], flags: Callable[[], Flags], clock: Clock, *,
                 max_age: float) -> None:
        """``max_age``: seconds for which one computation serves all viewers."""
        self.components: Mapping[str, Component] = {component.name: component for component in components}
        self._flags = flags
        self._clock = clock
        self._max_age = int(max_age * SECOND)
        self._slots = {
            (component.name, origin): _Slot(source)
            for component in self.components.values()
            for origin, source in ((Origin.REAL, component.real), (Origin.MOCK, component.mock))
        }
        self.served: Counter[tuple[str, Origin, Reason]] = Counter()
        """How many readings of each kind there were since the start."""

    async def read(self, name: str) -> Reading:
        """The component as it is now. Raises KeyError for a component that there is not; nothing else."""
        component = self.components[name]
        flags = self._flags()
        if evaluate(flags, component.flag) is Origin.MOCK:
            reading = _synthetic(name, await self._ask(component, Origin.MOCK), Reason.FLAG, None)
        else:
            reading = await self._read_real(component, fallback=flags.fallback_on_error)
        self.served[name, reading.provenance.source, reading.provenance.reason] += 1
        return reading

    async def read_all(self, names: Iterable[str]) -> tuple[Reading, ...]:
        """Several components at once."""
        return tuple(await asyncio.gather(*(self.read(name) for name in names)))

    async def _read_real(self, component: Component, *, fallback: bool) -> Reading:
        real = await self._ask(component, Origin.REAL)
        good = self._slots[component.name, Origin.REAL].good
        reason = decide(real, good, fallback=fallback, stale_limit=int(component.stale_limit * SECOND))
        if reason is Reason.FALLBACK:
            mock = await self._ask(component, Origin.MOCK)
            return _synthetic(component.name, mock, Reason.FALLBACK, real.error)
        shown = good if reason is Reason.STALE else real
        if shown is None or shown.sample is None:
            return _unavailable(component.name, real)
        return Reading(
            component.name,
            shown.sample.payload,
            Provenance(Origin.REAL, False, shown.sample.as_of, shown.at, reason, real.error),
        )

    async def _ask(self, component: Component, origin: Origin) -> Outcome:
        """The source's answer: the last one while it is fresh, else one that is awaited by all who ask."""
        slot = self._slots[component.name, origin]
        if slot.last is not None and 0 <= self._clock.now() - slot.last.at < self._max_age:
            return slot.last
        if slot.running is None:
            slot.running = asyncio.create_task(self._call(component, slot))
            # Apart from the call: who reads must not suffer when the log cannot be written.
            slot.running.add_done_callback(lambda call: self._report(component, origin, call))
        return await asyncio.shield(slot.running)

    async def _call(self, component: Component, slot: _Slot) -> Outcome:
        now = self._clock.now()
        try:
            async with asyncio.timeout(component.timeout):
                sample = await slot.source.fetch(now)
            outcome = slot.good = Outcome(now, _checked(sample, self._clock.now()), None)
        except (Exception, asyncio.CancelledError) as error:
            if being_cancelled():
                raise
            outcome = Outcome(now, None, _told(error, component.timeout))
        finally:
            slot.running = None
        slot.last = outcome
        return outcome

    def _report(self, component: Component, origin: Origin, call: asyncio.Task[Outcome]) -> None:
        if call.cancelled():
            return
        outcome = call.result()
        if outcome.error is not None:
            log.warning("source failed", component=component.name, source=origin, error=outcome.error)
        elif self._flags().log_data_sources:
            log.info("source answered", component=component.name, source=origin)


def being_cancelled() -> bool:
    """Whether the running task is to end: a source may as well raise CancelledError by itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _told(error: BaseException, timeout: float) -> str:
    """What the dashboard says of a source's failure."""
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    return str(error) or type(error).__name__


def _checked(sample: object, now: int) -> Sample:
    """Raises TypeError or ValueError for what no source should give."""
    if not isinstance(sample, Sample):
        raise TypeError(f"the source gave {type(sample).__name__}, not a sample")
    if not _is_payload(sample.payload):
        raise TypeError(f"the source gave {type(sample.payload).__name__}, not a payload")
    if type(sample.as_of) is not int or sample.as_of < 0:
        raise TypeError("the source does not say of what time its data is")
    if sample.as_of > now + SECOND:
        raise ValueError("the data's time lies in the future")
    msgspec.json.encode(sample.payload)  # raises for what no viewer could be sent
    if not _finite(sample.payload):
        raise ValueError("the source gave a number that is not finite")
    return sample


def _is_payload(payload: object) -> bool:
    if isinstance(payload, tuple):
        return all(isinstance(part, Struct) for part in payload)
    return isinstance(payload, Struct)


def _finite(value: object) -> bool:
    """Whether no number in it is NaN or infinite: JSON would show those as unknown, which they are not."""
    parts: Iterable[object]
    match value:
        case float():
            return math.isfinite(value)
        case Struct():
            parts = astuple(value)
        case tuple() | list():
            parts = value
        case dict():
            parts = value.values()
        case _:
            return True
    return all(_finite(part) for part in parts if type(part) not in _PLAIN)


def _synthetic(name: str, mock: Outcome, reason: Reason, error: str | None) -> Reading:
    if mock.sample is None:
        return _unavailable(name, mock)
    payload: Payload = mock.sample.payload
    return Reading(name, payload, Provenance(Origin.MOCK, True, mock.sample.as_of, mock.at, reason, error))


def _unavailable(name: str, outcome: Outcome) -> Reading:
    return Reading(
        name, None, Provenance(Origin.UNAVAILABLE, False, None, outcome.at, Reason.FAILED, outcome.error)
    )
