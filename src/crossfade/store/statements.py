"""The named statements, on the one connection that writes."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date

import duckdb

from .connections import transaction

Parameters = Mapping[str, int | str | date | Sequence[int] | Sequence[str] | Sequence[date]]


class Statements:
    """For one thread."""

    def __init__(self, connection: Callable[[], duckdb.DuckDBPyConnection], sql: Mapping[str, str]) -> None:
        """``connection``: as it is now, for the file may be opened anew."""
        self._connection = connection
        self._sql = sql

    def transaction(self) -> AbstractContextManager[None]:
        return transaction(self._connection())

    def know(self, name: str, relation: object) -> None:
        """From now on a name in a statement is this relation, which has Arrow's PyCapsule interface."""
        self._connection().register(name, relation)

    def do(self, statement: str, parameters: Parameters | None = None) -> int:
        """Gives the number of rows it changed."""
        row = self._connection().execute(self._sql[statement], parameters or {}).fetchone()
        return int(row[0]) if row and isinstance(row[0], int) else 0

    def one(self, statement: str) -> tuple:  # type: ignore[type-arg]
        return self.all(statement)[0]

    def all(self, statement: str, parameters: Parameters | None = None) -> list[tuple]:  # type: ignore[type-arg]
        rows: list[tuple] = self._connection().execute(self._sql[statement], parameters or {}).fetchall()  # type: ignore[type-arg]
        return rows
