"""Silences: of what nothing is told, until when, and why."""

from sqlalchemy import Connection, delete, insert, select

from crossfade.core.alert import AlertError, Silence
from crossfade.core.clock import iso

from . import audit
from .tables import silences


def active(connection: Connection, now: int) -> tuple[Silence, ...]:
    """Those that have not expired, the one that does so first before the others."""
    query = select(silences).where(silences.c.until > now).order_by(silences.c.until, silences.c.id)
    return tuple(
        Silence(row.component, row.check_name, row.until, row.reason, row.made_by, row.made_at, row.id)
        for row in connection.execute(query)
    )


def add(connection: Connection, silence: Silence) -> Silence:
    """Store it, with an audit row. What comes back has its number."""
    number = connection.execute(insert(silences).values(
        component=silence.component, check_name=silence.check, until=silence.until, reason=silence.reason,
        made_by=silence.made_by, made_at=silence.made_at).returning(silences.c.id)).scalar_one()
    audit.write(connection, at=silence.made_at, who=silence.made_by, action="alert.silence",
                subject=_subject(silence.component, silence.check), new=f"until {iso(silence.until)}",
                reason=silence.reason)
    return Silence(silence.component, silence.check, silence.until, silence.reason, silence.made_by,
                   silence.made_at, number)


def end(connection: Connection, number: int, *, who: str, at: int) -> Silence:
    """Take it away before its time, with an audit row. Raises AlertError when there is none."""
    row = connection.execute(
        delete(silences).where(silences.c.id == number, silences.c.until > at).returning(silences)).first()
    if row is None:
        raise AlertError(f"there is no silence {number}, or it has expired")
    audit.write(connection, at=at, who=who, action="alert.unsilence", subject=_subject(row.component, row.check_name),
                old=f"until {iso(row.until)}", reason=None)
    return Silence(row.component, row.check_name, row.until, row.reason, row.made_by, row.made_at, row.id)


def _subject(component: str, check: str) -> str:
    return f"silence: {component}/{check}"
