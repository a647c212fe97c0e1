"""`crossfade demo`: the main job, as the first thing that a new user sees."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx

from .conftest import environment
from .test_scan import make_tree


def demo(tree: Path, data: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "crossfade", "demo", str(tree), "--data", str(data), "--pause", "0", *arguments]


def test_it_turns_every_part_from_mock_to_real_and_starts_again_on_the_same_data(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree")
    for round_ in (1, 2):
        done = subprocess.run(demo(tmp_path / "tree", tmp_path / "data", "--exit"), env=environment(),
                              capture_output=True, text=True, timeout=120, check=True)
        assert "30 files, 9 duplicates" in done.stdout
        rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if len(line.split()) == 3}
        mock, real = rows["filesProcessed"]
        assert real == str(30 * round_)
        assert mock != real
        for part in ("business_metrics", "system_metrics", "historical_data", "infrastructure_metrics"):
            assert f"use_real_{part} is on" in done.stdout
        assert done.stderr == ""


def test_ctrl_c_stops_it_cleanly(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree")
    process = subprocess.Popen(demo(tmp_path / "tree", tmp_path / "data"), env=environment(), text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    url = ""
    for line in process.stdout:
        if line.startswith("Open "):
            url = line.split()[1]
        if "Ctrl-C stops" in line:
            break
    link = next(line.strip() for line in process.stdout if "login?link=" in line)
    assert link.startswith(f"{url}/login?link=")
    assert "This link signs you in, once." in httpx.get(link, headers={"Accept": "text/html"}).text
    live = httpx.get(f"{url}/api/dashboard/live").json()
    assert {source["source"] for source in live["meta"]["sources"].values()} == {"real"}
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert errors == ""
    assert "Stopped." in out
    assert not (tmp_path / "data" / "server.json").exists()
