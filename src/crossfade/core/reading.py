"""A payload with its provenance: no bare payload ever leaves the reader."""

from enum import StrEnum

from msgspec import Struct

from .payloads import Payload


class Origin(StrEnum):
    """Where a value comes from."""

    REAL = "real"
    LEGACY = "legacy"
    MOCK = "mock"
    UNAVAILABLE = "unavailable"


class Reason(StrEnum):
    """Why the reading comes from there."""

    FLAG = "flag"
    """The flag says so."""
    RAMP = "ramp"
    """The flag gives the real source to a share of the viewers, and this one is in it, or not."""
    STALE = "stale"
    """Old: the real source failed and this is its last good value, or what it gives is of long ago."""
    LEGACY = "legacy"
    """The real source failed and fallback is on: the legacy source, as such."""
    FALLBACK = "fallback"
    """The source, real or legacy, failed and fallback is on: the mock, as such."""
    FAILED = "failed"
    """The source failed and nothing may stand in for it."""


STAND_INS = (Reason.STALE, Reason.LEGACY, Reason.FALLBACK)
"""What may stand in for a failing real source, the best first: its last good value, the legacy source, the mock."""


class Provenance(Struct, frozen=True, rename="camel"):
    """Where a reading comes from, how old it is, and why it is this one."""

    source: Origin
    synthetic: bool
    """Whether the value was made up. True for every mock, never for a real one."""
    as_of: int | None
    """The time of the data, in microseconds since the epoch. A cache never resets it."""
    fetched_at: int
    """When the source gave it."""
    reason: Reason
    error: str | None = None
    """What went wrong with the source that should have answered."""


class Reading(Struct, frozen=True, rename="camel"):
    """What a viewer gets of a component. The payload is None only when it is unavailable."""

    component: str
    payload: Payload | None
    provenance: Provenance
