"""What a storage tree must do for a scan: list itself, open, look at and remove one file."""

import errno
import re
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from msgspec import Struct

JSON = None | bool | int | float | str | list["JSON"] | dict[str, "JSON"]

BLOCK = 1 << 20
"""Bytes read at a time."""

_NOT_UNICODE = re.compile(r"[\ud800-\udfff]")


class Kind(StrEnum):
    """Why an entry is left out, or left alone."""

    PERMISSION = "permission"
    VANISHED = "vanished"
    CHANGED = "changed"
    LOOP = "loop"
    UNREADABLE = "unreadable"
    """Any other failure of the storage."""
    LINK = "link"
    IRREGULAR = "not a regular file"
    EMPTY = "empty"
    HARD_LINK = "hard link"
    OTHER_DEVICE = "another file system"


class Issue(Struct, frozen=True):
    """One entry that is not what it should be. The path is as it can be shown."""

    path: str
    error: Kind
    message: str


class Found(NamedTuple):
    """A regular file, as the walk met it; one that may not be read still counts."""

    path: str
    size: int
    readable: bool


class Skipped(NamedTuple):
    """A folder left out because the caller said so."""

    path: str


@dataclass(frozen=True, slots=True)
class Stat:
    """Which file it is and in what state: two equal ones are the same file, unchanged."""

    size: int
    mtime_ns: int
    """0 where the storage does not tell."""
    device: int = 0
    inode: int = 0
    """0 where the storage has none."""
    links: int = field(default=1, compare=False)
    """How many names the file has."""


class ScanError(Exception):
    """The tree cannot be scanned at all; the message says why."""


class ChangedError(OSError):
    """A file is no longer what it was."""


class OpenFile(Protocol):
    """A file open for reading. Both methods raise OSError."""

    def stat(self) -> Stat: ...

    def read(self, offset: int, size: int) -> bytes:
        """At most ``size`` bytes; none only at the end."""


class Tree(Protocol):
    """A tree of files. Paths are as ``walk`` gave them; all but ``show`` raise OSError."""

    root: str
    """Where the tree begins, as it can be shown: without a password."""

    def walk(self) -> Generator[Found | Skipped | Issue, None, None]:
        """Everything in the tree, each once; what cannot be read is an issue, never an exception."""

    def open(self, path: str) -> AbstractContextManager[OpenFile]:
        """Opens a regular file, and nothing else: no link, and no fifo that would block."""

    def stat(self, path: str) -> Stat:
        """What the path names now, if it can be reached without a symbolic link."""

    def remove(self, path: str, expected: Stat) -> None:
        """Removes the file if the path still names the one expected, else raises ChangedError."""

    def show(self, path: str) -> str:
        """The whole path in valid Unicode, for people and events."""


def printable(text: str) -> str:
    """The text in valid Unicode: a byte of a name that was not UTF-8 becomes a replacement character."""
    return _NOT_UNICODE.sub("\N{REPLACEMENT CHARACTER}", text)


def issue(path: str, error: OSError) -> Issue:
    """The error as an entry of the result; the path is one that can be shown."""
    text = error.strerror or str(error) or type(error).__name__
    return Issue(path, _kind(error), printable(text))


def _kind(error: OSError) -> Kind:
    if isinstance(error, PermissionError):
        return Kind.PERMISSION
    if isinstance(error, FileNotFoundError) or error.errno == errno.ESTALE:
        return Kind.VANISHED
    # A file or folder that became a link, a socket, or the other of the two, before it was opened.
    replaced = error.errno in (errno.ELOOP, errno.ENXIO, errno.ENOTDIR, errno.EISDIR)
    return Kind.CHANGED if replaced or isinstance(error, ChangedError) else Kind.UNREADABLE


def blocks(file: OpenFile, start: int, end: int) -> Iterator[bytes]:
    """The bytes from ``start`` to ``end``, a block at a time. Raises ChangedError if the file ends before."""
    while start < end:
        block = file.read(start, min(BLOCK, end - start))
        if not block:
            raise ChangedError("it ends before its size")
        yield block
        start += len(block)
