"""The folder in which everything lies: the journal, the stores, the keys; owned by one server at a time."""

import fcntl
import os
import shutil
from pathlib import Path
from types import TracebackType

import msgspec

FORMAT = 1
LEAST_FREE = 16 << 20
"""Bytes that must be free for a server to start."""


class DataFolderError(Exception):
    """The data folder cannot be used; the message says why, and what to do."""


class _Format(msgspec.Struct):
    format: int


class ServerNote(msgspec.Struct, frozen=True):
    """Where the server that owns the folder is to be found."""

    url: str
    pid: int


class DataFolder:
    """A folder, made when it is missing, and locked until it is closed."""

    def __init__(self, path: Path) -> None:
        """Raises DataFolderError when the folder cannot be written, is full, in use, or from a newer version."""
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataFolderError(
                f"the data folder {path} cannot be written ({error.strerror}): make it writable, or name another "
                "with --data"
            ) from None
        try:
            self._take()
            self._check_room()
            self._check_format()
        except BaseException:
            os.close(self._lock)
            raise

    @property
    def journal(self) -> Path:
        return self.path / "journal"

    @property
    def events(self) -> Path:
        return self.path / "events.duckdb"

    @property
    def state(self) -> Path:
        return self.path / "state.sqlite"

    def announce(self, url: str) -> None:
        """Lets the command line find the server."""
        note = msgspec.json.encode(ServerNote(url, os.getpid()))
        write_private(self.path / "server.json", note)

    def close(self) -> None:
        (self.path / "server.json").unlink(missing_ok=True)
        os.close(self._lock)

    def __enter__(self) -> "DataFolder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def _take(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._lock, 20, 0).decode(errors="replace").strip()
            raise DataFolderError(
                f"the data folder {self.path} is in use by another server (process {holder or 'unknown'}): stop that "
                "one, or name another with --data"
            ) from None

    def _check_room(self) -> None:
        if shutil.disk_usage(self.path).free < LEAST_FREE:
            raise DataFolderError(f"the disk of the data folder {self.path} is full: make room, or name another with "
                                  "--data")
        try:
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            raise DataFolderError(
                f"the data folder {self.path} cannot be written ({error.strerror}): make room, or name another with "
                "--data"
            ) from None

    def _check_format(self) -> None:
        file = self.path / "format.json"
        if not file.exists():
            write_private(file, msgspec.json.encode(_Format(FORMAT)))
            return
        try:
            found = msgspec.json.decode(file.read_bytes(), type=_Format).format
        except (msgspec.MsgspecError, OSError) as error:
            raise DataFolderError(f"{file} cannot be read ({error}): restore it, or name another folder with --data"
                                  ) from None
        if found > FORMAT:
            raise DataFolderError(
                f"the data folder {self.path} is of format {found}, this Crossfade knows {FORMAT}: install the version "
                "that wrote it, or name another with --data"
            )


def server_note(path: Path) -> ServerNote | None:
    """Where the folder's server said it is; None when it said nothing that can be read."""
    try:
        return msgspec.json.decode((path / "server.json").read_bytes(), type=ServerNote)
    except (OSError, msgspec.MsgspecError):
        return None


def write_private(path: Path, content: bytes) -> None:
    """Replaces a file in one step; only its owner may read it."""
    half = path.with_name(path.name + ".part")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)
