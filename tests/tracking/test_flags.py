"""The follower, against servers on loopback that push flags as they should, or as no server should."""

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crossfade.core.clock import SECOND, ManualClock
from crossfade.core.flag import Flags
from crossfade.core.flagevent import MAX_EVENT
from crossfade.tracking import Backoff, FlagFollower, Tracker

from .flag_server import HEAD, FlagServer, Scene, chunk, ends, event, playing, sends, streams

NOW = 1_790_000_000 * SECOND
ON, OFF = Flags({"use_real_orders": True}, 5), Flags({"use_real_orders": False}, 6)
QUICK = Backoff(0.01, 0.01)


def on(revision: int = 5) -> bytes:
    return event(revision, useRealOrders=True)


def off(revision: int = 6) -> bytes:
    return event(revision, useRealOrders=False)


@contextmanager
def following(server: FlagServer, **options: object) -> Iterator[FlagFollower]:
    given = {"backoff": QUICK, "clock": ManualClock(NOW), "exit_timeout": 5.0} | options
    follower = FlagFollower(server.url, "the-key", name="app", **given)
    try:
        yield follower
    finally:
        follower.close()


def until(condition: Callable[[], bool], within: float = 20) -> None:
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.001)


def test_each_change_is_applied_and_acknowledged() -> None:
    pushed = threading.Event()

    def later(connection: socket.socket) -> None:
        assert pushed.wait(20)
        connection.sendall(chunk(off()))
        connection.recv(1)

    with playing(streams(on(), then=later)) as server, following(server) as follower:
        assert server.acknowledged() == 5
        assert follower.wait(20)
        assert (follower.flags, follower.connected, follower.since, follower.trouble) == (ON, True, NOW, "")
        pushed.set()
        assert server.acknowledged() == 6
        assert follower.flags == OFF
        request, headers = server.requests[0], server.headers[0]
        assert request.startswith("/api/flags/stream?name=")
        assert f"{os.getpid()}+app&id=" in request
        assert headers["authorization"] == "Bearer the-key"


def test_it_says_goodbye_and_keeps_the_flags() -> None:
    with playing(streams(on())) as server:
        with following(server) as follower:
            assert server.acknowledged() == 5
            assert follower.wait(20)
        path, body = server.posted.get(timeout=20)
        assert path == "/api/flags/leave"
        assert f"id={body['id']}" in server.requests[0]
        assert follower.flags == ON
        follower.close()
        assert server.posted.empty()


def test_it_comes_back_and_believes_a_server_that_was_set_back() -> None:
    with playing(streams(off(9), then=ends), streams(on(5))) as server, following(server) as follower:
        assert (server.acknowledged(), server.acknowledged()) == (9, 5)
        assert follower.flags == ON
        assert len({request.partition("id=")[2] for request in server.requests}) == 1, "it is the same process"


def test_while_the_server_is_away_the_flags_stay() -> None:
    clock = ManualClock(NOW)
    with playing(streams(on(), then=ends)) as server, following(server, clock=clock) as follower:
        assert follower.wait(20)
        server.close()
        until(lambda: not follower.connected)
        assert follower.flags == ON
        assert follower.trouble
        assert follower.since == NOW


def test_a_connection_that_says_nothing_is_dead() -> None:
    with playing(streams(on()), streams(off())) as server, following(server, patience=0.05) as follower:
        until(lambda: follower.flags == OFF)
        assert len(server.requests) >= 2


def test_signs_of_life_keep_it() -> None:
    done = threading.Event()

    def breathe(connection: socket.socket) -> None:
        for _ in range(30):
            connection.sendall(chunk(b": alive\n\n"))
            done.wait(0.02)
        done.set()
        connection.recv(1)

    with playing(streams(on(), then=breathe)) as server, following(server, patience=0.4) as follower:
        assert done.wait(20)
        assert follower.connected
        assert len(server.requests) == 1


def test_signs_of_life_alone_are_no_flags() -> None:
    def breathe(connection: socket.socket) -> None:
        while True:
            connection.sendall(chunk(b": alive\n\n"))

    with playing(streams(then=breathe), streams(on())) as server, following(server, timeout=0.1) as follower:
        until(lambda: follower.flags == ON)
        assert len(server.requests) == 2


def drips(connection: socket.socket) -> None:
    """A byte now and then, for ever."""
    while True:
        connection.sendall(b"x")
        time.sleep(0.01)


