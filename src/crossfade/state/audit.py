"""Who changed what, when and why: rows are added and read, never altered."""

from msgspec import Struct
from sqlalchemy import Connection, insert, select

from .tables import audit


class AuditEntry(Struct, frozen=True, rename="camel"):
    """One change. A higher number is a later one."""

    id: int
    at: int
    who: str
    action: str
    subject: str
    old: str | None
    new: str | None
    reason: str | None


def write(
    connection: Connection, *, at: int, who: str, action: str, subject: str,
    old: str | None = None, new: str | None = None, reason: str | None = None,
) -> int:
    """Add an entry, in the transaction of the change that it tells of. Its number."""
    entry = insert(audit).values(at=at, who=who, action=action, subject=subject, old=old, new=new, reason=reason)
    return connection.execute(entry.returning(audit.c.id)).scalar_one()


_COLUMNS = (audit.c.id, audit.c.at, audit.c.who, audit.c.action, audit.c.subject, audit.c.old, audit.c.new,
            audit.c.reason)


def latest(
    connection: Connection, *, limit: int, before_id: int | None, subject: str | None,
) -> tuple[AuditEntry, ...]:
    """Entries, newest first: those before a number, of one subject, or all."""
    query = select(*_COLUMNS).order_by(audit.c.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(audit.c.id < before_id)
    if subject is not None:
        query = query.where(audit.c.subject == subject)
    return tuple(AuditEntry(*row) for row in connection.execute(query))


def between(connection: Connection, since: int, until: int, limit: int) -> tuple[AuditEntry, ...]:
    """The first entries of a span, both ends included, in their order."""
    query = select(*_COLUMNS).where(audit.c.at.between(since, until)).order_by(audit.c.id).limit(limit)
    return tuple(AuditEntry(*row) for row in connection.execute(query))
