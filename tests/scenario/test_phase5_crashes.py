"""Phase 5 through crashes, full and locked databases and second servers: it goes on where it was, or says why not."""

import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import event

from crossfade.controller import LEASE_LENGTH, Controller
from crossfade.core.clock import MINUTE, SECOND
from crossfade.core.rollout import Move, Status
from crossfade.state import State
from crossfade.state import database as database_module

from .conftest import Server
from .test_phase5_faults import BUSINESS, gate, plan
from .test_phase5_people import PROVED, begun, holding, said
from .wound import Wound

House = Callable[..., Wound]


# Crashes: the folder as it is at that moment, opened by a new server

def waiting(server: Wound) -> None:
    server.start(plan(PROVED, more="approval = true"))


def soaking(server: Wound) -> None:
    server.start(plan(PROVED))
    server.turns(3)


def paused(server: Wound) -> None:
    soaking(server)
    server.tell("pause", "lunch")


def drifted(server: Wound) -> None:
    soaking(server)
    server.set_flags(useRealBusinessMetrics=False)
    server.turn()


def reverting(server: Wound) -> None:
    soaking(server)
    holding(server, "web-2")
    server.tell("abort", "smoke")
    server.turn()


def reverted(server: Wound) -> None:
    soaking(server)
    server.rollback()


CRASHES: dict[str, tuple[Callable[[Wound], None], str, Move]] = {
    "waiting": (waiting, "approve", Move.DONE),
    "soaking": (soaking, "", Move.DONE),
    "paused": (paused, "resume", Move.DONE),
    "drifted": (drifted, "resume", Move.DONE),
    "reverting": (reverting, "", Move.REVERTED),
    "reverted": (reverted, "", Move.REVERTED),
}
"""What it was doing, what somebody tells it afterwards, and how it ends."""


@pytest.mark.parametrize("name", CRASHES)
def test_a_crash_changes_nothing_of_it(house: House, tmp_path: Path, name: str) -> None:
    bring, command, end = CRASHES[name]
    server = house()
    bring(server)
    before, flags, steps = server.rollout(), server.flags, server.steps()
    again = house(server.snapshot(tmp_path / "crashed"), server.clock.now() + MINUTE)
    assert again.flags == flags
    assert again.steps()[:len(steps)] == steps
    again.turn(after=SECOND)
    after = again.rollout()
    assert (after.state.status, after.state.paused) == (
        Status.REVERTED if name == "reverting" else before.state.status, before.state.paused)
    assert after.state.soaked - before.state.soaked <= SECOND
    if command:
        again.tell(command)
    ended = again.steps()[-1] if again.rollout().state.status.over else again.until(end)
    assert ended.move is end
    assert again.flags[BUSINESS] is (end is Move.DONE)


FAST = (plan(gate("live.system.errorRate", "most = 50", judged="at_end"), soak="3 s", deadline="1 min",
             more="approval = true") + "\n")


@pytest.mark.slow
def test_a_killed_process_goes_on_where_it_was(server: Server) -> None:
    """In real time: SIGKILL while it waits, soaks and is paused."""
    def kill() -> None:
        server.stop(signal.SIGKILL)
        server.start()

    def tell(action: str) -> None:
        answer = server.http.post("/api/rollouts/latest/commands", json={"action": action}, headers=server.admin)
        assert answer.status_code == 200, answer.text

    def standing() -> dict[str, object]:
        return server.http.get("/api/rollouts/latest").json()

    server.start()
    begun = server.http.post("/api/rollouts", json={"plan": FAST, "despite": "no events yet"}, headers=server.admin)
    assert begun.status_code == 201, begun.text
    kill()
    assert (standing()["status"], standing()["paused"]) == ("waiting", None)
    tell("approve")
    kill()
    assert standing()["status"] == "soaking"
    tell("pause")
    kill()
    assert (standing()["status"], standing()["paused"]) == ("soaking", "admin token paused it")
    assert server.http.get("/api/flags").json()["useRealBusinessMetrics"] is True
    tell("resume")
    server.await_that(lambda: standing()["status"] == "done")
    moves = [step["move"] for step in server.http.get("/api/rollouts/latest/steps").json() if step["move"] != "hold"]
    assert moves == ["begin", "pause", "resume", "done"]


# The database

