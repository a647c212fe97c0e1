"""The spans in which the collector was alive: an hour without events in one was truly idle."""

from collections.abc import Iterable

from sqlalchemy import Connection, case, select, update

from .database import insert
from .errors import StateError
from .tables import runs


def begin(connection: Connection, at: int) -> int:
    """A new run's number: the moment of its start, or the next that no other run has."""
    while True:
        statement = insert(connection, runs).values(started_at=at, seen_at=at).on_conflict_do_nothing()
        if connection.execute(statement).rowcount:
            return at
        at += 1


def touch(connection: Connection, run: int, at: int) -> None:
    """Say that the run was alive at the moment; a clock set back takes nothing away. Raises StateError."""
    seen = case((runs.c.seen_at < at, at), else_=runs.c.seen_at)
    if not connection.execute(update(runs).where(runs.c.started_at == run).values(seen_at=seen)).rowcount:
        raise StateError(f"there is no run {run} in the control database: begin one")


def alive(connection: Connection, start: int, end: int) -> int:
    """Microseconds of ``[start, end)`` in which at least one run was alive."""
    query = select(runs.c.started_at, runs.c.seen_at).where(
        runs.c.started_at < end, runs.c.seen_at > start).order_by(runs.c.started_at)
    return covered(((row.started_at, row.seen_at) for row in connection.execute(query)), start, end)


def covered(spans: Iterable[tuple[int, int]], start: int, end: int) -> int:
    """How much of ``[start, end)`` the spans, in the order of their starts, cover: each moment once."""
    total, reached = 0, start
    for first, last in spans:
        upto = min(last, end)
        total += max(0, upto - max(first, reached))
        reached = max(reached, upto)
    return total
