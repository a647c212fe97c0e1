"""The connection: durable, shared between processes, and clear about what fails."""

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Connection, create_mock_engine, text

import crossfade
from crossfade.state import State, StateError
from crossfade.state.database import Database, insert
from crossfade.state.tables import flags


@pytest.mark.parametrize("writing", [False, True])
def test_every_connection_is_durable_and_strict(path: Path, writing: bool) -> None:
    database = Database.connect(path)
    with database.writing() if writing else database.reading() as connection:
        pragmas = {name: connection.execute(text(f"PRAGMA {name}")).scalar()
                   for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")}
    database.close()
    full = 2
    assert pragmas == {"journal_mode": "wal", "synchronous": full, "foreign_keys": 1, "busy_timeout": 10_000}


def test_a_path_may_be_text_and_may_hold_anything(tmp_path: Path) -> None:
    folder = tmp_path / "50 % ? # é"
    folder.mkdir()
    with closing(State.open(str(folder / "state.db"))) as state:
        state.seed_flags({"a": True}, at=1)
    with closing(State.open(f"sqlite:///{tmp_path}/other.db")) as state:
        assert state.flag_rows() == ()
    assert (folder / "state.db").exists()
    assert (tmp_path / "other.db").exists()


@pytest.mark.parametrize("where", ["sqlite://", "sqlite:///:memory:", ":memory:", ""])
def test_a_database_in_memory_is_refused(where: str) -> None:
    with pytest.raises(StateError, match="must be a file"):
        State.open(where)


@pytest.mark.parametrize("where", [
    "nosuch://host/db", "sqlite+nosuch:///x.db", "sqlite:///x.db?timeout=soon", "postgresql+nosuch://host/db",
    "postgresql://host:port/db",
])
def test_an_address_that_nothing_can_reach_is_refused(where: str) -> None:
    with pytest.raises(StateError, match="cannot be used"):
        State.open(where)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"nowhere/state\.db failed: unable to open"):
        State.open(tmp_path / "nowhere" / "state.db")


def test_a_file_that_is_no_database_is_left_as_it_is(path: Path) -> None:
    path.write_bytes(b"These are my notes. " * 100)
    with pytest.raises(StateError, match="not a database"):
        State.open(path)
    assert path.read_bytes() == b"These are my notes. " * 100


def test_ping_tells_when_the_database_is_gone(state: State, path: Path) -> None:
    state.ping()
    state.close()
    for file in path.parent.glob("state.db*"):
        file.unlink()
    path.mkdir()
    with pytest.raises(StateError, match="unable to open"):
        state.ping()


def test_a_database_that_another_holds_is_an_error_and_then_good_again(
    state: State, path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    state.seed_flags({"a": False}, at=1)
    monkeypatch.setattr("crossfade.state.database.BUSY_SECONDS", 0.05)
    with closing(State.open(path)) as hasty, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match="locked"):
            hasty.change_flags({"a": True}, who="ann", at=2)
        assert hasty.flag_rows() == state.flag_rows(), "a reader does not wait for a writer"
        other.execute("ROLLBACK")
        assert hasty.change_flags({"a": True}, who="ann", at=3)


def test_a_writer_waits_for_its_turn(state: State, path: Path) -> None:
    state.seed_flags({"a": False}, at=1)
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.2, other.execute, ["COMMIT"])
        release.start()
        assert state.change_flags({"a": True}, who="ann", at=2)
        release.join()


def test_a_new_file_waits_until_another_process_lets_it_have_its_log(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("CREATE TABLE theirs (name TEXT)")
        release = threading.Timer(0.2, other.execute, ["COMMIT"])
        release.start()
        with closing(State.open(path)) as state:
            assert state.flag_rows() == ()
        release.join()


CHILD = """
import sys
from crossfade.state import State
state = State.open(sys.argv[1])
state.seed_flags({"a": False}, at=0)
for at in range(15):
    state.change_flags({"a": at % 2 == 0}, who=sys.argv[2], at=at)
    state.touch_run(state.begin_run(at), at + 1)
state.close()
"""


def test_processes_that_make_the_same_file_at_once_share_it(path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(crossfade.__file__).parents[1])}
    children = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", CHILD, path, str(number)],
                         env=environment, stderr=subprocess.PIPE)
        for number in range(3)]
    errors = [child.communicate()[1].decode() for child in children]
    assert errors == ["", "", ""]
    with closing(State.open(path)) as state:
        entries = state.audit(1000)[::-1]
        assert [entry.action for entry in entries].count("flag.seed") == 1
        assert [entry.old for entry in entries[1:]] == [entry.new for entry in entries[:-1]]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (45,)


def test_an_acknowledged_change_outlives_a_killed_process(path: Path) -> None:
    killed = CHILD.replace("state.close()", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    environment = os.environ | {"PYTHONPATH": str(Path(crossfade.__file__).parents[1])}
    child = subprocess.run([sys.executable, "-c", killed, path, "ann"], env=environment, check=False)
    assert child.returncode == -9
    with closing(State.open(path)) as state:
        assert state.flags()["a"]
        assert state.flag_rows()[0].changed_at == 14


def test_a_conflict_is_said_in_the_words_of_each_database() -> None:
    said: list[str] = []
    for address in ("sqlite://", "postgresql://"):
        engine = create_mock_engine(address, lambda *_: None)
        statement = insert(cast("Connection", engine), flags).values(name="a").on_conflict_do_nothing()
        said.append(str(statement.compile(dialect=engine.dialect)))
    assert all("ON CONFLICT DO NOTHING" in statement for statement in said)
