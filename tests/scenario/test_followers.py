"""Real processes follow a real server: a rollback is over when the last of them has it, and says who has not."""

import base64
import json
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from crossfade.state import State

from .conftest import Server, environment

APP = Path(__file__).with_name("following_app.py")
MANY = 20


class App:
    """One process that follows."""

    def __init__(self, server: Server, kind: str = "follower", keep: str | Path = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(APP), kind, server.url, server.keys.write_key, str(keep)],
            env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @property
    def named(self) -> str:
        return f" {self.process.pid} "

    def tells(self) -> dict[str, object]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], 60)
        assert ready, "it says nothing"
        return json.loads(self.process.stdout.readline())

    def end(self) -> str:
        """Gives what it logged."""
        self.process.send_signal(signal.SIGCONT)
        _, log = self.process.communicate(timeout=60)
        return log


class Apps:
    """Processes that follow one server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.made: list[App] = []

    def start(self, count: int = 1, kind: str = "follower", keep: str | Path = "") -> Sequence[App]:
        started = [App(self.server, kind, keep) for _ in range(count)]
        self.made += started
        return started

    def await_all(self) -> None:
        self.server.await_that(lambda: self.known(self.made) == len(self.made), within=60)

    def known(self, apps: Sequence[App]) -> int:
        """How many of them are connected and have the latest flags."""
        rows = self.server.http.get("/api/flags/followers").json()
        latest = revision(self.server)
        return sum(any(app.named in row["name"] and row["revision"] == latest and row["lostAt"] is None
                       for row in rows) for app in apps)


@pytest.fixture
def apps(server: Server) -> Iterator[Apps]:
    made = Apps(server)
    yield made
    for app in made.made:
        if app.process.poll() is None:
            app.process.kill()
        app.process.communicate()


def revision(server: Server) -> int:
    return int(server.http.get("/api/flags").headers["etag"].strip('"').partition("-")[0])


def roll_back(server: Server, timeout: float = 20) -> dict[str, object]:
    answer = server.http.post("/api/rollback", json={"timeout": timeout}, headers=server.admin)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_it_is_over_when_the_last_of_twenty_has_it(server: Server, apps: Apps) -> None:
    server.start()
    server.set_flags(useRealSystemMetrics=True)
    apps.start(MANY)
    apps.await_all()
    assert all(app.tells()["system"] is True for app in apps.made)
    done = roll_back(server)
    assert (done["acknowledged"], done["unanswered"]) == (MANY + 1, [])
    assert 0 < done["transactionMilliseconds"] < done["milliseconds"] < 20_000
    told = [app.tells() for app in apps.made]
    assert {(one["system"], one["revision"], one["connected"]) for one in told} == {(False, done["revision"], True)}
    said = server.cli("rollback", "--all").stdout.decode()
    assert f"{MANY + 1} processes have it, the last after" in said
    for app in apps.made:
        assert app.end() == ""
    assert server.http.get("/api/flags/followers").json() == [], "they have said goodbye"


def test_who_does_not_answer_is_named_and_has_it_when_it_can(server: Server, apps: Apps) -> None:
    server.start()
    server.set_flags(useRealSystemMetrics=True)
    well, stopped = apps.start(2)
    apps.await_all()
    stopped.process.send_signal(signal.SIGSTOP)
    said = server.cli("rollback", "--all", "--timeout", "0.3", "--json", check=1)
    done = json.loads(said.stdout)
    assert done["acknowledged"] == 2
    name, = done["unanswered"]
    assert stopped.named in name
    assert "lost" not in name
    assert well.tells()["system"] is False
    assert b"Not known to have it: " in server.cli("rollback", "--all", "--timeout", "0", check=1).stdout
    stopped.process.send_signal(signal.SIGCONT)
    server.await_that(lambda: roll_back(server)["unanswered"] == [])
    assert stopped.tells()["system"] is False


def test_a_killed_one_is_lost_and_a_terminated_one_is_not(server: Server, apps: Apps) -> None:
    server.start()
    server.set_flags(useRealSystemMetrics=True)
    killed, terminated, _ = apps.start(3)
    apps.await_all()
    killed.process.kill()
    terminated.process.terminate()
    for app in (killed, terminated):
        app.process.wait(30)
    server.await_that(lambda: len(server.http.get("/api/flags/followers").json()) == 2)
    server.await_that(lambda: any(row["lostAt"] for row in server.http.get("/api/flags/followers").json()))
    began = time.monotonic()
    done = roll_back(server, timeout=30)
    assert time.monotonic() - began < 15, "nobody waits for the dead"
    name, = done["unanswered"]
    assert killed.named in name
    assert name.endswith("(lost)")
    assert done["acknowledged"] == 2


def test_a_server_that_was_killed_is_followed_again(server: Server, apps: Apps, tmp_path: Path) -> None:
    server.start()
    server.set_flags(useRealSystemMetrics=True)
    apps.start(5, keep=tmp_path / "flags")
    apps.await_all()
    port = server.url.rpartition(":")[2]
    server.stop(signal.SIGKILL)
    alone = apps.start(keep=tmp_path / "flags")[0].tells()
    assert (alone["system"], alone["connected"]) == (True, False), "as they last were"
    assert apps.made[0].tells()["system"] is True
    server.start("--port", port)
    apps.await_all()
    assert roll_back(server)["acknowledged"] == 7
    assert [app.tells()["system"] for app in apps.made] == [False] * 6


@pytest.mark.parametrize("kind", ["tracker", "library"])
def test_a_tracker_and_a_library_follow(server: Server, apps: Apps, kind: str, tmp_path: Path) -> None:
    server.start()
    app, = apps.start(kind=kind, keep=tmp_path / "keep")
    assert app.tells()["system"] is False
    apps.await_all()
    for wanted in (True, False):
        server.set_flags(useRealSystemMetrics=wanted)
        server.await_that(lambda: apps.known(apps.made) == 1)
        told = app.tells()
        assert told["system"] is wanted
        assert told.get("source", "real" if wanted else "mock") == ("real" if wanted else "mock")
    assert app.end() == ""
    assert server.http.get("/api/flags/followers").json() == []


def test_a_change_from_elsewhere_in_the_state_is_pushed(server: Server, apps: Apps) -> None:
    server.start()
    app, = apps.start()
    apps.await_all()
    with closing(State.open(server.data / "state.sqlite")) as other:
        other.change_flags({"use_real_system_metrics": True}, who="elsewhere", at=1)
    server.await_that(lambda: app.tells()["system"] is True)


def test_from_another_machine_with_the_token_alone(server: Server, apps: Apps, tmp_path: Path) -> None:
    server.start()
    server.set_flags(useRealSystemMetrics=True)
    app, = apps.start()
    apps.await_all()
    command = [sys.executable, "-m", "crossfade", "rollback", "--all", "--url", server.url, "--data", str(tmp_path)]
    done = subprocess.run(command, env=environment(CROSSFADE_ADMIN_TOKEN=server.keys.admin_token), check=False,
                          capture_output=True, text=True, timeout=60)
    assert (done.returncode, "2 processes have it" in done.stdout) == (0, True), done
    assert app.tells()["system"] is False
    refused = subprocess.run(command, env=environment(), check=False, capture_output=True, text=True, timeout=60)
    assert (refused.returncode, "admin token" in refused.stderr) == (1, True)


def test_it_works_while_the_event_store_is_gone(server: Server, apps: Apps) -> None:
    server.start()
    server.set_flags(useRealSystemMetrics=True, useRealBusinessMetrics=True)
    apps.start()
    apps.await_all()
    for path in (*server.data.glob("events*"), server.data / "journal"):
        path.rename(path.with_name(f"gone-{path.name}"))
    assert server.batch({"event": "e"}).status_code in {200, 503}
    done = roll_back(server)
    assert (len(done["changed"]), done["acknowledged"], done["unanswered"]) == (2, 2, [])


# Who may, and what is no follower


def basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


def test_off_loopback_it_takes_a_key(server: Server) -> None:
    server.start("--host", "0.0.0.0")  # noqa: S104  that is the point
    with httpx.Client(base_url=server.url.replace("0.0.0.0", "127.0.0.1"), trust_env=False) as http:  # noqa: S104
        body = {"id": "x" * 16, "revision": 0}
        for key in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": basic("wrong")},
                    {"Authorization": "Basic x"}):
            assert http.get("/api/flags", headers=key).status_code == 401
            assert http.get("/api/flags/stream", headers=key).status_code == 401
            assert http.post("/api/flags/ack", json=body, headers=key).status_code == 401
            assert http.post("/api/flags/leave", json={"id": "x" * 16}, headers=key).status_code == 401
        write = server.keys.write_key
        for key in (f"Bearer {write}", basic(write), f"Bearer {server.keys.admin_token}"):
            headers = {"Authorization": key}
            assert http.get("/api/flags", headers=headers).status_code == 200
            with http.stream("GET", "/api/flags/stream", headers=headers) as stream:
                assert stream.status_code == 200
            assert http.post("/api/flags/ack", json=body, headers=headers).status_code == 404
            assert http.post("/api/flags/leave", json={"id": "x" * 16}, headers=headers).status_code == 204
        assert http.get("/api/flags/followers", headers={"Authorization": basic(write)}).status_code == 401
        assert http.patch("/api/flags", json={}, headers={"Authorization": basic(write)}).status_code == 401


def test_on_loopback_this_machine_follows_and_no_page_of_another_site(server: Server) -> None:
    server.start()
    for headers, status in (({}, 200), ({"Sec-Fetch-Site": "same-origin"}, 200), ({"Host": "rebound.example"}, 403),
                            ({"Sec-Fetch-Site": "cross-site"}, 403)):
        with server.http.stream("GET", "/api/flags/stream", headers=headers) as stream:
            assert stream.status_code == status, headers


def test_the_stream_begins_with_everything_whatever_was_the_last(server: Server) -> None:
    server.start()
    latest = revision(server)
    for last in ("", "0", str(latest), "nonsense"):
        with server.http.stream("GET", "/api/flags/stream", headers={"Last-Event-ID": last}) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.iter_lines()
            assert (next(lines), next(lines)) == (f"id: {latest}", "event: flags")
            told = json.loads(next(lines).removeprefix("data: "))
            assert told["revision"] == latest
            assert told["flags"].items() >= server.http.get("/api/flags").json().items()
    server.await_that(lambda: roll_back(server)["acknowledged"] == 1, hold=0)
    assert server.http.get("/api/flags/followers").json() == [], "who looks on is no follower"


def test_what_is_no_acknowledgement_or_no_wait(server: Server) -> None:
    server.start()
    key = "x" * 16
    for path, body in (
        ("ack", {}), ("ack", {"id": key}), ("ack", {"id": "x", "revision": 1}), ("ack", {"id": 5, "revision": 1}),
        ("ack", {"id": key, "revision": -1}), ("ack", {"id": key, "revision": None}), ("ack", []), ("leave", {}),
        ("ack", {"id": key, "revision": 1, "more": 1}), ("leave", {"id": "x"}),
    ):
        for headers in ({}, {"Authorization": f"Bearer {server.keys.write_key}"}):
            answer = server.http.post(f"/api/flags/{path}", json=body, headers=headers)
            assert (answer.status_code, bool(answer.json()["code"])) == (400, True), (path, body, answer.text)
    for timeout in (-1, 31, "soon", None):
        answer = server.http.post("/api/rollback", json={"timeout": timeout}, headers=server.admin)
        assert answer.status_code == 400, timeout
    headers = {"Authorization": f"Bearer {server.keys.write_key}"}
    assert server.http.post("/api/flags/ack", content=b" " * 100_000, headers=headers).status_code == 413
    assert server.http.get("/api/flags/ack", headers=headers).status_code == 405
    assert server.http.get("/api/flags/stream", params={"id": "short"}).status_code == 400


def test_flags_that_are_known_are_not_sent_again(server: Server) -> None:
    server.start()
    first = server.http.get("/api/flags")
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = server.http.get("/api/flags", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    server.set_flags(useRealSystemMetrics=True)
    changed = server.http.get("/api/flags", headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()["useRealSystemMetrics"]) == (200, True)
    assert changed.headers["etag"] != tag


def test_open_files_are_room_for_thousands(server: Server) -> None:
    server.start()
    assert server.process is not None
    limits = Path(f"/proc/{server.process.pid}/limits").read_text()
    line, = (line for line in limits.splitlines() if line.startswith("Max open files"))
    soft, hard = line.split()[3:5]
    assert "unlimited" in soft or int(soft) >= min(65_536, int(hard))
