"""The connection to the control database: SQLite beside the data, or another by its URL."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, Table, TypedColumns, create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from .errors import StateError

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

BUSY_SECONDS = 10.0
"""How long a change waits for another process's."""

_WAL_TRIES = 100


class Database:
    """Gives transactions for reading and for writing; every failure in one is a StateError."""

    def __init__(self, engine: Engine) -> None:
        self.name = engine.url.render_as_string(hide_password=True)
        self._reader = engine
        self._writer = engine.execution_options(writing=True)

    @classmethod
    def connect(cls, path_or_url: str | Path, *, durable: bool = True) -> "Database":
        """Reach the database; an SQLite file is made if there is none. Raises StateError.

        One that need not be durable does not survive a power failure, and is quicker by that: it is thrown away.
        """
        try:
            url = _url(path_or_url)
            is_sqlite = url.get_backend_name() == "sqlite"
            engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS} if is_sqlite else {})
        except (SQLAlchemyError, ImportError, ValueError) as error:
            raise StateError(f"the control database cannot be used: {error}") from error
        if is_sqlite:
            event.listen(engine, "connect", _prepare_sqlite)
            if not durable:
                event.listen(engine, "connect", _let_be_lost)
            event.listen(engine, "begin", _begin_sqlite)
        return cls(engine)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._reader.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one moment of the database."""
        with self._translated(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is on disk when the block ends, or has left no trace when it raises."""
        with self._translated(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise StateError(f"the control database {self.name} failed: {error.orig}") from error
        except SQLAlchemyError as error:
            raise StateError(f"the control database {self.name} failed: {error}") from error
        except (OverflowError, UnicodeError) as error:
            raise StateError(f"the control database {self.name} cannot hold this value: {error}") from error


def insert(connection: Connection, table: Table[TypedColumns]) -> "sqlite.Insert | postgresql.Insert":
    """An INSERT that may say what to do on a conflict, which SQL itself has no words for."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415  2 MB and 25 ms that most servers never need

        return postgresql.insert(table)
    return sqlite.insert(table)


def _url(path_or_url: str | Path) -> URL:
    if isinstance(path_or_url, Path) or "://" not in path_or_url:
        url = URL.create("sqlite", database=str(path_or_url))
    else:
        url = make_url(path_or_url)
    if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
        raise StateError("the control database must be a file: in memory, no two threads would see the same")
    return url


def _prepare_sqlite(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    try:
        connection.execute("PRAGMA foreign_keys = ON").close()
        _use_wal(connection)
        # FULL, not NORMAL: a rollback that was acknowledged must survive a power failure.
        connection.execute("PRAGMA synchronous = FULL").close()
    except sqlite3.Error:
        connection.close()
        raise


def _let_be_lost(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    connection.execute("PRAGMA synchronous = OFF").close()


def _use_wal(connection: sqlite3.Connection) -> None:
    # Of several processes that make the same file, SQLite refuses all but one here, without waiting. It does
    # wait for its turn to begin a transaction, so an empty one is the pause before the next try.
    for _ in range(_WAL_TRIES):
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            connection.execute("BEGIN IMMEDIATE").close()
            connection.execute("ROLLBACK").close()
        else:
            return
    raise sqlite3.OperationalError("other processes keep it from its write-ahead log")


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes its turn before it reads, so that what it read is still true when it writes.
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