def resets(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


HOSTILE: dict[str, Scene] = {
    "ends at once": ends,
    "resets": resets,
    "no HTTP": sends(b"SSH-2.0-OpenSSH_9\r\n\r\n", then=ends),
    "half a head": sends(b"HTTP/1.1 200 OK\r\nContent-Ty", then=ends),
    "a head that drips": sends(b"HTTP/1.1 200 OK\r\n", then=drips),
    "a stream that drips": streams(on(), then=drips),
    "a head without an end": sends(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000, then=ends),
    "a long line in the head": sends(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000, then=ends),
    "not a stream": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", then=ends),
    "no server of ours": sends(b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nwho", then=ends),
    "a redirect": sends(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", then=ends),
    "full": sends(b"HTTP/1.1 503 x\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n", then=ends),
    "no chunks": sends(HEAD + b"zzz\r\n", then=ends),
    "a chunk cut short": sends(HEAD + b"fff\r\nevent: fl", then=ends),
    "half a line": streams(b"event: flags\ndata: {\"revision\": 5, ", then=ends),
    "a huge event": streams(b"event: flags\ndata: " + b"x" * (MAX_EVENT + 1), then=ends),
    "a huge line of nothing": streams(b"x" * (MAX_EVENT + 1), then=ends),
    "no JSON": streams(b"event: flags\ndata: <html>\n\n"),
    "bytes": streams(bytes(range(256)), b"event: flags\ndata: \xff\xfe\n\n"),
    "wrong types": streams(event(5, useRealOrders="yes")),
    "no percentage": streams(event(5, percentOrders=500)),
    "no revision": streams(b'event: flags\ndata: {"flags": {}}\n\n'),
    "a revision below 0": streams(event(-1, useRealOrders=True)),
    "deep": streams(b"event: flags\ndata: " + b"[" * 100_000 + b"\n\n"),
}


@pytest.mark.parametrize("scene", HOSTILE.values(), ids=HOSTILE)
def test_whatever_comes_the_application_goes_on_and_the_flags_come_at_last(
    scene: Scene, caplog: pytest.LogCaptureFixture,
) -> None:
    with playing(scene, scene, streams(off())) as server, following(server, timeout=0.3, patience=0.3) as follower:
        until(lambda: follower.flags == OFF and follower.connected)
        assert len(server.requests) == 3
    assert "unexpectedly" not in caplog.text
    assert sum("cannot be followed" in record.message for record in caplog.records) <= 3


def test_half_of_an_event_is_not_applied() -> None:
    bad = event(6, useRealOrders=False, percentOrders="all")
    with playing(streams(on(), bad), streams(on(7))) as server, following(server) as follower:
        until(lambda: follower.flags.revision == 7)
        assert follower.flags.values == {"use_real_orders": True}
        assert [server.acknowledged(), server.acknowledged()] == [5, 7]


def test_a_server_that_knows_nobody_is_asked_anew() -> None:
    with playing(streams(on())) as server:
        server.answer = b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n"
        with following(server) as follower:
            until(lambda: len(server.requests) > 2)
            assert not follower.connected
            assert follower.flags == ON, "they are the server's all the same"
            server.answer = b"HTTP/1.1 204 x\r\n\r\n"
            assert follower.wait(20)


def test_a_connection_for_answers_that_ended_meanwhile_is_opened_again() -> None:
    with playing(streams(on(1), on(2), on(3))) as server:
        server.once = True
        with following(server) as follower:
            assert [server.acknowledged() for _ in range(3)] == [1, 2, 3]
            until(lambda: follower.connected)
            assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [
    b"SSH-2.0\r\n\r\n", b"HTTP/1.1 2\r\n\r\n", b"HTTP/1.1 204 x\r\nX: " + b"y" * 100_000, b"\r\n\r\n", b"\xff" * 70_000,
    b"HTTP/1.1 500 x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000, b"HTTP/1.1 100 Continue\r\n\r\n",
])
def test_nonsense_in_answer_to_an_acknowledgement(answer: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with playing(streams(on())) as server:
        server.answer = answer
        with following(server, timeout=0.3) as follower:
            until(lambda: len(server.requests) > 2)
            assert (follower.flags, follower.connected) == (ON, False)
            server.answer = b"HTTP/1.1 204 x\r\n\r\n"
            assert follower.wait(20)
    assert "unexpectedly" not in caplog.text


def test_a_server_that_never_answers_acknowledgements_holds_up_no_reader() -> None:
    with playing(streams(on())) as server:
        server.answer = b""
        with following(server, timeout=0.05) as follower:
            until(lambda: follower.flags == ON)
            until(lambda: len(server.requests) > 2)


def test_a_start_without_the_server_has_the_flags_as_they_were(tmp_path: Path) -> None:
    keep = tmp_path / "flags"
    with playing(streams(on())) as server:
        with following(server, keep=keep):
            assert server.acknowledged() == 5
        url = server.url
    later = FlagFollower(url, "the-key", keep=keep, backoff=QUICK, clock=ManualClock(NOW + 60 * SECOND))
    assert (later.flags, later.connected, later.since) == (ON, False, NOW)
    assert not later.wait(0)
    later.close()
    fresh = FlagFollower(url, "the-key", backoff=QUICK)
    assert (fresh.flags, fresh.since) == (Flags({}), None)
    fresh.close()


def test_what_is_kept_is_there_before_the_server_hears_of_it(tmp_path: Path) -> None:
    with playing(streams(on(), off())) as server, following(server, keep=tmp_path / "flags"):
        server.acknowledged()
        assert b'"revision":5' in (tmp_path / "flags").read_bytes() or server.acknowledged() == 6


def test_a_forked_child_follows_for_itself(tmp_path: Path) -> None:
    with playing(streams(on())) as server, following(server, keep=tmp_path / "flags") as follower:
        server.acknowledged()
        assert follower.wait(20)
        child = os.fork()
        if child == 0:  # pragma: no cover  in the child
            heard = follower.wait(20) and follower.flags == ON
            os._exit(0 if heard else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        first, second = (request.partition("?name=")[2].partition("&id=") for request in server.requests[:2])
        assert first[2] != second[2]
        assert (f"+{os.getpid()}+" in first[0], f"+{child}+" in second[0]) == (True, True)
        assert follower.connected


def test_a_forked_child_does_not_keep_its_parents_connection_open() -> None:
    gone = threading.Event()

    def watch(connection: socket.socket) -> None:
        while connection.recv(1):
            pass
        gone.set()

    with playing(streams(on(), then=watch)) as server, following(server) as follower:
        assert follower.wait(20)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover  in the child
            follower.close()
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
        until(lambda: len(server.requests) == 2)
        follower.close()
        assert gone.wait(20), "the child is alive, and has not got it"
        os.close(reader)
        os.close(writer)
        os.waitpid(child, 0)


@pytest.mark.parametrize(("url", "key"), [
    ("", ""), ("127.0.0.1:8787", ""), ("ftp://host", ""), ("http://", ""), ("http://user:pass@host", ""),
    ("http://host:99999", ""), ("http://host/?a=b", ""), ("http://host", "a\nb"), ("http://host", "schlüssel"),
    ("http://ho st", ""), ("http://" + "x" * 300, ""),
])
def test_an_address_or_a_key_that_is_none(url: str, key: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be sent|address") as found:
        FlagFollower(url, key)
    assert "pass" not in str(found.value)


def test_times_are_above_0() -> None:
    with pytest.raises(ValueError, match="above 0"):
        FlagFollower("http://host", patience=0)


def test_an_address_may_have_a_path() -> None:
    with playing(streams(on())) as server:
        follower = FlagFollower(server.url + "/crossfade/", "the-key", backoff=QUICK)
        path, _ = server.posted.get(timeout=20)
        assert path == "/crossfade/api/flags/ack"
        assert server.requests[0].startswith("/crossfade/api/flags/stream?")
        follower.close()


def test_a_tracker_follows_where_it_should(tmp_path: Path) -> None:
    with playing(streams(on())) as server:
        with Tracker(server.url, "the-key", spool=tmp_path, flags=True) as tracker:
            assert server.acknowledged() == 5
            assert tracker.flags == ON
        path, _ = server.posted.get(timeout=20)
        assert path == "/api/flags/leave"
        assert (tmp_path / "flags").exists()
        url = server.url
    with Tracker(url, "the-key", spool=tmp_path, flags=True) as tracker:
        assert tracker.flags == ON
    with Tracker(url, "the-key") as tracker, pytest.raises(RuntimeError, match="flags=True"):
        _ = tracker.flags
