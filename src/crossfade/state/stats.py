"""The counted days."""

from collections.abc import Iterable
from datetime import date

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection, select

from .database import insert
from .tables import daily_stats


class DailyStats(Struct, frozen=True, rename="camel"):
    """What was counted of a day, and up to which journal segment."""

    day: date
    files: int
    total_size: int | None
    """Bytes, by the day's last completed scan; None without one."""
    duplicates: int
    cleanup_actions: int
    segment: int
    """The last journal segment that touched the day when it was counted."""
    aggregated_at: int


def between(connection: Connection, first: date, last: date) -> dict[date, DailyStats]:
    """The counted days from the first to the last, both included; one that nobody counted is absent."""
    columns = daily_stats.c
    query = select(
        columns.day, columns.files, columns.total_size, columns.duplicates, columns.cleanup_actions,
        columns.segment, columns.aggregated_at,
    ).where(columns.day.between(first.isoformat(), last.isoformat())).order_by(columns.day)
    found = {}
    for row in connection.execute(query):
        day = date.fromisoformat(row.day)
        found[day] = DailyStats(day, *row[1:])
    return found


def put(connection: Connection, rows: Iterable[DailyStats]) -> None:
    """Store days; a day's new count takes the place of its old one."""
    values = [asdict(row) | {"day": row.day.isoformat()} for row in rows]
    if not values:
        return
    statement = insert(connection, daily_stats)
    columns = {name: statement.excluded[name] for name in DailyStats.__struct_fields__ if name != "day"}
    connection.execute(
        statement.on_conflict_do_update(index_elements=[daily_stats.c.day], set_=columns), values)
