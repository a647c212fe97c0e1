"""Applications that are killed, forked and cut off: what their trackers took is in the store exactly once."""

import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import pytest

from crossfade.tracking import Backoff, Tracker

from .conftest import Server, environment
from .faults import Proxy

ROUNDS = int(os.environ.get("CROSSFADE_ROUNDS", "20"))
QUICK = Backoff(0.02, 0.2)
APP = Path(__file__).with_name("tracking_app.py")
DRAINED_WITHIN = 120.0


class App:
    """A process that tracks."""

    def __init__(self, course: str, url: str, server: Server, folder: Path, *options: str, spool: bool = True) -> None:
        self.notes = folder / "notes"
        self.spool = folder / "spool"
        self.notes.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, str(APP), course, url, server.keys.write_key, str(self.spool) if spool else "",
             str(self.notes), *options],
            env=environment(), stderr=subprocess.PIPE, text=True,
        )

    def await_count(self, count: int) -> None:
        """Until some process has tracked so many."""
        deadline = time.monotonic() + 30
        while not any(n >= count for n in counts(self.notes).values()):
            assert time.monotonic() < deadline
            assert self.process.poll() is None, self.process.communicate()

    def end(self, how: signal.Signals | None = None, within: float = 60) -> int:
        if how is not None:
            self.process.send_signal(how)
        _, log = self.process.communicate(timeout=within)
        assert "Traceback" not in log, log
        return self.process.returncode


def counts(notes: Path) -> dict[str, int]:
    """How many calls had returned, by process."""
    raw = {path.name: path.read_bytes() for path in notes.iterdir()}
    return {name: struct.unpack("=Q", page)[0] for name, page in raw.items() if len(page) == 8}


def drain(url: str, server: Server, spool: Path) -> None:
    """What a later start of the application does."""
    tracker = Tracker(url, server.keys.write_key, spool=spool, backoff=QUICK)
    result = tracker.shutdown(0) if not spool.exists() else tracker.flush(DRAINED_WITHIN)
    assert result.done, result
    tracker.shutdown()
    left = [path.name for path in spool.iterdir()] if spool.exists() else []
    assert left == [], left


def stored(server: Server) -> dict[str, tuple[int, int, int]]:
    """By process: events in the store, different ones, and the highest number. Stops the server."""
    server.await_loaded()
    server.stop()
    with duckdb.connect(str(next(server.data.glob("*.duckdb"))), read_only=True) as store:
        rows = store.execute("""
            SELECT properties->>'run', count(*), count(DISTINCT properties->>'n'), max((properties->>'n')::BIGINT)
            FROM events WHERE event = 'file_processed' GROUP BY 1
        """).fetchall()
    return {run: (total, different, highest) for run, total, different, highest in rows}


def check_all_stored_once(server: Server, notes: Path, *, exactly: bool = True) -> None:
    """A call that was cut off may have been taken or not: it is the one that had not returned."""
    server.await_loaded()
    ledger = server.http.get("/api/monitoring/ledger", params={"limit": 10_000}).json()
    found = stored(server)
    check_the_ledger_says_so(ledger, sum(total for total, *_ in found.values()))
    returned = counts(notes)
    assert set(found) <= set(returned)
    for run, count in returned.items():
        total, different, highest = found.get(run, (0, 0, 0))
        assert total == different == highest, f"{run}: {total} stored, {different} different, the last is {highest}"
        assert highest == count or (not exactly and highest == count + 1), f"{run}: {count} tracked, {highest} stored"


def check_the_ledger_says_so(ledger: dict[str, object], total: int) -> None:
    totals = ledger["totals"]
    parts = {"sent": total, "arrived": total, "stored": total, "rejected": {}, "waiting": 0, "missing": 0}
    assert {name: totals[name] for name in parts} == parts, ledger
    assert ledger["completeness"] == 100
    assert totals["deduplicated"] == ledger["store"]["deduplicated"]
    assert sum(one["sent"] for one in ledger["trackers"]) == total


