"""Before a rollout: preflight and drill, on a real server; and the rollback that ends one."""

from pathlib import Path

import pytest

from .conftest import Server

FAST = (Path(__file__).parents[2] / "examples" / "fast.toml").read_text()


def post(server: Server, path: str, status: int, **body: object) -> dict[str, object]:
    answer = server.http.post(path, json=body, headers=server.admin)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.fixture
def ready(server: Server) -> Server:
    """One to which an event came."""
    server.start()
    assert server.batch({"type": "track", "event": "auth_success", "userId": "u1"}).status_code == 200
    server.await_loaded()
    return server


def test_a_rollout_without_events_is_refused_unless_somebody_says_why(server: Server) -> None:
    server.start()
    refused = post(server, "/api/rollouts", 409, plan=FAST)
    assert refused["code"] == "preflight"
    found = {check["name"]: check["status"] for check in refused["checks"]}
    assert found["events"] == "failed"
    assert found["rollback drill"] == found["flags"] == found["source of systemMetrics"] == "passed"
    assert server.http.get("/api/rollouts").json() == []
    begun = post(server, "/api/rollouts", 201, plan=FAST, despite="nothing is tracked yet")
    assert "nothing is tracked yet" in begun["reason"]


def test_a_drill_is_made_once_and_holds_until_the_configuration_changes(ready: Server) -> None:
    begun = post(ready, "/api/rollouts", 201, plan=FAST)
    assert begun["drill"]["problem"] is None
    assert 0 < begun["drill"]["milliseconds"] < 1_000
    assert begun["drill"]["flags"] == ["useRealDrill"]
    post(ready, "/api/drills", 409)  # under way
    post(ready, "/api/rollouts/latest/commands", 200, action="abort")
    ready.await_that(lambda: ready.http.get("/api/rollouts/latest").json()["status"] == "reverted")
    post(ready, "/api/rollouts", 201, plan=FAST)
    assert [drill["holds"] for drill in ready.http.get("/api/drills").json()] == [True]
    post(ready, "/api/rollback", 200)
    ready.stop()
    ready.start(CROSSFADE_MOCK_SEED="6")
    assert [drill["holds"] for drill in ready.http.get("/api/drills").json()] == [False]
    post(ready, "/api/drills", 200)
    assert [drill["holds"] for drill in ready.http.get("/api/drills").json()] == [True, False]


def test_a_drill_of_all_components_must_be_allowed_and_leaves_everything_as_it_was(ready: Server) -> None:
    assert "drill_all_components" in post(ready, "/api/drills", 409, all=True)["message"]
    ready.stop()
    ready.start(CROSSFADE_DRILL_ALL_COMPONENTS="true")
    ready.set_flags(useRealSystemMetrics=True, fallbackOnError=False)
    before = ready.http.get("/api/flags").json()
    made = post(ready, "/api/drills", 200, all=True)
    assert made["problem"] is None
    assert len(made["flags"]) == 4
    assert ready.http.get("/api/flags").json() == before


def test_a_rollback_by_hand_ends_the_rollout(ready: Server) -> None:
    post(ready, "/api/rollouts", 201, plan=FAST)
    assert ready.http.get("/api/flags").json()["useRealBusinessMetrics"] is True
    post(ready, "/api/rollback", 200, components=["historicalData"], reason="wrong days")
    ended = ready.http.get("/api/rollouts/latest").json()
    assert ended["status"] == "reverted"
    assert "rolled back: wrong days" in ended["why"]
    post(ready, "/api/rollouts/latest/commands", 409, action="resume")
    assert ready.http.get("/api/flags").json()["useRealBusinessMetrics"] is True  # not named: it stays
