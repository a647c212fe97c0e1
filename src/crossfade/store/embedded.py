"""The embedded event store: DuckDB, one file, one owning process, one loader thread, a cursor a reader."""

import threading
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from importlib import resources
from pathlib import Path

import duckdb
import structlog

from crossfade.core.clock import DAY, MINUTE
from crossfade.core.days import Days
from crossfade.core.line import COLUMNS

from .port import Loaded, ScanEvent, StoreBusy, StoreError, StoreStatus, StoreTooNew
from .spans import cover

log = structlog.get_logger(__name__)

SCHEMA = 1
ARRIVAL_WINDOW = 7 * DAY
"""How far back a message without a time of its own is looked for."""
RECENT = 1_000_000
"""Among how many of the last events a retry with a new time is looked for."""
QUIET_WAL = 1 << 20
"""Bytes of write-ahead log that are worth a checkpoint when nothing else is to do."""


_Parameters = Mapping[str, int | str | date]


def _queries() -> dict[str, str]:
    """The named statements of ``queries.sql``."""
    text = resources.files(__package__).joinpath("sql/queries.sql").read_text()
    blocks = (block.partition("\n") for block in text.split("-- name: ")[1:])
    return {name.strip(): body.strip() for name, _, body in blocks}


class EmbeddedStore:
    """DuckDB behind the EventStore port."""

    def __init__(self, path: Path, days: Days, *, memory_limit: str = "1GB") -> None:
        """Opens or makes the file. Raises StoreError when it cannot, StoreTooNew when it is from a later version."""
        self._path = path
        self._days = days
        self._sql = _queries()
        self._reading = threading.local()
        self._cursors: list[duckdb.DuckDBPyConnection] = []
        try:
            self._connection = duckdb.connect(str(path), config=_config(path, memory_limit))
            self._fence(path.parent)
        except duckdb.Error as error:
            raise StoreError(f"the event store {path.name} cannot be opened: {_first_line(error)}") from None
        self._prepare()

    # Loading

    def load(self, number: int, path: Path) -> Loaded:
        """Brings in a segment in one transaction; a segment that is in already changes nothing.

        Raises StoreBusy when the store cannot take it now.
        """
        try:
            return self._load(number, path, strict=True)
        except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
            log.warning("store: a segment holds lines that cannot be read",
                        segment=number, error=_first_line(error))
        except duckdb.Error as error:
            raise StoreBusy(_first_line(error)) from error
        try:
            return self._load(number, path, strict=False)
        except duckdb.Error as error:
            raise StoreBusy(_first_line(error)) from error

    def _load(self, number: int, path: Path, *, strict: bool) -> Loaded:
        connection = self._connection
        connection.execute("BEGIN")
        try:
            loaded = self._bring_in(number, path, strict=strict)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        return loaded

    def _bring_in(self, number: int, path: Path, *, strict: bool) -> Loaded:
        if number <= self._one("progress")[0]:
            return Loaded(number, 0, 0, 0)
        self._connection.execute(self._sql["read_segment"].format(reader=_reader(path, strict=strict)))
        quarantined = 0 if strict else self._quarantine(number)
        lines, distinct, earliest, latest, first_arrival, last_arrival = self._one("measure_incoming")
        stored = 0
        if lines:
            stored = self._deduplicate(lines, distinct, first_arrival, last_arrival)
        if stored:
            self._know_days(earliest, latest)
            self._do("insert_events", {"segment": number})
            self._do("count_minutes")
            self._do("merge_minutes")
            self._do("merge_days", {"segment": number})
        loaded = Loaded(number, stored, lines - stored, quarantined)
        self._do("advance", {"segment": number, "stored": stored, "duplicates": loaded.duplicates,
                             "quarantined": quarantined})
        return loaded

    def _quarantine(self, number: int) -> int:
        kept = self._do("keep_rejects", {"segment": number})
        for table in ("reject_errors", "reject_scans"):
            self._connection.execute(f"DROP TABLE {table}")
        return kept

    def _deduplicate(self, lines: int, distinct: int, first_arrival: int | None, last_arrival: int | None) -> int:
        """Leaves in ``incoming`` only what the store does not hold; gives how many that are."""
        if distinct < lines:
            lines -= self._do("drop_repeats")
        self._do("create_suspects")
        for since, until in cover(self._all("spans_of_incoming")):
            self._do("suspects_by_time", {"since": since, "until": until})
        if first_arrival is not None and last_arrival is not None:
            self._do("suspects_by_arrival", {"since": first_arrival - ARRIVAL_WINDOW, "until": last_arrival})
        newest = self._connection.execute("SELECT max(rowid) FROM events").fetchone()
        if newest and newest[0] is not None:
            self._do("suspects_by_recency", {"first": newest[0] - RECENT})
        if self._one("count_suspects")[0]:
            lines -= self._do("drop_known")
        return lines

    def _know_days(self, earliest: int, latest: int) -> None:
        """Extends the calendar so that it spans both moments."""
        first, last = self._days.of(earliest), self._days.of(latest)
        known = self._connection.execute(self._sql["known_days"]).fetchall()
        if known:
            start, end = known[0]
            rows = [*self._days.between(first, start - timedelta(days=1)),
                    *self._days.between(end + timedelta(days=1), last)]
        else:
            rows = list(self._days.between(first, last))
        if rows:
            self._connection.execute(
                "INSERT INTO days SELECT unnest($day), unnest($start)",
                {"day": rows, "start": [self._days.start(day) for day in rows]},
            )

    # Questions

    def last_segment(self) -> int:
        return self.status().segment

    def counts(self, since: int, until: int) -> dict[str, int]:
        """Events by name, exactly, with ``since <= ts < until``."""
        first, last = -(-since // MINUTE), until // MINUTE
        if first >= last:  # no whole minute between: all from the raw events
            first = last = 0
            head_end = tail_start = until
        else:
            head_end, tail_start = first * MINUTE, last * MINUTE
        rows = self._ask("counts", {"since": since, "until": until, "first": first, "last": last,
                                    "head_end": head_end, "tail_start": tail_start})
        return {str(event): int(n) for event, n in rows}

    def distinct_users(self, event: str, since: int, until: int) -> int:
        """How many users did it; events without a user id aside."""
        return int(self._ask("distinct_users", {"event": event, "since": since, "until": until})[0][0])

    def days(self, first: date, last: date) -> dict[date, dict[str, int]]:
        """Events by day and name, for the days that have any."""
        found: dict[date, dict[str, int]] = {}
        for day, event, n in self._ask("days", {"first": first, "last": last}):
            found.setdefault(day, {})[event] = n
        return found

    def days_touched(self, after_segment: int) -> dict[date, int]:
        """The days that a later segment changed, with the last that did."""
        return dict(self._ask("days_touched", {"segment": after_segment}))

    def scan_events(self, after_segment: int) -> list[ScanEvent]:
        """Scans' begins and ends that later segments brought, in their order."""
        return [ScanEvent(*row) for row in self._ask("scan_events", {"segment": after_segment})]

    def status(self) -> StoreStatus:
        segment, stored, duplicates, quarantined = self._ask("progress")[0]
        wal = self._wal()
        size = self._path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
        return StoreStatus(segment, stored, duplicates, quarantined, size)

    # Upkeep, by the loader's thread

    def rest(self) -> None:
        """Called in a quiet moment: brings the write-ahead log into the file, when it is worth it."""
        wal = self._wal()
        if wal.exists() and wal.stat().st_size >= QUIET_WAL:
            self._connection.execute("CHECKPOINT")

    def forget(self, before: int) -> int:
        """Deletes raw events before the moment; rollups stay. Gives how many."""
        return self._do("forget", {"before": before})

    def close(self) -> None:
        for connection in (*self._cursors, self._connection):
            connection.close()

    # Inside

    def _prepare(self) -> None:
        try:
            version = self._version()
            if version > SCHEMA:
                raise StoreTooNew(
                    f"the event store has schema {version}, this Crossfade knows {SCHEMA}: install the version that "
                    "wrote it, or name another data folder"
                )
            for step in range(version + 1, SCHEMA + 1):
                self._migrate(step)
            self._check_zone()
            self._check_hash()
        except duckdb.Error as error:
            raise StoreError(f"the event store cannot be read: {_first_line(error)}") from None

    def _fence(self, folder: Path) -> None:
        """No statement reads or writes outside the data folder, and none lifts that."""
        self._connection.execute("SET allowed_directories = $folders", {"folders": [str(folder.resolve())]})
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def _version(self) -> int:
        exists = self._connection.execute(
            "SELECT count(*) FROM information_schema.tables WHERE table_name = 'meta'"
        ).fetchone()
        return int(self._meta("schema") or 0) if exists and exists[0] else 0

    def _migrate(self, step: int) -> None:
        script = resources.files(__package__).joinpath(f"sql/schema_{step:03d}.sql").read_text()
        self._connection.execute("BEGIN")
        self._connection.execute(script)
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('schema', $version)", {"version": str(step)})
        self._connection.execute("COMMIT")

    def _check_zone(self) -> None:
        zone = self._meta("time_zone")
        if zone is None:
            self._connection.execute("INSERT INTO meta VALUES ('time_zone', $zone)", {"zone": self._days.zone})
        elif zone != self._days.zone:
            raise StoreError(
                f"this data folder counts its days in {zone}, the settings say {self._days.zone}: set time_zone to "
                f"{zone}, or name another data folder"
            )

    def _check_hash(self) -> None:
        """DuckDB's hash() may change with its version: then the keys are computed anew, once."""
        row = self._connection.execute("SELECT CAST(hash(1::USMALLINT, 'crossfade') AS VARCHAR)").fetchone()
        now = str(row[0]) if row else ""
        before = self._meta("hash")
        if before is not None and before != now:
            self._connection.execute("UPDATE events SET key = hash(source, message_id)")
        if before != now:
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('hash', $now)", {"now": now})

    def _meta(self, name: str) -> str | None:
        row = self._connection.execute("SELECT value FROM meta WHERE name = $name", {"name": name}).fetchone()
        return str(row[0]) if row else None

    def _wal(self) -> Path:
        return self._path.with_name(self._path.name + ".wal")

    def _do(self, statement: str, parameters: _Parameters | None = None) -> int:
        """Runs a statement on the loader's connection; gives the number of rows it changed."""
        row = self._connection.execute(self._sql[statement], parameters or {}).fetchone()
        return int(row[0]) if row and isinstance(row[0], int) else 0

    def _one(self, statement: str, parameters: _Parameters | None = None) -> tuple[int, ...]:
        rows = self._connection.execute(self._sql[statement], parameters or {}).fetchall()
        return tuple(rows[0])

    def _all(self, statement: str) -> list[tuple[int, int]]:
        return self._connection.execute(self._sql[statement]).fetchall()

    def _ask(self, statement: str, parameters: _Parameters | None = None) -> Sequence[tuple]:  # type: ignore[type-arg]
        """Asks on the calling thread's own cursor, beside the loader."""
        cursor = getattr(self._reading, "cursor", None)
        if cursor is None:
            cursor = self._reading.cursor = self._connection.cursor()
            self._cursors.append(cursor)
        try:
            rows: list[tuple] = cursor.execute(self._sql[statement], parameters or {}).fetchall()  # type: ignore[type-arg]
        except duckdb.Error as error:
            raise StoreError(f"the event store did not answer: {_first_line(error)}") from error
        return rows


def _config(path: Path, memory_limit: str) -> dict[str, str | bool | int | float | list[str]]:
    return {
        "memory_limit": memory_limit,
        "checkpoint_threshold": "1TB",  # checkpoints come in quiet moments: see rest()
        "temp_directory": str(path.parent / "spill"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }


def _reader(path: Path, *, strict: bool) -> str:
    """DuckDB's CSV reader for the journal's lines. The path is ours; a quote in it is doubled all the same."""
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in COLUMNS)
    file = str(path).replace("'", "''")
    return (
        f"read_csv('{file}', delim='\t', quote='', escape='', header=false, auto_detect=false, new_line='\\n', "
        f"nullstr='', max_line_size=33554432, store_rejects={not strict}, columns={{{columns}}})"
    )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
