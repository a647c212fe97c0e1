"""Leases: of several servers one does a task, until it lets go or falls silent."""

from sqlalchemy import Connection, delete, or_

from .database import insert
from .tables import leases


def hold(connection: Connection, name: str, holder: str, *, now: int, length: int) -> bool:
    """Take or renew a lease for so many microseconds; whether the holder has it.

    One that ends later than anybody could have meant it was made by a clock that has been set back: it is over.
    """
    statement = insert(connection, leases).values(name=name, holder=holder, until=now + length)
    made = connection.execute(statement.on_conflict_do_update(
        index_elements=[leases.c.name],
        set_={"holder": statement.excluded.holder, "until": statement.excluded.until},
        where=or_(leases.c.holder == holder, leases.c.until <= now, leases.c.until > now + length)))
    return bool(made.rowcount)


def release(connection: Connection, name: str, holder: str) -> None:
    """Let go of it, if the holder has it."""
    connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))
