"""Back to before, by one command: what is real is mock at the next read, in one transaction, with its audit."""

import json

import pytest

from crossfade.core.flag import ALL, camel, default

from .conftest import Server

REAL = {camel(name): True for name in ALL if name.startswith("use_real_")} | {"fallbackOnError": False}


def sources(server: Server) -> set[str]:
    return {told["source"] for told in server.live()["meta"]["sources"].values()}


def test_all_of_it(server: Server) -> None:
    server.start()
    server.set_flags(**REAL)
    server.await_that(lambda: sources(server) == {"real"})
    answer = json.loads(server.cli("rollback", "--all", "--reason", "3 a.m.", "--json").stdout)
    assert sources(server) == {"mock"}
    assert {change["flag"] for change in answer["changed"]} == set(REAL)
    assert 0 < answer["milliseconds"] < 10_000
    assert server.http.get("/api/flags").json() == {camel(name): default(name) for name in ALL}
    audit = server.http.get("/api/audit", params={"limit": 5}).json()
    assert {row["reason"] for row in audit} == {"3 a.m."}
    assert len({row["at"] for row in audit}) == 1
    assert b"nothing changed" in server.cli("rollback", "--all").stdout


def test_one_of_it(server: Server) -> None:
    server.start()
    server.set_flags(**REAL)
    said = server.cli("rollback", "systemMetrics").stdout.decode()
    assert "use_real_system_metrics: true → false" in said
    told = server.live()["meta"]["sources"]
    assert (told["systemMetrics"]["source"], told["businessMetrics"]["source"]) == ("mock", "real")
    assert server.http.get("/api/flags").json()["fallbackOnError"] is True


@pytest.mark.parametrize(("arguments", "status"), [((), 2), (("--all", "systemMetrics"), 2), (("magic",), 1)])
def test_what_is_no_rollback_changes_nothing(server: Server, arguments: tuple[str, ...], status: int) -> None:
    server.start()
    server.set_flags(**REAL)
    server.cli("rollback", *arguments, check=status)
    assert server.http.get("/api/flags").json()["useRealSystemMetrics"] is True


def test_it_needs_the_admin_token(server: Server) -> None:
    server.start()
    assert server.http.post("/api/rollback", json={}).status_code == 401
    for body in ({"components": []}, {"components": ["x"]}, {"magic": 1}, {"components": 5}):
        assert server.http.post("/api/rollback", json=body, headers=server.admin).status_code == 400, body
    assert server.http.post("/api/rollback", headers=server.admin).status_code == 200
