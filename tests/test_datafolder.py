"""The data folder: one server's at a time, and a sentence for whatever is wrong with it."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crossfade.datafolder import FORMAT, DataFolder, DataFolderError, ServerNote, server_note, write_private


@contextmanager
def refused(*says: str) -> Iterator[None]:
    """One sentence, that ends with what to do."""
    with pytest.raises(DataFolderError) as found:
        yield
    message = str(found.value)
    assert all(part in message for part in says), message
    assert "\n" not in message
    assert message.endswith("with --data")


def test_a_folder_is_made_and_is_its_owners_alone(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "a" / "b") as folder:
        assert folder.path.stat().st_mode & 0o777 == 0o700
        assert {folder.journal.parent, folder.events.parent, folder.state.parent} == {folder.path}
        assert (folder.path / "format.json").read_text() == f'{{"format":{FORMAT}}}'
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.path.iterdir())
    with DataFolder(tmp_path / "a" / "b"):
        pass


OWNER = """
from pathlib import Path
import sys, time
from crossfade.datafolder import DataFolder

folder = DataFolder(Path(sys.argv[1]))
folder.announce("http://x")
print("ready", flush=True)
time.sleep(60)
"""


def owner(folder: Path) -> subprocess.Popen[bytes]:
    """Another process that wants the folder."""
    return subprocess.Popen([sys.executable, "-c", OWNER, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})


def test_one_server_at_a_time(tmp_path: Path) -> None:
    with DataFolder(tmp_path):
        with refused("in use by another server", f"process {os.getpid()}"):
            DataFolder(tmp_path)
        _, complaint = owner(tmp_path).communicate()
        assert b"in use by another server" in complaint
    DataFolder(tmp_path).close()


def test_a_killed_servers_folder_is_free(tmp_path: Path) -> None:
    child = owner(tmp_path)
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    with refused("in use", f"process {child.pid}"):
        DataFolder(tmp_path)
    child.kill()
    child.communicate()
    DataFolder(tmp_path).close()


def test_a_refused_folder_is_let_go(tmp_path: Path) -> None:
    (tmp_path / "format.json").write_text('{"format": 99}')
    with refused("format 99"):
        DataFolder(tmp_path)
    (tmp_path / "format.json").unlink()
    DataFolder(tmp_path).close()


@pytest.mark.parametrize("content", [f'{{"format":{FORMAT + 1}}}', '{"format":99,"more":[]}'])
def test_a_newer_version_s_folder_is_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "format.json").write_text(content)
    with refused("install the version that wrote it"):
        DataFolder(tmp_path)
    assert (tmp_path / "format.json").read_text() == content


@pytest.mark.parametrize("content", [b"", b"{}", b"1", b'{"format":"1"}', b"\xff", b'{"format":"\xff"}'])
def test_a_format_that_cannot_be_read_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "format.json").write_bytes(content)
    with refused("format.json cannot be read"):
        DataFolder(tmp_path)


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "sub" / "lock").mkdir(parents=True)
    for path in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/crossfade"), tmp_path / "sub"):
        with refused("cannot be written", "make it writable"):
            DataFolder(path)


def test_a_read_only_folder_is_told() -> None:
    """/proc/self is the kernel's: nobody may write there, root neither."""
    with refused("cannot be written", "make it writable"):
        DataFolder(Path("/proc/self"))
    with refused("cannot be written"):
        write_private(Path("/proc/self/keys.json"), b"{}")


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path | None]:
    """A small disk of its own; None where nobody may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = shutil.which("mount") is not None and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False,
    ).returncode == 0
    yield folder if done else None
    if done:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_with_little_room_is_told(tmp_path: Path, mounted: Path | None) -> None:
    if mounted is None:  # the next best refusal of the kernel's: no file may have a byte
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            with refused("cannot be written"):
                DataFolder(tmp_path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        return
    with refused("is full", "make room"):
        DataFolder(mounted)
    (mounted / "lock").unlink()
    (mounted / "filler").write_bytes(bytes(shutil.disk_usage(mounted).free))
    with refused("cannot be written", "No space left", "make room"):
        DataFolder(mounted)
    with refused("No space left", "make room"):
        write_private(mounted / "keys.json", b"{}")
    assert not (mounted / "keys.json").exists()


def test_a_disk_that_became_read_only_is_told(mounted: Path | None) -> None:
    if mounted is None:
        mounted = Path("/proc/self")
    else:
        (mounted / "lock").touch()
        subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
    with refused("cannot be written", "make it writable"):
        DataFolder(mounted)


# What lies in it


def test_the_server_s_address_is_there_while_it_serves(tmp_path: Path) -> None:
    assert server_note(tmp_path) is None
    with DataFolder(tmp_path) as folder:
        assert server_note(tmp_path) is None
        folder.announce("http://127.0.0.1:1")
        assert server_note(tmp_path) == ServerNote("http://127.0.0.1:1", os.getpid())
    assert server_note(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"{}", b'{"url":1,"pid":1}', b'{"url":"\xff","pid":1}', b"\x00"])
def test_a_note_that_says_nothing_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "server.json").write_bytes(content)
    assert server_note(tmp_path) is None


def test_a_private_file_is_replaced_in_one_step_and_by_nobody_else_s(tmp_path: Path) -> None:
    path, victim = tmp_path / "secret", tmp_path / "victim"
    victim.write_text("theirs")
    (tmp_path / "secret.part").symlink_to(victim)
    write_private(path, b"1")
    write_private(path, b"22")
    assert path.read_bytes() == b"22"
    assert path.stat().st_mode & 0o777 == 0o600
    assert victim.read_text() == "theirs"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["secret", "victim"]
