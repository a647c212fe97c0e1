"""The folder in which everything lies: the journal, the stores, the keys; owned by one server at a time."""

import errno
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
            raise _unwritable(path, error) from None
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
        """Lets another server have the folder."""
        try:
            (self.path / "server.json").unlink(missing_ok=True)
        finally:
            os.close(self._lock)

    def __enter__(self) -> "DataFolder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def _take(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._lock, 20, 0).decode(errors="replace").strip()
            raise DataFolderError(
                f"the data folder {self.path} is in use by another server (process {holder or 'unknown'}): stop that "
                "one, or name another with --data"
            ) from None
        except OSError as error:
            raise DataFolderError(
                f"the data folder {self.path} cannot be locked ({error.strerror}): name one on a local disk with --data"
            ) from None

    def _check_room(self) -> None:
        try:
            free = shutil.disk_usage(self.path).free
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            raise _unwritable(self.path, error) from None
        if free < LEAST_FREE:
            raise DataFolderError(
                f"the disk of the data folder {self.path} is full ({free / 1e6:,.1f} MB are free, "
                f"{LEAST_FREE / 1e6:,.1f} are needed): make room, or name another with --data"
            )

    def _check_format(self) -> None:
        file = self.path / "format.json"
        if not file.exists():
            write_private(file, msgspec.json.encode(_Format(FORMAT)))
            return
        try:
            found = msgspec.json.decode(file.read_bytes(), type=_Format).format
        except (msgspec.MsgspecError, UnicodeDecodeError, OSError) as error:
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
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def write_private(path: Path, content: bytes) -> None:
    """Replaces a file in one step, durably; only its owner may read it. Raises DataFolderError when it cannot."""
    half = path.with_name(path.name + ".part")
    try:
        half.unlink(missing_ok=True)  # whatever a crash, or somebody else, left there
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(path.parent, error) from None


def sync_folder(folder: Path) -> None:
    """Makes a file's name as durable as its content."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(folder: Path, error: OSError) -> DataFolderError:
    remedy = "make room" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "make it writable"
    return DataFolderError(
        f"the data folder {folder} cannot be written ({error.strerror}): {remedy}, or name another with --data"
    )
