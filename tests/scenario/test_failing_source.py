"""A real source that fails: what the viewer gets, with which label. The fault is a real one: a table that is gone."""

import sqlite3

from .conftest import Server


def break_history(server: Server) -> None:
    with sqlite3.connect(server.data / "state.sqlite") as database:
        database.execute("ALTER TABLE daily_stats RENAME TO daily_stats_gone")


def mend_history(server: Server) -> None:
    with sqlite3.connect(server.data / "state.sqlite") as database:
        database.execute("ALTER TABLE daily_stats_gone RENAME TO daily_stats")


def history(server: Server) -> tuple[str, str, bool]:
    source = server.live("history")["meta"]["sources"]["historicalData"]
    return source["source"], source["reason"], source["synthetic"]


def test_fallback_is_labelled_and_mends_itself(server: Server) -> None:
    server.start(CROSSFADE_STALE_LIMIT_S="0", USE_REAL_HISTORICAL_DATA="true")
    assert history(server) == ("real", "flag", False)
    break_history(server)
    server.await_that(lambda: history(server) == ("mock", "fallback", True))
    live = server.live("history")
    assert "daily_stats" in live["meta"]["sources"]["historicalData"]["error"]
    assert len(live["history"]) == 30
    mend_history(server)
    server.await_that(lambda: history(server) == ("real", "flag", False))


def test_a_young_real_value_stands_in_and_says_that_it_is_stale(server: Server) -> None:
    server.start(USE_REAL_HISTORICAL_DATA="true")
    before = server.live("history")
    break_history(server)
    server.await_that(lambda: history(server) == ("real", "stale", False))
    stale = server.live("history")
    assert stale["history"] == before["history"]
    as_of = stale["meta"]["sources"]["historicalData"]["asOf"]
    server.await_that(lambda: True, hold=1.5)
    assert server.live("history")["meta"]["sources"]["historicalData"]["asOf"] == as_of, "a cache never resets as_of"


def test_without_fallback_it_is_unavailable_and_the_rest_goes_on(server: Server) -> None:
    server.start(USE_REAL_HISTORICAL_DATA="true", FALLBACK_ON_ERROR="false")
    assert history(server) == ("real", "flag", False)
    break_history(server)
    server.await_that(lambda: history(server) == ("unavailable", "failed", False))
    live = server.live()
    assert live["history"] is None
    assert live["business"]["filesProcessed"] > 0
    text = server.http.get("/api/dashboard/live", params={"format": "prometheus"}).text
    assert 'crossfade_component_source{component="historicalData",source="unavailable"' in text
    assert "crossfade_history_files" not in text
    assert server.http.get("/api/history").json()["history"] is None
    page = server.http.get("/").text
    assert "UNAVAILABLE" in page