@contextmanager
def full(server: Wound) -> Iterator[None]:
    """The control database may not grow by a page, and has none to spare."""
    engine = server.state._database._reader

    def limit(connection: sqlite3.Connection, *_: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}").close()

    def free(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA max_page_count = 1000000000").close()

    with closing(sqlite3.connect(server.folder / "state.sqlite", isolation_level=None)) as filling:
        filling.execute("CREATE TABLE filler (text TEXT)")
    event.listen(engine, "checkout", limit)
    try:
        with closing(sqlite3.connect(server.folder / "state.sqlite", isolation_level=None)) as filling:
            limit(filling)
            for size in (4_000, 100, 1):
                _fill(filling, "x" * size)
        yield
    finally:
        event.remove(engine, "checkout", limit)
        event.listen(engine, "checkout", free)
        with closing(sqlite3.connect(server.folder / "state.sqlite", isolation_level=None)) as filling:
            filling.execute("DROP TABLE filler")


def _fill(filling: sqlite3.Connection, text: str) -> None:
    with suppress(sqlite3.OperationalError):
        while True:
            filling.execute("INSERT INTO filler VALUES (?)", (text,))


@contextmanager
def locked(server: Wound) -> Iterator[None]:
    """Somebody else has a transaction that does not end."""
    with closing(sqlite3.connect(server.folder / "state.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.mark.parametrize(("trouble", "words"), [(full, "database or disk is full"), (locked, "database is locked")])
def test_what_cannot_be_stored_holds_says_so_and_is_done_later(
        house: House, monkeypatch: pytest.MonkeyPatch, trouble: Callable[[Wound], object], words: str) -> None:
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.1)
    server = begun(house, plan(PROVED, soak="1 h", deadline="2 h"))
    flags = server.flags
    with trouble(server):  # type: ignore[attr-defined]
        for _ in range(30):  # what fits into pages that are there already still goes on
            server.turn()
            if server.document()["trouble"] is not None:
                break
        soaked = server.rollout().state.soaked
        server.turns(2)
        assert words in str(server.document()["trouble"])
        assert server.rollout().state.soaked == soaked
        assert ("rollout", "stuck") in {(each.key.component, each.key.check) for each in server.app.conditions()}
        assert server.flags == flags
        if trouble is locked:  # a full one may still have room for so little
            answer = server.http.post("/api/rollback", json={})
            assert (answer.status_code, answer.json()["code"]) == (503, "not_stored")
            assert words in answer.json()["message"]
            assert server.sources()["businessMetrics"] == "real"  # nobody was told otherwise
    server.turn(after=SECOND)
    assert server.document()["trouble"] is None
    assert "Nobody watched for" in said(server)
    assert server.rollout().state.soaked <= soaked + MINUTE
    server.turns(2)
    assert server.rollout().state.soaked >= soaked + 2 * MINUTE
    assert server.rollback()["changed"]


# More than one server

@contextmanager
def second(server: Wound, name: str = "two") -> Iterator[Controller]:
    """Another server's controller on the same control database."""
    own = server.app.controller
    with closing(State.open(server.folder / "state.sqlite")) as state:
        yield Controller(state.rollouts, state.refresh, server.clock, measure=own._measure, holder=name,
                         behind=lambda _: (), changed=lambda: None)


def test_of_two_servers_one_carries_it_out_and_the_other_when_it_falls_silent(house: House) -> None:
    server = begun(house)
    with second(server) as other:
        for _ in range(2):
            server.turn()
            assert server.run(other.tick()) is None
        server.clock.advance(LEASE_LENGTH)
        assert server.run(other.tick()) is not None
        assert server.turn(after=SECOND) is None
        soaked = server.rollout().state.soaked
        for _ in range(4):
            server.clock.advance(MINUTE)
            server.run(other.tick())
        assert server.rollout().state.soaked == soaked + 4 * MINUTE or server.rollout().state.status.over
        assert server.flags[BUSINESS] is True


def test_two_servers_at_once_make_each_step_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both hold the lease, as after a long pause of one; they tick at the same moments, in threads of their own."""
    monkeypatch.setattr("crossfade.state.rollouts.Rollouts.hold", lambda *_, **__: True)
    server = house()
    server.start(plan(PROVED, more="ramp = [25, 50, 75, 100]", soak="2 min", deadline="30 min"))
    with second(server) as other:
        for _ in range(20):
            server.clock.advance(MINUTE)
            threads = [threading.Thread(target=server.run, args=(each.tick(),))
                       for each in (server.app.controller, other)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert (server.app.controller.trouble, other.trouble) == (None, None)
    moves = [step.move for step in server.steps() if step.move is not Move.HOLD]
    assert moves == [Move.BEGIN, Move.STEP, Move.STEP, Move.STEP, Move.DONE]
    changes = [row for row in server.state.audit(1_000, subject="percent_business_metrics")
               if row.action == "flag.change"]
    assert [(row.old, row.new) for row in reversed(changes)] == [
        ("100", "25"), ("25", "50"), ("50", "75"), ("75", "100")]
