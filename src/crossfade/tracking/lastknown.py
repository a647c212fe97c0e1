"""The flags as they last were, on disk: for a process that starts while the server is away."""

import logging
import os
import stat
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import SystemRandom
from zlib import crc32

import msgspec

from crossfade.core.flag import FlagError, Flags
from crossfade.core.flagevent import MAX_EVENT, decode, encode

MAGIC = b"CFFLAGS1"
SLOT = 2 * MAX_EVENT
"""Bytes from one slot to the next. Most of them are a hole in the file, which takes no room."""
HEADER = struct.Struct(">8sQII")
"""The magic, a count that grows with each write, the length of what follows, and the CRC-32 of count and that."""
LOOKS = 50
"""How often a file without a whole slot is looked at again; a write takes a few microseconds."""

log = logging.getLogger("crossfade.tracking")


def _soon() -> float:
    return SystemRandom().uniform(0.5, 1.5)


class Kept(msgspec.Struct, frozen=True):
    """What a slot holds."""

    server: str
    at: int
    """When the server told it, in microseconds since the epoch."""
    event: msgspec.Raw


class LastKnown:
    """One file with two slots, written in turns, so that one of them is always whole; of one server.

    What is written is there for other processes at once, and outlives a loss of power once it is synced. Nobody waits
    for the disk: a hundred processes that make files, or sync them, at once hold up each other's acknowledgements.
    """

    def __init__(self, path: Path, server: str, *, sync_after: Callable[[], float] = _soon) -> None:
        """``sync_after``: seconds until what was written is synced."""
        self._path = path
        self._server = server
        self._sync_after = sync_after
        self._file: int | None = None
        self._lock = threading.Lock()
        self._syncing = False
        self._troubled = False

    def load(self) -> tuple[Flags, int] | None:
        """The flags, and when they were told; None without any. What is damaged or of another server is none."""
        try:
            file = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not hold us
            try:
                _check(file)
                kept = _newest(_whole(file), self._server)
            finally:
                os.close(file)
            return decode(bytes(kept.event)), kept.at
        except FileNotFoundError:
            return None
        except (OSError, FlagError) as error:
            log.warning("the flags kept in %s cannot be used: %s", self._path, error)
            return None

    def replace(self, flags: Flags, at: int) -> None:
        """Keeps these. Where that cannot be, the old ones are removed: a later start must not go by them."""
        body = msgspec.json.encode(Kept(self._server, at, msgspec.Raw(encode(flags))))
        try:
            with self._lock:
                self._write(self._opened(), body)
            self._troubled = False
        except FlagError as error:
            self._warn(error)
        except OSError as error:
            self._give_up()
            self._warn(error)

    def sync_later(self) -> None:
        """In a second or so, by a thread of its own."""
        if self._syncing:
            return
        self._syncing = True
        timer = threading.Timer(self._sync_after(), self.sync)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:  # no more threads can be had
            self.sync()

    def sync(self) -> None:
        """What was kept outlives a loss of power."""
        with self._lock:
            self._syncing = False
            if self._file is None:
                return
            try:
                os.fsync(self._file)
                folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
            except OSError as error:
                self._warn(error)

    def close(self) -> None:
        self.sync()
        with self._lock:
            self._let_go()

    def begin_anew(self) -> None:
        """In a forked child: the lock may be held by a thread that is not here, and none will sync."""
        self._lock, self._syncing = threading.Lock(), False

    def _opened(self) -> int:
        """The file, made if need be. Raises OSError, or FlagError when it is something else."""
        if self._file is not None and os.fstat(self._file).st_nlink == 0:
            self._let_go()  # somebody has removed it
        if self._file is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
            try:
                _check(file)
            except BaseException:
                os.close(file)
                raise
            self._file = file
        return self._file

    def _write(self, file: int, body: bytes) -> None:
        counts = [count for count, _ in _slots(file)]
        count, slot = max(counts) + 1, counts.index(min(counts))
        data = HEADER.pack(MAGIC, count, len(body), _crc(count, body)) + body
        if len(data) > SLOT or os.pwrite(file, data, slot * SLOT) < len(data):
            raise OSError("there is no room")

    def _give_up(self) -> None:
        with self._lock, suppress(OSError):
            self._let_go()
            if stat.S_ISREG(self._path.lstat().st_mode):
                self._path.unlink()

    def _let_go(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _warn(self, error: Exception) -> None:
        if not self._troubled:
            log.warning("the flags cannot be kept in %s: %s", self._path, error)
        self._troubled = True


def _check(file: int) -> None:
    """Raises FlagError for what is no file of flags, and might be somebody's."""
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or (found.st_size and os.pread(file, len(MAGIC), 0) != MAGIC):
        raise FlagError("it is no file of flags")


def _slots(file: int) -> list[tuple[int, bytes]]:
    """Both slots: the count and what it holds; -1 for one that holds nothing whole."""
    return [_slot(file, number * SLOT) for number in range(2)]


def _whole(file: int) -> list[tuple[int, bytes]]:
    """Both slots, looked at again while neither is whole: whoever writes may have passed from one to the other."""
    slots = _slots(file)
    for _ in range(LOOKS):
        if max(slots)[0] >= 0:
            break
        slots = _slots(file)
    return slots


def _slot(file: int, at: int) -> tuple[int, bytes]:
    header = os.pread(file, HEADER.size, at)
    if len(header) < HEADER.size:
        return -1, b""
    magic, count, length, crc = HEADER.unpack(header)
    body = os.pread(file, min(length, SLOT), at + HEADER.size)
    whole = magic == MAGIC and len(body) == length and crc == _crc(count, body)
    return (count, body) if whole else (-1, b"")


def _newest(slots: list[tuple[int, bytes]], server: str) -> Kept:
    """Raises FlagError when neither is whole, or the newer one is of another server."""
    count, body = max(slots)
    if count < 0:
        raise FlagError("the file is damaged")
    try:
        kept = msgspec.json.decode(body, type=Kept)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FlagError(f"the file is damaged: {error}") from None
    if kept.server != server:
        raise FlagError(f"they are of another server, {kept.server[:200]}")
    return kept


def _crc(count: int, body: bytes) -> int:
    return crc32(body, crc32(count.to_bytes(8, "big")))
