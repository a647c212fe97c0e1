"""The journal: where an event is on disk before it is acknowledged.

Append-only segment files, one event a line (``core/line.py``). Appends that arrive while the disk is syncing share
the next sync (group commit). A sealed segment is never written again; the loader moves it to the event store, and it
is kept for a while as the independent witness of what came in.
"""

import os
import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from crossfade.datafolder import DataFolderError, sync_folder

log = structlog.get_logger(__name__)

SUFFIX = ".tsv"
SEGMENT_EVENTS = 244_000
"""Events after which a segment is sealed: a little less than four row groups of the store, which are written as such at
once."""
SEGMENT_BYTES = 64 << 20
"""Bytes after which it is, too."""


class JournalFull(Exception):  # noqa: N818  it says what is wrong
    """More is waiting than may: try again in a moment."""


class JournalFailed(Exception):  # noqa: N818  it says what is wrong
    """The disk did not take the events, so they are not acknowledged. Make room or mend the disk, and send again."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A sealed file of the journal."""

    number: int
    path: Path
    events: int
    bytes: int
    received: int | None
    """When its first event was received; None when nobody remembers (it was found at the start)."""


def _promise() -> "Future[None]":
    """A future that nobody can cancel: what was appended will be written, whoever waits."""
    future: Future[None] = Future()
    future.set_running_or_notify_cancel()
    return future


@dataclass(slots=True)
class _Group:
    """Appends that are synced together."""

    future: "Future[None]" = field(default_factory=_promise)
    blocks: list[bytes] = field(default_factory=list)
    events: int = 0
    bytes: int = 0
    received: int = 0


@dataclass(slots=True)
class _Open:
    """The segment that is being written."""

    number: int
    path: Path
    descriptor: int
    received: int
    events: int = 0
    bytes: int = 0


