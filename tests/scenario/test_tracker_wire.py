"""What the tracker's requests carry, and how it behaves towards a server that does not want them."""

import os
import threading
from pathlib import Path

import pytest

from crossfade.tracking import Backoff, Tracker

from .conftest import Server
from .faults import Proxy

QUICK = Backoff(0.01, 0.05)


def events(proxy: Proxy) -> list[dict[str, object]]:
    return [event for body in proxy.seen for event in body["batch"]]


@pytest.fixture
def way(server: Server):
    """A proxy before a running server."""
    server.start()
    with Proxy(server.url) as proxy:
        yield proxy


def test_batches_in_order_with_numbers_and_the_trackers_own_counts(server: Server, way: Proxy, tmp_path: Path) -> None:
    tracker = Tracker(way.url, server.keys.write_key, spool=tmp_path, interval=600, batch=100)
    for _ in range(250):
        tracker.track("x")
    assert tracker.flush().done
    tracker.identify("u")
    assert tracker.shutdown().done
    assert [event["sequence"] for event in events(way)] == list(range(1, 252))
    assert len({event["messageId"] for event in events(way)}) == 251
    assert {body["tracker"]["id"] for body in way.seen} == {tracker.stats().tracker}
    delivered = [body["tracker"]["delivered"] for body in way.seen]
    assert delivered[0] == 0
    assert delivered == sorted(delivered)
    last = way.seen[-1]
    assert last["batch"] == []
    assert str(os.getpid()) in last["tracker"].pop("process")
    assert last["tracker"] == {"id": tracker.stats().tracker, "sequence": 251, "delivered": 251, "rejected": {},
                               "dropped": {}, "heartbeat": 60.0, "closed": True}
    assert all(body["sentAt"].endswith("Z") for body in way.seen)
    assert b"content-encoding: gzip" in way.heads[0].lower()
    assert b"authorization: basic " in way.heads[0].lower()


def test_full_batches_go_at_once_and_the_rest_after_the_interval(server: Server, way: Proxy, tmp_path: Path) -> None:
    with Tracker(way.url, server.keys.write_key, spool=tmp_path, interval=1.0, batch=10) as tracker:
        for _ in range(13):
            tracker.track("x")
        server.await_that(lambda: len(events(way)) == 13)
    slow = Tracker(way.url, server.keys.write_key, spool=tmp_path, interval=600, batch=10)
    for _ in range(9):
        slow.track("y")
    assert not [event for event in events(way) if event["event"] == "y"]
    slow.track("y")
    server.await_that(lambda: len(events(way)) == 23)
    slow.shutdown()


def test_an_idle_tracker_says_that_it_lives(server: Server, way: Proxy, tmp_path: Path) -> None:
    with Tracker(way.url, server.keys.write_key, spool=tmp_path, heartbeat=0.1) as tracker:
        tracker.track("x")
        assert tracker.flush().done
        server.await_that(lambda: sum(body["batch"] == [] for body in way.seen) >= 2)
        assert all(body["tracker"]["sequence"] == 1 for body in way.seen)


@pytest.mark.parametrize("mode", ["401", "404"])
def test_who_may_not_send_waits_says_so_and_goes_on_when_mended(server: Server, way: Proxy, tmp_path: Path,
                                                               mode: str) -> None:
    way.mode = mode
    tracker = Tracker(way.url, server.keys.write_key, spool=tmp_path, pause=0.2, batch=1)
    for _ in range(5):
        tracker.track("x")
    result = tracker.flush(60)  # it does not wait for a minute, as waiting is no use
    assert (result.done, result.waiting) == (False, 5)
    assert mode in result.trouble
    way.mode = "pass"
    server.await_that(lambda: tracker.stats().delivered == 5)
    assert tracker.shutdown().done


def test_retries_are_told_and_retry_after_is_kept(server: Server, way: Proxy, tmp_path: Path) -> None:
    way.mode = "429"  # asks for a second
    tracker = Tracker(way.url, server.keys.write_key, spool=tmp_path, backoff=Backoff(0.0001, 0.0001))
    tracker.track("x")
    assert not tracker.flush(0.6).done
    assert len(way.heads) == 1
    way.mode = "pass"
    assert tracker.flush(10).done
    assert b"x-retry-count: 1" in way.heads[1].lower()
    assert way.seen[0]["batch"] == way.seen[1]["batch"]
    assert way.seen[0]["sentAt"] < way.seen[1]["sentAt"]
    tracker.shutdown()


def test_what_a_dead_process_left_goes_first_under_its_own_name(server: Server, way: Proxy, tmp_path: Path) -> None:
    way.mode = "500"
    dead = Tracker(way.url, server.keys.write_key, spool=tmp_path, backoff=QUICK)
    for _ in range(3):
        dead.track("old")
    assert not dead.shutdown(0.3).done
    way.mode, way.seen = "pass", []
    with Tracker(way.url, server.keys.write_key, spool=tmp_path, backoff=QUICK) as heir:
        heir.track("new")
        assert heir.flush().done
        assert (heir.stats().delivered, heir.stats().adopted) == (1, 3)
    told = [(body["tracker"]["id"], [event["event"] for event in body["batch"]], body["tracker"]["closed"])
            for body in way.seen]
    was, now = dead.stats().tracker, heir.stats().tracker
    assert told == [(was, ["old"] * 3, False), (was, [], True), (now, ["new"], False), (now, [], True)]
    assert way.seen[1]["tracker"]["sequence"] == 3


def test_room_that_deliveries_make_ends_a_block(server: Server, way: Proxy, tmp_path: Path) -> None:
    way.mode = "500"
    tracker = Tracker(way.url, server.keys.write_key, spool=tmp_path, limit=1 << 15, overflow="block", backoff=QUICK)
    done = threading.Event()

    def fill() -> None:
        for _ in range(200):
            tracker.track("x", properties={"pad": "x" * 500})
        done.set()

    thread = threading.Thread(target=fill)
    thread.start()
    server.await_that(lambda: tracker.stats().tracked > 20, hold=0.5)
    assert not done.is_set()
    way.mode = "pass"
    assert done.wait(30)
    thread.join()
    assert tracker.shutdown().done
    assert tracker.stats().delivered == 200


def test_memory_is_drained_and_the_spool_comes_back(server: Server, way: Proxy, tmp_path: Path) -> None:
    """A folder that could not be written, until somebody put that right."""
    (tmp_path / "spool").write_text("in the way")
    tracker = Tracker(way.url, server.keys.write_key, spool=tmp_path / "spool", backoff=QUICK, batch=10)
    for _ in range(25):
        tracker.track("x")
    assert tracker.flush().done
    assert not tracker.stats().memory_bytes
    way.mode = "500"
    tracker.track("x")
    (tmp_path / "spool").unlink()
    server.await_that(lambda: bool(tracker.track("x")) and not tracker.stats().memory_bytes)
    assert (tmp_path / "spool").is_dir()
    way.mode = "pass"
    assert tracker.flush().done
    tracker.track("x")
    assert tracker.shutdown().done
    assert tracker.stats().delivered == tracker.stats().tracked
    numbers = [event["sequence"] for event in events(way)]
    assert list(dict.fromkeys(numbers)) == list(range(1, tracker.stats().tracked + 1))