@pytest.mark.slow
def test_sigkill_at_any_moment(server: Server, tmp_path: Path) -> None:
    server.start()
    for _ in range(ROUNDS):
        app = App("endless", server.url, server, tmp_path)
        before = len(counts(app.notes))
        while len(counts(app.notes)) == before:
            assert app.process.poll() is None, app.process.communicate()
        time.sleep(random.uniform(0, 0.15))  # the moment at which it is killed
        assert app.end(signal.SIGKILL) == -signal.SIGKILL
    assert sum(counts(app.notes).values()) > ROUNDS * 10
    drain(server.url, server, app.spool)
    check_all_stored_once(server, app.notes, exactly=False)


def test_sigterm_delivers_within_its_bound_and_ends_as_it_would_have(server: Server, tmp_path: Path) -> None:
    server.start()
    app = App("endless", server.url, server, tmp_path)
    app.await_count(2000)
    assert app.end(signal.SIGTERM, within=10) == -signal.SIGTERM
    drain(server.url, server, app.spool)
    check_all_stored_once(server, app.notes, exactly=False)


@pytest.mark.parametrize(("course", "total"), [("fork_after", 1050), ("preload", 900), ("leave", 1000)])
def test_processes_that_fork_or_leave(server: Server, tmp_path: Path, course: str, total: int) -> None:
    server.start()
    app = App(course, server.url, server, tmp_path, "exit_timeout=30")
    assert app.end() == 0
    assert sum(counts(app.notes).values()) == total
    if course == "leave":
        assert list(app.spool.iterdir()) == []  # its exit delivered all
    drain(server.url, server, app.spool)
    check_all_stored_once(server, app.notes)


def test_leaving_without_a_spool_delivers_too(server: Server, tmp_path: Path) -> None:
    server.start()
    app = App("leave", server.url, server, tmp_path, "exit_timeout=30", spool=False)
    assert app.end() == 0
    check_all_stored_once(server, app.notes)


@pytest.mark.parametrize("mode", ["500", "429", "hang"])
def test_exit_never_hangs_and_the_next_start_delivers(server: Server, tmp_path: Path, mode: str) -> None:
    server.start()
    with Proxy(server.url, mode) as proxy:
        app = App("leave", proxy.url, server, tmp_path, "exit_timeout=0.5")
        start = time.monotonic()
        assert app.end() == 0
        assert time.monotonic() - start < 10
        proxy.mode = "pass"
        drain(proxy.url, server, app.spool)
    check_all_stored_once(server, app.notes)


@pytest.mark.parametrize("modes", [
    ["500", "503", "429"], ["hang", "drip"], ["reset"], ["late"], ["late", "reset", "500", "hang", "late"],
])
def test_faults_on_the_way(server: Server, tmp_path: Path, modes: list[str]) -> None:
    """Each fault is met at least once while events are tracked; then the way is free."""
    server.start()
    (tmp_path / "notes").mkdir()
    with Proxy(server.url) as proxy:
        tracker = Tracker(proxy.url, server.keys.write_key, spool=tmp_path / "spool", backoff=QUICK, timeout=0.3)
        numbers = iter(range(1, 1 << 30))
        count = 0
        for mode in modes:
            proxy.mode = mode
            met = len(proxy.heads)
            for count in (next(numbers) for _ in range(250)):
                tracker.track("file_processed", "user-1", {"run": "faults", "n": count})
            server.await_that(lambda met=met: len(proxy.heads) > met + 1)  # tried, and tried again
        assert tracker.stats().trouble
        proxy.mode = "pass"
        assert tracker.flush(30).done
        assert tracker.stats().trouble == ""
        assert tracker.stats().delivered == count
        tracker.shutdown()
    (tmp_path / "notes" / "faults").write_bytes(struct.pack("=Q", count))
    check_all_stored_once(server, tmp_path / "notes")


