"""What components did, in slots of a minute; later of an hour, then of a day: bounded however long it runs."""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct
from sqlalchemy import Connection, delete, func, select

from crossfade.core.clock import DAY, HOUR, MINUTE

from .database import insert
from .tables import tallies

KEEP_MINUTES = 2 * DAY
KEEP_HOURS = 60 * DAY
COARSER = ((MINUTE, HOUR, KEEP_MINUTES), (HOUR, DAY, KEEP_HOURS))
"""Slots of the first length become such of the second when they are that old, in microseconds."""


class TallyRow(Struct, frozen=True):
    """One component over one slot, as one run of the server saw it."""

    component: str
    start: int
    length: int
    run: int
    """So that two servers, or two starts within a minute, keep their own."""
    tally: str
    """``core/tally``, as JSON."""


def put(connection: Connection, rows: Iterable[TallyRow]) -> None:
    """Store slots; one that is there already is replaced."""
    values = [{name: getattr(row, name) for name in TallyRow.__struct_fields__} for row in rows]
    if not values:
        return
    statement = insert(connection, tallies)
    connection.execute(statement.on_conflict_do_update(
        index_elements=[tallies.c.component, tallies.c.start, tallies.c.length, tallies.c.run],
        set_={"tally": statement.excluded.tally}), values)


def between(connection: Connection, since: int, until: int, component: str | None = None) -> tuple[TallyRow, ...]:
    """The slots that overlap the span, in the order of their starts."""
    c = tallies.c
    query = select(c.component, c.start, c.length, c.run, c.tally).where(
        c.start < until, c.start + c.length > since).order_by(c.start, c.component)
    if component is not None:
        query = query.where(c.component == component)
    return tuple(TallyRow(*row) for row in connection.execute(query))


def coarsen(connection: Connection, now: int, merge: Callable[[Sequence[TallyRow], int], Iterable[TallyRow]]) -> int:
    """Put old slots together; how many. ``merge`` gives those of the new length that take the place of the old ones.

    Only whole new slots are made: an hour when all of its minutes are old. One that is there already, since a clock
    went wrong, is handed in too: nothing takes its place without it.
    """
    count = 0
    for length, longer, keep in COARSER:
        end = (now - keep) // longer * longer
        old = _older(connection, length, end)
        if old:
            last = max(row.start for row in old)
            there = _within(connection, longer, old[0].start // longer * longer, last)
            _forget(connection, length, last)
            put(connection, merge((*old, *there), longer))
            count += len(old)
    return count


def _older(connection: Connection, length: int, end: int) -> tuple[TallyRow, ...]:
    """Slots of that length that start before the moment, the oldest first: whole days of them, some at a time."""
    c = tallies.c
    first = connection.execute(select(func.min(c.start)).where(c.length == length, c.start < end)).scalar()
    if first is None:
        return ()
    return _within(connection, length, first, min(end, (first // DAY + 1) * DAY) - 1)


def _within(connection: Connection, length: int, first: int, last: int) -> tuple[TallyRow, ...]:
    """Slots of that length that start in the span, the oldest first."""
    c = tallies.c
    query = select(c.component, c.start, c.length, c.run, c.tally).where(
        c.length == length, c.start >= first, c.start <= last)
    return tuple(TallyRow(*row) for row in connection.execute(query.order_by(c.start)))


def _forget(connection: Connection, length: int, last: int) -> None:
    connection.execute(delete(tallies).where(tallies.c.length == length, tallies.c.start <= last))
