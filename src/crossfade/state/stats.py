"""The counted days."""

from collections.abc import Iterable
from datetime import date

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection, bindparam, select

from .database import insert
from .tables import daily_stats

# Made once: every reading of the timeline asks it.
_BETWEEN = select(
    daily_stats.c.day, daily_stats.c.files, daily_stats.c.total_size, daily_stats.c.duplicates,
    daily_stats.c.cleanup_actions, daily_stats.c.segment, daily_stats.c.aggregated_at,
).where(daily_stats.c.day.between(bindparam("first"), bindparam("last"))).order_by(daily_stats.c.day)


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
    found = {}
    for row in connection.execute(_BETWEEN, {"first": first.isoformat(), "last": last.isoformat()}):
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
