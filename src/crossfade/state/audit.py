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


class AuditFilter(Struct, frozen=True):
    """Which entries are wanted: those that hold every text, in any case, and lie within ``[since, until)``."""

    who: str = ""
    action: str = ""
    subject: str = ""
    since: int | None = None
    until: int | None = None


EVERYTHING = AuditFilter()


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
    matching: AuditFilter = EVERYTHING,
) -> tuple[AuditEntry, ...]:
    """Entries, newest first: those before a number, of one subject, that match, or all."""
    query = select(*_COLUMNS).order_by(audit.c.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(audit.c.id < before_id)
    if subject is not None:
        query = query.where(audit.c.subject == subject)
    for column, wanted in ((audit.c.who, matching.who), (audit.c.action, matching.action),
                           (audit.c.subject, matching.subject)):
        if wanted:
            query = query.where(column.icontains(wanted, autoescape=True))
    if matching.since is not None:
        query = query.where(audit.c.at >= matching.since)
    if matching.until is not None:
        query = query.where(audit.c.at < matching.until)
    return tuple(AuditEntry(*row) for row in connection.execute(query))


def between(connection: Connection, since: int, until: int, limit: int) -> tuple[AuditEntry, ...]:
    """The first entries of a span, both ends included, in their order."""
    query = select(*_COLUMNS).where(audit.c.at.between(since, until)).order_by(audit.c.id).limit(limit)
    return tuple(AuditEntry(*row) for row in connection.execute(query))
