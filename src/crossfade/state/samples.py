"""Figures over time: a row a component, source and minute for eight days, then one an hour for more than a year.

An hour keeps the last of its minutes, not their mean: a figure that was really shown, with the time of its data.

Beside what was shown lie the pairs of what was compared: the real value, and its reference of the same window.
"""

from collections.abc import Collection, Iterable, Mapping

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, delete, func, select, tuple_

from crossfade.core.clock import DAY, HOUR, MINUTE
from crossfade.core.comparison import Figure, Reference
from crossfade.core.value import is_number

from .database import insert
from .tables import samples

KEEP_MINUTES = 8 * DAY
KEEP_HOURS = 400 * DAY

SHOWN = frozenset({"real", "legacy", "mock"})
"""Sources of what viewers were shown, or would have been."""
COMPARED = "compared"
"""The real value as it was compared; its reference is the row beside it."""
BESIDE = frozenset({COMPARED, Reference.RECOUNT.value, Reference.SECOND_READER.value})


class Sample(Struct, frozen=True):
    """A component's figures in one slot of time, as one source gave them. Moments and lengths are microseconds."""

    component: str
    start: int
    length: int
    """A minute or an hour; a day, where whole days were compared."""
    source: str
    """``real``, ``legacy`` or ``mock``; or one of `BESIDE`."""
    as_of: int
    """The time of the data."""
    figures: dict[str, float]
    """By path, such as ``queue.events``; what was unknown is absent."""


_COLUMNS = (samples.c.component, samples.c.start, samples.c.length, samples.c.source, samples.c.as_of,
            samples.c.figures)
_KEY = _COLUMNS[:4]


def put(connection: Connection, rows: Iterable[Sample]) -> None:
    """Store them; one of the same slot and source is replaced."""
    values = [{**msgspec.structs.asdict(row), "figures": msgspec.json.encode(row.figures).decode()} for row in rows]
    if values:
        statement = insert(connection, samples)
        connection.execute(statement.on_conflict_do_update(
            index_elements=_KEY,
            set_={"as_of": statement.excluded.as_of, "figures": statement.excluded.figures}), values)


def pair(component: str, start: int, length: int, at: int, kind: Reference, *, real: Mapping[str, Figure],
         reference: Mapping[str, Figure]) -> tuple[Sample, ...]:
    """Both sides of a window that was compared at a moment."""
    return tuple(Sample(component, start, length, source, at, numbers) for source, told in
                 ((COMPARED, real), (kind.value, reference))
                 if (numbers := {field: float(value) for field, value in told.items() if is_number(value)}))


def between(connection: Connection, component: str, since: int, until: int, step: int,  # noqa: PLR0917
            sources: Collection[str]) -> tuple[Sample, ...]:
    """Those that overlap the span, in the order of their starts: of each source, the last in every ``step``."""
    c = samples.c
    within = (c.component == component, c.start < until, c.start > since - DAY, c.start + c.length > since,
              c.source.in_(sources))
    query = select(*_COLUMNS).where(*within).order_by(c.start, c.source)
    if step > MINUTE:
        last = select(c.source, func.max(c.start)).where(*within).group_by(c.source, c.start // step)
        query = query.where(tuple_(c.source, c.start).in_(last))
    return tuple(_sample(row) for row in connection.execute(query))


def coarsen(connection: Connection, now: int) -> int:
    """Put old minutes together to hours, a day of them at a time, and forget the oldest hours; how many minutes."""
    c = samples.c
    connection.execute(delete(samples).where(c.length > MINUTE, c.start < now - KEEP_HOURS))
    end = (now - KEEP_MINUTES) // HOUR * HOUR
    first = connection.execute(select(func.min(c.start)).where(c.length == MINUTE, c.start < end)).scalar()
    if first is None:
        return 0
    old = (c.length == MINUTE, c.start < min(end, (first // DAY + 1) * DAY))
    rows = [_sample(row) for row in connection.execute(select(*_COLUMNS).where(*old).order_by(c.start))]
    connection.execute(delete(samples).where(*old))
    put(connection, {(row.component, row.start // HOUR, row.source): _hour(row) for row in rows}.values())
    return len(rows)


def _hour(row: Sample) -> Sample:
    return msgspec.structs.replace(row, start=row.start // HOUR * HOUR, length=HOUR)


def _sample(row: Row[str, int, int, str, int, str]) -> Sample:
    component, start, length, source, as_of, figures = row
    return Sample(component, start, length, source, as_of, msgspec.json.decode(figures, type=dict[str, float]))
