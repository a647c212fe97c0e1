"""Quality as people get to know it: proved, doubted when one event in one minute is wrong, and proved again."""

import json
import os
import random
import re
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from .conftest import Server
from .test_audit import DAYS, NAMES, in_store, iso, named, recount, write_events

EVENTS = int(os.environ.get("CROSSFADE_TEST_EVENTS", "100000"))
LATE = max(3_000, EVENTS // 100)
LATE_DAY = datetime.now(UTC).date() - timedelta(days=DAYS + 30)
MINUTES_SINCE = 30 + EVENTS // 100_000
"""Windows that close while the test looks on."""
PATIENT = 120 + EVENTS / 10_000
"""Seconds that a busy machine may take."""
QUIET = {"USE_REAL_BUSINESS_METRICS": "true", "CROSSFADE_AUDIT_CPU_SHARE": "0", "CROSSFADE_ALERT_PENDING_S": "0.5",
         "CROSSFADE_ALERT_HOLD_S": "0.5", "CROSSFADE_P95_ALLOWED_MS": "60000", "CROSSFADE_SOURCE_TIMEOUT_S": "60"}
"""Slow is no fault here: a busy machine is."""
WATCHFUL = QUIET | {"CROSSFADE_AUDIT_CPU_SHARE": "0.9"}


def write_late(path: Path, count: int) -> None:
    """One day of long ago, which nobody has looked at yet."""
    dice = random.Random(8)
    midnight = datetime.combine(LATE_DAY, datetime.min.time(), UTC)
    with path.open("w") as file:
        for number in range(count):
            moment = midnight + timedelta(seconds=dice.random() * 86_399)
            file.write(json.dumps({"event": dice.choice(NAMES), "messageId": f"late {number}",
                                   "timestamp": moment.isoformat(), "userId": f"user {dice.randrange(500)}"}) + "\n")


def spoil(server: Server) -> tuple[int, str, int]:
    """One event too many in one minute of that day: the minute, the event's name, and the true count."""
    first = int(datetime.combine(LATE_DAY, datetime.min.time(), UTC).timestamp()) // 60
    minute, event, n = in_store(server, "SELECT minute, event, n FROM minute_rollup WHERE minute >= ? AND minute < ? "
                                        "ORDER BY minute, event LIMIT 1 OFFSET 700", first, first + 1_440)[0]
    in_store(server, "UPDATE minute_rollup SET n = n + 1 WHERE minute = ? AND event = ?", minute, event)
    return minute, event, n


def quality(server: Server, **query: str) -> dict:
    answer = server.http.get("/api/monitoring/data-quality", params={"component": "businessMetrics", **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def compared(server: Server) -> int:
    proof = quality(server)["accuracyProof"]
    return 0 if proof is None else proof["compared"]


def alerts(server: Server) -> list[dict]:
    return server.live("alerts")["alerts"]


def alerts_ever(server: Server) -> list[tuple[str, str, str]]:
    found = server.http.get("/api/alerts", params={"state": "all"}).json()
    return [(one["component"], one["check"], one["status"]) for one in found if one["component"] == "businessMetrics"]


def as_number(text: str) -> int:
    return int(text.replace(",", ""))


def told(server: Server, *arguments: str) -> str:
    """What the command says, without its line breaks."""
    return " ".join(server.cli("quality", *arguments).stdout.decode().split())


def import_unwatched(server: Server, file: Path) -> None:
    """So that all of it is there before the auditor looks."""
    server.start(**QUIET)
    server.cli("import", str(file))
    server.await_loaded()
    assert server.stop()[0] == 0


@pytest.mark.slow
def test_one_event_too_many_is_doubted_told_and_mended(server: Server, tmp_path: Path) -> None:
    file, late = tmp_path / "events.jsonl", tmp_path / "late.jsonl"
    write_events(file, EVENTS)
    write_late(late, LATE)
    import_unwatched(server, file)
    server.start(**WATCHFUL)
    begun = time.monotonic()
    server.await_that(lambda: recount(server)["daysDone"] >= DAYS - 1 and recount(server)["daysDue"] == 0, PATIENT)
    sound = quality(server)
    assert (sound["accuracy"], sound["mismatches"]) == (100, 0)
    n = sound["accuracyProof"]["compared"]
    assert n > min(EVENTS, 100_000) / 10
    assert sound["accuracyProof"]["low"] > 99
    assert alerts(server) == []
    print(f"{n:,} windows of {EVENTS:,} events compared in {time.monotonic() - begun:.1f} s")
    assert server.stop()[0] == 0

    import_unwatched(server, late)
    minute, event, true = spoil(server)
    server.start(**WATCHFUL)
    begun = time.monotonic()
    assert compared(server) >= n, "a restart goes on"
    server.await_that(lambda: recount(server)["mismatches"], PATIENT)
    print(f"found by the auditor itself in {time.monotonic() - begun:.1f} s")
    assert named(recount(server)) == {
        "component": "businessMetrics", "start": iso(minute), "end": iso(minute + 1), "field": event,
        "reported": true + 1, "recounted": true, "agrees": False,
    }
    server.await_that(lambda: recount(server)["daysDue"] == 0 and compared(server) > n, PATIENT)
    doubted = quality(server)
    proof = doubted["accuracyProof"]
    assert doubted["mismatches"] == 1
    assert doubted["accuracy"] == pytest.approx(100 * (proof["compared"] - 1) / proof["compared"])
    assert doubted["accuracy"] < 100
    words = [example["words"] for example in doubted["examples"] if example["sort"] == "mismatch"]
    assert words == [f"{event} is {true + 1}: the recount says {true}, for {iso(minute)} to {iso(minute + 1)}"]

    server.await_that(lambda: alerts(server))
    (alert,) = alerts(server)
    assert (alert["component"], alert["check"], alert["status"]) == ("businessMetrics", "accuracy", "open")
    assert "do not agree" in alert["message"]
    sentence = told(server, "businessMetrics")
    assert words[0] in sentence
    agreeing, of = map(as_number, re.search(r"([\d,]+) of ([\d,]+) compared windows agree", sentence).groups())
    assert of - agreeing == 1

    mended = json.loads(server.cli("audit", "--repair", "--json", timeout=300 + PATIENT).stdout)
    assert mended["run"]["repaired"] == 1
    server.await_that(lambda: alerts(server) == [])
    assert alerts_ever(server) == [("businessMetrics", "accuracy", "closed")]
    whole = quality(server)
    assert (whole["accuracy"], whole["mismatches"]) == (100, 0)
    new = whole["accuracyProof"]["compared"] - proof["compared"]
    assert 0 <= new < MINUTES_SINCE, "a window that is looked at again is the same window"
    assert "the recount says" not in told(server)


def test_counters_go_on_after_kill_9(server: Server) -> None:
    server.start(USE_REAL_BUSINESS_METRICS="true")
    for _ in range(20):
        server.live("business")
    server.await_that(lambda: quality(server, window="1h")["served"] == 20, hold=6)  # stored every 5 s
    before = quality(server, window="1h")
    server.stop(signal.SIGKILL)
    server.start(USE_REAL_BUSINESS_METRICS="true")
    after = quality(server, window="1h")
    assert after["served"] == 20
    assert after["calls"] >= before["calls"] > 0
    assert after["dataSource"] == "real"
    for _ in range(5):
        server.live("business")
    assert quality(server, window="1h")["served"] == 25
    assert quality(server)["served"] == 25


def test_how_it_is_asked_and_answered(server: Server) -> None:
    server.start(USE_REAL_BUSINESS_METRICS="true")
    server.await_that(lambda: quality(server)["calls"] > 0, within=60)
    found = quality(server)
    assert found["status"] == "inconclusive", "nothing was compared"
    assert found["accuracy"] is None
    assert found["stage"] == "live"
    both = json.loads(server.cli("quality", "businessMetrics", "--window", "15m", "--json").stdout)
    assert both["quality"]["component"] == "businessMetrics"
    assert both["ledger"]["totals"]["sent"] == 0
    for one in ("businessMetrics", "historicalData", "systemMetrics", "infrastructureMetrics"):
        assert one in told(server)
    path = "/api/monitoring/data-quality"
    assert server.http.get(path, params={"component": "nothing"}).status_code == 404
    for window in ("soon", "5", "", "-1m", "9999-01-01T00:00:00Z"):
        assert server.http.get(path, params={"window": window}).status_code == 400
    assert quality(server, window="40000d")["window"]["since"] == "1970-01-01T00:00:00Z"
    assert quality(server, window="0001-01-01T00:00:00+14:00")["window"]["since"] == "1970-01-01T00:00:00Z"
    assert b"there is no component" in server.cli("quality", "nothing", check=1).stderr
    assert b"is no window" in server.cli("quality", "--window", "soon", check=1).stderr
    server.cli("quality", "--wrong", check=2)
    view = server.http.get("/api/monitoring/migration").json()
    assert {one["name"] for one in view["components"]} == {
        "businessMetrics", "historicalData", "systemMetrics", "infrastructureMetrics"}
    assert [advice["component"] for advice in view["recommendations"]] in ([], ["businessMetrics"])


def test_a_component_that_fails_gives_exit_status_1(server: Server) -> None:
    server.start(USE_REAL_BUSINESS_METRICS="true", CROSSFADE_SOURCE_TIMEOUT_S="0.000001")
    server.await_that(lambda: quality(server)["errors"] > 0, within=60)
    done = server.cli("quality", "businessMetrics", check=1)
    assert "gave none" in " ".join(done.stdout.decode().split())
    server.cli("quality", "historicalData", check=0)
