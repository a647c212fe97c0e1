"""A folder of this machine. Links are never followed and nothing but a regular file is ever opened.

Not through fsspec: its local walk follows links to files, does not tell the device that an inode belongs to,
and takes twice as long.
"""

import errno
import os
import stat
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from .tree import ChangedError, Found, Issue, Kind, ScanError, Skipped, Stat, issue, printable

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_Identity = tuple[int, int]

_WHAT = {
    stat.S_IFIFO: "a fifo",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}


class _Folder:
    """A folder still to list; its parents tell whether it contains itself."""

    __slots__ = ("identity", "parent", "path")

    def __init__(self, path: str, parent: "_Folder | None") -> None:
        self.path = path
        self.parent = parent
        self.identity: _Identity = (0, 0)

    def child(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name

    def is_loop(self) -> bool:
        above = self.parent
        while above is not None:
            if above.identity == self.identity:
                return True
            above = above.parent
        return False


class LocalFile:
    """A regular file, open."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def stat(self) -> Stat:
        return _regular(os.fstat(self._fd))

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._fd, size, offset)


class LocalTree:
    """The files below a folder; paths are relative to it. The folder itself may be given through a link.

    ``skip`` are folders left out with all that is in them, by whatever path they are met; one that does not
    exist leaves out nothing. Raises ScanError if the folder cannot be scanned.
    """

    def __init__(self, folder: str, skip: Collection[str] = ()) -> None:
        try:
            self._base = Path(folder).resolve(strict=True)
            self._identity = _identity(self._base.stat())
            self._skip = frozenset(_identity(place.stat()) for place in map(Path, skip) if place.exists())
            self._skipped_whole = any(_identity(above.stat()) in self._skip for above in self._base.parents)
        except (OSError, RuntimeError, ValueError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise ScanError(f"cannot scan {printable(folder)!r}: {why}") from error
        if not self._base.is_dir():
            raise ScanError(f"cannot scan {printable(folder)!r}: it is not a folder")
        self.root = printable(str(self._base))

    def show(self, path: str) -> str:
        return printable(self._absolute(path))

    def walk(self) -> Generator[Found | Skipped | Issue, None, None]:
        if self._skipped_whole:
            yield Skipped("")
            return
        pending = [_Folder("", None)]
        while pending:
            folder = pending.pop()
            try:
                fd = self._open(folder.path, _FOLDER)
            except OSError as error:
                yield issue(self.show(folder.path), error)
                continue
            try:
                yield from self._list(folder, fd, pending)
            except OSError as error:
                yield issue(self.show(folder.path), error)
            finally:
                os.close(fd)

    def _list(self, folder: _Folder, fd: int, pending: list[_Folder]) -> Iterator[Found | Skipped | Issue]:
        folder.identity = _identity(os.fstat(fd))
        if folder.identity in self._skip:
            yield Skipped(folder.path)
            return
        if folder.is_loop():
            yield Issue(self.show(folder.path), Kind.LOOP, "the folder contains itself")
            return
        with os.scandir(fd) as entries:
            for entry in entries:
                seen = self._look(folder, fd, entry)
                if isinstance(seen, _Folder):
                    pending.append(seen)
                else:
                    yield seen

    def _look(self, folder: _Folder, fd: int, entry: os.DirEntry[str]) -> Found | Issue | _Folder:
        path = folder.child(entry.name)
        try:
            if entry.is_symlink():
                return Issue(self.show(path), Kind.LINK, "a symbolic link; not followed")
            if entry.is_dir(follow_symlinks=False):
                return _Folder(path, folder)
            found = entry.stat(follow_symlinks=False)
        except OSError as error:
            return issue(self.show(path), error)
        if not stat.S_ISREG(found.st_mode):
            what = _WHAT.get(stat.S_IFMT(found.st_mode), "something unknown")
            return Issue(self.show(path), Kind.IRREGULAR, f"{what}; not opened")
        return Found(path, found.st_size, os.access(entry.name, os.R_OK, dir_fd=fd, effective_ids=True))

    @contextmanager
    def open(self, path: str) -> Iterator[LocalFile]:
        fd = self._open(path, _FILE)
        try:
            yield LocalFile(fd)
        finally:
            os.close(fd)

    def stat(self, path: str) -> Stat:
        with self._parent(path) as (folder, name):
            return _regular(os.stat(name, dir_fd=folder, follow_symlinks=False))

    def remove(self, path: str, expected: Stat) -> None:
        with self._parent(path) as (folder, name):
            # Nothing on Linux unlinks by open file: between these two lines a name can still be swapped.
            if _regular(os.stat(name, dir_fd=folder, follow_symlinks=False)) != expected:
                raise ChangedError("another file has taken its name")
            os.unlink(name, dir_fd=folder)

    def _absolute(self, path: str) -> str:
        return f"{self._base}/{path}" if path else str(self._base)

    def _open(self, path: str, flags: int) -> int:
        try:
            return os.open(self._absolute(path), flags)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
        with self._parent(path) as (folder, name):
            return os.open(name, flags, dir_fd=folder)

    @contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, str]]:
        """The open folder that holds the path, reached a name at a time, and the last name."""
        *folders, name = path.split("/")
        fd = os.open(self._base, _FOLDER)
        try:
            if _identity(os.fstat(fd)) != self._identity:
                raise ChangedError("another folder has taken the place of the one scanned")
            for folder in folders:
                below = os.open(folder, _FOLDER, dir_fd=fd)
                os.close(fd)
                fd = below
            yield fd, name
        finally:
            os.close(fd)


def _identity(found: os.stat_result) -> _Identity:
    return found.st_dev, found.st_ino


def _regular(found: os.stat_result) -> Stat:
    if not stat.S_ISREG(found.st_mode):
        raise ChangedError("it is no longer a regular file")
    return Stat(found.st_size, found.st_mtime_ns, found.st_dev, found.st_ino, found.st_nlink)
