"""The flags as they last were, on disk: for a process that starts while the server is away."""

import logging
import os
import secrets
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import SystemRandom
from zlib import crc32

import msgspec

from crossfade.core.flag import FlagError, Flags
from crossfade.core.flagevent import MAX_EVENT, decode, encode

HEAD = b"crossfade flags 1 "
"""How the file begins; the CRC-32 of the rest of it follows, in hex, on the same line."""

log = logging.getLogger("crossfade.tracking")


def _soon() -> float:
    return SystemRandom().uniform(0.5, 1.5)


class Kept(msgspec.Struct, frozen=True):
    """What the file holds."""

    server: str
    at: int
    """When the server told it, in microseconds since the epoch."""
    event: msgspec.Raw


class LastKnown:
    """One file, of which each writer puts a whole one in place of the last; of one server.

    It is there for other processes when ``replace`` returns, and outlives a loss of power within two seconds. Who
    follows does not wait for the disk: a hundred processes that synced at once would hold up each other's answers.
    """

    def __init__(self, path: Path, server: str, *, sync_after: Callable[[], float] = _soon) -> None:
        """``sync_after``: seconds until a file is synced."""
        self._path = path
        self._server = server
        self._sync_after = sync_after
        self._unsynced: int | None = None
        self._lock = threading.Lock()
        self._troubled = False

    def load(self) -> tuple[Flags, int] | None:
        """The flags, and when they were told; None without any. What is damaged or of another server is none."""
        try:
            kept = _decode(self._read(), self._server)
            return decode(bytes(kept.event)), kept.at
        except FileNotFoundError:
            return None
        except (OSError, FlagError) as error:
            log.warning("the flags kept in %s cannot be used: %s", self._path, error)
            return None

    def replace(self, flags: Flags, at: int) -> None:
        """Keeps these. Where that cannot be, the old ones are removed: a later start must not go by them."""
        body = msgspec.json.encode(Kept(self._server, at, msgspec.Raw(encode(flags))))
        half = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                _write(file, HEAD + f"{crc32(body):08x}\n".encode() + body)
                half.replace(self._path)
            except OSError:
                os.close(file)
                raise
        except OSError as error:
            self._give_up(half, error)
        else:
            self._troubled = False
            self._sync_later(file)

    def sync(self) -> None:
        """What was kept outlives a loss of power."""
        with self._lock:
            file, self._unsynced = self._unsynced, None
        if file is None:
            return
        try:
            os.fsync(file)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            self._warn(error)
        finally:
            os.close(file)

    def begin_anew(self) -> None:
        """In a forked child: what is to be synced, and the thread that does it, are the parent's."""
        self._lock = threading.Lock()
        if self._unsynced is not None:
            os.close(self._unsynced)
            self._unsynced = None

    def _sync_later(self, file: int) -> None:
        with self._lock:
            before, self._unsynced = self._unsynced, file
        if before is not None:
            os.close(before)  # its name is gone; the next sync is under way
            return
        timer = threading.Timer(self._sync_after(), self.sync)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:  # no more threads can be had
            self.sync()

    def _read(self) -> bytes:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not hold us
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FlagError("it is no file")
            return file.read(2 * MAX_EVENT)

    def _give_up(self, half: Path, error: OSError) -> None:
        for path in (half, self._path):
            with suppress(OSError):
                path.unlink()
        self._warn(error)

    def _warn(self, error: OSError) -> None:
        if not self._troubled:
            log.warning("the flags cannot be kept in %s: %s", self._path, error)
        self._troubled = True


def _decode(content: bytes, server: str) -> Kept:
    """Raises FlagError when it is not what was written, or of another server."""
    head, _, body = content.partition(b"\n")
    if head != HEAD + f"{crc32(body):08x}".encode():
        raise FlagError("the file is damaged")
    try:
        kept = msgspec.json.decode(body, type=Kept)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FlagError(f"the file is damaged: {error}") from None
    if kept.server != server:
        raise FlagError(f"they are of another server, {kept.server[:200]}")
    return kept


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content):]
