"""Which lines of a segment can be stored: the careful look, after DuckDB has refused the segment as a whole."""

import re
from collections.abc import Collection
from pathlib import Path

from msgspec import Struct

from crossfade.core.clock import DAY
from crossfade.core.line import COLUMNS, decode_statement, moment_of

MAX_LINE = 32 << 20
"""Bytes that a line may have, its newline included."""
EARLIEST = 1096 * DAY
"""1973: since then a day has started with a whole minute in every time zone, so that minutes add up to days."""
LATEST = 376_200 * DAY
"""About the year 3000; minutes until then fit into 32 bits."""

_TEXT_KEPT = 2_000
_TRACKER = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RANGES = {"USMALLINT": (0, 2**16 - 1), "BIGINT": (-(2**63), 2**63 - 1)}
_MAY_BE_EMPTY = frozenset({"raw_ts", "user_id", "anonymous_id", "session_id", "tracker", "sequence"})
_EMPTY_IN_A_STATEMENT = _MAY_BE_EMPTY | {"message_id", "event"}
_NAMES = [name for name, _ in COLUMNS]
_PROPERTIES = _NAMES.index("properties")
_ID_AND_NAME = slice(_NAMES.index("message_id"), _NAMES.index("event") + 1)
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?(Z|[+-][0-9]{2}:[0-9]{2})")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f]")


class Refused(Struct, frozen=True):
    """A line that cannot be stored: its number from 1, why, and how it begins."""

    line: int
    reason: str
    text: str


def sift(segment: Path, fit: Path) -> list[Refused]:
    """Writes the lines that can be stored into ``fit``; gives the others. Raises OSError."""
    refused = []
    with segment.open("rb") as lines, fit.open("wb") as good:
        for number, line in enumerate(lines, 1):
            reason = fault(line.removesuffix(b"\n"))
            if reason is None:
                good.write(line)
            else:
                refused.append(Refused(number, reason, line[:_TEXT_KEPT].decode(errors="replace").rstrip("\n")))
    return refused


def fault(line: bytes) -> str | None:
    """Why the line, without its newline, cannot be stored; None when it can."""
    if len(line) >= MAX_LINE:
        return f"it has {len(line):,} bytes"
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        return f"it is not UTF-8: {error.reason} at byte {error.start}"
    if _CONTROL.search(text):
        return "it holds a control character"
    values = text.split("\t")
    if len(values) != len(COLUMNS):
        return f"it has {len(values)} columns, not {len(COLUMNS)}"
    is_statement = not any(values[_ID_AND_NAME])
    may_be_empty = _EMPTY_IN_A_STATEMENT if is_statement else _MAY_BE_EMPTY
    faults = (_fault(name, kind, value, may_be_empty) for (name, kind), value in zip(COLUMNS, values, strict=True))
    fault = next(filter(None, faults), None) or _time_fault(*values[1:4])
    return fault or (_statement_fault(values[_PROPERTIES]) if is_statement else None)


def _statement_fault(text: str) -> str | None:
    try:
        decode_statement(text)
    except ValueError as error:
        return f"it has no message id and no name, and is no statement: {error}"
    return None


def _fault(name: str, kind: str, value: str, may_be_empty: Collection[str]) -> str | None:
    if not value:
        return None if name in may_be_empty else f"{name} is empty"
    if kind == "UUID":
        return None if _TRACKER.fullmatch(value) else f"{name} is no UUID: {value[:40]!r}"
    if kind == "TIMESTAMPTZ":
        return None if _is_moment(value) else f"{name} is no time: {value[:40]!r}"
    if kind not in _RANGES:
        return None
    least, most = _RANGES[kind]
    if _INTEGER.fullmatch(value) is None or not least <= int(value) <= most:
        return f"{name} is no {kind}: {value[:40]!r}"
    return None


def _is_moment(text: str) -> bool:
    try:
        moment_of(text)
    except ValueError:
        return False
    return _MOMENT.fullmatch(text) is not None


def _time_fault(received: str, offset: str, raw: str) -> str | None:
    moment = moment_of(raw) + int(offset) if raw else int(received)
    return None if EARLIEST <= moment < LATEST else "its time lies before 1973 or after 3000"
