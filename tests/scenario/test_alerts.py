"""Alerts, from a part that goes down to a message that arrives, through a running server and the command line."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .conftest import Server, environment
from .receivers import Hook, MailServer

SECRET = "hunter2"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@contextmanager
def listening(port: int) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", port)):
        yield


def start(server: Server, port: int, **targets: str) -> Server:
    return server.start(
        CROSSFADE_TARGETS=json.dumps({"api": f"tcp://127.0.0.1:{port}"}), CROSSFADE_ALERT_TARGETS=json.dumps(targets),
        CROSSFADE_ALERT_PENDING_S="0", CROSSFADE_ALERT_HOLD_S="0.1", CROSSFADE_PROBE_INTERVAL_S="0.2")


def open_alerts(server: Server) -> list[dict[str, object]]:
    answer = server.http.get("/api/alerts")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_from_a_part_that_goes_down_to_the_message_that_it_is_back(server: Server) -> None:
    port = free_port()
    with MailServer(password=SECRET) as mail, Hook().serving() as hook:
        start(server, port, hook=hook.url(SECRET), mail=mail.url(f"ann:{SECRET}@"))
        server.await_that(lambda: hook.got and mail.mails)
        title = "[critical] infrastructureMetrics: api does not answer as it should"
        assert hook.titles == [title]
        assert [message["subject"] for message in mail.mails] == [title]
        server.await_that(lambda: [found["status"] for found in open_alerts(server)[0]["deliveries"]]
                          == ["delivered"] * 2)
        alert, = open_alerts(server)
        assert (alert["component"], alert["check"], alert["severity"], alert["status"]) == (
            "infrastructureMetrics", "service api", "critical", "open")
        shown, = server.live("alerts")["alerts"]
        assert shown == {name: value for name, value in alert.items() if name not in {"silence", "deliveries"}} | {
            "evidence": shown["evidence"]}
        assert "alerts" not in server.live("business")
        with listening(port):
            server.await_that(lambda: len(hook.got) == len(mail.mails) == 2)
            assert hook.titles[1].startswith("[resolved] ")
            assert open_alerts(server) == []
            assert server.live("alerts")["alerts"] == []
            closed, = server.http.get("/api/alerts", params={"state": "all"}).json()
            assert (closed["id"], closed["status"]) == (alert["id"], "closed")
            answers = "".join(server.http.get(path).text for path in (
                "/api/alerts?state=all", "/api/dashboard/live", "/api/audit", "/schema/openapi.json"))
        status, log = server.stop()
    assert status == 0
    assert SECRET not in answers + log
    assert '"notifier: delivered"' in log


def test_the_command_line_lists_acknowledges_and_silences(server: Server) -> None:
    port = free_port()
    with Hook().serving() as hook:
        hook.status = 500
        start(server, port, hook=hook.url(SECRET))
        server.await_that(lambda: hook.paths and "500" in server.cli("alerts").stdout.decode())
        told = server.cli("alerts", "list").stdout.decode()
        assert "infrastructureMetrics/service api" in told
        assert "hook: waiting (it answered with status 500; tried" in told
        assert "\x1b[" not in told
        alert, = json.loads(server.cli("alerts", "--json").stdout)
        server.cli("alerts", "ack", str(alert["id"]), "--note", "on it")
        assert "acknowledged by" in server.cli("alerts").stdout.decode()
        assert json.loads(server.cli("alerts", "list", "--all", "--json").stdout)[0]["note"] == "on it"
        made = server.cli("alerts", "silence", "infra*", "--for", "1h30m", "--reason", "upgrade [of] it")
        assert b"open alerts that it covers: 1" in made.stdout
        silence, = json.loads(server.cli("alerts", "silences", "--json").stdout)
        assert (silence["component"], silence["check"], silence["reason"]) == ("infra*", "*", "upgrade [of] it")
        assert "upgrade [of] it" in server.cli("alerts", "silences").stdout.decode()
        assert "silenced until" in server.cli("alerts").stdout.decode()
        server.cli("alerts", "unsilence", str(silence["id"]))
        assert b"Nothing is silenced" in server.cli("alerts", "silences").stdout
        actions = [entry["action"] for entry in server.http.get("/api/audit").json()][:3]
        assert actions == ["alert.unsilence", "alert.silence", "alert.acknowledge"]
        hook.status = 200
        assert b"reached hook" in server.cli("alerts", "test", "hook").stdout
        assert "[test] Crossfade" in hook.titles


def test_the_command_line_says_what_is_wrong(server: Server) -> None:
    hook = Hook()
    with hook.serving():
        pass
    with listening(port := free_port()):
        start(server, port, hook=hook.url(SECRET))
        assert b"No alert is open" in server.cli("alerts").stdout
        assert b"no alert 7" in server.cli("alerts", "ack", "7", check=1).stderr
        assert b"no silence 7" in server.cli("alerts", "unsilence", "7", check=1).stderr
        assert b"needs a reason" in server.cli("alerts", "silence", "x", check=2).stderr
        for wrong in ("2", "2w", "", "-1h", "1.5h"):
            failed = server.cli("alerts", "silence", "x", f"--for={wrong}", "--reason", "y", check=2).stderr
            assert b"no duration" in failed
        assert b"up to 30 days" in server.cli("alerts", "silence", "x", "--for", "31d", "--reason", "y", check=1).stderr
        assert b"they name: hook" in server.cli("alerts", "test", "nobody", check=1).stderr
        assert server.cli("alerts", "test", "../../flags", check=1).stderr
        failed = server.cli("alerts", "test", "hook", check=1).stderr
        assert b"did not reach hook: the connection was refused" in failed
        assert SECRET.encode() not in failed


def test_a_change_needs_the_admin_token(server: Server) -> None:
    server.start()
    silence = {"component": "*", "seconds": 9, "reason": "x"}
    for method, path, body in (
        ("POST", "/api/alerts/1/ack", {}), ("POST", "/api/silences", silence), ("DELETE", "/api/silences/1", None),
        ("POST", "/api/alert-targets/hook/test", None),
    ):
        assert server.http.request(method, path, json=body).status_code == 401, path


def test_a_wrong_silence_is_refused(server: Server) -> None:
    server.start()
    right = {"component": "x", "seconds": 60, "reason": "y"}
    for wrong in ({"seconds": "long"}, {"seconds": 1e300}, {"seconds": -1}, {"component": ""}, {"reason": " "},
                  {"reason": None}, {"chek": "z"}):
        answer = server.http.post("/api/silences", json=right | wrong, headers=server.admin)
        assert answer.status_code == 400, (wrong, answer.text)
    assert server.http.post("/api/silences", json=[], headers=server.admin).status_code == 400
    assert server.http.get("/api/silences").json() == []


def test_hostile_words_are_kept_harmless(server: Server) -> None:
    server.start()
    body = b'{"component": "\\u0000[red]x", "seconds": 60, "reason": "\\u001b[31m\\n<script>"}'
    made = server.http.post("/api/silences", content=body,
                            headers={**server.admin, "Content-Type": "application/json"})
    assert made.status_code == 201, made.text
    assert made.json()["reason"] == "[31m <script>"
    shown = server.cli("alerts", "silences").stdout.decode()
    assert "[red]x" in shown
    assert "\x1b" not in shown


def test_what_could_not_be_delivered_is_delivered_after_a_crash_once(server: Server) -> None:
    port = free_port()
    with Hook().serving() as hook:
        hook.status = 500
        start(server, port, hook=hook.url())
        server.await_that(lambda: open_alerts(server) and open_alerts(server)[0]["deliveries"][0]["lastError"])
        server.stop(signal.SIGKILL)
        hook.status = 200
        start(server, port, hook=hook.url())
        server.await_that(lambda: hook.got)
        server.await_that(lambda: open_alerts(server)[0]["deliveries"][0]["status"] == "delivered", hold=3)
        assert len(hook.got) == 1


def test_a_slow_target_delays_neither_another_nor_the_stop(server: Server) -> None:
    port = free_port()
    with Hook().serving() as slow, Hook().serving() as quick:
        slow.release.clear()
        start(server, port, slow=slow.url() + "?rto=60", quick=quick.url())
        server.await_that(lambda: quick.got)
        assert slow.got == []
        began = time.monotonic()
        status, _ = server.stop()
        assert status == 0
        assert time.monotonic() - began < 8


@pytest.mark.parametrize(("targets", "words"), [
    ({"ops": f"nonsense://{SECRET}"}, "the alert target 'ops' has no address that apprise can use"),
    ({"ops": SECRET}, "the alert target 'ops' has no address of the form service://"),
    ({"my ops": f"json://{SECRET}"}, "'my ops' cannot name an alert target"),
])
def test_a_wrong_target_stops_the_start_without_being_shown(
        server: Server, targets: dict[str, str], words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "crossfade", "serve", "--port", "0", "--data", str(server.data)],
        env=environment(CROSSFADE_ALERT_TARGETS=json.dumps(targets)), capture_output=True, text=True, timeout=60,
        check=False)
    assert done.returncode == 1
    assert words in done.stderr
    assert SECRET not in done.stdout + done.stderr
