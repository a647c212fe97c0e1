"""Figures over time, as a real server tells them."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import httpx

from crossfade.core.clock import DAY, HOUR, MINUTE, SystemClock, iso
from crossfade.state.repository import State
from crossfade.state.samples import Sample

from .conftest import Server


def fill(data: Path, change: Callable[[int], list[Sample]]) -> int:
    """Puts samples of the past where the server keeps them; the minute that it is."""
    now = SystemClock().now() // MINUTE * MINUTE
    state = State.open(data / "state.sqlite")
    state.put_samples(change(now))
    state.close()
    return now


def sample(start: int, source: str, value: float, length: int = MINUTE) -> Sample:
    return Sample("businessMetrics", start, length, source, start, {"filesProcessed": value, "activeUsers": 1})


def test_points_say_their_source_and_gaps_stay_gaps(server: Server) -> None:
    server.start()
    now = fill(server.data, lambda now: [
        sample(now - 50 * MINUTE, "mock", 9000), sample(now - 49 * MINUTE, "real", 1),
        sample(now - 20 * MINUTE, "real", 2)])
    found = server.http.get("/api/figures", params={"component": "businessMetrics", "since": "1h",
                                                    "until": iso(now - 10 * MINUTE)}).json()
    assert [(point["at"], point["source"], point["synthetic"], point["values"]["filesProcessed"])
            for point in found["points"]] == [
        (iso(now - 50 * MINUTE), "mock", True, 9000), (iso(now - 49 * MINUTE), "real", False, 1),
        (iso(now - 20 * MINUTE), "real", False, 2)]
    assert found["stepSeconds"] == 60
    assert found["cutovers"] == []


def test_a_long_range_is_thinned_and_an_export_is_not(server: Server) -> None:
    server.start()
    fill(server.data, lambda now: [sample(now - number * MINUTE, "real", number) for number in range(10, 3000)])
    thin = server.http.get("/api/figures", params={"component": "businessMetrics", "since": "7d", "points": 50}).json()
    assert sum(point["source"] == "real" for point in thin["points"]) <= 51
    whole = server.http.get("/api/export/businessMetrics", params={"range": "7d", "figure": "filesProcessed"})
    rows = list(csv.DictReader(io.StringIO(whole.text)))
    assert sum(row["source"] == "real" for row in rows) == 2990
    assert "activeUsers" not in rows[0]
    assert whole.headers["content-disposition"] == 'attachment; filename="businessMetrics-filesProcessed-7d.csv"'


def test_changes_of_flags_are_told(server: Server) -> None:
    server.start()
    server.set_flags(useRealBusinessMetrics=True)
    server.http.patch("/api/flags", json={"percentBusinessMetrics": 25, "useRealSystemMetrics": True},
                      params={"reason": "slowly"}, headers=server.admin)
    told = server.http.get("/api/figures", params={"component": "businessMetrics"}).json()["cutovers"]
    assert [(each["flag"], each["old"], each["new"], each["reason"]) for each in told] == [
        ("use_real_business_metrics", "false", "true", None), ("percent_business_metrics", "100", "25", "slowly")]


def test_the_timeline_is_told_by_the_day_and_a_day_that_nobody_counted_is_none(server: Server) -> None:
    server.start(USE_REAL_HISTORICAL_DATA="true")
    moment = SystemClock().now() - 3 * DAY - 6 * HOUR
    server.batch({"event": "file_processed", "timestamp": iso(moment)})
    server.await_loaded()
    server.http.post("/api/aggregate", headers=server.admin)
    server.await_that(lambda: True, hold=1.1)
    found = server.http.get("/api/figures", params={"component": "historicalData", "since": "1h"}).json()
    days = {point["at"][:10]: point["values"]["files"] for point in found["points"]}
    assert days[iso(moment)[:10]] == 1
    assert len(days) < 7  # the days before it are gaps
    assert {point["source"] for point in found["points"]} == {"real"}


ANSWERS = (
    ("/api/figures?component=nothing", 404), ("/api/figures", 400),
    ("/api/figures?component=businessMetrics&since=soon", 400),
    ("/api/figures?component=businessMetrics&until=soon", 400),
    ("/api/figures?component=businessMetrics&until=1950-01-01T00:00:00Z", 400),
    ("/api/figures?component=businessMetrics&points=0", 400),
    ("/api/figures?component=businessMetrics&since=2999-01-01T00:00:00Z", 400),
    ("/api/figures?component=historicalData&since=1970-01-01T00:00:00Z&until=9999-12-31T23:59:59Z", 200),
    ("/api/figures?component=historicalData&since=1970-01-01T00:00:00Z&until=1970-01-02T00:00:00Z", 200),
    ("/api/export/nothing", 404), ("/api/export/businessMetrics?figure=nothing", 404),
    ("/api/export/businessMetrics?format=xml", 400), ("/api/export/systemMetrics?figure=scope", 404),
    ("/api/export/businessMetrics?range=%0d%0aSet-Cookie:a", 400), ("/api/export/historicalData?range=90d", 200),
    ("/figures/nothing/files", 404), ("/figures/businessMetrics/nothing", 404),
    ("/figures/infrastructureMetrics/queue.events", 200), ("/?range=forever&show=everything", 200),
)


def test_what_cannot_be_told_is_said(server: Server) -> None:
    server.start()
    found = [(path, server.http.get(path)) for path, _ in ANSWERS]
    assert [(path, answer.status_code) for path, answer in found] == list(ANSWERS)
    assert not any("Set-Cookie:a" in str(answer.headers) for _, answer in found)


def test_who_may_not_read_may_not_read_the_past_either(server: Server) -> None:
    server.start("--host", "0.0.0.0")  # noqa: S104 - that it is guarded is the point
    paths = ("/", "/figures/businessMetrics/filesProcessed", "/api/figures?component=businessMetrics",
             "/api/export/businessMetrics")
    assert [server.http.get(path).status_code for path in paths] == [401] * 4
    assert [server.http.get(path, headers=server.admin).status_code for path in paths] == [200] * 4


def test_a_stream_goes_on_where_it_was(server: Server) -> None:
    server.start()

    def events(after: str | None = None) -> list[str]:
        headers = {"x-crossfade-viewer": "ada"} | ({} if after is None else {"Last-Event-ID": after})
        with server.http.stream("GET", "/api/dashboard/stream", headers=headers) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            return [next(lines) for _ in range(4)]

    number, name, data, blank = events()
    assert number.startswith("id: ")
    assert (name, blank) == ("event: live", "")
    assert data.startswith('data: {"business"')
    assert int(events("0")[0].removeprefix("id: ")) > int(number.removeprefix("id: "))
    assert events("no number")[1] == "event: live"


def test_a_server_that_stops_ends_its_streams_and_does_not_wait_for_viewers(server: Server) -> None:
    server.start()
    with httpx.stream("GET", f"{server.url}/api/dashboard/stream", timeout=30) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("id: ")
        assert server.stop()[0] == 0
        assert [*lines]  # to its proper end: one that is cut off raises
