"""The flags on disk: whole or not at all, private, and of the right server."""

import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfade.core.flag import Flags
from crossfade.tracking.lastknown import SLOT, LastKnown

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
    kept.close()
    kept.close()
    assert last_known(path).load() == (NEW, 6)
    assert [entry.name for entry in path.parent.iterdir()] == ["flags"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_it_is_synced_once_for_several_changes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(stat.S_ISREG(os.fstat(file).st_mode)))
    kept = last_known(path)
    kept.replace(OLD, 5)
    kept.sync_later()
    kept.replace(NEW, 6)
    kept.sync_later()
    assert synced == []
    kept.sync()
    assert synced == [True, False], "the file, and the folder that names it"


def test_it_is_synced_by_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = threading.Event()
    monkeypatch.setattr(os, "fsync", lambda _: synced.set())
    kept = LastKnown(path, SERVER, sync_after=lambda: 0.0)
    kept.replace(OLD, 5)
    kept.sync_later()
    assert synced.wait(20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(place=st.integers(0, 10_000), value=st.integers(1, 255), newer=st.booleans())
def test_a_damaged_slot_is_none_and_the_one_before_it_holds(path: Path, place: int, value: int, newer: bool) -> None:
    path.unlink(missing_ok=True)
    kept = last_known(path)
    kept.replace(OLD, 5)
    kept.replace(NEW, 6)
    content = bytearray(path.read_bytes())
    start = SLOT if newer else 0
    end = len(content) if newer else len(content[:SLOT].rstrip(b"\0"))
    content[start + place % (end - start)] ^= value
    path.write_bytes(content)
    found = last_known(path).load()
    assert found in ([(OLD, 5)] if newer else [(NEW, 6), None])  # None: by its beginning it is no file of flags
    kept.close()


def test_a_file_with_nothing_whole_is_none(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = last_known(path)
    kept.replace(OLD, 5)
    os.truncate(path, 40)
    assert last_known(path).load() is None
    assert "damaged" in caplog.text
    kept.replace(NEW, 6)
    assert last_known(path).load() == (NEW, 6)


@pytest.mark.parametrize("content", [b"\n", b"{}", b"my = 'settings'\n", b"\xff" * 5_000_000])
def test_another_file_is_none_is_left_alone_and_said_so(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture,
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    kept = last_known(path)
    assert kept.load() is None
    kept.replace(NEW, 6)
    kept.sync()
    assert path.read_bytes() == content
    assert "cannot be used" in caplog.text
    assert "cannot be kept" in caplog.text


def test_one_that_was_removed_is_made_anew(path: Path) -> None:
    kept = last_known(path)
    kept.replace(OLD, 5)
    path.unlink()
    assert last_known(path).load() is None
    kept.replace(NEW, 6)
    assert last_known(path).load() == (NEW, 6)


def test_more_than_there_is_room_for_is_not_kept(path: Path) -> None:
    kept = last_known(path)
    kept.replace(OLD, 5)
    kept.replace(Flags({f"use_real_{number:040d}": True for number in range(40_000)}, 9), 6)
    assert not path.exists()


def test_flags_of_another_server_are_none(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    last_known(path, "http://elsewhere").replace(OLD, 5)
    assert last_known(path).load() is None
    assert "of another server, http://elsewhere" in caplog.text


def test_a_pipe_or_a_folder_holds_nobody_and_stays(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    assert last_known(path).load() is None
    last_known(path).replace(OLD, 5)
    assert path.is_fifo()
    path.unlink()
    path.mkdir()
    assert last_known(path).load() is None
    last_known(path).replace(OLD, 5)
    assert path.is_dir()


def test_where_new_ones_cannot_be_kept_the_old_ones_go(path: Path, monkeypatch: pytest.MonkeyPatch,
                                                       caplog: pytest.LogCaptureFixture) -> None:
    kept = last_known(path)
    kept.replace(OLD, 5)
    full = OSError(28, "No space left on device")

    def refuse(*_: object) -> int:
        raise full

    monkeypatch.setattr(os, "pwrite", refuse)
    kept.replace(NEW, 6)
    kept.replace(NEW, 7)
    assert list(path.parent.iterdir()) == []
    assert caplog.text.count("cannot be kept") == 1
    monkeypatch.undo()
    kept.replace(NEW, 8)
    assert last_known(path).load() == (NEW, 8)


def test_several_writers_leave_a_whole_file_at_any_moment(path: Path) -> None:
    kept, done = [last_known(path) for _ in range(4)], threading.Event()
    kept[0].replace(OLD, 5)
    wrong: list[object] = []

    def look() -> None:
        while not done.is_set():
            if last_known(path).load() not in [(OLD, 5), (NEW, 6)]:
                wrong.append(last_known(path).load())

    def write(mine: LastKnown) -> None:
        for _ in range(300):
            mine.replace(OLD, 5)
            mine.replace(NEW, 6)

    looking = threading.Thread(target=look)
    writing = [threading.Thread(target=write, args=(mine,)) for mine in kept]
    for thread in (looking, *writing):
        thread.start()
    for thread in writing:
        thread.join()
    done.set()
    looking.join()
    assert not wrong
