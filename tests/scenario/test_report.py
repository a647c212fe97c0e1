"""A rollout on a real server, to its end and back: its standing, its report, the criteria."""

import json
from pathlib import Path
from xml.etree import ElementTree

from .conftest import Server

FAST = Path(__file__).parent.parent.parent / "examples" / "fast.toml"
WITHIN = 150.0
"""Seconds for a plan of seconds, on a machine that is busy."""


def plan(**changes: str) -> str:
    """The example, with shorter soaks still."""
    text = FAST.read_text().replace('soak = "5 s"', 'soak = "1 s"').replace('soak = "10 s"', 'soak = "2 s"')
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


def start(server: Server, text: str) -> None:
    body = {"plan": text, "reason": "to <see> it", "despite": "it is a test"}
    answer = server.http.post("/api/rollouts", json=body, headers=server.admin)
    assert answer.status_code == 201, answer.text


def status(server: Server) -> dict:
    answer = server.http.get("/api/monitoring/migration").json()
    assert answer["trouble"] is None
    return answer["status"]


def report(server: Server, **query: str) -> dict:
    answer = server.http.get("/api/monitoring/migration-report", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_rollout_is_reported_while_it_goes_and_at_its_end(server: Server, tmp_path: Path) -> None:
    server.start()
    assert status(server)["phase"] == "not started"
    assert report(server)["rollout"] is None
    server.batch({"type": "track", "event": "file_processed", "userId": "u"})
    start(server, plan())
    seen: list[float] = []

    def is_done() -> bool:
        now = status(server)
        seen.append(now["progress"])
        assert now["blockers"] == [] or now["estimatedCompletion"] is None
        return now["phase"] == "done"

    server.await_that(is_done, within=WITHIN)
    assert seen == sorted(seen)
    assert len(set(seen)) > 3
    assert seen[-1] == 100
    found = report(server)
    assert found["drill"]["problem"] is None
    assert [phase["standing"] for phase in found["phases"]] == ["passed"] * 5
    assert all(gate["verdict"]["status"] == "pass" for phase in found["phases"] for gate in phase["gates"])
    assert all(gate["figures"] for phase in found["phases"] for gate in phase["gates"])
    assert {"rollout.start", "rollout.done", "flag.change"} <= {entry["action"] for entry in found["audit"]}
    assert found["status"]["estimatedCompletion"] == found["rollout"]["endedAt"]
    assert report(server, rollout="1")["phases"] == found["phases"]

    file = tmp_path / "phase5-completion-report.json"
    server.cli("rollout", "report", "-o", str(file))
    assert json.loads(file.read_text())["rollout"] == found["rollout"]
    assert json.loads(server.cli("rollout", "report", "1").stdout)["rollout"] == found["rollout"]
    kept = tmp_path / "report.html"
    server.cli("rollout", "report", "--output", str(kept))
    assert "<style>" in kept.read_text()
    assert "to &lt;see&gt; it" in kept.read_text()
    assert b"there is no such rollout" in server.cli("rollout", "report", "7", check=1).stderr


def test_a_rollout_that_goes_back_is_reported_with_its_evidence(server: Server) -> None:
    server.start()
    start(server, plan(**{'figure = "quality.errors"\ncomponent = "businessMetrics"\nmost = 0':
                          'figure = "quality.errors"\ncomponent = "businessMetrics"\nleast = 1000'}))
    server.await_that(lambda: status(server)["phase"] == "business: reverted", within=WITHIN)
    now = status(server)
    assert (now["progress"], now["estimatedCompletion"]) == (0, None)
    assert "businessMetrics: quality.errors is 0, where at least 1000 is wanted" in now["blockers"][0]
    found = report(server)
    assert [phase["standing"] for phase in found["phases"]] == ["reverted"] + ["not begun"] * 4
    failed = next(gate for gate in found["phases"][0]["gates"] if gate["figure"] == "quality.errors")
    assert failed["verdict"]["status"] == "fail"
    assert found["deeds"][-1]["move"] == "reverted"
    page = server.http.get("/api/monitoring/migration-report", params={"format": "html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "style-src 'self'" in page.headers["content-security-policy"]
    assert server.http.get("/static/report.css").status_code == 200
    ElementTree.fromstring(page.text[page.text.index("<body"):page.text.index("</html>")].replace("<br>", ""))  # noqa: S314
    kept = server.http.get("/api/monitoring/migration-report", params={"format": "html", "alone": "true"})
    assert kept.headers["content-disposition"] == 'attachment; filename="crossfade-migration-1.html"'


def test_the_criteria_are_judged_and_one_is_signed_for(server: Server) -> None:
    server.start()
    out = " ".join(server.cli("checklist", check=1).stdout.decode().split())
    assert "1 of 10 criteria are met" in out
    assert "No rollback has been rehearsed" in out
    found = json.loads(server.cli("checklist", "--json", check=1).stdout)
    assert [row["number"] for row in found["criteria"]] == list(range(1, 11))
    server.cli("checklist", "--sign", "documentation", check=2)
    assert b"nobody can sign for" in server.cli("checklist", "--sign", "quality", "--reason", "x", check=1).stderr
    out = " ".join(server.cli("checklist", "--sign", "documentation", "--reason", "wiki").stdout.decode().split())
    assert "met Documentation updated with new data flows: Stated by" in out
    row = server.http.get("/api/checklist").json()["criteria"][-1]
    assert (row["standing"], row["stated"]["reason"]) == ("met", "wiki")
    entry = server.http.get("/api/audit").json()[0]
    assert (entry["action"], entry["subject"]) == ("checklist.sign", "checklist: documentation")
    assert server.http.post("/api/checklist/statements", json={"criterion": "documentation", "reason": "x"}
                            ).status_code == 401
    for body in ({}, {"criterion": "documentation"}, {"criterion": "documentation", "reason": " "}, [], 7):
        answer = server.http.post("/api/checklist/statements", json=body, headers=server.admin)
        assert answer.status_code == 400, (body, answer.text)
    for query in ({"rollout": "7"}, {"rollout": "latest"}, {"rollout": "x" * 500}):
        assert server.http.get("/api/monitoring/migration-report", params=query).status_code == 404
    assert server.http.get("/api/monitoring/migration-report", params={"format": "pdf"}).status_code == 400
