"""A part of the dashboard that is switched as one, and the two sources that it can be read from."""

from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from crossfade.core.payloads import Payload


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
    """True reads the real source, false the mock."""
    mock: Source
    real: Source
    timeout: float = 5.0
    """Seconds that a source may take."""
    stale_limit: float = 300.0
    """Seconds for which the last good real value may stand in for a failing source."""
