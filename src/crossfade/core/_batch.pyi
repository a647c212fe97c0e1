"""Written in C: see _batch.c."""

from typing import final

@final
class Batch:
    """A batch of plain events, read."""

    count: int
    earliest: int
    """Microseconds since the epoch, of the earliest event that has a time; above ``latest`` when none has."""
    latest: int
    undated: int
    """How many events have no time."""
    longest: int
    """Bytes of the longest properties."""

    @property
    def envelope(self) -> bytes:
        """The body with an empty list in the place of its events."""

    def lines(self, first: bytes, tracker: bytes, /) -> bytes:
        """The events as lines; ``first``: the columns that all have in common, and a tab."""

def read(body: bytes, /) -> Batch | None:
    """None when any event in it is not a plain one, or it is no batch at all. Raises MemoryError."""
