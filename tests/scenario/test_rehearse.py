"""Rehearsals by a real server: nothing of it is touched, whatever is rehearsed."""

import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from crossfade.core.clock import MINUTE, micros, read_iso

from .conftest import Server

LONG = {"faults": ["no-traffic", "process-silent@+1h"]}
KEPT = ("flags", "audit", "rollouts", "rollout_steps", "drills", "leases", "alerts", "deliveries", "silences")
"""Tables in which a rollout, or a server that tells of one, leaves something."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("rehearse") / "data").start()
    yield made
    made.stop()


def ask(served: Server, **asked: object) -> httpx.Response:
    return served.http.post("/api/rehearsals", json=asked, headers=served.admin, timeout=120)


def rows(data: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(f"file:{data / 'state.sqlite'}?mode=ro", uri=True)) as connection:
        return {name: connection.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in KEPT}


def test_a_rehearsal_touches_neither_flags_nor_audit_nor_rollouts_nor_alerts(served: Server) -> None:
    before = rows(served.data)
    assert before["flags"]
    for faults in (["crash", "hand-changed-flag"], ["double-controller", "hand-rollback@5B"], ["abort"],
                   ["storage-full", "source-down@5C"]):
        assert ask(served, faults=faults).status_code == 200
    assert rows(served.data) == before
    assert served.http.get("/api/rollouts").json() == []


def test_the_answer_tells_what_would_happen(served: Server) -> None:
    told = ask(served, start="2026-11-24T09:00Z").json()
    assert told["ended"] == "completed"
    assert [entry["phase"] for entry in told["timeline"] if entry["move"] == "begin"] == [
        "5A business", "5B system", "5C history", "infrastructure", "5D without fallback"]
    assert told["startedAt"] == "2026-11-24T09:00:00Z"
    assert told["wanted"]


def test_against_what_the_server_recorded(served: Server) -> None:
    told = ask(served, against="12h").json()
    assert told["ended"] in {"reverted", "unfinished"}
    assert any("Nothing was measured of businessMetrics:quality.quality" in note for note in told["notes"])
    begun, ended = (micros(read_iso(told[name])) for name in ("startedAt", "endedAt"))
    assert ended - begun >= 5 * MINUTE


def test_one_at_a_time(served: Server) -> None:
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: ask(served, **LONG).status_code, range(3)))
    assert set(answers) == {200, 409}
    assert ask(served).status_code == 200


@pytest.mark.parametrize(("asked", "code", "said"), [
    ({"faults": ["flood"]}, "bad_fault", "there is no fault"),
    ({"faults": ["crash"] * 21}, "bad_fault", "at most 20"),
    ({"plan": "name = 7"}, "bad_plan", "line 1"),
    ({"against": "tomorrow"}, "bad_request", "no span"),
    ({"start": "soon"}, "bad_request", "ISO 8601"),
    ({"start": "2020-01-01", "against": "12h"}, "bad_request", "is not within"),
    ({"speed": 9}, "bad_request", "speed"),
])
def test_what_is_wrong_is_said(served: Server, asked: dict[str, object], code: str, said: str) -> None:
    answer = ask(served, **asked)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert said in answer.text


def test_it_needs_the_admin_token_and_its_faults_do_not(served: Server) -> None:
    assert served.http.post("/api/rehearsals").status_code == 401
    assert any(one["name"] == "crash" for one in served.http.get("/api/rehearsals/faults").json())


def test_the_command_asks_the_server_for_what_it_recorded(served: Server) -> None:
    done = served.cli("rollout", "rehearse", "--against", "12h", "--json", check=1)
    assert json.loads(done.stdout)["ended"] in {"reverted", "unfinished"}
