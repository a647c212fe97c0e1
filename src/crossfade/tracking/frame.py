"""How a record lies in a spool's file: a mark, its length, its CRC-32, its bytes.

The mark is a byte that JSON text never holds, so that after damage the next record can be found again.
"""

import struct
from dataclasses import dataclass
from enum import Enum
from zlib import crc32

MARK = 0x1E
HEADER = struct.Struct(">BII")
MAX_RECORD = 16 << 20
"""Bytes of a record: a header that names more is damaged."""

_MARK = bytes([MARK])

class _Flaw(Enum):
    """Why something is no record."""

    DAMAGED = 0
    CUT_SHORT = 1


@dataclass(frozen=True, slots=True)
class Found:
    """What a piece of a file holds."""

    records: list[bytes]
    end: int
    """Bytes looked at: whole records, and what was passed over. The rest is the beginning of a record."""
    lost: list[tuple[int, int]]
    """Half-open spans that hold no sound record."""


def pack(record: bytes) -> bytes:
    """The record, framed. Raises ValueError when it is empty or too long to be one."""
    if not 0 < len(record) <= MAX_RECORD:
        raise ValueError(f"a record of {len(record):,} bytes; it may have 1 to {MAX_RECORD:,}")
    return HEADER.pack(MARK, len(record), crc32(record)) + record


def unpack(data: bytes, *, most: int, final: bool) -> Found:
    """Up to ``most`` records from the beginning of the data. When more data may follow (not ``final``), a record that
    is cut short is left for the next time; at the end of a file it is lost.
    """
    records: list[bytes] = []
    lost: list[tuple[int, int]] = []
    at = 0
    while at < len(data) and len(records) < most:
        record = _record(data, at)
        if isinstance(record, bytes):
            records.append(record)
            at += HEADER.size + len(record)
        elif record is _Flaw.CUT_SHORT and not final:
            break
        else:
            end = data.find(_MARK, at + 1)
            end = len(data) if end < 0 else end
            _lose(lost, at, end)
            at = end
    return Found(records, at, lost)


def is_torn(span: bytes) -> bool:
    """Whether a span at a file's end is a record of which only the beginning was written."""
    if span[0] != MARK or len(span) < HEADER.size:
        return span[0] == MARK
    length: int = HEADER.unpack_from(span)[1]
    return len(span) - HEADER.size < length <= MAX_RECORD


def _record(data: bytes, at: int) -> bytes | _Flaw:
    """The record that begins here, or why none does."""
    body = at + HEADER.size
    if data[at] != MARK:
        return _Flaw.DAMAGED
    if body > len(data):
        return _Flaw.CUT_SHORT
    _, length, crc = HEADER.unpack_from(data, at)
    if not 0 < length <= MAX_RECORD:
        return _Flaw.DAMAGED
    record = data[body:body + length]
    if len(record) < length:
        return _Flaw.CUT_SHORT
    return record if crc32(record) == crc else _Flaw.DAMAGED


def _lose(lost: list[tuple[int, int]], start: int, end: int) -> None:
    """Neighbouring spans are one."""
    if lost and lost[-1][1] == start:
        start = lost.pop()[0]
    lost.append((start, end))