class Journal:
    """Appends from any thread, synced by one; sealed segments wait for the loader in their order."""

    def __init__(self, folder: Path, *, loaded_through: int = 0, max_unsynced: int = 64 << 20,
                 max_pending: int = 256 << 20) -> None:
        """Opens the folder, cuts a torn last line, and queues what the store has not loaded yet.

        ``max_unsynced``: bytes that may wait for the disk; ``max_pending``: bytes that may wait for the loader.
        Raises DataFolderError when the folder cannot be read and written.
        """
        self.folder = folder
        self._max_unsynced = max_unsynced
        self._max_pending = max_pending
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._sealed = deque(_recover(folder, loaded_through))
            self._next = max(_last_number(folder), loaded_through) + 1
        except OSError as error:
            raise DataFolderError(
                f"the journal {folder} cannot be read and written ({error.strerror}): mend that, or name another data "
                "folder with --data"
            ) from None
        self._sealed_events = sum(segment.events for segment in self._sealed)
        self._sealed_bytes = sum(segment.bytes for segment in self._sealed)
        self._open: _Open | None = None
        self._group = _Group()
        self._writing: _Group | None = None
        self.latest = 0
        """When the newest event was received; 0 before there is one."""
        self._closed = False
        self._wake = threading.Condition()
        self._files = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def append(self, lines: bytes, events: int, received: int) -> "Future[None]":
        """Takes lines to be written; the future is done when they are on disk, and fails with JournalFailed.

        A statement among the lines counts as an event.

        Raises JournalFull when the disk or the loader is too far behind.
        """
        with self._wake:
            if self._closed:
                raise JournalFailed("the journal is closed")
            group, writing = self._group, self._writing
            if group.bytes + (writing.bytes if writing else 0) > self._max_unsynced:
                raise JournalFull("the disk is behind")
            if self.pending_bytes > self._max_pending:
                raise JournalFull("the event store is behind")
            if not group.blocks:
                group.received = received
                self._wake.notify()
            self.latest = received
            group.blocks.append(lines)
            group.events += events
            group.bytes += len(lines)
            return group.future

    def seal(self) -> Segment | None:
        """The oldest segment that waits for the loader: when none does, the open one is closed and given."""
        with self._files:
            if not self._sealed:
                self._seal()
            return self._sealed[0] if self._sealed else None

    def loaded(self, segment: Segment) -> None:
        """The store has it: it waits no longer."""
        with self._files:
            self._sealed.remove(segment)
            self._sealed_events -= segment.events
            self._sealed_bytes -= segment.bytes

    @property
    def pending_events(self) -> int:
        """Acknowledged events that the loader has not taken yet."""
        current = self._open
        return self._sealed_events + (current.events if current else 0)

    @property
    def filling(self) -> int:
        """Events in the open segment; 0 when a sealed one waits, which comes first."""
        current = self._open
        return current.events if current and not self._sealed else 0

    @property
    def pending_bytes(self) -> int:
        current = self._open
        return self._sealed_bytes + (current.bytes if current else 0)

    def oldest_pending(self) -> int | None:
        """When the oldest event that is not in the store was received; None when all are in, 0 when unknown."""
        with self._files, self._wake:  # in this order: who waits for the disk must not keep others from appending
            if self._sealed:
                return self._sealed[0].received or 0
            if self._open is not None:
                return self._open.received
            group = self._writing or self._group
            return group.received if group.blocks else None

    def close(self) -> None:
        """Syncs what was appended and stops. Appends that come later fail."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()
        with self._files:
            self._seal()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._group.blocks:
                    if self._closed:
                        return
                    self._wake.wait()
                group, self._group = self._group, _Group()
                self._writing = group
            try:
                with self._files:
                    try:
                        self._write(group)
                    finally:
                        self._writing = None
            except Exception as error:
                log.exception("journal: cannot write")
                group.future.set_exception(JournalFailed(f"the journal cannot be written: {_reason(error)}"))
            else:
                group.future.set_result(None)

    def _write(self, group: _Group) -> None:
        segment = self._open or self._start(group.received)
        try:
            if not segment.events:
                sync_folder(self.folder)
            _write_all(segment.descriptor, b"".join(group.blocks))
            os.fdatasync(segment.descriptor)
        except BaseException:
            self._abandon(segment)
            raise
        segment.events += group.events
        segment.bytes += group.bytes
        if segment.events >= SEGMENT_EVENTS or segment.bytes >= SEGMENT_BYTES:
            self._seal()

    def _start(self, received: int) -> _Open:
        number, path = self._next, segment_path(self.folder, self._next)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._next += 1
        self._open = _Open(number, path, descriptor, received)
        return self._open

    def _abandon(self, segment: _Open) -> None:
        """After a failed write nothing is known of what lies behind the last sync: cut it off, go on elsewhere."""
        try:
            os.ftruncate(segment.descriptor, segment.bytes)
            os.fdatasync(segment.descriptor)
        except OSError:
            log.exception("journal: cannot cut a failed write", file=segment.path.name)
        self._seal()

    def _seal(self) -> None:
        """Ends the open segment. All of it that counts is synced: what fails now loses nothing."""
        segment, self._open = self._open, None
        if segment is None:
            return
        if segment.events:
            self._sealed.append(
                Segment(segment.number, segment.path, segment.events, segment.bytes, segment.received)
            )
            self._sealed_events += segment.events
            self._sealed_bytes += segment.bytes
        try:
            os.close(segment.descriptor)
            if not segment.events:
                segment.path.unlink()
        except OSError:
            log.exception("journal: cannot close a segment", file=segment.path.name)


def segment_path(folder: Path, number: int) -> Path:
    return folder / f"{number:012d}{SUFFIX}"


def segment_files(folder: Path) -> list[tuple[int, Path]]:
    """Every plain segment with its number, in order."""
    return sorted((int(path.stem), path) for path in folder.glob(f"*{SUFFIX}") if path.stem.isdecimal())


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest):]


def archive_files(folder: Path) -> list[tuple[int, int, Path]]:
    """Every archive with the first and the last segment in it, in order."""
    found = []
    for path in folder.glob(f"*{SUFFIX}.gz"):
        first, _, last = path.name.removesuffix(f"{SUFFIX}.gz").partition("-")
        if first.isdecimal() and last.isdecimal():
            found.append((int(first), int(last), path))
    return sorted(found)


def _last_number(folder: Path) -> int:
    """The highest that a segment was ever given, packed or not; 0 without any."""
    plain = (number for number, _ in segment_files(folder))
    packed = (last for _, last, _ in archive_files(folder))
    return max((*plain, *packed), default=0)


def _recover(folder: Path, loaded_through: int) -> list[Segment]:
    """The segments that the store has not loaded, whole lines only."""
    segments = []
    for number, path in segment_files(folder):
        if number <= loaded_through:
            continue
        size, events = _cut_torn_tail(path)
        if events:
            segments.append(Segment(number, path, events, size, None))
        else:
            path.unlink()
    return segments


def _cut_torn_tail(path: Path) -> tuple[int, int]:
    """Bytes and events of the file, after what follows its last newline is gone: it was never acknowledged."""
    size = whole = events = 0
    with path.open("r+b") as file:
        while block := file.read(1 << 20):
            end = block.rfind(b"\n")
            if end >= 0:
                whole = size + end + 1
            events += block.count(b"\n")
            size += len(block)
        if whole < size:
            log.warning("journal: cut a torn line", file=path.name, bytes=size - whole)
            file.truncate(whole)
        os.fsync(file.fileno())  # a crash may have come before the last sync, and what is loaded must stay
    return whole, events


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else repr(error)
