"""The tracker without a server: what it takes, keeps, drops and says. Nothing listens on the address."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from crossfade.core.batch import decode
from crossfade.core.clock import ManualClock
from crossfade.core.event import Event
from crossfade.core.ledger import Account
from crossfade.tracking import AsyncTracker, Backoff, SpoolFull, Tracker
from crossfade.tracking.frame import unpack
from crossfade.tracking.spool import size_of
from crossfade.tracking.stamp import new_id
from crossfade.tracking.wire import envelope, number

NOWHERE = "http://127.0.0.1:9"
NOON = 1_795_348_800_123_456


def make(spool=None, kind=Tracker, **options):
    return kind(NOWHERE, "key", spool, **{"clock": ManualClock(NOON), "exit_timeout": 0, **options})


def spooled(root: Path) -> list[bytes]:
    """Every record in the folder, in order."""
    files = sorted(root.glob("*/*.seg"))
    return [record for file in files for record in unpack(file.read_bytes(), most=1 << 30, final=True).records]


def texts(root: Path) -> list[dict[str, object]]:
    return [json.loads(record) for record in spooled(root)]


def test_what_is_written_is_what_the_server_reads(tmp_path):
    tracker = make(tmp_path)
    name = tracker.track("file_processed", "user-1", {"size": 12, "ok": True}, session_id="s")
    (record,) = spooled(tmp_path)
    assert json.loads(record) == {
        "type": "track", "event": "file_processed", "messageId": name, "timestamp": "2026-11-22T12:00:00.123456Z",
        "sequence": 1, "properties": {"size": 12, "ok": True}, "userId": "user-1", "sessionId": "s",
    }
    body = envelope([record], Account(new_id(1), 1, 0, {}, {}), "2026-11-22T12:00:01Z")
    batch = decode(body)
    (event,) = batch.batch
    assert isinstance(event, Event)
    assert (event.message_id, event.user_id, event.session_id) == (name, "user-1", "s")
    assert event.timestamp == datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
    assert batch.sent_at == datetime(2026, 11, 22, 12, 0, 1, tzinfo=UTC)
    assert (event.sequence, batch.tracker.sequence) == (1, 1)
    tracker.shutdown(0)


values = st.recursive(st.none() | st.booleans() | st.integers(-2**63, 2**63) | st.floats() | st.text(),
                      lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
                      max_leaves=8)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=200), st.text(), st.dictionaries(st.text(), values, max_size=4))
def test_any_properties_survive_the_spool(tmp_path_factory, event, user, properties):
    root = tmp_path_factory.mktemp("spool")
    tracker = make(root)
    try:
        tracker.track(event, user, properties)
    except ValueError:  # half a surrogate pair
        assert not tracker.stats().tracked
    else:
        (record,) = texts(root)
        assert (record["event"], record["userId"]) == (event, user)
        assert record["properties"].keys() == properties.keys()
        assert number(spooled(root)[0]) == 1
    tracker.shutdown(0)


def test_a_time_and_an_id_of_ones_own(tmp_path):
    tracker = make(tmp_path)
    when = datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=timezone(timedelta(hours=1)))
    assert tracker.track("x", timestamp=when, message_id="mine") == "mine"
    tracker.identify("user-1", {"plan": "free"}, timestamp=when, message_id="too")
    first, second = texts(tmp_path)
    assert (first["messageId"], first["timestamp"]) == ("mine", "2026-01-02T02:04:05.000600Z")
    assert second == {"type": "identify", "messageId": "too", "timestamp": "2026-01-02T02:04:05.000600Z",
                      "sequence": 2, "userId": "user-1", "traits": {"plan": "free"}}
    tracker.shutdown(0)


@pytest.mark.parametrize(("arguments", "error"), [
    ({"event": ""}, ValueError), ({"event": "x" * 201}, ValueError), ({"event": "x", "message_id": ""}, ValueError),
    ({"event": "x", "message_id": "x" * 101}, ValueError), ({"event": "\ud800"}, ValueError),
    ({"event": "x", "timestamp": datetime(2026, 1, 1)}, ValueError),  # noqa: DTZ001  that is the point
    ({"event": "x", "properties": {"a": object()}}, TypeError),
    ({"event": "x", "properties": {"a": "x" * (17 << 20)}}, ValueError),
])
@pytest.mark.parametrize("spool", [True, False])
def test_what_can_be_no_event_is_refused_at_once_and_takes_no_number(tmp_path, arguments, error, spool):
    tracker = make(tmp_path if spool else None)
    with pytest.raises(error):
        tracker.track(**arguments)
    tracker.track("good")
    assert tracker.stats().tracked == 1
    tracker.shutdown(0)


@pytest.mark.parametrize("wrong", [
    {"url": "127.0.0.1"}, {"url": "ftp://x"}, {"url": "http://"}, {"batch": 0}, {"limit": -1}, {"fsync": "often"},
    {"overflow": "lose"}, {"sample": {"x": 2.0}},
])
def test_options_that_cannot_be_meant(wrong):
    with pytest.raises(ValueError):  # noqa: PT011  each has its own words
        Tracker(**{"url": NOWHERE, "write_key": "k", **wrong})


def test_numbers_have_no_gap_whatever_the_threads_do(tmp_path):
    tracker = make(tmp_path)
    threads = [threading.Thread(target=lambda: [tracker.track("x") for _ in range(300)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [record["sequence"] for record in texts(tmp_path)] == list(range(1, 1201))
    tracker.shutdown(0)


def test_overflow_drops_and_counts(tmp_path, caplog):
    tracker = make(tmp_path, limit=1 << 15)
    taken = [tracker.track("x", properties={"pad": "x" * 100}) is not None for _ in range(500)]
    stats = tracker.stats()
    assert stats.tracked == 500  # each has a number, so that the ledger sees the gap
    assert stats.dropped == {"overflow": 500 - sum(taken)}
    assert stats.waiting == sum(taken) == len(spooled(tmp_path))
    assert sum(size_of(path) for path in tmp_path.iterdir()) <= 1 << 15
    assert sum("limit" in line for line in caplog.messages) == 1
    tracker.shutdown(0)


@pytest.mark.parametrize("spool", [True, False])
def test_overflow_raises_and_takes_no_number(tmp_path, spool):
    tracker = make(tmp_path if spool else None, limit=1 << 15, memory_limit=1 << 15, overflow="raise")
    with pytest.raises(SpoolFull):
        [tracker.track("x", properties={"pad": "x" * 100}) for _ in range(500)]
    stats = tracker.stats()
    assert stats.tracked == stats.waiting
    assert not stats.dropped
    tracker.shutdown(0)


def test_overflow_blocks_until_the_tracker_is_shut_down(tmp_path):
    tracker = make(tmp_path, limit=1 << 15, overflow="block")
    refused = threading.Event()

    def fill():
        with pytest.raises(RuntimeError, match="shut down"):
            all(tracker.track("x", properties={"pad": "x" * 1000}) for _ in range(10_000))
        refused.set()

    thread = threading.Thread(target=fill)
    thread.start()
    while tracker.stats().tracked < 20:
        assert thread.is_alive()
    tracker.shutdown(0)
    assert refused.wait(10)
    thread.join()


def test_a_folder_that_cannot_be_written_means_memory_and_one_warning(tmp_path, caplog):
    (tmp_path / "spool").write_text("a file, where the folder should be")
    tracker = make(tmp_path / "spool", memory_limit=10_000)
    for _ in range(500):
        tracker.track("x")
    stats = tracker.stats()
    assert 0 < stats.memory_bytes <= 10_000
    assert stats.dropped["overflow"] + stats.waiting == 500
    assert sum("cannot be written" in line for line in caplog.messages) == 1
    tracker.shutdown(0)
    assert tracker.stats().dropped["memory"] == stats.waiting


def test_a_shut_down_tracker_takes_nothing(tmp_path):
    tracker = make(tmp_path)
    tracker.track("x")
    assert not tracker.shutdown(0).done
    with pytest.raises(RuntimeError, match="shut down"):
        tracker.track("x")
    assert not tracker.shutdown().done
    assert len(spooled(tmp_path)) == 1


def test_an_unused_tracker_leaves_no_trace(tmp_path):
    with make(tmp_path / "spool") as tracker:
        pass
    assert tracker.stats().tracked == 0
    assert not (tmp_path / "spool").exists()
    with pytest.raises(RuntimeError, match="shut down"):
        tracker.track("x")


def test_hooks_work_before_anything_is_written(tmp_path):
    def before_send(call):
        return None if call.event == "noise" else replace(call, event=call.event.upper())

    tracker = make(tmp_path, before_send=before_send, redact=("email",), user_key=b"k" * 16)
    assert tracker.track("noise") is None
    tracker.track("signal", "user-1", {"email": "a@b.c"})
    tracker.identify("user-1", {"email": "a@b.c"})
    first, second = texts(tmp_path)
    assert first["event"] == "SIGNAL"
    assert first["properties"] == second["traits"] == {"email": "[redacted]"}
    assert first["userId"] == second["userId"] != "user-1"
    assert tracker.stats().dropped == {"before_send": 1}
    assert "a@b.c" not in b"".join(spooled(tmp_path)).decode()
    tracker.shutdown(0)


def test_a_failing_hook_lets_nothing_out_and_does_not_disturb(tmp_path, caplog):
    tracker = make(tmp_path, before_send=lambda _: 1 / 0)
    assert [tracker.track("x"), tracker.track("x")] == [None, None]
    assert tracker.stats().dropped == {"hook_failed": 2}
    assert sum("before_send failed" in line for line in caplog.messages) == 1
    assert not list(tmp_path.glob("*/*.seg"))


def test_sampled_events_are_counted(tmp_path):
    tracker = make(tmp_path, sample={"x": 0.5})
    kept = sum(tracker.track("x") is not None for _ in range(400))
    assert 100 < kept < 300
    assert tracker.stats().dropped == {"sampled": 400 - kept}
    assert all(record["properties"] == {"$sampleRate": 0.5} for record in texts(tmp_path))
    tracker.shutdown(0)


def test_trouble_is_told_once_and_flush_says_why(tmp_path, caplog):
    caplog.set_level(logging.INFO, "crossfade")
    tracker = make(tmp_path, backoff=Backoff(0.001, 0.002))
    tracker.track("x")
    result = tracker.flush(0.2)
    assert (result.done, result.waiting) == (False, 1)
    assert "does not answer" in result.trouble
    assert sum("not delivered" in line for line in caplog.messages) == 1
    tracker.shutdown(0)


@pytest.mark.parametrize("before", [0, 3])
def test_a_forked_child_has_a_tracker_of_its_own(tmp_path, before):
    """Each process numbers from 1 in its own folder, with other ids: nothing of the parent's is touched."""
    tracker = make(tmp_path)
    for _ in range(before):
        tracker.track("parent")
    child = os.fork()
    if child == 0:
        tracker.track("child")
        os._exit(tracker.stats().tracked)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    tracker.track("parent")
    events = texts(tmp_path)
    assert sorted((event["event"], event["sequence"]) for event in events) == [
        ("child", 1), *(("parent", n) for n in range(1, before + 2))]
    assert len({event["messageId"] for event in events}) == before + 2
    tracker.shutdown(0)


