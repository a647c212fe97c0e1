"""Rollouts as a server tells them, to be read by the commands."""

from crossfade.cli.client import Json
from crossfade.cli.rollout import answer

START = "2026-11-23T08:00:00Z"
NOW = "2026-11-23T08:03:10Z"


def verdict(status: str = "pass", *, figure: float | None = 99.5, n: int = 14, example: str | None = None,
            gate: str = "businessMetrics:quality.validity:least") -> dict[str, Json]:
    return {
        "gate": gate, "status": status, "sentence": f"{gate} says {status}.",
        "evidence": {"figure": figure, "n": n, "low": figure, "high": figure, "threshold": 95.0, "example": example},
    }


def phase(name: str, standing: str, flag: str, *, judged: Json = None, **more: Json) -> dict[str, Json]:
    return {
        "name": name, "standing": standing, "set": {flag: True}, "ramp": [], "soakS": 300.0, "deadlineS": 7200.0,
        "approval": False, "onFail": "revert_phase", "needs": [], "freeze": [],
        "gates": [{"name": "businessMetrics:quality.validity:least", "figure": "quality.validity",
                   "component": "businessMetrics", "least": 95.0, "most": None, "judged": "at_end",
                   "noData": "hold", "sample": 1, "windowS": None, "verdict": judged}],
        **more,
    }


def document(**more: Json) -> dict[str, Json]:
    """A rollout that soaks in the first of two phases."""
    return {
        "id": 3, "plan": "move", "status": "soaking", "paused": None, "why": None, "phase": "business",
        "startedAt": START, "startedBy": "ann@host", "reason": "the figures agree", "seenAt": "2026-11-23T08:03:09Z",
        "said": ["business holds: soaked 3 min of 5 min."], "at": NOW, "trouble": None, "step": 0, "soakedS": 180.4,
        "heldS": 190.0, "approvedBy": None, "skipped": None, "waitingFor": [],
        "phases": [phase("business", "soaking", "useRealBusinessMetrics", judged=verdict(), ramp=[25, 100]),
                   phase("system", "to come", "useRealSystemMetrics")],
        **more,
    }


def told(**more: Json) -> answer.Rollout:
    return answer.rollout(document(**more))


def step(number: int, move: str, phase: str | None, **more: Json) -> dict[str, Json]:
    return {"id": number, "at": f"2026-11-23T08:00:{number:02}Z", "who": "rollout 3", "move": move, "phase": phase,
            "step": 0, "said": [f"{phase}: {move}."], "changes": {}, "verdicts": [], **more}
