"""``crossfade rollout rehearse`` without a server."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import typer

from crossfade.cli.errors import CommandError
from crossfade.cli.rollout import rehearse as command
from crossfade.cli.rollout.rehearse import rehearse
from crossfade.core.clock import SystemClock
from crossfade.core.fault import FAULTS
from crossfade.datafolder import DataFolder
from crossfade.logs import configure_logging
from crossfade.state import State

PLAN = '''name = "short"

[[phases]]
name = "one"
soak = "30 s"
deadline = "10 min"

[phases.set]
use_real_business_metrics = true

[[phases.gates]]
figure = "quality.error_rate"
component = "businessMetrics"
most = 20
'''


@pytest.fixture(autouse=True)
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the command does to its process's log must not outlive its test: others look at theirs."""
    def configure(level: str) -> None:
        configure_logging(level)
        structlog.configure(cache_logger_on_first_use=False)

    monkeypatch.setattr(command, "configure_logging", configure)
    yield
    structlog.reset_defaults()
    logging.captureWarnings(False)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    file = tmp_path / "plan.toml"
    file.write_text(PLAN)
    return file


def run(file: Path | None, *faults: str, data: Path, against: str | None = None, start: str | None = None,
        as_json: bool = False) -> None:
    rehearse(file, against=against, faults=faults, start=start, url=None, data=data, as_json=as_json)


def test_what_would_happen_is_told_with_its_evidence(plan: Path, tmp_path: Path,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    run(plan, data=tmp_path / "data", start="2026-11-24T09:00Z")
    told = " ".join(capsys.readouterr().out.split())
    assert "short, begun 2026-11-24 09:00 UTC" in told
    assert "one begins" in told
    assert "quality.error_rate is 0, where at most 20 is wanted: pass" in told
    assert "proved by 14 without an exception" in told
    assert "It would complete, 2026-11-24 09:00 UTC: one passed. short is done." in told
    assert not (tmp_path / "data").exists()


def test_a_rollout_that_would_be_reverted_is_a_negative_verdict(plan: Path, tmp_path: Path,
                                                                capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as found:
        run(plan, "source-down@one", data=tmp_path, start="2026-11-24T09:00Z", as_json=True)
    assert found.value.exit_code == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ended"] == "reverted"
    assert told["startedAt"] == "2026-11-24T09:00:00Z"
    revert = next(entry for entry in told["timeline"] if entry["move"] == "revert")
    assert revert["verdicts"][0]["evidence"]["figure"] == 100
    assert revert["changes"] == {"useRealBusinessMetrics": False}


@pytest.mark.parametrize("as_json", [True, False])
def test_the_faults_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    run(None, "list", data=tmp_path, as_json=as_json)
    told = capsys.readouterr().out
    assert all(name in told for name in FAULTS)


def test_against_the_past_of_a_folder_that_no_server_has(plan: Path, tmp_path: Path,
                                                         capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError, match="nothing is recorded"):
        run(plan, data=tmp_path, against="yesterday")
    with DataFolder(tmp_path / "data") as folder:
        state = State.open(folder.state)
        state.seed_flags({"use_real_business_metrics": False}, at=SystemClock().now())
        state.close()
        with pytest.raises(CommandError, match="in use by another server"):
            run(plan, data=tmp_path / "data", against="yesterday")
    with pytest.raises(typer.Exit):
        run(plan, data=tmp_path / "data", against="yesterday")
    told = " ".join(capsys.readouterr().out.split())
    assert "It would be reverted" in told
    assert "Nothing was measured of businessMetrics:quality.error_rate:most" in told


@pytest.mark.parametrize(("faults", "more", "said"), [
    (["flood"], {}, "there is no fault 'flood'"),
    (["crash@two"], {}, "no phase of the plan; there are: one"),
    ([], {"start": "soon"}, "no moment in ISO 8601"),
    ([], {"start": "2300-01-01"}, "after 2200"),
    ([], {"against": "soon"}, "no span of the past"),
])
def test_what_cannot_be_rehearsed_is_said(plan: Path, tmp_path: Path, faults: list[str], more: dict[str, str],
                                          said: str) -> None:
    with DataFolder(tmp_path / "data") as folder:
        State.open(folder.state).close()
    with pytest.raises(CommandError, match=said):
        run(plan, *faults, data=tmp_path / "data", **more)


def test_a_plan_that_is_none_is_said(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(PLAN.replace("error_rate", "errors_rate"))
    with pytest.raises(CommandError, match="line 12: there is no figure"):
        run(file, data=tmp_path)
