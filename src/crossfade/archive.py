"""Loaded segments, compressed and kept for a while: the independent witness of what came in.

A pack holds consecutive segments, each as a gzip member of its own, in one file named after the first and the last.
It is written beside, synced and renamed before the plain segments go, so that no crash loses or doubles a line.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from isal import isal_zlib

from crossfade.core.clock import HOUR
from crossfade.datafolder import DataFolderError, sync_folder
from crossfade.journal import SUFFIX, archive_files, segment_files

HALF = ".part"
PACK_BYTES = 64 << 20
"""Plain bytes in a pack, at the most, unless one segment is larger."""
PACK_SEGMENTS = 1_000
BLOCK = 4 << 20
"""Bytes at once. After each, this thread waits for its turn, five milliseconds where another is busy."""
GZIP = 31
"""The window's size, and that a member has gzip's head and tail."""


class Archive:
    """The journal's loaded segments, in the journal's own folder."""

    def __init__(self, folder: Path, *, keep_hours: float = 48) -> None:
        """Clears away what a crash may have left: half a pack, and plain segments that a pack holds already.

        Raises DataFolderError when it cannot.
        """
        self.folder = folder
        self._keep = int(keep_hours * HOUR)
        try:
            self._clear()
        except OSError as error:
            raise DataFolderError(
                f"the journal {folder} cannot be tidied ({error.strerror}): make it writable, or name another data "
                "folder with --data"
            ) from None

    def pack(self, loaded_through: int, *, ended: Callable[[], bool] = lambda: False) -> int:
        """Compresses the segments that the store has, unless it is to end before; gives how many."""
        packed = 0
        for group in _groups([(number, path) for number, path in segment_files(self.folder)
                              if number <= loaded_through]):
            if ended():
                break
            self._pack(group)
            packed += len(group)
        return packed

    def forget(self, now: int) -> int:
        """Deletes packs whose last event came longer ago than they are to be kept; gives how many."""
        gone = 0
        for _, _, path in archive_files(self.folder):
            if path.stat().st_mtime_ns // 1000 < now - self._keep:
                path.unlink()
                gone += 1
        return gone

    def _clear(self) -> None:
        for half in self.folder.glob(f"*{HALF}"):
            half.unlink()
        packed = [(first, last) for first, last, _ in archive_files(self.folder)]
        for number, path in segment_files(self.folder):
            if any(first <= number <= last for first, last in packed):
                path.unlink()

    def _pack(self, group: list[tuple[int, Path]]) -> None:
        first, last = group[0][0], group[-1][0]
        target = self.folder / f"{first:012d}-{last:012d}{SUFFIX}.gz"
        half = target.with_suffix(HALF)
        try:
            _compress([path for _, path in group], half)
            half.rename(target)
        except BaseException:
            half.unlink(missing_ok=True)
            raise
        sync_folder(self.folder)
        for _, path in group:
            path.unlink()


def _compress(paths: list[Path], target: Path) -> None:
    """Writes the files to a new one, each as a gzip member, with the age of the newest."""
    with target.open("wb") as file:
        for path in paths:
            member = isal_zlib.compressobj(1, wbits=GZIP)  # four times as fast as zlib, and no larger
            with path.open("rb") as plain:
                while block := plain.read(BLOCK):
                    file.write(member.compress(block))
            file.write(member.flush())
        file.flush()
        os.fsync(file.fileno())
    newest = max(path.stat().st_mtime_ns for path in paths)
    os.utime(target, ns=(newest, newest))


def _groups(segments: list[tuple[int, Path]]) -> Iterator[list[tuple[int, Path]]]:
    """Runs of consecutive numbers, each no larger than a pack may be."""
    group: list[tuple[int, Path]] = []
    size = 0
    for number, path in segments:
        more = path.stat().st_size
        apart = group and number != group[-1][0] + 1
        if group and (apart or size + more > PACK_BYTES or len(group) >= PACK_SEGMENTS):
            yield group
            group, size = [], 0
        group.append((number, path))
        size += more
    if group:
        yield group
