"""The end of a mock, on a running server: refused, done, seen everywhere, kept over a restart, undone, purged."""

import json
import os
import sqlite3
from pathlib import Path

from crossfade.core.flag import ALL, camel, own

from .conftest import Server
from .test_failing_source import break_history, mend_history

FLAG = "use_real_historical_data"
NAMES = [camel(name) for name in own(FLAG)]
THIRTY_DAYS = 30 * 86_400 * 1_000_000


def start(server: Server, **variables: str) -> Server:
    """Real only from the first start."""
    return server.start(CROSSFADE_STALE_LIMIT_S="0", USE_REAL_HISTORICAL_DATA="true", FALLBACK_ON_ERROR="false",
                        **variables)


def history(server: Server) -> str:
    return server.live("history")["meta"]["sources"]["historicalData"]["source"]


def told(server: Server, component: str = "historicalData") -> dict[str, object]:
    answer = server.http.get("/api/retire").json()
    return next(one for one in answer["components"] if one["component"] == component)


def stage(server: Server) -> str:
    return server.http.get("/api/monitoring/data-quality", params={"component": "historicalData"}).json()["stage"]


def test_from_the_refusal_to_the_restart(server: Server) -> None:
    start(server)
    assert history(server) == "real"
    refused = server.cli("retire", "historicalData", check=1).stderr.decode()
    assert "it has been real only for less than a minute" in refused
    assert "it must be for 7 d" in refused
    several = server.cli("retire", "businessMetrics", "--despite", "hurry", check=1).stderr.decode()
    assert "use_real_business_metrics is off" in several
    foreseen = json.loads(server.cli("retire", "historicalData", "--dry-run", "--json", check=1).stdout)
    assert not foreseen["wouldRetire"]
    assert foreseen["wouldArchive"] == dict(zip(NAMES, (True, 100, False), strict=True))
    assert b"would be retired" in server.cli("retire", "historicalData", "--dry-run", "--despite", "a test").stdout
    assert json.loads(server.cli("retire", "--json").stdout)["components"][-1] == told(server)
    assert told(server)["retiredAt"] is None

    said = server.cli("retire", "historicalData", "--despite", "a test", "--reason", "migrated").stdout.decode()
    assert "its mock can no longer be read" in said
    assert "retire --undo historicalData" in said
    seen_as_retired(server)
    audit = {row["action"]: row for row in server.http.get("/api/audit").json()}
    assert audit["retire"]["subject"] == "historicalData"
    assert audit["retire"]["reason"].startswith("migrated; despite that it has been real only")
    assert audit["flag.archive"]["at"] == audit["retire"]["at"]
    server.stop()
    start(server)
    seen_as_retired(server)
    assert history(server) == "real"


def seen_as_retired(server: Server) -> None:
    """Its flags are no more, nothing brings its mock back, and whoever asks is told."""
    flags = server.http.get("/api/flags").json()
    assert flags.keys() == {camel(name) for name in ALL} - set(NAMES)
    assert stage(server) == "retired"
    assert told(server)["archivedFlags"] == dict(zip(NAMES, (True, 100, False), strict=True))
    for name, value in zip(NAMES, (False, 0, True), strict=True):
        answer = server.http.patch("/api/flags", json={name: value, "logDataSources": True}, headers=server.admin)
        assert (answer.status_code, answer.json()["code"]) == (409, "retired")
        assert "undo with `crossfade retire --undo historicalData`" in answer.json()["message"]
    assert server.http.get("/api/flags").json() == flags
    refused = server.cli("flags", "set", f"{FLAG}=false", check=1).stderr.decode()
    assert "was retired on" in refused
    assert "nothing to go back to" in server.cli("rollback", "historicalData").stdout.decode()
    assert server.http.get("/api/flags").json() == flags
    metrics = server.http.get("/metrics").text
    assert 'crossfade_component_stage{component="historicalData",stage="retired"} 1' in metrics
    assert f'flag="{FLAG}"' not in metrics
    rolled_back = json.loads(server.cli("rollback", "--all", "--json").stdout)
    assert rolled_back["retired"] == ["historicalData"]
    assert history(server) == "real"
    break_history(server)
    server.await_that(lambda: history(server) == "unavailable")
    mend_history(server)
    server.await_that(lambda: history(server) == "real")
    server.set_flags(fallbackOnError=False)


