"""The event store's tables, brought up to date when it is opened; and its statements."""

from collections.abc import Mapping
from importlib import resources

import duckdb

from crossfade.core.line import COLUMNS

from .connections import transaction
from .lines import RELATION
from .port import StoreError, StoreTooNew
from .sift import MAX_LINE

SCHEMA = 4


def queries() -> dict[str, str]:
    """The named statements of ``queries.sql``."""
    blocks = (block.partition("\n") for block in _script("queries").split("-- name: ")[1:])
    named = {name.strip(): body.strip() for name, _, body in blocks}
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in COLUMNS)
    lines = named.pop("lines_of_file").format(columns=columns, max_line=MAX_LINE)
    read = named.pop("read_segment")
    return named | {"read_file": read.format(lines=lines), "read_columns": read.format(lines=RELATION)}


def prepare(connection: duckdb.DuckDBPyConnection, sql: Mapping[str, str], zone: str) -> None:
    """Makes or migrates the tables.

    Raises StoreTooNew for a later version's, StoreError for those of another time zone, duckdb.Error for the rest.
    """
    meta = _Meta(connection, sql)
    version = meta.version()
    if version > SCHEMA:
        raise StoreTooNew(
            f"the event store has schema {version}, this Crossfade knows {SCHEMA}: install the version that wrote it, "
            "or name another data folder"
        )
    for step in range(version + 1, SCHEMA + 1):
        with transaction(connection):
            connection.execute(_script(f"schema_{step:03d}"))
            meta.put("schema", str(step))
    _check_zone(meta, zone)
    _check_hash(connection, sql, meta)


class _Meta:
    """What the store knows of itself, by name."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, sql: Mapping[str, str]) -> None:
        self._connection = connection
        self._sql = sql

    def get(self, name: str) -> str | None:
        row = self._connection.execute(self._sql["meta"], {"name": name}).fetchone()
        return str(row[0]) if row else None

    def put(self, name: str, value: str) -> None:
        self._connection.execute(self._sql["set_meta"], {"name": name, "value": value})

    def version(self) -> int:
        """The schema's version; 0 for a file that is new."""
        found = self._connection.execute(self._sql["has_meta"]).fetchone()
        if not found or not found[0]:
            return 0
        version = self.get("schema") or ""
        if not version.isdecimal():
            raise StoreError(f"the event store says that its schema is {version[:40]!r}: restore it from a backup")
        return int(version)


def _check_zone(meta: _Meta, zone: str) -> None:
    kept = meta.get("time_zone")
    if kept is None:
        meta.put("time_zone", zone)
    elif kept != zone:
        raise StoreError(
            f"this data folder counts its days in {kept}, the settings say {zone}: set time_zone to {kept}, or name "
            "another data folder"
        )


def _check_hash(connection: duckdb.DuckDBPyConnection, sql: Mapping[str, str], meta: _Meta) -> None:
    """DuckDB's hash() may change with its version: then the keys are computed anew, once."""
    row = connection.execute(sql["hash_of_a_known_message"]).fetchone()
    before, now = meta.get("hash"), str(row[0]) if row else ""
    if before == now:
        return
    with transaction(connection):
        if before is not None:
            connection.execute(sql["compute_keys"])
        meta.put("hash", now)


def _script(name: str) -> str:
    return resources.files(__package__).joinpath(f"sql/{name}.sql").read_text()
