"""What a process tells of itself, by a clock and a timer that move when they are told to; and its thread."""

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from crossfade.core.clock import ManualClock, iso, micros
from crossfade.core.cpu import CpuTimes
from crossfade.core.latency import bucket_of
from crossfade.core.report import REPORT, ProcessReport
from crossfade.tracking import SpoolFull, TrackedASGI, Tracker
from crossfade.tracking.frame import unpack
from crossfade.tracking.reporter import Reporter, process_id

NOWHERE = "http://127.0.0.1:9"
NOON = 1_795_348_800_000_000
STARTED = NOON - 60_000_000
WITHIN = 30.0


class Machine:
    """Idle at first, then half busy."""

    def __init__(self) -> None:
        self.times = CpuTimes(100, 10)

    def started_at(self) -> int:
        return STARTED

    def resident(self) -> int:
        return 5_000

    def memory_percent(self) -> float:
        return 41.5

    def cpu(self) -> CpuTimes:
        return self.times


class Mute:
    """Tells nothing."""

    def __getattr__(self, name: str):
        raise PermissionError(13, name)


class Stage:
    """A tracker with its spool, and a reporter without its thread."""

    def __init__(self, folder: Path, found: object = None, **options: object) -> None:
        self.folder = folder
        self.clock = ManualClock(NOON)
        self.at = 1000.0
        self.machine = Machine() if found is None else found
        self.tracker = Tracker(NOWHERE, "key", folder, clock=self.clock, exit_timeout=0, **options)
        self.reporter = Reporter(self.tracker, service="web", find_machine=lambda: self.machine,
                                 timer=lambda: self.at)

    def advance(self, seconds: float) -> None:
        self.at += seconds
        self.clock.advance(round(seconds * 1e6))

    def told(self) -> list[ProcessReport]:
        return reports(self.folder)


def reports(folder: Path) -> list[ProcessReport]:
    """What a server would read."""
    try:
        found = [json.loads(record) for file in sorted(folder.glob("*/*.seg"))
                 for record in unpack(file.read_bytes(), most=1 << 30, final=True).records]
    except FileNotFoundError:  # an empty spool was taken away while the folders were listed
        return reports(folder)
    return [msgspec.convert(one["properties"], ProcessReport, str_keys=True) for one in found if one["event"] == REPORT]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.tracker.shutdown(0)


def test_a_report_tells_the_interval_the_process_and_the_machine(stage: Stage) -> None:
    stage.reporter.report()
    for status, seconds in ((200, 0.01), (503, 0.01), (404, 0.5)):
        stage.reporter.record(status, seconds)
    stage.advance(10)
    stage.machine.times = CpuTimes(200, 60)
    stage.reporter.report()
    first, second = stage.told()
    assert (first.requests, first.cpu_usage, first.process_cpu, first.since) == (0, None, None, first.until)
    assert second.buckets == {bucket_of(0.01): 2, bucket_of(0.5): 1}
    assert (second.requests, second.errors, second.every, second.closed) == (3, 1, 10.0, False)
    assert [micros(each) for each in (second.since, second.until, second.started_at)] == [
        NOON, NOON + 10_000_000, STARTED]
    assert (second.service, second.host, second.pid) == ("web", socket.gethostname(), os.getpid())
    assert (second.process_memory, second.memory_usage, second.cpu_usage) == (5_000, 41.5, 50.0)
    assert second.process_cpu is not None
    assert first.process == second.process == process_id(0)


def test_a_machine_that_tells_nothing_leaves_nulls(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Mute())
    stage.reporter.report()
    stage.advance(10)
    stage.reporter.report()
    for told in stage.told():
        assert (told.process_memory, told.memory_usage, told.cpu_usage) == (None, None, None)
        assert micros(told.started_at) == NOON
    stage.tracker.shutdown(0)


def test_what_the_tracker_does_not_take_counts_towards_the_next_report(tmp_path: Path) -> None:
    keeps = iter([True, False, False, True])
    stage = Stage(tmp_path, before_send=lambda call: call if next(keeps) else None)
    for _ in range(4):
        stage.reporter.report()
        stage.reporter.record(500, 0.01)
        stage.advance(10)
    first, second = stage.told()
    assert (first.requests, second.requests, second.errors) == (0, 3, 3)
    assert (micros(second.since), micros(second.until)) == (NOON, NOON + 30_000_000)
    stage.tracker.shutdown(0)


def test_a_tracker_that_raises_costs_the_application_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch,
                                                            caplog: pytest.LogCaptureFixture) -> None:
    def full(*_: object, **__: object) -> None:
        raise SpoolFull("full")

    stage.reporter.record(200, 0.01)
    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(stage.tracker, "track", full)
        stage.reporter.report()
        stage.reporter.report()
    assert len(caplog.records) == 1  # once, and not every ten seconds
    stage.reporter.report()
    assert [told.requests for told in stage.told()] == [1]


def test_a_clock_that_is_set_back_gives_no_interval_that_runs_backwards(stage: Stage) -> None:
    stage.reporter.report()
    stage.at += 10
    stage.clock.advance(-3_600_000_000)
    stage.reporter.report()
    told = stage.told()[-1]
    assert (told.until - told.since).total_seconds() == 10
    assert told.started_at <= told.until


def test_a_slow_tracker_makes_reports_due_later(tmp_path: Path) -> None:
    stage = Stage(tmp_path, interval=60.0)
    stage.reporter.report()
    assert stage.told()[0].every == 60.0
    stage.tracker.shutdown(0)


