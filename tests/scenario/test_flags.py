"""All six flags, on and off, by both spellings of the environment, through HTTP against a running server."""

import itertools
import json

import pytest

from crossfade.core.flag import ALL, BUILT_IN, camel, default

from .conftest import Server

SOURCES = {
    "use_real_business_metrics": ("businessMetrics", "business"),
    "use_real_system_metrics": ("systemMetrics", "system"),
    "use_real_historical_data": ("historicalData", "history"),
    "use_real_infrastructure_metrics": ("infrastructureMetrics", "infrastructure"),
}


def test_without_a_word_everything_is_mock_and_says_so(server: Server) -> None:
    server.start()
    assert server.http.get("/api/flags").json() == {camel(name): default(name) for name in ALL}
    live = server.live()
    for component, section in SOURCES.values():
        source = live["meta"]["sources"][component]
        assert (source["source"], source["synthetic"], source["reason"]) == ("mock", True, "flag")
        assert live[section]


@pytest.mark.parametrize("prefix", ["", "NEXT_PUBLIC_"])
@pytest.mark.parametrize("on", [True, False])
def test_the_environment_seeds_all_six_in_both_spellings(server: Server, prefix: str, on: bool) -> None:
    value = "true" if on else "false"
    server.start(**{f"{prefix}{name.upper()}": value for name in BUILT_IN})
    assert server.http.get("/api/flags").json() == {
        camel(name): on if name in BUILT_IN else default(name) for name in ALL}
    server.await_that(lambda: server.live()["infrastructure"] is not None)
    expected = ("real", False) if on else ("mock", True)
    for source in server.live()["meta"]["sources"].values():
        assert (source["source"], source["synthetic"]) == expected


def test_the_environment_seeds_only_the_first_start(server: Server) -> None:
    server.start(USE_REAL_BUSINESS_METRICS="true")
    server.set_flags(useRealBusinessMetrics=False)
    server.stop()
    server.start(USE_REAL_BUSINESS_METRICS="true")
    assert server.http.get("/api/flags").json()["useRealBusinessMetrics"] is False


def test_each_component_is_switched_alone_and_seen_by_the_next_read(server: Server) -> None:
    server.start()
    server.await_that(lambda: server.http.get("/readyz").status_code == 200)
    for flag, on in itertools.product(SOURCES, (True, False)):
        server.set_flags(**{flag: on})
        sources = server.live()["meta"]["sources"]
        for other, (component, _) in SOURCES.items():
            wanted = "real" if on and other == flag else "mock"
            assert sources[component]["source"] == wanted, (flag, on, component)


def test_the_command_line_sets_flags_and_shows_who_did_it(server: Server) -> None:
    server.start()
    server.cli("flags", "set", "use_real_system_metrics=on", "logDataSources=true", "--reason", "let us see")
    assert b'"useRealSystemMetrics": true' in server.cli("flags", "--json").stdout
    assert server.live()["meta"]["sources"]["systemMetrics"]["source"] == "real"
    entries = server.http.get("/api/audit").json()
    changed = {entry["subject"]: entry for entry in entries if entry["action"] == "flag.change"}
    assert changed.keys() == {"use_real_system_metrics", "log_data_sources"}
    entry = changed["use_real_system_metrics"]
    assert (entry["old"], entry["new"], entry["reason"]) == ("false", "true", "let us see")
    assert "@" in entry["who"]
    assert b"let us see" in server.cli("flags", "log").stdout
    server.cli("login")
    assert b"user" not in server.cli("flags", "log").stdout
    assert {entry["action"] for entry in server.http.get("/api/audit?action=flag.").json()} == {
        "flag.seed", "flag.add", "flag.change"}
    assert server.http.get("/api/audit?since=soon").json()["code"] == "bad_moment"


def test_a_flag_that_there_is_not_changes_none(server: Server) -> None:
    server.start()
    answer = server.http.patch(
        "/api/flags", json={"useRealSystemMetrics": True, "useRealMagic": True}, headers=server.admin,
    )
    assert answer.status_code == 400
    assert answer.json()["code"] == "unknown_flag"
    assert "use_real_system_metrics" in answer.json()["message"]
    assert server.http.get("/api/flags").json()["useRealSystemMetrics"] is False
    assert server.http.patch("/api/flags", json={"fallbackOnError": "no"}, headers=server.admin).status_code == 400
    assert b"there is no flag" in server.cli("flags", "set", "use_real_magic=true", check=2).stderr
    assert b"neither true nor false" in server.cli("flags", "set", "fallback_on_error=maybe", check=2).stderr


def test_a_change_needs_the_admin_token(server: Server) -> None:
    server.start()
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {server.keys.write_key}"},
                    {"Authorization": f"Basic {server.keys.admin_token}"}):
        assert server.http.patch("/api/flags", json={"fallbackOnError": False}, headers=headers).status_code == 401
    assert server.http.get("/api/flags").json()["fallbackOnError"] is True


def test_logged_sources_are_in_the_log(server: Server) -> None:
    server.start()
    server.live("business")
    server.set_flags(logDataSources=True, useRealBusinessMetrics=True)
    server.live("business")
    status, log = server.stop()
    assert status == 0
    # The server reads by itself too, and a component that is left on mock is logged as such: only this one was set.
    lines = [json.loads(line) for line in log.splitlines() if '"source answered"' in line]
    assert {line["source"] for line in lines if line["component"] == "businessMetrics"} == {"real"}
    assert server.keys.admin_token not in log
    assert server.keys.write_key not in log
