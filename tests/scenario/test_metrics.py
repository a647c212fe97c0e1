"""What operators see of a running server: its metrics, and its log."""

import base64
import json
import socket

from prometheus_client.parser import text_string_to_metric_families as families

from .conftest import Server
from .receivers import Hook

PASSWORD = "hunter2-of-the-hook"


def samples(server: Server) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = server.http.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families(answer.text) for sample in family.samples}


def test_requests_are_measured_by_what_they_are_for(server: Server) -> None:
    server.start(USE_REAL_BUSINESS_METRICS="true")
    before = samples(server)

    def more(name: str, *labels: tuple[str, str]) -> float:
        return after[f"crossfade_{name}", labels] - before.get((f"crossfade_{name}", labels), 0)

    for _ in range(5):
        assert server.batch({"type": "track", "event": "file_processed", "userId": "u"}).status_code == 200
    server.http.post("/v1/nothing", content=b"{}", auth=server.writer)
    server.live()
    server.live("business")
    server.await_loaded()
    server.await_that(lambda: ("crossfade_component_quality_percent", (("component", "businessMetrics"),))
                      in samples(server))
    after = samples(server)
    assert more("http_answer_seconds_count", ("route", "/v1")) == 6
    assert more("http_answer_seconds_bucket", ("le", "+Inf"), ("route", "/v1")) == 6
    assert more("http_answer_seconds_sum", ("route", "/v1")) > 0
    assert more("http_answers_total", ("route", "/v1"), ("status", "404")) == 1
    assert more("http_answer_seconds_count", ("route", "/api")) == 2
    assert more("http_answer_seconds_count", ("route", "other")) > 0
    assert more("events_stored_total") == 5
    assert more("readings_total", ("component", "businessMetrics"), ("reason", "flag"), ("source", "real"),
                ("synthetic", "false")) == 2
    assert all(value == 1 for (name, _), value in after.items() if name == "crossfade_part_told")
    assert after["crossfade_component_stage", (("component", "businessMetrics"), ("stage", "live"))] == 1


def test_metrics_are_for_readers_alone(server: Server) -> None:
    server.start("--host", "0.0.0.0")  # noqa: S104 - that is the point
    server.http.base_url = server.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
    assert server.http.get("/metrics").status_code == 401
    assert server.http.get("/metrics", headers=server.admin).status_code == 200


def test_a_request_has_one_id_in_the_answer_and_in_the_log(server: Server) -> None:
    server.start(CROSSFADE_LOG_LEVEL="debug", LOG_DATA_SOURCES="true", USE_REAL_BUSINESS_METRICS="true")
    good, bad = {"type": "track", "event": "e", "userId": "u"}, {"type": "track", "userId": "u"}
    rejected = server.http.post("/v1/batch", json={"batch": [good, bad]}, auth=server.writer,
                                headers={"X-Request-Id": "of-the-client"})
    assert (rejected.status_code, rejected.headers["x-request-id"]) == (200, "of-the-client")
    server.await_that(lambda: True, hold=1.1)  # the reading before has aged
    read = server.http.get("/api/dashboard/live", params={"section": "business"}, headers={"X-Request-Id": "a reader"})
    made = read.headers["x-request-id"]
    assert made != "a reader"
    for path in ("/", "/healthz", "/static/app.css", "/nothing", "/v1/nothing"):
        assert server.http.get(path).headers["x-request-id"] not in {"", made}
    status, log = server.stop()
    assert status == 0
    lines = [json.loads(line) for line in log.splitlines()]
    noted, = (line for line in lines if line["event"] == "events: some were rejected")
    assert noted["request_id"] == "of-the-client"
    answered = {line.get("request_id") for line in lines if line["event"] == "source answered"}
    assert made in answered


def test_no_secret_is_in_the_log_whatever_happens(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    with Hook().serving() as hook:
        targets = {"works": hook.url(PASSWORD), "fails": f"json://ops:{PASSWORD}@127.0.0.1:{closed}/{PASSWORD}"}
        server.start(
            CROSSFADE_LOG_LEVEL="debug", LOG_DATA_SOURCES="true", CROSSFADE_ALERT_TARGETS=json.dumps(targets),
            CROSSFADE_TARGETS=json.dumps({"api": f"http://127.0.0.1:{closed}/health"}), CROSSFADE_ALERT_PENDING_S="0",
            CROSSFADE_PROBE_INTERVAL_S="0.2")
        server.await_that(lambda: hook.got)
        for name in targets:
            server.http.post(f"/api/alert-targets/{name}/test", headers=server.admin, timeout=60)
        server.await_that(lambda: any(delivery["lastError"] for alert in server.http.get("/api/alerts").json()
                                      for delivery in alert["deliveries"]))
        wrong = f"Basic {base64.b64encode(b'wrong-key-of-somebody:').decode()}"
        server.http.post("/v1/batch", content=b"{", auth=server.writer)
        server.http.post("/v1/batch", content=b'{"batch":[{}, {"type":"track","event":"e","userId":"u"}]}',
                         auth=server.writer)
        server.http.post("/v1/batch", json={}, headers={"Authorization": wrong})
        server.http.patch("/api/flags", json={"fallbackOnError": "x"}, headers=server.admin)
        server.http.patch("/api/flags", json={}, headers={"Authorization": "Bearer wrong-key-of-somebody"})
        server.http.get("/metrics", headers=server.admin)
        with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as raw:
            raw.sendall(f"nonsense {server.keys.admin_token}\r\n\r\n".encode())
            assert raw.recv(100)
        keys = server.keys
        status, log = server.stop()
    assert status == 0
    lines = [json.loads(line) for line in log.splitlines()]  # uvicorn's complaint of the nonsense too
    assert any(line.get("logger") == "uvicorn.error" for line in lines)
    basic = base64.b64encode(f"{keys.write_key}:".encode()).decode()
    for secret in (keys.admin_token, keys.write_key, basic, PASSWORD, wrong, "wrong-key-of-somebody", "Bearer",
                   f":{closed}/{PASSWORD}", "json://"):
        assert secret not in log
