"""A folder that keeps one tracker's events until the server has them: segment files, and a cursor that is the lock.

One process at a time holds the cursor's lock: the tracker that writes, or, when that is gone, whoever delivers what
it left. What a write() has taken outlives the process; what is synced outlives the machine's power.
"""

import contextlib
import errno
import fcntl
import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import msgspec
from msgspec import Struct

from crossfade.core.ledger import Account

from .frame import HEADER, MARK, MAX_RECORD, Found, is_torn, pack, unpack

CURSOR = "cursor"
SEGMENT = "*.seg"
SPOOL = ".spool"
"""What the name of a spool's folder ends in. Nothing else in the same place is ours."""
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC


class Full(Exception):  # noqa: N818  it says what is wrong
    """There is no room for another event."""


class Room:
    """Tells how much the spools of a folder may still grow."""

    def __init__(self, root: Path, limit: int) -> None:
        self._root = root
        self._limit = limit
        self.segment_bytes = min(4 << 20, max(limit // 8, 1 << 12))

    def left(self) -> int:
        """Bytes, by what all processes have written. Raises OSError when the folder cannot be read."""
        return self._limit - sum(map(size_of, self._root.glob(f"*{SPOOL}")))


@dataclass(frozen=True, slots=True)
class Batch:
    """What is next to be delivered, in order."""

    records: list[bytes]
    end: int
    """Where it ends in its segment, or how many records that is in memory."""
    lost: list[bytes] = field(default_factory=list)
    """What was found damaged on the way."""
    in_memory: bool = False


class _Mark(Struct):
    """How far the delivery is."""

    segment: int
    at: int
    account: Account


class Spool:
    """One locked folder. ``append`` is for one thread at a time, ``peek``, ``commit`` and ``sync`` for one other."""

    def __init__(self, path: Path, cursor: int, room: Room | None, *, durable: bool) -> None:
        """Use ``create`` or ``adopt``."""
        self._path = path
        self._cursor = cursor
        self._room = room
        self._durable = durable
        self._closed: deque[int] = deque()
        self._active = 0
        self._file = -1
        self._tail = 0
        self._ceiling = 0
        self._synced = 0
        self._read_at = 0
        self._reader = (0, -1)
        self.account = Account(path.stem, 0, 0, {}, {})

    @property
    def id(self) -> str:
        return self._path.stem

    @classmethod
    def create(cls, root: Path, name: str, room: Room, *, durable: bool) -> "Spool":
        """Raises OSError when the folder cannot be made; BlockingIOError or FileNotFoundError when another process
        came between: try another name.
        """
        path = root / (name + SPOOL)
        path.mkdir(mode=0o700, parents=True)
        spool = cls(path, _lock(path, os.O_CREAT), room, durable=durable)
        try:
            spool._save()
            spool.renew()
            if durable:
                _sync_folder(root)
        except OSError:
            spool.retire()
            raise
        return spool

    @classmethod
    def adopt(cls, path: Path) -> "Spool | None":
        """What a dead process left; None when its process is alive, or when nothing is left."""
        try:
            spool = cls(path, _lock(path, 0), None, durable=False)
        except BlockingIOError:
            return None
        except FileNotFoundError:
            with contextlib.suppress(OSError):  # it is being made, or about to go
                path.rmdir()
            return None
        spool._load()
        return spool

    def append(self, record: bytes) -> None:
        """Writes one record. Raises Full, ValueError when it is too long, OSError when it cannot be written."""
        frame = HEADER.pack(MARK, len(record), crc32(record)) + record  # as pack(): every event comes through here
        if self._tail + len(frame) > self._ceiling:
            self._make_room(len(frame))
        written = os.write(self._file, frame)
        if written != len(frame):
            os.ftruncate(self._file, self._tail)
            raise OSError(errno.ENOSPC, "the disk is full")
        self._tail += written  # not in one line with the write: a signal's handler may append between the two
        if self._durable:
            os.fdatasync(self._file)

    def renew(self) -> None:
        """Begins a new segment. Raises OSError."""
        number = self._active + 1
        file = os.open(self._segment(number), _APPEND, 0o600)
        old, self._file = self._file, file
        if self._active:
            self._closed.append(self._active)  # first: whoever reads looks here last
        self._tail = self._ceiling = 0
        self._active = number
        if old >= 0:
            os.close(old)
        if self._durable:
            _sync_folder(self._path)

    def peek(self, most: int, most_bytes: int) -> Batch | None:
        """The next records, up to about so many bytes; None when there are none. Raises OSError."""
        while True:
            number, end = self._extent()
            if self._read_at < end:
                return self._read(number, end, most, most_bytes)
            if not self._closed or self._closed[0] != number:
                return None
            self._drop(number)

    def commit(self, batch: Batch, account: Account) -> None:
        """The batch is delivered. Raises OSError when that cannot be noted: it goes on, and after a crash the server
        will be sent again what it knows.
        """
        self._read_at = batch.end
        self.account = account
        self._save()

    def sync(self) -> None:
        """Brings what was appended to the disk itself. Raises OSError."""
        active = self._active
        for number in (*self._closed, active):
            if number < self._synced:
                continue
            with contextlib.suppress(FileNotFoundError):
                file = os.open(self._segment(number), os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fdatasync(file)
                finally:
                    os.close(file)
        if not self._synced:
            _sync_folder(self._path.parent)
        self._synced = active
        _sync_folder(self._path)

    def abandon(self) -> None:
        """Lets go of it and leaves the rest to whoever adopts it."""
        for file in (self._file, self._reader[1], self._cursor):
            if file >= 0:
                os.close(file)
        self._file = self._cursor = -1
        self._reader = (0, -1)

    def retire(self) -> None:
        """Removes it: everything is delivered. Raises OSError."""
        for segment in self._path.glob(SEGMENT):
            segment.unlink(missing_ok=True)
        (self._path / CURSOR).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # a stranger's file is none of ours, and no orphan without the cursor
            self._path.rmdir()
        self.abandon()

    def _make_room(self, needed: int) -> None:
        assert self._room is not None, "an adopted spool is not written to"  # noqa: S101
        if needed > HEADER.size + MAX_RECORD:
            raise ValueError(f"an event of {needed - HEADER.size:,} bytes; it may have {MAX_RECORD:,}")
        left = self._room.left()
        if left < needed:
            raise Full
        if self._tail and self._tail + needed > self._room.segment_bytes:
            self.renew()
        self._ceiling = max(min(self._room.segment_bytes, self._tail + left), self._tail + needed)

    def _extent(self) -> tuple[int, int]:
        """The segment that is being read, and how far it may be."""
        number, tail = self._active, self._tail
        if not self._closed:
            return number, tail
        number = self._closed[0]
        try:
            return number, self._segment(number).stat().st_size
        except FileNotFoundError:  # somebody tidied up: nothing is left to read in it
            return number, 0

    def _read(self, number: int, end: int, most: int, most_bytes: int) -> Batch:
        file = self._open(number)
        data, found = self._look(file, end, most, most_bytes)
        if not found.end:  # the first record is longer than that
            data, found = self._look(file, end, most, HEADER.size + MAX_RECORD)
        lost = [data[start:stop] for start, stop in found.lost]
        reached = self._read_at + found.end if data else end
        if lost and reached == end and len(self._closed) == 1 and is_torn(lost[-1]):
            lost.pop()  # its writer died before append() returned
        return Batch(found.records, reached, lost)

    def _look(self, file: int, end: int, most: int, most_bytes: int) -> tuple[bytes, Found]:
        data = os.pread(file, min(most_bytes, end - self._read_at), self._read_at)
        return data, unpack(data, most=most, final=self._read_at + len(data) >= end or not data)

    def _open(self, number: int) -> int:
        if self._reader[0] != number:
            self._close_reader()
            self._reader = (number, os.open(self._segment(number), os.O_RDONLY | os.O_CLOEXEC))
        return self._reader[1]

    def _close_reader(self) -> None:
        if self._reader[1] >= 0:
            os.close(self._reader[1])
        self._reader = (0, -1)

    def _drop(self, number: int) -> None:
        """A segment is delivered to its end."""
        self._close_reader()
        self._closed.popleft()
        self._read_at = 0
        self._segment(number).unlink(missing_ok=True)

    def _segment(self, number: int) -> Path:
        return self._path / f"{number:08d}.seg"

    def _save(self) -> None:
        mark = _Mark(self._reader[0], self._read_at, self.account)
        os.pwrite(self._cursor, pack(msgspec.json.encode(mark)), 0)

    def _load(self) -> None:
        """Where the one before stopped. Without a sound mark, from the beginning: the server knows what it knows."""
        found = unpack(os.pread(self._cursor, 1 << 16, 0), most=1, final=True)
        numbers = sorted(int(path.stem) for path in self._path.glob(SEGMENT) if path.stem.isdecimal())
        with contextlib.suppress(msgspec.MsgspecError, IndexError):
            mark = msgspec.json.decode(found.records[0], type=_Mark)
            self.account = mark.account
            if mark.segment in numbers:
                self._read_at = mark.at
            numbers = [number for number in numbers if number >= mark.segment]
        self._closed.extend(numbers)


def size_of(path: Path) -> int:
    """Bytes of all files in a spool's folder; what goes meanwhile does not count."""
    size = 0
    with contextlib.suppress(FileNotFoundError), os.scandir(path) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                size += entry.stat().st_size
    return size


def _lock(path: Path, flags: int) -> int:
    """Holds the cursor. Raises BlockingIOError when another process does, FileNotFoundError when it is gone."""
    file = os.open(path / CURSOR, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if (path / CURSOR).stat().st_ino != os.fstat(file).st_ino:
            raise FileNotFoundError(errno.ENOENT, "it was retired", str(path))
    except OSError:
        os.close(file)
        raise
    return file


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
