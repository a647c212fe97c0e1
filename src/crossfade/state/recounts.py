"""What was recounted, so that the past is recounted once; and the windows that did not agree, until they do."""

from collections.abc import Iterable, Sequence
from datetime import date

from msgspec import Struct, convert
from msgspec.structs import asdict
from sqlalchemy import Connection, delete, func, select

from crossfade.core.recounted import Kind, Recounted, Witness

from .database import insert
from .tables import mismatches, recounts

MOST = 1_000
"""Fields of windows that are remembered as disagreeing: the newest."""


class RecountedDay(Struct, frozen=True, rename="camel"):
    """How far a day was compared with the ground truth."""

    day: date
    since: int
    """From here ``until`` there its minutes were compared."""
    until: int
    segment: int | None
    """Up to which journal segment the closed day was compared as a whole; None while it was not."""
    windows: int
    """Compared."""
    witness: Witness
    at: int


class Replaced(Struct, frozen=True):
    """The windows of some kinds that begin in ``[since, until)``: what is known of them is known anew."""

    kinds: tuple[Kind, ...]
    since: int
    until: int


def days(connection: Connection) -> dict[date, RecountedDay]:
    """Every day of which anything was recounted."""
    columns = recounts.c
    query = select(columns.day, columns.since, columns.until, columns.segment, columns.windows, columns.witness,
                   columns.at)
    found = (convert(row._asdict(), RecountedDay) for row in connection.execute(query))
    return {row.day: row for row in found}


def put(connection: Connection, rows: Iterable[RecountedDay]) -> None:
    """Remember days; what is new of a day takes the place of what was known."""
    values = [asdict(row) | {"day": row.day.isoformat()} for row in rows]
    if not values:
        return
    statement = insert(connection, recounts)
    columns = {name: statement.excluded[name] for name in RecountedDay.__struct_fields__ if name != "day"}
    connection.execute(statement.on_conflict_do_update(index_elements=[recounts.c.day], set_=columns), values)


def replace(connection: Connection, replaced: Replaced, wrong: Sequence[Recounted]) -> None:
    """Forget the windows' disagreements, remember those they have now, and keep the newest of all."""
    columns = mismatches.c
    connection.execute(delete(mismatches).where(
        columns.kind.in_(replaced.kinds), columns.start >= replaced.since, columns.start < replaced.until))
    newest = sorted(wrong, key=lambda window: window.start, reverse=True)[:MOST]
    if newest:
        connection.execute(insert(connection, mismatches), [asdict(window) for window in newest])
    if connection.execute(select(func.count()).select_from(mismatches)).scalar_one() > MOST:
        oldest = select(columns.start).order_by(columns.start.desc()).offset(MOST).limit(1).scalar_subquery()
        connection.execute(delete(mismatches).where(columns.start <= oldest))


def latest(connection: Connection, limit: int) -> tuple[Recounted, ...]:
    """The disagreements, those of the newest windows first."""
    columns = mismatches.c
    query = select(
        columns.component, columns.kind, columns.start, columns.end, columns.field, columns.reported,
        columns.recounted, columns.witness, columns.at,
    ).order_by(columns.start.desc(), columns.end, columns.component, columns.field).limit(limit)
    return tuple(convert(row._asdict(), Recounted) for row in connection.execute(query))
