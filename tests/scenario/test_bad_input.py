"""What comes from outside and is wrong: a clear answer for that one thing, the good ones taken, the server alive."""

import gzip
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from .conftest import Server, environment

GOOD = {"type": "track", "event": "file_processed", "messageId": "good", "userId": "u"}
NESTED = '{"a":' * 100 + "1" + "}" * 100

BAD_EVENTS = {
    "wrong_type": '{"event": 7, "messageId": "bad"}',
    "not_a_number": '{"event": "e", "messageId": "bad", "properties": {"x": NaN}}',
    "missing_event": '{"type": "track", "messageId": "bad"}',
    "too_old": '{"event": "e", "messageId": "bad", "timestamp": "1926-01-01T00:00:00Z"}',
    "in_future": '{"event": "e", "messageId": "bad", "timestamp": "2126-01-01T00:00:00Z"}',
    "too_large": '{"event": "e", "messageId": "bad", "properties": {"x": "' + "y" * 300_000 + '"}}',
    "too_deep": '{"event": "e", "messageId": "bad", "properties": ' + NESTED + "}",
    "control_character": '{"event": "e\\u0000", "messageId": "bad"}',
    "unknown_type": '{"type": "teleport", "event": "e", "messageId": "bad"}',
}
BAD_BODIES = {
    "malformed": (b'{"batch": [', {}, 400),
    "a raw NUL": (b'{"batch": [{"event": "e\x00"}]}', {}, 400),
    "no batch": (b"[]", {}, 400),
    "empty": (b"", {}, 400),
    "10 MB of properties": (b'{"batch": [{"event": "e", "properties": {"x": "' + b"y" * 10_500_000 + b'"}}]}', {}, 413),
    "truncated gzip": (gzip.compress(json.dumps({"batch": [GOOD]}).encode())[:-9], {"Content-Encoding": "gzip"}, 400),
    "a gzip bomb": (gzip.compress(b"[" * 200_000_000, 1), {"Content-Encoding": "gzip"}, 413),
    "no gzip": (b"no gzip", {"Content-Encoding": "gzip"}, 400),
    "an unknown encoding": (b"{}", {"Content-Encoding": "br"}, 415),
    "100,000 levels": (b'{"batch": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}", {}, 400),
}


def test_bad_input_is_answered_clearly_and_the_good_events_are_stored(server: Server) -> None:
    server.start(USE_REAL_BUSINESS_METRICS="true")
    good = 0
    for reason, text in BAD_EVENTS.items():
        body = '{"batch": [' + json.dumps({**GOOD, "messageId": f"good {reason}"}) + "," + text + "]}"
        answer = server.http.post("/v1/batch", content=body, auth=server.writer)
        assert answer.status_code == 200, reason
        rejected = answer.json()["rejected"]
        assert [(one["reason"], one["index"]) for one in rejected] == [(reason, 1)]
        good += 1
        alone = server.http.post("/v1/track", content=text, auth=server.writer)
        assert alone.status_code == 400, reason
    for name, (body, headers, status) in BAD_BODIES.items():
        answer = server.http.post("/v1/batch", content=body, headers=headers, auth=server.writer)
        assert answer.status_code == status, (name, answer.text)
        error = answer.json()
        assert all(isinstance(error[key], str) and error[key] for key in ("code", "message", "detail", "error")), name
    for auth in (None, ("wrong", ""), (server.keys.admin_token, "")):
        assert server.http.post("/v1/batch", json={"batch": [GOOD]}, auth=auth).status_code == 401
    server.await_loaded()
    assert server.live("business")["business"]["filesProcessed"] == good
    status, log = server.stop()
    assert status == 0
    assert "Traceback" not in log


def test_a_retry_with_or_without_a_time_counts_once(server: Server) -> None:
    server.start(USE_REAL_BUSINESS_METRICS="true")
    now = datetime.now(UTC).isoformat()
    timed = {**GOOD, "messageId": "timed", "timestamp": now}
    untimed = {**GOOD, "messageId": "untimed"}
    for _ in range(3):
        assert server.batch(timed, untimed, timed, sentAt=now).status_code == 200
        server.await_loaded()
    retimed = {**timed, "timestamp": datetime.now(UTC).isoformat()}
    assert server.batch(retimed).status_code == 200
    server.await_loaded()
    assert server.live("business")["business"]["filesProcessed"] == 2


@pytest.mark.parametrize("query", ["days=0", "days=x", "days=99999"])
def test_a_wrong_question_is_a_400(server: Server, query: str) -> None:
    server.start()
    answer = server.http.get(f"/api/history?{query}")
    assert answer.status_code == 400
    assert "days" in answer.json()["detail"]
    assert server.http.get("/api/dashboard/live?section=weather").status_code == 400
    assert server.http.get("/no/such/thing").json()["code"] == "not_found"


def refused(data: Path, *arguments: str, **variables: str) -> str:
    """What `serve` says when it cannot start: one sentence, and exit 1."""
    done = subprocess.run([sys.executable, "-m", "crossfade", "serve", "--port", "0", "--data", str(data), *arguments],
                          env=environment(**variables), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_data_folder_that_cannot_be_used_is_one_sentence_and_exit_1(server: Server, tmp_path: Path) -> None:
    server.start()
    assert "in use by another server" in refused(server.data)
    server.stop()
    (server.data / "format.json").write_text('{"format": 99}')
    assert "install the version that wrote it" in refused(server.data)
    (tmp_path / "file").touch()
    assert "cannot be written" in refused(tmp_path / "file" / "below")
    assert "cannot be written" in refused(Path("/proc/crossfade"))


def test_a_setting_that_is_wrong_is_one_sentence_and_exit_1(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert "time_zone" in refused(data, CROSSFADE_TIME_ZONE="Mars/Olympus")
    assert "NEXT_PUBLIC_FALLBACK_ON_ERROR" in refused(data, NEXT_PUBLIC_FALLBACK_ON_ERROR="maybe")
    secret = refused(data, CROSSFADE_TARGETS='{"db": "ftp://user:hunter2@host"}')
    assert "targets" in secret
    assert "hunter2" not in secret
    settings = tmp_path / "settings.toml"
    for text in ("memory_limit = 'much'\n", "no_such_setting = 1\n", "not toml"):
        settings.write_text(text)
        refused(data, "--config", str(settings))


def test_the_time_zone_of_the_data_stays(server: Server) -> None:
    server.start(CROSSFADE_TIME_ZONE="Asia/Kathmandu")
    server.stop()
    assert "Asia/Kathmandu" in refused(server.data)