@pytest.mark.parametrize("options", [{"every": 0}, {"every": -1}, {"every": float("nan")}, {"every": 1e6},
                                     {"service": "x" * 201}])
def test_what_cannot_be_meant_is_refused(stage: Stage, options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="every="):
        Reporter(stage.tracker, **options)


def await_that(condition) -> None:
    deadline = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"


def test_the_first_request_starts_it_and_the_shutdown_ends_it_with_a_last_report(tmp_path: Path) -> None:
    tracker = Tracker(NOWHERE, "key", tmp_path, exit_timeout=0)
    before = threading.active_count()
    reporter = Reporter(tracker, every=3600)
    assert threading.active_count() == before
    reporter.start()
    reporter.start()
    await_that(lambda: len(reports(tmp_path)) == 1)
    reporter.record(200, 0.01)
    tracker.shutdown(0)
    reporter.record(200, 0.01)
    tracker.shutdown(0)
    first, last = reports(tmp_path)
    assert (first.requests, first.closed) == (0, False)
    assert (last.requests, last.closed) == (1, True)
    assert reporter.running


def test_it_reports_again_and_again_when_nothing_happens(tmp_path: Path) -> None:
    tracker = Tracker(NOWHERE, "key", tmp_path, exit_timeout=0)
    Reporter(tracker, every=0.01).start()
    await_that(lambda: len(reports(tmp_path)) >= 3)
    tracker.shutdown(0)


PROGRAM = """
import os, signal, sys
from crossfade.tracking import Tracker, TrackedWSGI

def app(environ, start_response):
    start_response(environ["status"], [])
    return [b"x"]

def serve(app, status):
    answer = app({"status": status}, lambda *_: None)
    b"".join(answer)
    answer.close()

def await_report():
    while not tracker.stats().tracked:
        pass

tracker = Tracker("http://127.0.0.1:9", "key", sys.argv[1], exit_timeout=0)
app = TrackedWSGI(app, tracker, report_every=3600)
"""


def run(folder: Path, program: str) -> int:
    done = subprocess.run([sys.executable, "-c", PROGRAM + program, str(folder)], capture_output=True, text=True,
                          timeout=60, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


def test_an_exit_makes_a_last_report(tmp_path: Path) -> None:
    assert run(tmp_path, 'serve(app, "200 OK"); app.start(); await_report(); serve(app, "500 Oh")') == 0
    told = reports(tmp_path)
    assert (sum(one.requests for one in told), sum(one.errors for one in told)) == (2, 1)
    assert [one.closed for one in told] == [False, True]


def test_sigterm_makes_a_last_report_too(tmp_path: Path) -> None:
    program = 'serve(app, "200 OK"); await_report(); serve(app, "200 OK"); os.kill(os.getpid(), signal.SIGTERM)'
    assert run(tmp_path, program) == -15
    told = reports(tmp_path)
    assert (sum(one.requests for one in told), told[-1].closed) == (2, True)


def test_a_forked_child_reports_for_itself_as_a_preloading_server_has_it(tmp_path: Path) -> None:
    assert run(tmp_path, """
children = []
for worker in range(2):  # a master that never serves
    child = os.fork()
    if child == 0:
        for _ in range(3 + worker):
            serve(app, "200 OK")
        sys.exit(0)
    children.append(child)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
""") == 0
    told = reports(tmp_path)
    assert len({one.process for one in told}) == len({one.pid for one in told}) == 2
    by_pid = {pid: sum(one.requests for one in told if one.pid == pid) for pid in {one.pid for one in told}}
    assert sorted(by_pid.values()) == [3, 4]
    assert {one.pid: one.closed for one in told} == dict.fromkeys(by_pid, True)


def test_a_fork_in_the_midst_of_serving_takes_no_counts_along(tmp_path: Path) -> None:
    assert run(tmp_path, """
for _ in range(5):
    serve(app, "500 Oh")
await_report()
if os.fork() == 0:
    for _ in range(2):
        serve(app, "200 OK")
    sys.exit(0)
assert os.wait()[1] == 0
serve(app, "200 OK")
""") == 0
    told = reports(tmp_path)
    parent, child = (
        [one for one in told if one.process == process] for process in dict.fromkeys(one.process for one in told))
    if sum(one.errors for one in parent) == 0:
        parent, child = child, parent
    assert [sum(one.requests for one in parent), sum(one.errors for one in parent)] == [6, 5]
    assert [sum(one.requests for one in child), sum(one.errors for one in child)] == [2, 0]


def test_a_child_that_serves_nothing_does_not_report(tmp_path: Path) -> None:
    assert run(tmp_path, """
serve(app, "200 OK")
await_report()
if os.fork() == 0:
    tracker.track("x")
    sys.exit(0)
assert os.wait()[1] == 0
""") == 0
    assert len({one.process for one in reports(tmp_path)}) == 1


def test_tracking_needs_neither_psutil_nor_the_server(tmp_path: Path) -> None:
    program = """
serve(app, "200 OK")
await_report()
assert not {"psutil", "litestar", "duckdb", "pydantic"} & sys.modules.keys()
"""
    assert run(tmp_path, program) == 0
    assert reports(tmp_path)[0].process_memory


def test_the_asgi_layer_starts_with_the_servers_first_call(stage: Stage) -> None:
    async def app(*_: object) -> None:
        return

    layer = TrackedASGI(app, stage.tracker, service="web", report_every=3600)
    call = layer({"type": "lifespan"}, None, None)
    with pytest.raises(StopIteration):
        call.send(None)
    await_that(lambda: len(stage.told()) == 1)
    assert iso(micros(stage.told()[0].until)) == iso(NOON)
