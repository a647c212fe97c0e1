"""A part of the dashboard that is switched as one, and the sources that it can be read from."""

from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from crossfade.core.payloads import Payload
from crossfade.core.reading import STAND_INS, Origin, Reason


class Sample(Struct, frozen=True):
    """What a source answered, and of what time its data is (microseconds since the epoch)."""

    payload: Payload
    as_of: int


class Source(Protocol):
    """Gives a component's payload as it is at a moment. May raise anything: the reader labels what follows."""

    async def fetch(self, now: int) -> Sample: ...


class SourceError(Exception):
    """A source cannot answer; the message says why, for the reader of the dashboard."""


@dataclass(frozen=True, slots=True)
class Component:
    """A component's name, where it shows, the flag that switches it, and its sources."""

    name: str
    """As in the API: ``businessMetrics``."""
    section: str
    """Its key in the live dashboard: ``business``."""
    flag: str
    """True reads the real source, false the legacy one, or the mock where there is none."""
    mock: Source | None
    """None where there is none, or none any more: it was retired."""
    real: Source
    timeout: float = 5.0
    """Seconds that a source may take."""
    stale_limit: float = 300.0
    """Seconds after which real data is old: it is labelled so, and no longer stands in for a failing source."""
    legacy: Source | None = None
    """An existing system that has shown these figures so far."""
    stand_ins: tuple[Reason, ...] = STAND_INS
    """What may stand in for a failing real source, in this order."""
    shadow_share: float = 1.0
    """Of the readings, how many have the other source read in the shadow, where the flag says so at all."""
    model: type[Struct] | None = None
    """What a payload must be; None takes any."""

    @property
    def base(self) -> Origin:
        """What is shown before the real source is."""
        return Origin.MOCK if self.legacy is None else Origin.LEGACY

    def sources(self) -> dict[Origin, Source]:
        """Those that there are."""
        found = {Origin.REAL: self.real, Origin.MOCK: self.mock, Origin.LEGACY: self.legacy}
        return {origin: source for origin, source in found.items() if source is not None}
