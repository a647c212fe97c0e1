"""The lines of a segment, as the rows of ``incoming``."""

import os
from pathlib import Path

from .statements import Statements

try:
    from crossfade.core import _columns
except ImportError:  # there was no C compiler when this was installed
    COMPILED = False
else:
    COMPILED = True

RELATION = "lines"
"""Under which name the statements know what the compiled reader gives."""


class _Columns:
    """A file as the compiled reader gives it, for whoever asks: DuckDB does so several times."""

    def __init__(self, path: Path) -> None:
        self._path = os.fsencode(path)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """By Arrow's PyCapsule interface."""
        del requested_schema  # there is but one
        return _columns.stream(self._path)


def read_plain(statements: Statements, path: Path) -> None:
    """The quick way, which takes nothing but lines as the server writes them. Raises duckdb.Error."""
    if COMPILED:
        statements.know(RELATION, _Columns(path))
        statements.do("read_columns")
    else:
        read_any(statements, path)


def read_any(statements: Statements, path: Path) -> None:
    """DuckDB's own way. Raises duckdb.Error for what it cannot read."""
    statements.do("read_file", {"path": str(path.resolve())})
