"""From which row on the table of events must be looked at, so that a question costs as much among a billion events.

The store's zone maps tell for each row group what it holds, but asking thousands of them takes longer than reading the
one that is wanted. So now and then a mark is kept of all that came before a row: how late, and how far. A row keeps its
place as long as none is deleted; once some were forgotten, no row is passed over any more.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter

from msgspec import Struct

EVERY = 60_000
"""Rows from one mark to the next, at the least: about a row group."""


class Mark(Struct, frozen=True):
    """What is true of all rows before one."""

    row: int
    segment: int
    """None of them is of a later one."""
    latest: int
    """None of them happened later."""
    latest_raw: int
    """None of them did by the sender's clock."""

    def joined(self, later: "Mark") -> "Mark":
        """Of these rows and those after them."""
        return Mark(later.row, later.segment, max(self.latest, later.latest), max(self.latest_raw, later.latest_raw))


class Horizon:
    """The marks, in their order, and what is true of all rows. One thread adds to it, many ask."""

    def __init__(self, marks: Iterable[Mark], whole: Mark, *, fixed: bool = True) -> None:
        """``whole``: of all rows there are, so ``row`` is their number; ``fixed``: whether no row was ever deleted."""
        self._marks = list(marks)
        self._whole = whole
        self._fixed = fixed

    @property
    def rows(self) -> int | None:
        """How many there are; None when that must be asked."""
        return self._whole.row if self._fixed else None

    def since(self, moment: int) -> int:
        """The first row that may have happened then or later."""
        return self._row(bisect_left(self._marks, moment, key=attrgetter("latest")))

    def since_raw(self, moment: int) -> int:
        """The first row that may have happened then or later by the sender's clock."""
        return self._row(bisect_left(self._marks, moment, key=attrgetter("latest_raw")))

    def after(self, segment: int) -> int:
        """The first row that may be of a later segment."""
        return self._row(bisect_right(self._marks, segment, key=attrgetter("segment")))

    def due(self) -> Mark | None:
        """The mark that is to be kept before more rows come; None when the last one is near."""
        last = self._marks[-1].row if self._marks else 0
        return self._whole if self._fixed and self._whole.row - last >= EVERY else None

    def grow(self, mark: Mark | None, rows: int, segment: int, latest: int, latest_raw: int) -> None:
        """Rows of a segment are in, and with them the mark that was due."""
        if not self._fixed:
            return
        if mark is not None:
            self._marks.append(mark)
        self._whole = self._whole.joined(Mark(self._whole.row + rows, segment, latest, latest_raw))

    def _row(self, passed: int) -> int:
        return self._marks[passed - 1].row if passed and self._fixed else 0


NOTHING = Mark(0, 0, 0, 0)
UNKNOWN = Horizon((), NOTHING, fixed=False)
"""Every row is looked at."""

Look = Callable[[Horizon], Mapping[str, int]]
"""What a question looks up in the horizon: its parameters, by name."""


def from_moment(moment: int) -> Look:
    return lambda horizon: {"from": horizon.since(moment)}


def from_segment(after: int) -> Look:
    return lambda horizon: {"from": horizon.after(after)}