@pytest.mark.parametrize("fsync", ["never", "batch", "always"])
def test_each_way_to_sync_keeps_what_was_tracked(tmp_path, fsync):
    tracker = make(tmp_path, fsync=fsync, backoff=Backoff(0.001, 0.002))
    for _ in range(30):
        tracker.track("x")
    tracker.flush(0.05)
    tracker.shutdown(0)
    assert len(spooled(tmp_path)) == 30


def test_the_asynchronous_tracker_is_the_same(tmp_path):
    async def use():
        async with make(tmp_path, AsyncTracker) as tracker:
            tracker.track("x")
            result = await tracker.flush(0.05)
            await tracker.shutdown(0)
            return result

    assert not asyncio.run(use()).done
    assert len(spooled(tmp_path)) == 1
    with pytest.raises(ValueError, match="event loop"):
        make(None, AsyncTracker, overflow="block")


def test_an_outage_costs_disk_not_memory(tmp_path):
    tracker = make(tmp_path, batch=10, backoff=Backoff(0.001, 0.002))
    tracker.track("x")
    tracker.flush(0.2)
    tracemalloc.start()
    try:
        for _ in range(20_000):
            tracker.track("x", "user-1", {"pad": "x" * 100})
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert tracker.stats().waiting == 20_001
    assert sum(size_of(path) for path in tmp_path.iterdir()) > 4_000_000
    assert held < 4_000_000  # what a request under way holds, whatever the outage's length
    tracker.shutdown(0)


APPLICATION = """
import os, signal, sys
from crossfade.tracking import Tracker
if sys.argv[2] == "handler":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
elif sys.argv[2] == "ignored":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
tracker = Tracker("http://127.0.0.1:9", "key", sys.argv[1], exit_timeout=0.1)
tracker.track("x")
os.kill(os.getpid(), signal.SIGTERM)
sys.exit(8)
"""


@pytest.mark.parametrize(("course", "status"), [("nothing", -signal.SIGTERM), ("handler", 7), ("ignored", 8)])
def test_a_process_ends_as_it_would_have_without_us(tmp_path, course, status):
    done = subprocess.run([sys.executable, "-c", APPLICATION, str(tmp_path), course], capture_output=True, timeout=30,
                          check=False)
    assert done.returncode == status, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert len(spooled(tmp_path)) == 1


def test_an_application_that_tracks_needs_no_part_of_the_server():
    program = "import sys, crossfade.tracking; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"crossfade", "httpx", "msgspec"} <= loaded
    assert not loaded & {"litestar", "duckdb", "sqlalchemy", "structlog", "psutil", "pydantic", "uvicorn"}
