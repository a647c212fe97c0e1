"""The benches, only far enough to see that they work; no figure of theirs is judged here."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
BENCH = ROOT / "bench"


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return _load("row", monkeypatch)


@pytest.fixture
def report(row: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    assert row.__name__ in sys.modules
    return _load("report", monkeypatch)


def _load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_a_run_gives_rows_as_json_and_as_a_page(tmp_path: Path) -> None:
    only = "footprint,track,ingest,reads,freshness"
    done = subprocess.run(
        [sys.executable, BENCH / "run.py", "--tiny", "--no-peers", "--only", only, "--json", tmp_path / "figures.json",
         "--page", tmp_path / "speed.md"],
        capture_output=True, text=True, timeout=300, check=False, env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["absent"] == {}, done.stderr
    measured = " ".join(one["name"] for one in figures["rows"])
    for expected in ("--help", "ready", "idle", "installed", "track()", "batches of 1,000, 50%", "batches of 100, 50%",
                     "p99 of an answer", "one client: p95", "100 clients: p99", "freshness"):
        assert expected in measured
    assert all(one["median"] > 0 for one in figures["rows"])
    assert "--no-peers was given" in (tmp_path / "speed.md").read_text()


def test_a_bench_that_is_not_there_is_wrong_usage() -> None:
    done = subprocess.run([sys.executable, BENCH / "run.py", "--only", "nothing"], capture_output=True, text=True,
                          check=False, env=os.environ | {"PYTHONPATH": str(ROOT / "src")})
    assert done.returncode == 2
    assert "nothing" in done.stderr


def test_a_ratio_is_how_many_times_better_ours_is(row: ModuleType) -> None:
    late = row.Row("wait", "ms", [3, 2, 10], {"slow": [30], "absent": "not installed"})
    assert late.median == 3
    assert late.ratio("slow") == 10
    assert late.ratio("absent") is None
    assert row.Row("added", "µs", [-1], {"slow": [30]}).ratio("slow") is None
    many = row.Row("rate", "events/s", [100], {"slow": [20, 30, 25]}, lower=False)
    assert many.ratio("slow") == 4


@pytest.mark.parametrize(("goal", "times", "met"), [
    (None, {}, None), (90, {}, True), (110, {}, False), (90, {"slow": 4}, True), (90, {"slow": 5}, False),
    (None, {"absent": 2}, None), (90, {"absent": 2}, True),
])
def test_a_goal_is_met_by_the_median_and_beside_the_peers_that_there_are(
    row: ModuleType, goal: float | None, times: dict[str, float], met: bool | None,
) -> None:
    peers = {"slow": [25], "absent": "not installed"}
    assert row.Row("rate", "events/s", [100], peers, goal=goal, times=times, lower=False).met is met


def test_no_peer_is_left_out_of_the_page(row: ModuleType, report: ModuleType) -> None:
    one = row.Row("wait", "ms", [3, 2, 10], {"slow": [30], "absent": "it does not install"}, goal=1,
                  note="They differ.")
    run = report.Run((one,), {"page": "no browser"}, {"cores": "2"}, {"crossfade": "1"}, 0.0, 1.0, 3)
    page = report.markdown(run)
    for expected in ("3.00 ms", "2.00 to 10.0", "slow: 30.0", "10.0 ×", "absent: it does not install", "NOT met",
                     "They differ.", "page: no browser", "crossfade 1", "1970-01-01"):
        assert expected in page
    assert "it does not install" in report.table([one])
