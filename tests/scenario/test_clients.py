"""Segment's and Rudder's Python clients, unmodified: what they send is stored once, and what we answer they understand.

A client runs in a process of its own (``client_app.py``), as in an application; its waits are shortened by its own
options alone.
"""

import json
import math
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest

from .conftest import VISIBLE_WITHIN, Server, environment
from .faults import Proxy

ROOT = Path(__file__).parents[2]
APP = Path(__file__).with_name("client_app.py")
CLIENTS = ("segment", "rudder")
OTHERS = ("identify", "page", "screen", "group", "alias")
IMPATIENT = {"max_retries": 2, "timeout": 2, "upload_interval": 0.1}
KEYS = (("name", "name"), ("category", "category"), ("group_id", "groupId"), ("previous_id", "previousId"))

Call = tuple[str, dict[str, object]]


def track(number: int, event: str = "file_processed", **properties: object) -> Call:
    return "track", {"user_id": f"user-{number % 50}", "event": event, "properties": {"n": number, **properties}}


def other(number: int) -> Call:
    """A call of another type, or by somebody without a name."""
    user: dict[str, object] = {"user_id": f"user-{number % 50}"}
    traits = {"n": number, "plan": "größer"}
    match OTHERS[number // 10 % len(OTHERS)]:
        case "identify":
            return "identify", {**user, "traits": traits, "context": {"sessionId": "s-1"}}
        case "group":
            return "group", {**user, "group_id": f"g-{number}", "traits": traits}
        case "alias":
            return "alias", {**user, "previous_id": f"previous-{number}"}
        case kind:
            who = {"anonymous_id": f"anonymous-{number}"}
            return kind, {**who, "category": "docs", "name": "Home", "properties": traits}


def calls(count: int) -> list[Call]:
    """Of ten calls nine are tracked events, of two names, and one is of another type."""
    names = ("file_processed", "File Opened 📁")
    return [other(n) if n % 10 == 9 else track(n, names[n % 2], path=f"/home/ada/{n}", ok=True) for n in range(count)]


def as_stored(call: Call) -> tuple[str, str | None, dict[str, object]]:
    """The name, user and properties of the event that is to become of a call."""
    kind, said = call
    properties = dict(said.get("properties") or said.get("traits") or {})
    properties |= {key: said[name] for name, key in KEYS if name in said}
    return str(said["event"]) if kind == "track" else f"${kind}", said.get("user_id"), properties


@dataclass
class Run:
    """A client at its work, and what it tells at the end."""

    client: str
    calls: Sequence[Call]
    url: str
    key: str
    folder: Path
    options: dict[str, object] = field(default_factory=dict)
    log_level: str = "DEBUG"

    def __post_init__(self) -> None:
        self.log = self.folder / "log"
        (self.folder / "job").write_text(json.dumps({
            "client": self.client, "url": self.url, "key": self.key, "calls": self.calls, "log": self.log_level,
            "options": {**IMPATIENT, **self.options}}))
        with (self.folder / "job").open() as job, self.log.open("w") as log:
            self.process = subprocess.Popen([sys.executable, str(APP)], stdin=job, stdout=subprocess.PIPE, stderr=log,
                                            env=environment(NO_PROXY="*"))

    def end(self, within: float = 60) -> "Run":
        try:
            told, _ = self.process.communicate(timeout=within)
        finally:
            self.process.kill()
        assert self.process.returncode == 0, self.log.read_text()
        result = json.loads(told)
        self.ids, self.errors = result["ids"], result["errors"]
        assert all(result["queued"]), "the client's own queue was full"
        assert len(set(self.ids)) == len(self.calls)
        return self

    @property
    def requests(self) -> int:
        """How many the client made."""
        return self.log.read_text().count("making request: ")

    @property
    def given_up(self) -> list[str]:
        """The events that the client dropped, and told its application so."""
        return [name for error in self.errors for name in error["ids"]]


def delivered_once(server: Server, run: Run, without: Sequence[int] = ()) -> int:
    """All calls of the run, but some, are in the store, once and whole; gives how many copies were turned away.

    Stops the server, whose log names events that were rejected alone.
    """
    server.await_loaded()
    _, log = server.stop()
    assert ("events: some were rejected" in log) is (0 < len(without) < len(run.calls))
    with duckdb.connect(str(server.data / "events.duckdb"), read_only=True) as store:
        rows = store.execute("SELECT message_id, event, user_id, properties FROM events").fetchall()
        [(copies, quarantined)] = store.execute("SELECT duplicates, quarantined FROM progress").fetchall()
    assert quarantined == 0
    assert [name for name, times in Counter(row[0] for row in rows).items() if times > 1] == []
    wanted = {name: as_stored(call) for number, (name, call) in enumerate(zip(run.ids, run.calls, strict=True))
              if number not in without}
    assert {name: (event, user, json.loads(properties)) for name, event, user, properties in rows} == wanted
    return int(copies)


def batches(proxy: Proxy) -> list[list[str]]:
    """The message ids of each request."""
    return [[message["messageId"] for message in body["batch"]] for body in proxy.seen]


def retry_counts(proxy: Proxy) -> list[int | None]:
    found = (re.search(rb"(?i)\r\nx-retry-count: (\d+)\r\n", head) for head in proxy.heads)
    return [int(count[1]) if count else None for count in found]


# Ten thousand events


@pytest.mark.slow
@pytest.mark.parametrize(("client", "options", "zipped"), [
    ("segment", {}, False), ("segment", {"gzip": True}, True), ("rudder", {}, True),
])
def test_ten_thousand_events_of_all_types_are_stored_once(
    server: Server, tmp_path: Path, client: str, options: dict[str, object], zipped: bool,
) -> None:
    server.start()
    with Proxy(server.url) as proxy:
        run = Run(client, calls(10_000), proxy.url, server.keys.write_key, tmp_path,
                  {**options, "timeout": 15}, log_level="INFO").end()
        assert run.errors == []
        assert {b"content-encoding: gzip" in head.lower() for head in proxy.heads} == {zipped}
    assert Counter(as_stored(call)[0] for call in run.calls) == {
        "file_processed": 5000, "File Opened 📁": 4000, **{f"${kind}": 200 for kind in OTHERS}}
    assert delivered_once(server, run) == 0


@pytest.mark.slow
@pytest.mark.parametrize("client", CLIENTS)
def test_ten_thousand_events_through_lost_answers_and_other_faults(server: Server, tmp_path: Path,
                                                                  client: str) -> None:
    server.start()
    lost = {3: "late", 4: "half", 5: "late", 40: "half"}
    with Proxy(server.url, plan={**lost, 20: "500", 50: "503", 60: "429", 70: "reset", 80: "reset"}) as proxy:
        run = Run(client, calls(10_000), proxy.url, server.keys.write_key, tmp_path, {"max_retries": 10},
                  log_level="INFO").end()
        assert run.errors == []
        taken_again = sum(len(batches(proxy)[number]) for number in lost)
    assert delivered_once(server, run) >= taken_again > 0


@pytest.mark.slow
@pytest.mark.parametrize("client", CLIENTS)
def test_ten_thousand_events_while_the_server_dies_and_comes_back(server: Server, tmp_path: Path, client: str) -> None:
    server.start()
    port = server.url.rpartition(":")[2]
    run = Run(client, calls(10_000), server.url, server.keys.write_key, tmp_path,
              {"max_retries": 10, "upload_size": 20})
    server.await_that(lambda: run.log.exists() and run.requests > 50)
    server.stop(signal.SIGKILL)
    deadline = time.monotonic() + VISIBLE_WITHIN
    while "Connection refused" not in run.log.read_text():
        assert time.monotonic() < deadline, "the client has not noticed"
    server.start("--port", port)
    assert run.end().errors == []
    assert delivered_once(server, run) <= 20, "at most the batch whose answer died with the server"


# What the clients make of an answer

DELIVERED, RESENT, DROPPED = "delivered", "resent", "dropped"
TABLE = {
    "200": (DELIVERED, DELIVERED),
    "202": (DELIVERED, RESENT),
    "204": (DELIVERED, RESENT),
    "400": (DROPPED, DROPPED),
    "400 text": (DROPPED, DROPPED),
    "400 json": (DROPPED, RESENT),
    "401": (DROPPED, DROPPED),
    "413": (DROPPED, DROPPED),
    "413 json": (DROPPED, RESENT),
    "415": (DROPPED, DROPPED),
    "429": (RESENT, RESENT),
    "500": (RESENT, RESENT),
    "503": (RESENT, RESENT),
    "half": (RESENT, RESENT),
    "late": (RESENT, RESENT),
    "reset": (RESENT, RESENT),
}
ROWS = [(client, answer, row[column]) for answer, row in TABLE.items() for column, client in enumerate(CLIENTS)]


@pytest.mark.parametrize(("client", "answer", "outcome"), ROWS)
def test_what_a_client_does_after_an_answer(tmp_path: Path, client: str, answer: str, outcome: str) -> None:
    with Proxy(plan={0: answer}) as proxy:
        run = Run(client, calls(3), proxy.url, "key", tmp_path).end()
        assert len(proxy.heads) == (2 if outcome == RESENT else 1)
        # A batch that was put back on Segment's queue, as Retry-After has it, is no counted retry.
        counted = client == "segment" and answer != "429"
        assert retry_counts(proxy) == [None, *([1 if counted else None] if outcome == RESENT else [])]
        assert all(names == run.ids for names in batches(proxy))
        sent_at = [body["sentAt"] for body in proxy.seen]
        assert sent_at == sorted(set(sent_at)), "each sending has its own time"
    assert run.given_up == (run.ids if outcome == DROPPED else [])
    if outcome == DROPPED:
        assert run.errors[0]["status"] == int(answer.partition(" ")[0])


@pytest.mark.parametrize("client", CLIENTS)
def test_where_nobody_listens_a_client_comes_again(server: Server, tmp_path: Path, client: str) -> None:
    server.start()
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{place.getsockname()[1]}"
        run = Run(client, calls(50), url, server.keys.write_key, tmp_path, {"max_retries": 10})
        server.await_that(lambda: run.log.exists() and "Connection refused" in run.log.read_text())
        with Proxy(server.url, at=place) as proxy:
            assert run.end().errors == []
            assert len(proxy.heads) == 1
    assert run.requests >= 2
    assert delivered_once(server, run) == 0


@pytest.mark.parametrize(("client", "mode", "counts"), [
    ("segment", "500", [None, 1, 2]), ("rudder", "500", [None] * 3), ("rudder", "202", [None] * 3),
    ("rudder", "429", [None] * 3),
])
def test_after_its_retries_a_client_gives_up_and_says_so(tmp_path: Path, client: str, mode: str,
                                                         counts: list[int | None]) -> None:
    with Proxy(mode=mode) as proxy:
        run = Run(client, calls(3), proxy.url, "key", tmp_path).end()
        assert retry_counts(proxy) == counts
        assert batches(proxy) == [run.ids] * 3
    assert run.given_up == run.ids


def test_segments_client_counts_time_and_not_tries_where_it_is_told_when_to_come_again(tmp_path: Path) -> None:
    with Proxy(mode="429") as proxy:
        run = Run("segment", calls(3), proxy.url, "key", tmp_path,
                  {"max_retries": 1, "max_rate_limit_duration": 3}).end()
        assert len(proxy.heads) >= 3
        assert set(retry_counts(proxy)) == {None}
    assert run.given_up == run.ids


# What our server answers them


@pytest.mark.parametrize("client", CLIENTS)
def test_a_wrong_write_key_is_told_at_once(server: Server, tmp_path: Path, client: str) -> None:
    server.start()
    run = Run(client, calls(10), server.url, "no such key", tmp_path).end()
    assert [(error["status"], error["code"]) for error in run.errors] == [(401, "unauthorized")]
    assert run.given_up == run.ids
    assert run.requests == 1
    assert delivered_once(server, run, without=range(10)) == 0


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("bad", [{41: math.nan}, {
    0: -math.inf, 20: "\ud800", 41: {"deep": json.loads("[" * 80 + "]" * 80)}, 60: "large" * 2000, 99: math.nan,
}], ids=["NaN", "all kinds"])
def test_a_bad_event_of_a_hundred_is_rejected_alone(server: Server, tmp_path: Path, client: str,
                                                    bad: dict[int, object]) -> None:
    server.start(CROSSFADE_MAX_EVENT_KB="8")
    made = [track(n, value=bad[n]) if n in bad else call for n, call in enumerate(calls(100))]
    run = Run(client, made, server.url, server.keys.write_key, tmp_path, {"upload_interval": 1}).end()
    assert run.errors == []
    assert run.requests == 1
    assert delivered_once(server, run, without=list(bad)) == 0


@pytest.mark.parametrize("client", CLIENTS)
def test_a_batch_of_bad_events_alone_is_dropped_and_told(server: Server, tmp_path: Path, client: str) -> None:
    server.start()
    run = Run(client, [track(0, value=math.nan)], server.url, server.keys.write_key, tmp_path).end()
    assert [(error["status"], error["code"]) for error in run.errors] == [(400, "not_a_number")]
    assert run.requests == 1
    run = Run(client, calls(10), server.url, server.keys.write_key, tmp_path).end()
    assert run.errors == []
    assert delivered_once(server, run) == 0


@pytest.mark.parametrize(("client", "events", "size"), [("segment", 20, 20_000), ("rudder", 2, 4_000_000)])
def test_a_body_that_is_too_large_is_dropped_and_told(server: Server, tmp_path: Path, client: str, events: int,
                                                      size: int) -> None:
    """It is refused unread, and the client hears that, though it is still sending."""
    server.start(CROSSFADE_MAX_BODY_MB="0.05")
    large = [track(n, text=random.Random(n).randbytes(size // 2).hex()) for n in range(events)]
    run = Run(client, large, server.url, server.keys.write_key, tmp_path, {"upload_interval": 1}).end()
    assert {(error["status"], error["code"]) for error in run.errors} == {(413, "too_large")}
    assert run.given_up == run.ids
    assert run.requests == len(run.errors)
    run = Run(client, calls(10), server.url, server.keys.write_key, tmp_path).end()
    assert run.errors == []
    assert delivered_once(server, run) == 0


def test_the_largest_body_that_rudders_client_makes_is_taken_apart(server: Server, tmp_path: Path) -> None:
    """It stops filling a batch after 4 MiB, and an event may have as much: up to 8 MiB in a body."""
    server.start(CROSSFADE_MAX_EVENT_KB="5000")
    large = [track(n, text="x" * ((4 << 20) - 1000)) for n in range(2)]
    run = Run("rudder", large, server.url, server.keys.write_key, tmp_path,
              {"upload_interval": 2, "gzip": False, "timeout": 15}).end()
    assert run.errors == []
    assert run.requests == 1
    assert delivered_once(server, run) == 0


@pytest.mark.slow
@pytest.mark.parametrize("client", CLIENTS)
def test_a_full_queue_is_a_503_and_then_all_is_delivered(server: Server, tmp_path: Path, client: str) -> None:
    server.start(CROSSFADE_MAX_PENDING_MB="0.02")
    with Proxy(server.url) as proxy:
        run = Run(client, calls(1000), proxy.url, server.keys.write_key, tmp_path, {"max_retries": 10}).end()
        assert set(proxy.answers) == {200, 503}
        assert proxy.answers.count(200) >= 10
        if client == "segment":
            assert set(retry_counts(proxy)) == {None}, "it waits as told, which is no counted retry"
    assert run.errors == []
    assert delivered_once(server, run) == 0


# What the documentation shows


def shown() -> Iterator[str]:
    """The pieces of Python in the how-to that use somebody else's client."""
    pieces = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "how-to.md").read_text(), re.DOTALL)
    yield from (piece for piece in pieces if ".analytics import" in piece)


def test_the_lines_in_the_documentation_work(server: Server) -> None:
    server.start(USE_REAL_BUSINESS_METRICS="true")
    pieces = list(shown())
    assert len(pieces) == len(CLIENTS)
    for count, piece in enumerate(pieces, 1):
        code = f"write_key = {server.keys.write_key!r}\n" + piece.replace("http://127.0.0.1:8787", server.url)
        subprocess.run([sys.executable, "-c", code], env=environment(NO_PROXY="*"), check=True, timeout=30)
        server.await_loaded()
        assert server.live("business")["business"]["filesProcessed"] == count