def test_undone_it_is_as_it_was(server: Server) -> None:
    start(server, CROSSFADE_RETIRE_AFTER_DAYS="0")
    before = server.http.get("/api/flags").json()
    assert told(server)["lacking"] == []
    server.cli("retire", "historicalData")
    assert "was retired already" in server.cli("retire", "historicalData", check=1).stderr.decode()
    server.cli("retire", "historicalData", "--dry-run", check=1)
    said = server.cli("retire", "--undo", "historicalData", "--reason", "too early").stdout.decode()
    assert "use_real_historical_data=true, percent_historical_data=100, shadow_historical_data=false" in said
    assert server.http.get("/api/flags").json() == before
    assert stage(server) == "real only"
    server.cli("rollback", "historicalData")
    assert history(server) == "mock"
    assert "is not retired" in server.cli("retire", "--undo", "historicalData", check=1).stderr.decode()


def test_after_thirty_days_a_start_purges_the_archive(server: Server) -> None:
    start(server, CROSSFADE_RETIRE_AFTER_DAYS="0")
    server.cli("retire", "historicalData")
    server.stop()
    with sqlite3.connect(server.data / "state.sqlite") as database:
        database.execute("UPDATE retirements SET at = at - ?", (THIRTY_DAYS,))
    start(server)
    server.await_that(lambda: told(server)["purgedAt"] is not None)
    assert told(server)["archivedFlags"] == {}
    purge, = (row for row in server.http.get("/api/audit").json() if row["action"] == "retire.purge")
    assert purge["subject"] == "historicalData"
    assert purge["old"] == "use_real_historical_data=true, percent_historical_data=100, shadow_historical_data=false"
    refused = server.cli("retire", "--undo", "historicalData", check=1).stderr.decode()
    assert "Mend its real source" in refused
    assert "real for good" in server.cli("flags", "set", f"{FLAG}=false", check=1).stderr.decode()
    assert (stage(server), history(server)) == ("retired", "real")
    assert "retired" in server.cli("retire").stdout.decode()


BOARD = '''
from msgspec import Struct
from crossfade.fade import Crossfade

fade = Crossfade()

class Orders(Struct, frozen=True):
    open: int

@fade.component("orders", model=Orders)
class Sources:
    {mock}
    real = staticmethod(lambda: Orders(3))
'''


def test_a_component_of_ones_own_may_lose_its_mock_in_the_code_too(server: Server, tmp_path: Path) -> None:
    source = tmp_path / "own_board.py"
    own_board = {"CROSSFADE_COMPONENTS": '["own_board:fade"]', "CROSSFADE_RETIRE_AFTER_DAYS": "0",
                 "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    source.write_text(BOARD.format(mock="mock = staticmethod(lambda: Orders(1))"))
    server.start(**own_board)
    server.set_flags(useRealOrders=True, fallbackOnError=False)
    server.cli("retire", "orders")
    found = json.loads(server.cli("retire", "--check", str(source), "--component", "orders", "--json", check=1).stdout)
    assert [(one["line"], one["what"]) for one in found["findings"]] == [(12, "mock")]
    server.stop()
    source.write_text(BOARD.format(mock="pass"))
    server.start(**own_board)
    assert server.live("orders")["meta"]["sources"]["orders"]["source"] == "real"
    said = server.cli("retire", "--undo", "orders").stdout.decode()
    assert "no mock in the code any more" in said


def test_a_change_needs_the_admin_token_and_sense(server: Server) -> None:
    start(server)
    for path in ("/api/retire", "/api/retire/undo"):
        assert server.http.post(path, json={"component": "historicalData"}).status_code == 401
        of = {"component": "historicalData"}
        for body in ({}, {"component": 5}, {"component": "x"}, {"component": "x" * 10_000}, {"magic": 1}, [],
                     {**of, "reason": " "}, {**of, "reason": "x" * 501}):
            answer = server.http.post(path, json=body, headers=server.admin)
            assert answer.status_code == 400, (path, body, answer.text)
            assert len(answer.text) < 1_500
    assert server.http.get("/api/retire").status_code == 200
