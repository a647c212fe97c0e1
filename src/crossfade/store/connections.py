"""DuckDB's connections: the loader's own, and a cursor for each question that is asked at the same time."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition

import duckdb

MOST_WAL = "128MB"
"""Write-ahead log at which a checkpoint no longer waits for a quiet moment: it takes less than a second."""
ROW_GROUP = 61_440
"""Rows of a row group, half of what DuckDB would choose. An insert that fills one is written as it will lie in the
file; a smaller one goes through the log first, which costs twice as much."""
PATIENCE = 0.2
"""Seconds for which new questions are kept waiting, until those that were asked before are answered."""
_NAME = "store"


class Connections:
    """One opening of the file. A cursor that is not in use waits for the next question, on whatever thread."""

    def __init__(self, loader: duckdb.DuckDBPyConnection) -> None:
        self.loader = loader
        self._idle: list[duckdb.DuckDBPyConnection] = []
        self._asking = 0
        self._renewing = False
        self._closed = False
        self._lock = Condition()

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor for one question. Raises duckdb.Error when the store is closed."""
        with self._lock:
            self._lock.wait_for(lambda: not self._renewing)
            cursor = self._idle.pop() if self._idle else _chosen(self.loader.cursor())
            self._asking += 1
        try:
            yield cursor
        finally:
            with self._lock:
                self._asking -= 1
                self._lock.notify_all()
                if self._closed:
                    cursor.close()
                else:
                    self._idle.append(cursor)

    def renew(self, path: Path) -> bool:
        """Lets go of the file and takes it up again, when no question is asked; whether that came to be.

        For each row group that was written the engine keeps in memory, outside its limit, where things lie; for those
        that it finds in a file it learns that when it is asked. Raises duckdb.Error, and then has no file.
        """
        with self._lock:
            self._renewing = True
            try:
                free = self._lock.wait_for(lambda: not self._asking, PATIENCE)
                if free:
                    self._take_up_anew(path)
                return free
            finally:
                self._renewing = False
                self._lock.notify_all()

    def _take_up_anew(self, path: Path) -> None:
        for cursor in self._idle:
            cursor.close()
        self._idle.clear()
        self.loader.execute("USE memory")
        self.loader.execute(f"DETACH {_NAME}")
        _attach(self.loader, path)

    def close(self) -> None:
        """Lets go of the file; a question that is still running keeps it until it is answered."""
        with self._lock:
            self._closed = True
            for connection in (*self._idle, self.loader):
                connection.close()
            self._idle.clear()


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All that is done within is on disk when it ends, or has left no trace when it raises."""
    connection.execute("BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # The first error is the one to tell; and a COMMIT that failed has left nothing to roll back.
        with suppress(duckdb.Error):
            connection.execute("ROLLBACK")
        raise


def opened(path: Path, memory_limit: int) -> duckdb.DuckDBPyConnection:
    """The file, from which no statement gets out of the data folder. Raises duckdb.Error."""
    connection = duckdb.connect(config={
        "memory_limit": f"{memory_limit // 1_000}KB",
        "checkpoint_threshold": MOST_WAL,
        "preserve_insertion_order": False,  # which would cost the loader a quarter; who wants an order names it
        "temp_directory": str(path.parent / "spill"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    })
    try:
        _attach(connection, path)
        connection.execute("SET allowed_directories = $folders", {"folders": [str(path.parent.resolve())]})
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except BaseException:
        connection.close()
        raise
    return connection


def _attach(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute(f"ATTACH {_quoted(path)} AS {_NAME} (ROW_GROUP_SIZE {ROW_GROUP})")
    _chosen(connection)


def _chosen(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Has the attached file meant where no other is named: each cursor wants to be told."""
    connection.execute(f"USE {_NAME}")
    return connection


def _quoted(path: Path) -> str:
    """As an SQL literal: ATTACH takes no parameters."""
    return "'" + str(path).replace("'", "''") + "'"
