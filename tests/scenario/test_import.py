"""Years of events, imported into a running server, against a count of the same file in plain Python."""

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from .conftest import Server, environment

EVENTS = int(os.environ.get("CROSSFADE_TEST_EVENTS", "1000000"))
DAYS = 400
NAMES = (
    ["file_processed"] * 50 + ["duplicate_detected"] * 10 + ["cleanup_executed"] * 5 + ["auth_attempt"] * 8
    + ["auth_success"] * 7 + ["file_upload"] * 9 + ["file_delete"] * 5 + ["file_move"] * 4 + ["error_occurred"]
    + ["a name of our own"]
)
ZONES = (UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-8)))


def write_events(path: Path, count: int, seed: int) -> None:
    """Seeded events up to this moment, denser towards it, in no order; some are there twice, as after a retry."""
    dice = random.Random(seed)
    now = datetime.now(UTC)
    with path.open("w") as file:
        for number in range(count):
            age = dice.random() ** 2 * DAYS * 86_400
            moment = (now - timedelta(seconds=age)).astimezone(dice.choice(ZONES))
            event = {
                "type": "track", "event": dice.choice(NAMES), "messageId": str(uuid.UUID(int=dice.getrandbits(128))),
                "timestamp": moment.isoformat(), "properties": {"path": f"/data/ä/{number}", "size": number},
            }
            if dice.random() < 0.9:
                event["userId"] = f"user {dice.randrange(3000)}"
            if dice.random() < 0.003:
                event |= {"event": "scan_completed", "properties": {
                    "scanId": f"scan {number}", "files": 3, "totalSize": dice.randrange(10**12),
                    "duplicateBytes": 1, "status": dice.choice(["completed", "completed", "cancelled"]),
                }}
            elif dice.random() < 0.0005:
                event |= {"event": "scan_started", "properties": {"scanId": f"scan {number}"}}
            line = json.dumps(event) + "\n"
            file.write(line * 2 if dice.random() < 0.01 else line)


class Oracle:
    """The same figures, by the shortest code that can be read: no rollup, no SQL, no windows but comparisons."""

    def __init__(self, path: Path) -> None:
        seen = set()
        self.events = []
        for line in path.read_text().splitlines():
            event = json.loads(line)
            if event["messageId"] not in seen:
                seen.add(event["messageId"])
                moment = datetime.fromisoformat(event["timestamp"]).astimezone(UTC)
                self.events.append((moment, event["event"], event.get("userId"), event["properties"]))

    def business(self, now: datetime) -> dict[str, float]:
        day, hour = now - timedelta(days=1), now - timedelta(hours=1)
        counts = Counter(name for moment, name, _, _ in self.events if day <= moment < now)
        users = {user for moment, name, user, _ in self.events
                 if name == "auth_success" and hour <= moment < now and user is not None}
        scans = sum(1 for moment, name, _, _ in self.events if name == "scan_started" and moment >= day)
        return {
            "activeUsers": len(users),
            "filesProcessed": counts["file_processed"],
            "duplicatesDetected": counts["duplicate_detected"],
            "cleanupActionsExecuted": counts["cleanup_executed"],
            "backgroundScans": scans,
            "authSuccessRate": 100 * counts["auth_success"] / counts["auth_attempt"],
        }

    def history(self, today: datetime) -> list[dict[str, object]]:
        counts = defaultdict(Counter)
        sizes: dict[str, tuple[datetime, int]] = {}
        for moment, name, _, properties in self.events:
            day = moment.date().isoformat()
            counts[day][name] += 1
            if name == "scan_completed" and properties["status"] == "completed":
                sizes[day] = max(sizes.get(day, (moment, 0)), (moment, properties["totalSize"]))
        points = []
        for age in range(DAYS - 1, -1, -1):
            day = (today - timedelta(days=age)).date().isoformat()
            points.append({
                "date": day, "files": counts[day]["file_processed"], "totalSize": sizes.get(day, (None, None))[1],
                "duplicates": counts[day]["duplicate_detected"], "cleanupActions": counts[day]["cleanup_executed"],
            })
        return points


def check_every_figure(server: Server, oracle: Oracle) -> None:
    server.await_loaded()
    server.set_flags(useRealBusinessMetrics=True, useRealHistoricalData=True, useRealInfrastructureMetrics=True)
    live = server.live()
    fetched = {name: datetime.fromisoformat(source["fetchedAt"]) for name, source in live["meta"]["sources"].items()}
    assert live["business"] == pytest.approx(oracle.business(fetched["businessMetrics"]), rel=1e-12)
    history = server.http.get("/api/history", params={"days": DAYS}).json()["history"]
    expected = oracle.history(fetched["historicalData"])
    assert history == expected
    assert live["history"] == expected[-30:]
    assert live["infrastructure"]["queue"] == {"events": 0, "bytes": 0}
    detail = next(s["detail"] for s in live["infrastructure"]["services"] if s["name"] == "eventStore")
    assert detail.startswith(f"{len(oracle.events):,} events"), detail


