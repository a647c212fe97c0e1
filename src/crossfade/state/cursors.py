"""How far each follower has read the event store."""

from sqlalchemy import Connection, select

from .database import insert
from .tables import cursors


def segment(connection: Connection, follower: str) -> int:
    """The last segment that the follower has read; 0 before the first."""
    return connection.execute(select(cursors.c.segment).where(cursors.c.name == follower)).scalar() or 0


def move(connection: Connection, follower: str, reached: int) -> None:
    """Move the cursor on; a replay of what was read does not move it back."""
    statement = insert(connection, cursors).values(name=follower, segment=reached)
    connection.execute(statement.on_conflict_do_update(
        index_elements=[cursors.c.name], set_={"segment": statement.excluded.segment},
        where=statement.excluded.segment > cursors.c.segment))
