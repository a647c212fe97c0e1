"""One wrong event among many in the rollup, and how it is found, named and mended; with a real server."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from .conftest import Server, environment

EVENTS = int(os.environ.get("CROSSFADE_TEST_EVENTS", "200000"))
DAYS = 90
MINUTE = 60_000_000
NAMES = ["file_processed"] * 6 + ["duplicate_detected", "auth_attempt", "auth_success", "a name of our own"]
PATIENT = 120 + EVENTS / 10_000
"""Seconds that a busy machine may take."""


def write_events(path: Path, count: int) -> None:
    """Seeded, over three months up to now, in no order; some are there twice."""
    dice = random.Random(7)
    now = datetime.now(UTC)
    with path.open("w") as file:
        for number in range(count):
            moment = now - timedelta(seconds=dice.random() ** 2 * DAYS * 86_400)
            line = json.dumps({
                "event": dice.choice(NAMES), "messageId": f"m{number}", "timestamp": moment.isoformat(),
                "userId": f"user {dice.randrange(500)}",
            }) + "\n"
            file.write(line * 2 if dice.random() < 0.01 else line)


def in_store(server: Server, statement: str, *parameters: object) -> list[tuple]:
    """Something done to the event store of a server that has stopped."""
    with duckdb.connect(str(server.data / "events.duckdb")) as connection:
        return connection.execute(statement, parameters).fetchall()


def spoil(server: Server) -> tuple[int, str, int]:
    """One event too many in one minute, long ago: the minute, the event's name, and the true count."""
    minute, event, n = in_store(server, "SELECT minute, event, n FROM minute_rollup ORDER BY minute, event LIMIT 1 "
                                        "OFFSET (SELECT count(*) // 3 FROM minute_rollup)")[0]
    in_store(server, "UPDATE minute_rollup SET n = n + 1 WHERE minute = ? AND event = ?", minute, event)
    return minute, event, n


def iso(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).isoformat().replace("+00:00", "Z")


def recount(server: Server) -> dict:
    answer = server.http.get("/api/monitoring/recount")
    assert answer.status_code == 200, answer.text
    return answer.json()


def audit(server: Server, *arguments: str, check: int) -> dict:
    return json.loads(server.cli("audit", "--json", *arguments, check=check).stdout)


def named(found: dict) -> dict:
    """What is told of the one figure that does not agree, in the kind that was spoiled."""
    (wrong,) = [window for window in found["mismatches"] if window["kind"] == "minute"]
    return {name: wrong[name] for name in ("component", "start", "end", "field", "reported", "recounted", "agrees")}


