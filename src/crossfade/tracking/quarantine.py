"""Where events go that no server will ever take: a file of JSON lines, each with its reason."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Raw, Struct

MAX_BYTES = 16 << 20
"""Of the file; then it becomes ``….1``, in place of the one before."""


class Refused(Struct, frozen=True, rename="camel"):
    """One event and why it was refused."""

    reason: str
    detail: str
    event: Raw | str
    """As JSON; what is no JSON, as text."""


class Quarantine:
    """The file, shared by all processes that use the spool's folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, refused: Sequence[Refused]) -> None:
        """Raises OSError when it cannot be written."""
        lines = b"".join(msgspec.json.encode(one) + b"\n" for one in refused)
        if self._path.exists() and self._path.stat().st_size + len(lines) > MAX_BYTES:
            self._path.replace(self._path.with_suffix(".1.jsonl"))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if os.write(file, lines) != len(lines):
                raise OSError(errno.ENOSPC, "the disk is full", str(self._path))
        finally:
            os.close(file)


def refuse(record: bytes, reason: str, detail: str) -> Refused:
    """A record as it goes into the file."""
    try:
        msgspec.json.decode(record)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Refused(reason, detail, record.decode(errors="backslashreplace"))
    return Refused(reason, detail, Raw(record))
