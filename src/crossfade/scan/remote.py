"""Any storage that fsspec reaches: an archive, an object store, memory. It has no inodes, so no hard links.

What its packages raise is theirs to choose; whatever it is, it is an OSError from here on.
"""

from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import BinaryIO, Protocol

import fsspec  # type: ignore[import-untyped]
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

from crossfade.core.clock import micros

from .local import LocalTree
from .tree import BLOCK, ChangedError, Found, Issue, Kind, ScanError, Skipped, Stat, Tree, issue, printable

MAX_DEPTH = 512
"""A tree deeper than this is taken for one that contains itself."""

_TIMES = ("mtime", "modified", "LastModified", "last_modified", "updated", "created")

_Info = Mapping[str, object]


class FileSystem(Protocol):
    """What is used of fsspec."""

    def ls(self, path: str, detail: bool) -> list[_Info]: ...
    def info(self, path: str) -> _Info: ...
    def open(self, path: str, mode: str, block_size: int) -> BinaryIO: ...
    def rm_file(self, path: str) -> None: ...
    def invalidate_cache(self) -> None: ...
    def unstrip_protocol(self, name: str) -> str: ...


def open_tree(url: str, skip: Collection[str] = ()) -> Tree:
    """The tree that a path or an fsspec URL names; ``skip`` are local folders to leave out.

    Raises ScanError if there is no such folder, or no package installed for its scheme.
    """
    if "://" not in url:
        return LocalTree(url, skip)
    # A URL may hold a password: messages name its scheme alone.
    scheme = url.split("://", 1)[0]
    try:
        system, path = fsspec.core.url_to_fs(url)
        if isinstance(system, LocalFileSystem):
            return LocalTree(path, skip)
        found = system.info(path)["type"]
    except ScanError:
        raise
    except ImportError as error:
        raise ScanError(f"cannot scan {scheme}://…: a package that it needs is missing ({error})") from error
    except Exception as error:
        raise ScanError(f"cannot scan {scheme}://…: {type(error).__name__}") from error
    if found != "directory":
        raise ScanError(f"cannot scan {scheme}://…: it is not a folder")
    return FsspecTree(system, path)


class RemoteFile:
    """A file of an fsspec file system, open."""

    __slots__ = ("_file", "_path", "_tree")

    def __init__(self, tree: "FsspecTree", path: str, file: BinaryIO) -> None:
        self._tree = tree
        self._path = path
        self._file = file

    def stat(self) -> Stat:
        return self._tree.stat(self._path)

    def read(self, offset: int, size: int) -> bytes:
        with _as_os_error():
            self._file.seek(offset)
            return self._file.read(size)


class FsspecTree:
    """The files below a folder of an fsspec file system; paths are whole, as the file system gives them."""

    def __init__(self, system: FileSystem, path: str) -> None:
        self._system = system
        self._base = path
        self.root = self.show(path)

    def show(self, path: str) -> str:
        return printable(self._system.unstrip_protocol(path))

    def walk(self) -> Generator[Found | Skipped | Issue, None, None]:
        self._system.invalidate_cache()
        pending = [(self._base, 0)]
        while pending:
            folder, depth = pending.pop()
            if depth > MAX_DEPTH:
                yield Issue(self.show(folder), Kind.LOOP, f"more than {MAX_DEPTH} folders deep")
                continue
            try:
                with _as_os_error():
                    listed = {str(entry["name"]): entry for entry in self._system.ls(folder, detail=True)}
            except OSError as error:
                yield issue(self.show(folder), error)
                continue
            for path, entry in listed.items():
                # An object store may list the folder's own marker among what is in it.
                if path.rstrip("/") == folder.rstrip("/"):
                    continue
                if entry.get("type") == "directory" and not entry.get("islink"):
                    pending.append((path, depth + 1))
                else:
                    yield self._look(path, entry)

    def _look(self, path: str, entry: _Info) -> Found | Issue:
        if entry.get("islink") or entry.get("type") == "link":
            return Issue(self.show(path), Kind.LINK, "a symbolic link; not followed")
        if entry.get("type") != "file":
            return Issue(self.show(path), Kind.IRREGULAR, f"a {entry.get('type')}; not opened")
        size = entry.get("size")
        if not isinstance(size, int) or size < 0:
            return Issue(self.show(path), Kind.UNREADABLE, "the storage does not tell its size")
        return Found(path, size, readable=True)

    @contextmanager
    def open(self, path: str) -> Iterator[RemoteFile]:
        with _as_os_error():
            file = self._system.open(path, "rb", block_size=BLOCK)
        try:
            yield RemoteFile(self, path, file)
        finally:
            file.close()

    def stat(self, path: str) -> Stat:
        with _as_os_error():
            self._system.invalidate_cache()
            entry = self._system.info(path)
        size = entry.get("size")
        if entry.get("type") != "file" or entry.get("islink") or not isinstance(size, int):
            raise ChangedError("it is no longer a regular file")
        return Stat(size, _mtime_ns(entry))

    def remove(self, path: str, expected: Stat) -> None:
        if self.stat(path) != expected:
            raise ChangedError("another file has taken its name")
        with _as_os_error():
            self._system.rm_file(path)


@contextmanager
def _as_os_error() -> Iterator[None]:
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def _mtime_ns(entry: _Info) -> int:
    """When the file was last modified, by whichever name and type the file system has for it; else 0."""
    told = next((entry[name] for name in _TIMES if entry.get(name) is not None), None)
    if isinstance(told, str):
        try:
            told = datetime.fromisoformat(told)
        except ValueError:
            return 0
    if isinstance(told, datetime):
        return micros(told if told.tzinfo else told.replace(tzinfo=UTC)) * 1_000
    return int(told * 1_000_000_000) if isinstance(told, int | float) else 0