@pytest.mark.slow
def test_one_event_too_many_is_found_named_and_mended(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    write_events(file, EVENTS)
    server.start(CROSSFADE_AUDIT_CPU_SHARE="0")
    server.cli("import", str(file))
    server.await_loaded()
    sound = audit(server, check=0)
    assert sound["run"]["disagreeing"] == 0
    assert sound["run"]["events"] > 0.99 * EVENTS
    assert sound["mismatches"] == []
    assert server.stop()[0] == 0

    minute, event, n = spoil(server)
    truth = {"component": "businessMetrics", "start": iso(minute), "end": iso(minute + 1), "field": event,
             "reported": n + 1, "recounted": n, "agrees": False}
    server.start(CROSSFADE_AUDIT_CPU_SHARE="0")
    begun = time.monotonic()
    assert named(audit(server, check=1)) == truth
    print(f"found among {EVENTS:,} events in {time.monotonic() - begun:.1f} s")
    told = server.cli("audit", "--since", "all", check=1).stdout.decode()
    for text in (truth["start"], event, str(n + 1), str(n)):
        assert text in told

    mended = audit(server, "--repair", check=0)
    assert mended["run"]["repaired"] == 1
    assert mended["mismatches"] == []
    entry = server.http.get("/api/audit").json()[0]
    assert (entry["action"], entry["old"], entry["new"]) == ("recount.repair", f"{event}={n + 1}", f"{event}={n}")
    assert entry["subject"] == f"minute {iso(minute)}"
    assert audit(server, check=0)["mismatches"] == []
    assert server.stop()[0] == 0
    assert in_store(server, "SELECT n FROM minute_rollup WHERE minute = ? AND event = ?", minute, event) == [(n,)]


def import_some(server: Server, tmp_path: Path, count: int = 3_000) -> None:
    file = tmp_path / "some.jsonl"
    write_events(file, count)
    server.cli("import", str(file))
    server.await_loaded()


def test_the_server_finds_it_by_itself(server: Server, tmp_path: Path) -> None:
    server.start(CROSSFADE_AUDIT_CPU_SHARE="0")
    import_some(server, tmp_path)
    server.stop()
    minute, event, n = spoil(server)
    server.start(CROSSFADE_AUDIT_CPU_SHARE="0.5")
    server.await_that(lambda: recount(server)["mismatches"], within=PATIENT)
    assert named(recount(server)) == {
        "component": "businessMetrics", "start": iso(minute), "end": iso(minute + 1), "field": event,
        "reported": n + 1, "recounted": n, "agrees": False,
    }
    server.await_that(lambda: recount(server)["daysDue"] == 0 and recount(server)["daysDone"] >= DAYS - 1, PATIENT)
    _, log = server.stop()
    errors = [json.loads(line) for line in log.splitlines() if '"level": "error"' in line]
    assert Counter(entry["event"] for entry in errors) == {"auditor: a figure is not what was counted": 1}
    assert (errors[0]["field"], errors[0]["reported"], errors[0]["recounted"]) == (event, n + 1, n)

    server.start(CROSSFADE_AUDIT_CPU_SHARE="0.5")
    assert named(recount(server))["reported"] == n + 1, "what was found is still known"
    assert recount(server)["daysDone"] >= DAYS - 1, "and the past is not done again"


def test_without_a_server_the_command_has_the_folder_to_itself(server: Server, tmp_path: Path) -> None:
    server.start(CROSSFADE_AUDIT_CPU_SHARE="0")
    import_some(server, tmp_path)
    server.stop()
    minute, _event, n = spoil(server)
    assert audit(server, "--since", "1d", check=0)["run"]["events"] < 3_000
    assert named(audit(server, check=1))["recounted"] == n
    assert audit(server, "--repair", check=0)["run"]["repaired"] == 1
    assert in_store(server, "SELECT sum(n) FROM minute_rollup") == [(3_000,)]
    assert audit(server, check=0)["mismatches"] == []
    server.start()
    assert f"minute {iso(minute)}" in {row["subject"] for row in server.http.get("/api/audit").json()}
    server.stop(signal.SIGKILL)  # and its note stays
    assert audit(server, check=0)["run"]["status"] == "done"


def test_a_repair_that_is_killed_can_be_done_again(server: Server, tmp_path: Path) -> None:
    server.start(CROSSFADE_AUDIT_CPU_SHARE="0")
    import_some(server, tmp_path)
    server.stop()
    closed = datetime.now(UTC).date() - timedelta(days=1)
    for _ in range(3):
        in_store(server, "UPDATE day_rollup SET n = n + 1 WHERE day < ?", closed)
        in_store(server, "UPDATE minute_rollup SET n = n + 1 WHERE minute * 60 < epoch(?::DATE)", closed)
        server.start(CROSSFADE_AUDIT_CPU_SHARE="0")
        asked = server.http.post("/api/monitoring/recount", params={"repair": "true"}, headers=server.admin)
        assert asked.status_code == 202, asked.text
        server.await_that(lambda: server.http.get("/api/audit").json()[0]["action"] == "recount.repair")
        server.stop(signal.SIGKILL)
        assert audit(server, "--repair", check=0)["run"]["status"] == "done"
        assert in_store(server, "SELECT (SELECT sum(n) FROM minute_rollup), (SELECT sum(n) FROM day_rollup)") == [
            (3_000, 3_000)
        ]


def test_who_may_ask_and_how_it_is_told(server: Server, tmp_path: Path) -> None:
    server.start(CROSSFADE_AUDIT_CPU_SHARE="0")
    path = "/api/monitoring/recount"
    assert server.http.post(path).status_code == 401
    assert server.http.post(path, params={"since": "soon"}, headers=server.admin).status_code == 400
    assert recount(server)["run"] is None
    assert "Everything agrees" in server.cli("audit").stdout.decode()
    import_some(server, tmp_path, 200)
    done = audit(server, "--since", "7d", check=0)["run"]
    assert done["endedAt"] is not None
    assert recount(server)["run"]["number"] == 2
    for arguments in (["--since", "yesterday"], ["--since", "5"], ["--wrong"]):
        server.cli("audit", *arguments, check=2)
    missing = subprocess.run([sys.executable, "-m", "crossfade", "audit", "--data", str(tmp_path / "nothing")],
                             env=environment(CROSSFADE_URL=""), capture_output=True, text=True, check=False)
    assert missing.returncode == 1
    assert "no server answers" in missing.stderr
    assert "Traceback" not in missing.stderr
