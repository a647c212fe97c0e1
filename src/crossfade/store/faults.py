"""What DuckDB's errors mean: a line that cannot be stored, a file that must be opened anew, or what will pass."""

import errno
from pathlib import Path

import duckdb


class CalendarError(Exception):
    """A segment holds an event whose time no calendar covers."""


class StatementError(Exception):
    """A segment holds a line that is neither an event nor a statement."""


UNFIT = (duckdb.DataError, duckdb.IntegrityError, duckdb.InvalidInputException, CalendarError, StatementError)
"""What a line that cannot be stored causes, however it came into the journal."""
_BROKEN = (duckdb.FatalException, duckdb.InternalError)
_INVALID = "has been invalidated"
_PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EAGAIN})
"""Troubles in reading a file that are not the file's."""


def breaks(error: Exception) -> bool:
    """Whether DuckDB answers nothing more after it, until the file is opened anew."""
    return isinstance(error, _BROKEN) or _INVALID in str(error)


def trouble_with(segment: Path) -> str | None:
    """What keeps the file from being read; None when it can be."""
    try:
        with segment.open("rb") as file:
            while file.read(1 << 20):
                pass
    except OSError as error:
        return None if error.errno in _PASSING else f"{segment.name} cannot be read: {error.strerror}"
    return None


def first_line(error: Exception) -> str:
    """Without what DuckDB adds of the statement."""
    return str(error).partition("\n")[0]
