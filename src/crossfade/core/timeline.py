"""What happened in a rehearsal, in order; the long waits put together."""

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from .dimension import Status
from .flag import FlagValue
from .gate import Verdict
from .rollout import Move

FAULT = "fault"
"""What an entry about a fault has in the place of a move."""
_NUMBER = re.compile(r"[0-9][0-9,.]*( (d|h|min|s)\b)?")


class Entry(Struct, frozen=True, rename="camel"):
    """Something that happened, or a span in which nothing changed."""

    at: int
    """By the rehearsal's clock, which a fault may have moved."""
    after: int
    """Microseconds since the beginning, whatever the clock did."""
    until: int
    """The same, of the last look that is part of it."""
    phase: str | None
    move: str
    """As a rollout's, or ``fault``."""
    who: str
    said: tuple[str, ...]
    changes: Mapping[str, FlagValue] = {}
    verdicts: tuple[Verdict, ...] = ()

    @property
    def words(self) -> str:
        return " ".join(self.said)


def compressed(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Holds that differ in their numbers alone as one: it begins as the first, and says what the last said."""
    made: list[Entry] = []
    for entry in entries:
        last = made[-1] if made else None
        if last is not None and entry.move == last.move == Move.HOLD and _kind(entry) == _kind(last):
            made[-1] = replace(entry, at=last.at, after=last.after)
        else:
            made.append(entry)
    return tuple(made)


def _kind(entry: Entry) -> tuple[str | None, str, tuple[Status, ...]]:
    return entry.phase, _NUMBER.sub("0", entry.words), tuple(verdict.status for verdict in entry.verdicts)
