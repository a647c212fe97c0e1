"""Scans, as their events tell of them: in any order, and any number of times."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Literal, TypeVar

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection, bindparam, func, select

from .database import insert
from .tables import scans

_T = TypeVar("_T", int, str)

_LARGEST = 2**63 - 1
_AT_ONCE = 500
"""Scans looked up by one query: a database takes only so many parameters."""

# Made once: every reading of the dashboard asks them, and to put one together costs more than its answer.
_RUNNING = select(func.count()).select_from(scans).where(
    scans.c.status == "running", scans.c.started_at >= bindparam("since"))
_LATEST_SIZE = select(scans.c.total_size).where(
    scans.c.status == "completed", scans.c.ended_at >= bindparam("start"), scans.c.ended_at < bindparam("end"),
).order_by(scans.c.ended_at.desc(), scans.c.scan_id.desc()).limit(1)

ScanStatus = Literal["running", "completed", "cancelled", "failed"]

_STATUSES = {"started": ("running",), "ended": ("completed", "cancelled", "failed")}


class ScanEvent(Struct, frozen=True):
    """That a scan started, or how it ended and what it found.

    Raises ValueError for one that cannot be stored, so that it is refused alone and not with its segment.
    """

    scan_id: str
    at: int
    kind: Literal["started", "ended"]
    status: ScanStatus = "running"
    path: str | None = None
    files: int | None = None
    total_size: int | None = None
    duplicate_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.status not in _STATUSES.get(self.kind, ()):
            raise ValueError(f"a scan that has {self.kind} is not {self.status!r}")
        for text in (self.scan_id, self.path or ""):
            text.encode()  # A lone surrogate raises UnicodeEncodeError, which is a ValueError.
            if "\0" in text:
                raise ValueError(f"{text!r} holds a zero byte")
        for number in (self.at, self.files, self.total_size, self.duplicate_bytes):
            if number is not None and not 0 <= number <= _LARGEST:
                raise ValueError(f"{number} is out of range")


class Scan(Struct, frozen=True):
    """What is known of a scan."""

    scan_id: str
    status: str = "running"
    started_at: int | None = None
    ended_at: int | None = None
    files: int | None = None
    total_size: int | None = None
    duplicate_bytes: int | None = None
    path: str | None = None


def observed(event: ScanEvent) -> Scan:
    """What one event tells of its scan."""
    if event.kind == "started":
        return Scan(event.scan_id, started_at=event.at, path=event.path)
    return Scan(event.scan_id, event.status, None, event.at, event.files, event.total_size,
                event.duplicate_bytes, event.path)


def merge(one: Scan, other: Scan) -> Scan:
    """What both tell of a scan together, whichever came first.

    The earliest start counts, the latest end, and an end outweighs any start. Order, grouping and repetition
    make no difference: that is what makes a replay harmless.
    """
    end = max(one, other, key=_end)
    return Scan(
        one.scan_id, end.status, _least(one.started_at, other.started_at), end.ended_at, end.files,
        end.total_size, end.duplicate_bytes, _least(one.path, other.path))


def record(connection: Connection, events: Iterable[ScanEvent]) -> None:
    """Add what the events tell to what is known."""
    told: dict[str, Scan] = {}
    for event in events:
        scan = observed(event)
        told[event.scan_id] = merge(told.get(event.scan_id, scan), scan)
    ids = sorted(told)
    for first in range(0, len(ids), _AT_ONCE):
        chunk = ids[first:first + _AT_ONCE]
        known = _known(connection, chunk)
        _put(connection, [merge(known.get(scan_id, told[scan_id]), told[scan_id]) for scan_id in chunk])


def running(connection: Connection, since: int) -> int:
    """How many scans that started at or after the moment have not ended."""
    return connection.execute(_RUNNING, {"since": since}).scalar_one()


def latest_sizes(connection: Connection, bounds: Sequence[tuple[date, int, int]]) -> dict[date, int]:
    """By day, the size that the last completed scan in its span ``[start, end)`` found.

    A day without a completed scan is absent, and so is one whose last completed scan told no size.
    """
    sizes = {}
    for day, start, end in bounds:
        size = connection.execute(_LATEST_SIZE, {"start": start, "end": end}).scalar()
        if size is not None:
            sizes[day] = size
    return sizes


def _known(connection: Connection, ids: Sequence[str]) -> Mapping[str, Scan]:
    query = select(
        scans.c.scan_id, scans.c.status, scans.c.started_at, scans.c.ended_at, scans.c.files,
        scans.c.total_size, scans.c.duplicate_bytes, scans.c.path,
    ).where(scans.c.scan_id.in_(ids))
    return {row.scan_id: Scan(*row) for row in connection.execute(query)}


def _put(connection: Connection, rows: Sequence[Scan]) -> None:
    statement = insert(connection, scans)
    columns = {name: statement.excluded[name] for name in Scan.__struct_fields__ if name != "scan_id"}
    connection.execute(
        statement.on_conflict_do_update(index_elements=[scans.c.scan_id], set_=columns),
        [asdict(row) for row in rows])


def _end(scan: Scan) -> tuple[int, str, int, int, int]:
    # Beyond the moment the order is arbitrary; it is only there to be the same every time.
    return (_number(scan.ended_at), scan.status, _number(scan.total_size), _number(scan.files),
            _number(scan.duplicate_bytes))


def _number(value: int | None) -> int:
    return -1 if value is None else value


def _least(one: _T | None, other: _T | None) -> _T | None:
    return min((value for value in (one, other) if value is not None), default=None)
