"""What the auditor tells of itself."""

from typing import Literal

from msgspec import Struct


class Run(Struct, frozen=True, rename="camel"):
    """A recount that somebody asked for."""

    number: int
    since: int
    repair: bool
    who: str
    started_at: int
    status: Literal["waiting", "running", "done", "failed"] = "waiting"
    events: int = 0
    """Recounted so far."""
    total: int = 0
    """To be recounted, by what is reported."""
    windows: int = 0
    """Compared so far."""
    disagreeing: int = 0
    """Fields of windows that disagree; after a repair those that still do."""
    repaired: int = 0
    """Fields of windows that disagreed before they were counted anew, and agree now."""
    waiting: int = 0
    """Days whose statistics are not counted yet, or that changed at that moment: they could not be compared whole."""
    ended_at: int | None = None
    error: str | None = None


class Standing(Struct, frozen=True, rename="camel"):
    """How far the auditor is."""

    windows: int
    """Compared, on all days."""
    days_done: int
    """Closed days that were compared as a whole."""
    days_due: int
    """Closed days that were not, or that changed since."""
    run: Run | None
    """The last one that somebody asked for."""
