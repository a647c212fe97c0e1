"""Rollouts from the command line, carried out by a server in a process of its own."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer

from crossfade.cli.rollout.commands import _numbers, _phases

from .conftest import Server, environment

FAST = Path(__file__).parents[2] / "examples" / "fast.toml"
EVENT = {"type": "track", "event": "file_processed", "userId": "ada"}


def plan(*phases: str) -> str:
    return "\n".join(['name = "trial"', *phases])


def phase(name: str, flag: str, *, soak: str, more: str = "", most: int = 0) -> str:
    component = "".join(part.title() if index else part for index, part in enumerate(flag.split("_")))
    return f'''
[[phases]]
name = "{name}"
soak = "{soak}"
deadline = "1 h"
{more}
[phases.set]
use_real_{flag} = true
[[phases.gates]]
figure = "quality.errors"
component = "{component}"
most = {most}
'''


SLOW = plan(phase("business", "business_metrics", soak="10 min"))


@pytest.fixture
def running(server: Server) -> Server:
    """With an event, so that the preflight finds some."""
    server.start()
    assert server.batch(EVENT).status_code == 200
    server.await_loaded()
    return server


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A plan that soaks for as long as the test takes."""
    file = tmp_path / "slow.toml"
    file.write_text(SLOW)
    return file


def latest(server: Server) -> dict[str, object]:
    answer = server.http.get("/api/rollouts/latest")
    assert answer.status_code == 200, answer.text
    return answer.json()