def test_the_server_is_down_for_a_while(server: Server, tmp_path: Path) -> None:
    server.start()
    url, port = server.url, server.url.rpartition(":")[2]
    (tmp_path / "notes").mkdir()
    with Tracker(url, server.keys.write_key, spool=tmp_path / "spool", backoff=QUICK) as tracker:
        for n in range(1, 501):
            tracker.track("file_processed", "user-1", {"run": "down", "n": n})
        server.stop(signal.SIGKILL)
        for n in range(501, 5001):
            tracker.track("file_processed", "user-1", {"run": "down", "n": n})
        assert not tracker.flush(0.5).done
        assert "does not answer" in tracker.stats().trouble
        server.start("--port", port)
        assert tracker.flush(30).done
    (tmp_path / "notes" / "down").write_bytes(struct.pack("=Q", 5000))
    check_all_stored_once(server, tmp_path / "notes")


def test_refused_events_are_kept_with_their_reason_and_hold_up_no_other(server: Server, tmp_path: Path) -> None:
    server.start()
    with Tracker(server.url, server.keys.write_key, spool=tmp_path / "spool") as tracker:
        good = [tracker.track("file_processed", "u", {"run": "mixed", "n": n}) for n in (1, 2)]
        bad = tracker.track("file_processed", "u" * 300, {"run": "mixed"})
        huge = tracker.track("file_processed", "u", {"run": "mixed", "text": "x" * 300_000})
        assert tracker.flush(10).done
        stats = tracker.stats()
        assert (stats.delivered, stats.rejected) == (2, {"too_large": 2})
        vast = tracker.track("file_processed", "u", {"text": "x" * 12_000_000})  # more than a whole body may have
        assert tracker.track("file_processed", "u", {"run": "mixed", "n": 3})
        assert tracker.flush(30).done
    kept = (tmp_path / "spool" / "rejected.jsonl").read_text()
    assert len(kept.splitlines()) == 3
    for name in (bad, huge, vast):
        assert name in kept
    assert not any(name in kept for name in good)
    assert stored(server) == {"mixed": (3, 3, 3)}


def test_an_idle_tracker_is_told_from_a_dead_one(server: Server, tmp_path: Path) -> None:
    server.start()

    def states() -> dict[str, int]:
        return server.http.get("/api/monitoring/ledger").json()["states"]

    with Tracker(server.url, server.keys.write_key, spool=tmp_path / "idle", interval=0.1, heartbeat=0.2) as idle:
        idle.track("file_processed")
        dead = App("endless", server.url, server, tmp_path, "heartbeat=0.2", "interval=0.1")
        server.await_that(lambda: states()["live"] == 2)
        dead.end(signal.SIGKILL)
        server.await_that(lambda: states() == {"silent": 1, "live": 1, "closed": 0, "settled": 0})
        answer = server.cli("quality", "--json")
        assert b'"silent"' in answer.stdout
        table = server.cli("quality").stdout.decode()
        assert f"{dead.process.pid} tracking_app.py" in table
    drain(server.url, server, tmp_path / "spool")  # the next start brings what the dead one left
    server.await_that(lambda: states() == {"silent": 0, "live": 0, "closed": 2, "settled": 0})


def test_many_threads_and_trackers_in_one_folder(server: Server, tmp_path: Path) -> None:
    server.start()
    notes = tmp_path / "notes"
    notes.mkdir()
    trackers = [Tracker(server.url, server.keys.write_key, spool=tmp_path / "spool") for _ in range(2)]

    def work(name: str, tracker: Tracker) -> None:
        for n in range(1, 2001):
            tracker.track("file_processed", "u", {"run": name, "n": n})
        (notes / name).write_bytes(struct.pack("=Q", 2000))

    threads = [threading.Thread(target=work, args=(f"thread-{i}", trackers[i % 2])) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(tracker.shutdown(30).done for tracker in trackers)
    assert list((tmp_path / "spool").iterdir()) == []
    check_all_stored_once(server, notes)