def journal_bytes(server: Server) -> int:
    return sum(path.stat().st_size for path in (server.data / "journal").glob("*.tsv*"))


def import_and_kill(server: Server, file: Path) -> None:
    """Kills the server with SIGKILL while the import is under way; the command says so, and how to go on."""
    importing = subprocess.Popen(
        [sys.executable, "-m", "crossfade", "import", str(file), "--data", str(server.data)],
        env=environment(CROSSFADE_PATIENCE_S="1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    deadline = time.monotonic() + 120
    while journal_bytes(server) < file.stat().st_size // 20:
        assert importing.poll() is None, importing.communicate()
        assert time.monotonic() < deadline
        server.http.get("/healthz")
    server.stop(signal.SIGKILL)
    _, errors = importing.communicate(timeout=60)
    assert importing.returncode == 1
    assert "Run it again when the server is back" in errors


@pytest.mark.slow
def test_a_year_of_events_is_exact_through_kill_9_and_repetition(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    write_events(file, EVENTS, seed=5)
    oracle = Oracle(file)
    server.start(CROSSFADE_PROBE_INTERVAL_S="0.5")
    import_and_kill(server, file)
    server.start(CROSSFADE_PROBE_INTERVAL_S="0.5")
    for _ in range(2):  # the second changes nothing
        done = json.loads(server.cli("import", str(file), "--json").stdout)
        assert done["rejected"] == 0
        check_every_figure(server, oracle)
    assert server.stop()[0] == 0
    server.start(CROSSFADE_PROBE_INTERVAL_S="0.5")
    check_every_figure(server, oracle)


def test_late_events_correct_a_closed_day(server: Server) -> None:
    server.start(USE_REAL_HISTORICAL_DATA="true")
    day = datetime.now(UTC).date() - timedelta(days=3)

    def files_of_day() -> int | None:
        points = server.http.get("/api/history", params={"days": 4}).json()["history"]
        assert points[0]["date"] == day.isoformat()
        return points[0]["files"]

    assert files_of_day() is None, "nobody counted it: a gap, not a zero"
    for count in (1, 2, 3):
        line = json.dumps({"event": "file_processed", "timestamp": f"{day}T12:00:00Z", "messageId": f"late {count}"})
        server.cli("import", "-", stdin=line.encode())
        server.await_that(lambda count=count: files_of_day() == count)


def test_lines_without_an_id_are_recognised_by_content_and_place(server: Server, tmp_path: Path) -> None:
    server.start(USE_REAL_HISTORICAL_DATA="true")
    moment = datetime.now(UTC).isoformat()
    same = json.dumps({"event": "file_processed", "timestamp": moment})
    other = json.dumps({"event": "file_processed", "timestamp": moment, "userId": "u"})
    file = tmp_path / "events.jsonl.gz"
    file.write_bytes(gzip.compress(f"{same}\n{same}\n\n{other}\n".encode()))
    for _ in range(2):
        assert json.loads(server.cli("import", str(file), "--json").stdout)["accepted"] == 3
        server.await_loaded()
        assert server.live("history")["history"][-1]["files"] == 3


def test_bad_lines_are_told_by_number_and_reason_and_the_good_ones_taken(server: Server, tmp_path: Path) -> None:
    server.start()
    good = {"event": "file_processed", "timestamp": "2026-01-01T00:00:00Z", "messageId": "good"}
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join([
        json.dumps(good), "{", json.dumps({**good, "timestamp": None}), json.dumps({**good, "timestamp": "1900-01-01"}),
        json.dumps({"timestamp": good["timestamp"]}), '{"event":"e","timestamp":"2026-01-01T00:00:00Z","x":NaN}',
        "[1]", json.dumps({**good, "messageId": "good too"}),
    ]))
    done = json.loads(server.cli("import", str(file), "--json", check=1).stdout)
    assert (done["lines"], done["accepted"], done["rejected"]) == (8, 2, 6)
    assert [(row["line"], row["reason"]) for row in sorted(done["examples"], key=lambda row: row["line"])] == [
        (2, "malformed"), (3, "missing_timestamp"), (4, "too_old"), (5, "missing_event"), (6, "malformed"),
        (7, "wrong_type"),
    ]
    told = server.cli("import", str(file), check=1).stdout.decode()
    assert "line 4: too_old" in told


def test_what_cannot_be_imported_is_one_sentence(server: Server, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gz"
    broken.write_bytes(gzip.compress(b"{}\n" * 100_000)[:-20])
    for file in (tmp_path / "missing", tmp_path, broken):
        done = subprocess.run([sys.executable, "-m", "crossfade", "import", str(file), "--data", str(server.data)],
                              env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
    server.start()
    assert b"cannot be read to its end" in server.cli("import", str(broken), check=1).stderr
    server.stop()
    done = subprocess.run([sys.executable, "-m", "crossfade", "flags", "--data", str(server.data), "--url",
                           "http://127.0.0.1:9"], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no server answers" in done.stderr
