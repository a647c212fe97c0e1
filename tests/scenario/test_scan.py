"""`crossfade scan` on real files, tracked into a real server."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from .conftest import Server, environment


def make_tree(root: Path) -> None:
    for number in range(30):
        folder = root / f"folder {number % 5}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file {number}").write_bytes(b"x" * 5000 + (b"copy" if number % 3 == 0 else str(number).encode()))


def find_count(root: Path) -> tuple[int, int]:
    sizes = subprocess.run(["find", str(root), "-type", "f", "-printf", "%s\n"], capture_output=True, text=True,
                           check=True).stdout.split()
    return len(sizes), sum(map(int, sizes))


def test_what_is_scanned_is_what_find_finds_and_what_the_dashboard_shows(server: Server, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    make_tree(tree)
    server.start(USE_REAL_BUSINESS_METRICS="true", USE_REAL_HISTORICAL_DATA="true")
    result = json.loads(server.cli("scan", str(tree), "--json").stdout)
    assert (result["files"], result["totalSize"]) == find_count(tree)
    assert result["duplicates"] == 9
    server.await_loaded()
    live = server.live()
    assert live["business"]["filesProcessed"] == result["files"]
    assert live["business"]["duplicatesDetected"] == 9
    assert live["business"]["backgroundScans"] == 0
    today = live["history"][-1]
    assert (today["files"], today["totalSize"], today["duplicates"]) == (result["files"], result["totalSize"], 9)


def test_duplicates_are_deleted_only_with_yes_and_that_is_tracked(server: Server, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    make_tree(tree)
    server.start(USE_REAL_BUSINESS_METRICS="true")
    refused = server.cli("scan", str(tree), "--delete-duplicates", check=2)
    assert b"--yes" in refused.stderr
    assert find_count(tree)[0] == 30
    done = json.loads(server.cli("scan", str(tree), "--delete-duplicates", "--yes", "--json").stdout)
    assert done["cleanup"]["removed"] == 9
    assert find_count(tree)[0] == 21
    server.await_loaded()
    assert server.live("business")["business"]["cleanupActionsExecuted"] == 9


def test_a_scan_needs_no_server_where_nothing_is_tracked(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree")
    command = [sys.executable, "-m", "crossfade", "scan", str(tmp_path / "tree"), "--data", str(tmp_path / "none")]
    done = subprocess.run([*command, "--no-track"], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.startswith("30 files, ")
    refused = subprocess.run([*command, "--url", "http://127.0.0.1:9"], env=environment(), capture_output=True,
                             text=True, check=False)
    assert refused.returncode == 1
    assert "no server answers" in refused.stderr
    missing = subprocess.run([*command[:4], str(tmp_path / "nowhere"), "--no-track"], env=environment(),
                             capture_output=True, text=True, check=False)
    assert missing.returncode == 1
    assert "Traceback" not in missing.stderr


def test_an_interrupted_scan_says_that_it_was_cancelled(server: Server, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(20_000):
        (tree / str(number)).touch()
    server.start(USE_REAL_BUSINESS_METRICS="true")
    scanning = subprocess.Popen(
        [sys.executable, "-m", "crossfade", "scan", str(tree), "--data", str(server.data)],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    while not any((server.data / "journal").glob("*.tsv")):
        assert scanning.poll() is None
    scanning.send_signal(signal.SIGSTOP)  # a scan under way, for as long as we look at it
    server.await_that(lambda: server.live("business")["business"]["backgroundScans"] == 1)
    scanning.send_signal(signal.SIGINT)
    scanning.send_signal(signal.SIGCONT)
    _, errors = scanning.communicate(timeout=60)
    assert scanning.returncode == 130
    assert "Traceback" not in errors
    server.await_that(lambda: server.live("business")["business"]["backgroundScans"] == 0)