@contextmanager
def command(server: Server, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command that is still running."""
    process = subprocess.Popen(
        [sys.executable, "-m", "crossfade", *arguments, "--data", str(server.data)], env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(process: subprocess.Popen[str], words: str) -> list[str]:
    """The lines that it printed, up to one with these words."""
    assert process.stdout is not None
    found = []
    for line in process.stdout:
        found.append(line)
        if words in line:
            return found
    raise AssertionError((found, process.stderr and process.stderr.read()))


@pytest.mark.slow
def test_the_fast_plan_is_started_watched_to_its_end_and_told_of(running: Server) -> None:
    done = running.cli("rollout", "start", "--plan", str(FAST), "--watch", "--reason", "a trial [of] it")
    out = done.stdout.decode()
    assert "fast: 5 phases, 35 s of soaking at the least, 10 min at the most." in out
    assert "business passes at 25 %, and goes on to 100 %." in out
    assert "without fallback passed. fast is done." in out
    assert "Rollout 1 (fast) is done: 5 phases passed in" in out
    assert "\x1b[" not in out
    assert not done.stderr
    flags = running.http.get("/api/flags").json()
    assert [flags[name] for name in ("useRealBusinessMetrics", "useRealSystemMetrics", "fallbackOnError")] == [
        True, True, False]
    status = running.cli("rollout", "status").stdout.decode()
    assert status.count("✓") == 5
    assert "because: a trial [of] it." in status
    told = json.loads(running.cli("rollout", "history", "1", "--json").stdout)
    assert [step["move"] for step in told["steps"] if step["move"] != "hold"] == [
        "begin", "step", "begin", "begin", "begin", "begin", "done"]
    full = running.cli("rollout", "history", "1", "--verbose").stdout.decode()
    assert "flags: fallback_on_error = false" in full
    assert "live.system.errorRate" in full
    assert "a trial [of] it" in running.cli("rollout", "history").stdout.decode()


def test_a_rollout_is_paused_resumed_skipped_and_approved(running: Server, tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(plan(phase("business", "business_metrics", soak="10 min"),
                         phase("system", "system_metrics", soak="1 s", more="approval = true", most=10)))

    def told(*words: str, check: int = 0) -> str:
        done = running.cli("rollout", *words, check=check)
        return " ".join((done.stdout + done.stderr).decode().split())

    begun = json.loads(running.cli("rollout", "start", "--plan", str(file), "--json").stdout)
    assert (begun["id"], begun["status"]) == (1, "soaking")
    assert "not started: rollout 1 (trial) is not over" in told("start", check=1)
    assert "not resumed: it is not paused" in told("resume", check=1)
    assert "paused it: lunch. The flags stay as they are" in told("pause", "--reason", "lunch")
    assert "not paused: it is paused already" in told("pause", check=1)
    assert "crossfade rollout resume" in told("status", check=1)
    assert "resumed it. Rollout 1 (trial) watches business" in told("resume")
    assert "not approved: nothing waits for approval" in told("approve", check=1)
    assert "--reason" in told("skip", check=2)
    assert "needs a reason" in told("skip", "--reason", " ", check=2)
    skipped = told("skip", "--reason", "known to be good")
    assert "skips the soak: known to be good." in skipped
    running.await_that(lambda: latest(running)["status"] == "waiting")
    assert "`crossfade rollout approve` begins system" in told("status")
    assert "approved it. system begins. Set use_real_system_metrics = true." in told("approve")
    running.await_that(lambda: latest(running)["status"] == "done")
    assert "is over" in told("pause", check=1)
    history = told("history", "1")
    for words in ("told, ", "may not approve", "pause, ", "resume, ", "skips the soak: known to be good"):
        assert words in history


def test_an_abort_takes_everything_back(running: Server, slow: Path) -> None:
    assert b"there has been no rollout" in running.cli("rollout", "status", check=1).stderr
    assert b"There has been no rollout" in running.cli("rollout", "history").stdout
    assert b"not aborted" in running.cli("rollout", "abort", check=1).stderr
    running.cli("rollout", "start", "--plan", str(slow))
    assert running.http.get("/api/flags").json()["useRealBusinessMetrics"]
    aborted = running.cli("rollout", "abort", "--reason", "no more").stdout.decode()
    assert "Set back use_real_business_metrics = false." in aborted
    assert not running.http.get("/api/flags").json()["useRealBusinessMetrics"]
    running.await_that(lambda: latest(running)["status"] == "reverted")
    assert b"was reverted" in running.cli("rollout", "watch", check=1).stdout
    status = running.cli("rollout", "status", "1", check=1).stdout.decode()
    assert "↩  business  taken back" in status
    assert "aborted it: no more." in status
    assert b"no such rollout" in running.cli("rollout", "status", "7", check=1).stderr


def test_what_cannot_be_started_is_told_and_nothing_is_begun(server: Server, slow: Path, tmp_path: Path) -> None:
    server.start()
    file = tmp_path / "wrong.toml"
    file.write_text(SLOW.replace("use_real_business_metrics", "use_real_nothing").replace('"10 min"', '"soon"'))
    wrong = server.cli("rollout", "start", "--plan", str(file), check=1).stderr.decode()
    assert f"{file}: line 5: 'soon' is no duration" in wrong
    assert b"there are: business" in server.cli("rollout", "start", "--plan", str(slow), "--at", "x", check=2).stderr
    assert b"say why" in server.cli("rollout", "start", "--despite", " ", check=2).stderr
    refused = server.cli("rollout", "start", "--plan", str(slow), check=1)
    assert b"none in the last day" in refused.stdout
    assert b"start despite it: --despite REASON" in refused.stderr
    answer = server.http.post("/api/rollouts", json={"plan": file.read_text()}, headers=server.admin)
    assert answer.json()["message"].splitlines()[0].startswith("line 5: ")
    assert server.http.get("/api/rollouts").json() == []
    begun = server.cli("rollout", "start", "--plan", str(slow), "--despite", "a test").stdout.decode()
    assert "Rollout 1 (trial) watches business" in begun
    assert "despite the preflight: a test" in str(latest(server)["reason"])


def test_a_drill_is_made_listed_and_refused(running: Server, slow: Path) -> None:
    assert b"There has been no drill" in running.cli("rollout", "drill", "--list").stdout
    assert b"had the rollback after" in running.cli("rollout", "drill").stdout
    assert b"drill_all_components" in running.cli("rollout", "drill", "--all", check=1).stderr
    made, = json.loads(running.cli("rollout", "drill", "--list", "--json").stdout)
    assert (made["problem"], made["flags"]) == (None, ["useRealDrill"])
    assert b"use_real_drill" in running.cli("rollout", "drill", "--list").stdout
    running.cli("rollout", "start", "--plan", str(slow))
    assert b"under way" in running.cli("rollout", "drill", check=1).stderr


def test_a_watch_goes_on_when_the_server_starts_anew(running: Server, slow: Path) -> None:
    running.cli("rollout", "start", "--plan", str(slow))
    with command(running, "rollout", "watch") as watching:
        until(watching, "watches business")
        for how in (signal.SIGKILL, signal.SIGTERM):
            running.stop(how)
            until(watching, "Trying again")
            running.start()
            until(watching, "The server answers again.")
        running.cli("rollout", "abort", "--reason", "enough")
        until(watching, "was reverted: ")
        assert watching.wait(30) == 1


def test_ctrl_c_leaves_the_rollout_running(running: Server, slow: Path) -> None:
    running.cli("rollout", "start", "--plan", str(slow))
    with command(running, "rollout", "watch", "--json") as watching:
        until(watching, '"soaking"')
        watching.send_signal(signal.SIGINT)
        _, told = watching.communicate(timeout=30)
        assert watching.returncode == 130
    assert "goes on without being watched" in told
    assert latest(running)["status"] == "soaking"


def test_on_a_terminal_it_asks_and_shows_a_page(running: Server, slow: Path) -> None:
    def on_terminal(answer: bytes, words: bytes) -> bytes:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "crossfade", "rollout", "start", "--plan", str(slow), "--watch", "--data",
             str(running.data)], env=environment(TERM="xterm"), stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        shown = b""
        try:
            while b"[y/N]" not in shown:
                shown += os.read(ours, 65_536)
            os.write(ours, answer)
            while words not in shown:
                shown += os.read(ours, 65_536)
        finally:
            process.kill()
            process.wait()
            os.close(ours)
        return shown

    assert b"Start trial?" in on_terminal(b"n\n", b"Nothing was done.")
    assert running.http.get("/api/rollouts").json() == []
    shown = on_terminal(b"y\n", b"gate of business")
    assert b"10 min left" in shown
    assert b"\x1b[?25l" in shown, "the cursor is hidden while a page is kept up to date"
    assert latest(running)["status"] == "soaking"


def test_a_shell_completes_phases_and_numbers(running: Server, slow: Path) -> None:
    context = typer.Context(typer.main.get_command(typer.Typer(callback=lambda: None)))
    assert _phases(context, "5") == ["5A business", "5B system", "5C history", "5D without fallback"]
    context.params = {"plan": slow, "data": running.data, "url": None}
    assert _phases(context, "") == ["business"]
    assert _numbers(context, "") == []
    running.cli("rollout", "start", "--plan", str(slow))
    assert _numbers(context, "") == [("1", "trial")]
    assert _numbers(context, "2") == []
    context.params = {"plan": slow.with_name("none.toml"), "url": "http://127.0.0.1:9"}
    assert (_phases(context, ""), _numbers(context, "")) == ([], [])
