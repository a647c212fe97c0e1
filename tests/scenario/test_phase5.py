"""The guide's whole Phase 5 with a real server, real events and every gate proved, on a clock that the test winds."""

from collections.abc import Callable

from crossfade.core.dimension import Status as Figure
from crossfade.core.rollout import Move

from .wound import Wound

House = Callable[..., Wound]
PARTS = ("businessMetrics", "systemMetrics", "historicalData", "infrastructureMetrics")
"""In the order of the plan."""


def a_while(server: Wound) -> Callable[[], None]:
    """An application with its users and viewers, and now and then the auditor's turn."""
    turns = 0

    def go() -> None:
        nonlocal turns
        turns += 1
        server.live()
        if turns % 3 == 0:
            server.traffic()
        if turns % 9 == 0:
            server.audit()

    return go


def test_the_whole_of_it_from_mock_to_real_only(house: House) -> None:
    server = house()
    each = a_while(server)
    assert set(server.sources().values()) == {"mock"}
    assert server.start()["status"] == "soaking"
    for count in range(1, 5):
        told = server.sources()
        assert [told[part] for part in PARTS] == ["real"] * count + ["mock"] * (4 - count)
        passed = server.until(Move.BEGIN, each=each)
        assert all(verdict.status is Figure.PASS for verdict in passed.verdicts)
        assert passed.verdicts[0].evidence.low is not None
        assert passed.verdicts[0].evidence.low >= 95
    assert server.flags["fallback_on_error"] is False
    done = server.until(Move.DONE, each=each)
    assert done.verdicts[0].evidence.figure == 0.0
    check_what_remains(server)


def check_what_remains(server: Wound) -> None:
    """Of a rollout that is done: the flags, the account of every step, the audit log."""
    assert set(server.sources().values()) == {"real"}
    document = server.document()
    assert document["status"] == "done"
    assert {phase["standing"] for phase in document["phases"]} == {"passed"}  # type: ignore[attr-defined]
    steps = server.http.get("/api/rollouts/latest/steps").json()
    moves = [(step["move"], step["phase"]) for step in steps if step["move"] != "hold"]
    names = [phase.name for phase in server.rollout().plan.phases]
    assert moves == [("begin", name) for name in names] + [("done", None)]
    assert all(step["said"] for step in steps)
    began = [step.at for step in server.steps() if step.move is not Move.HOLD]
    soaks = [phase.soak for phase in server.rollout().plan.phases]
    assert all(last - first >= soak for first, last, soak in zip(began, began[1:], soaks, strict=False))
    audit = server.http.get("/api/audit", params={"limit": 100}).json()
    assert [row["action"] for row in reversed(audit) if row["action"].startswith("rollout")] == [
        "rollout.start", *["rollout.begin"] * 5, "rollout.done"]
    assert {row["subject"] for row in audit if row["action"] == "flag.change" and row["who"] != "admin token"} == {
        flag for phase in server.rollout().plan.phases for flag in phase.flags}
