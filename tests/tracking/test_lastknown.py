"""The flags on disk: whole or not at all, private, and of the right server."""

import logging
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfade.core.flag import Flags
from crossfade.tracking.lastknown import LastKnown

SERVER = "http://127.0.0.1:8787"
OLD, NEW = Flags({"use_real_orders": True, "percent_orders": 25}, 7), Flags({"use_real_orders": False}, 8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made" / "flags"


def last_known(path: Path, server: str = SERVER) -> LastKnown:
    return LastKnown(path, server, sync_after=lambda: 3_600.0)


def test_what_is_kept_is_there_for_the_next_one(path: Path) -> None:
    kept = last_known(path)
    assert kept.load() is None
    kept.replace(OLD, 5)
    assert last_known(path).load() == (OLD, 5)
    kept.replace(NEW, 6)
    assert last_known(path).load() == (NEW, 6)
    kept.sync()
    kept.sync()
    assert last_known(path).load() == (NEW, 6)
    assert [entry.name for entry in path.parent.iterdir()] == ["flags"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_it_is_synced_once_for_several_changes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(stat.S_ISREG(os.fstat(file).st_mode)))
    kept = last_known(path)
    kept.replace(OLD, 5)
    kept.replace(NEW, 6)
    assert synced == []
    kept.sync()
    assert synced == [True, False], "the file, and the folder that names it"


def test_it_is_synced_by_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = threading.Event()
    monkeypatch.setattr(os, "fsync", lambda _: synced.set())
    LastKnown(path, SERVER, sync_after=lambda: 0.0).replace(OLD, 5)
    assert synced.wait(20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(place=st.integers(0, 10_000), value=st.integers(1, 255))
def test_a_damaged_file_is_none(path: Path, place: int, value: int) -> None:
    last_known(path).replace(OLD, 5)
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= value
    path.write_bytes(content)
    assert last_known(path).load() is None


@pytest.mark.parametrize("content", [b"", b"\n", b"{}", b"crossfade flags 1 00000000\n", b"\xff" * 5_000_000])
def test_another_file_is_none_and_said_so(path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert last_known(path).load() is None
    assert "cannot be used" in caplog.text


def test_flags_of_another_server_are_none(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    last_known(path, "http://elsewhere").replace(OLD, 5)
    assert last_known(path).load() is None
    assert "of another server, http://elsewhere" in caplog.text


def test_a_pipe_or_a_folder_holds_nobody(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    assert last_known(path).load() is None
    path.unlink()
    path.mkdir()
    assert last_known(path).load() is None


def test_where_new_ones_cannot_be_kept_the_old_ones_go(path: Path, monkeypatch: pytest.MonkeyPatch,
                                                       caplog: pytest.LogCaptureFixture) -> None:
    kept = last_known(path)
    kept.replace(OLD, 5)
    full = OSError(28, "No space left on device")

    def refuse(*_: object) -> int:
        raise full

    monkeypatch.setattr(os, "write", refuse)
    kept.replace(NEW, 6)
    kept.replace(NEW, 7)
    assert list(path.parent.iterdir()) == []
    assert caplog.text.count("cannot be kept") == 1
    monkeypatch.undo()
    kept.replace(NEW, 8)
    assert last_known(path).load() == (NEW, 8)


def test_two_writers_leave_a_whole_file(path: Path) -> None:
    one, other = last_known(path), last_known(path)
    for _ in range(20):
        one.replace(OLD, 5)
        other.replace(NEW, 6)
    assert last_known(path).load() == (NEW, 6)
    assert [entry.name for entry in path.parent.iterdir()] == ["flags"]
