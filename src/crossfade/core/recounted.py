"""What the recount found in a closed window: the value that is shown beside the one that was counted again."""

from typing import Literal

from msgspec import Struct

Witness = Literal["journal", "raw events"]
"""Who was asked: the journal's lines while they are kept, the stored events after that."""

Kind = Literal["minute", "hour", "day", "statistics", "figures"]
"""What of a window it is: a minute's counts, an hour's users, a day's counts and its stored row, the last 24 hours."""

ALL = "events"
"""The field of a window in which everything agrees: the total of its events."""


class Recounted(Struct, frozen=True, rename="camel"):
    """A window ``[start, end)``. One that agrees is told once, as a whole; one that does not, field by field."""

    component: str
    kind: Kind
    start: int
    end: int
    field: str
    """An event's name, or a field that the component shows."""
    reported: int | None
    """What the real source's tables say."""
    recounted: int | None
    """What the witness says."""
    witness: Witness
    at: int
    """When it was counted."""

    @property
    def agrees(self) -> bool:
        """Counts agree exactly, or not at all."""
        return self.reported == self.recounted
