"""The second reader: agrees with the real sources on this machine, and disagrees with doctored figures."""

import asyncio
import os
import socket
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import SECOND, SystemClock
from crossfade.core.comparison import Comparison
from crossfade.core.payloads import (
    Disk,
    InfrastructureMetrics,
    IngestQueue,
    ProcessMetrics,
    SystemMetrics,
)
from crossfade.requestlog import RequestLog
from crossfade.sources import second
from crossfade.sources.beside import PATIENCE_S, Beside, Seen, Unreadable
from crossfade.sources.component import Sample, SourceError
from crossfade.sources.infrastructure import measure_disk
from crossfade.sources.system import RealSystem
from crossfade.store.port import StoreError

START = 1_700_000_000 * SECOND
CLOCK = SystemClock()
linux = pytest.mark.skipif(not (second.PROC / "self" / "statm").exists(), reason="there is no /proc")


class Silent:
    """An application that has never reported."""

    def sample(self, _now: int) -> None:
        return None


class Fixed:
    """A source that gives what it was given."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)

    async def fetch(self, now: int) -> Sample:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Sample(answer, now)  # type: ignore[arg-type]


def metrics(**changes: object) -> SystemMetrics:
    whole = SystemMetrics(
        scope="server", uptime=100.0, requests=0, response_time=None, response_time_p95=None, response_time_p99=None,
        error_rate=0.0, memory_usage=50.0, process_memory=100 << 20, cpu_usage=50.0, processes=())
    return msgspec.structs.replace(whole, **changes)


def look(at_s: float = 0.0, **changes: object) -> second.MachineLook:
    return replace(second.MachineLook(START + int(at_s * SECOND), 50.0, 100 << 20, 1100.0 + at_s, int(200 * at_s),
                                      int(100 * at_s)), **changes)


def seen(payload: SystemMetrics, before: second.MachineLook, after: second.MachineLook,
         rest: int | None = SECOND) -> Seen[second.MachineLook]:
    return Seen(Sample(payload, before.at), before, after, rest)


def disagreeing(found: list[Comparison]) -> set[str]:
    return {each.field for each in found if not each.agrees}


# On this machine


@linux
def test_the_real_source_of_this_machine_agrees_with_the_second_reader() -> None:
    began = CLOCK.now()
    machine = second.MachineReader(CLOCK)
    judge = second.SystemSecond(machine, began)
    source = RealSystem(Silent(), RequestLog(300, CLOCK), began, CLOCK)  # type: ignore[arg-type]
    beside = Beside(source, machine.look, CLOCK)

    async def two() -> list[Seen[second.MachineLook]]:
        await beside.fetch(CLOCK.now())
        await asyncio.to_thread(time.sleep, 0.3)  # the kernel's counters need real time
        beside.listen()
        await beside.fetch(CLOCK.now())
        await asyncio.to_thread(time.sleep, 0.6)
        await beside.fetch(CLOCK.now())
        return beside.heard()

    heard = asyncio.run(two())
    found = judge.compare(heard)
    assert {each.field for each in found} == {"memoryUsage", "processMemory", "uptime", "cpuUsage"}
    assert disagreeing(found) == set()


@linux
def test_the_disk_of_this_machine_agrees_and_a_queue_on_disk_is_counted(tmp_path: Path) -> None:
    (tmp_path / "000000000003.tsv").write_bytes(b"a\n")  # loaded
    (tmp_path / "000000000004.tsv").write_bytes(b"a\nb\n")
    (tmp_path / "000000000005.tsv").write_bytes(b"c\n")
    reader = second.DiskReader(tmp_path, tmp_path, lambda: 3, CLOCK)
    first, last = reader.look(), reader.look()
    steady = replace(first, at=first.at - SECOND)
    payload = InfrastructureMetrics((), IngestQueue(3, 6), measure_disk(tmp_path))
    pair = [Seen(Sample(payload, 0), before, after, SECOND) for before, after in ((steady, steady), (first, last))]
    found = second.infrastructure(pair)
    assert len(found) == 5
    assert disagreeing(found) == set()


@linux
def test_a_process_of_the_application_is_found_by_its_number_and_its_start() -> None:
    machine = second.MachineReader(CLOCK)
    age_s, resident = machine.process(os.getpid())
    judge = second.SystemSecond(machine, CLOCK.now())

    def told(memory: int, *, host: str = socket.gethostname(), uptime: float = age_s) -> list[Comparison]:
        one = ProcessMetrics(
            id="one", service="", host=host, pid=os.getpid(), status="up", requests=0, response_time=None,
            response_time_p95=None, response_time_p99=None, error_rate=0.0, uptime=uptime, memory=memory, cpu=None,
            as_of="")
        payload = metrics(scope="application", processes=(one,))
        return judge.compare([seen(payload, look(), look(0.1))])

    assert told(resident) == []  # there must be a look before the report, too
    assert disagreeing(told(resident)) == set()
    assert len(told(resident)) == 1
    assert disagreeing(told(resident * 2 + second.REPORTED)) == {f"processes.{os.getpid()}.memory"}
    assert told(resident, host="elsewhere") == []
    told(resident)
    assert told(resident, uptime=age_s + 60) == []  # another process had the number


def test_without_proc_there_is_nothing_to_read(tmp_path: Path) -> None:
    machine = second.MachineReader(CLOCK, tmp_path)
    with pytest.raises(Unreadable):
        machine.look()
    assert machine.process(os.getpid()) is None


@pytest.mark.parametrize("broken", ["meminfo", "statm", "stat", "uptime"])
def test_kernel_files_that_make_no_sense_are_unreadable(tmp_path: Path, broken: str) -> None:
    good = {"meminfo": "MemTotal: 8 kB\nMemAvailable: 2 kB\n", "self/statm": "9 5 1\n",
            "stat": "cpu 1 2 3 4 5 6 7 8 9 9\n", "uptime": "12.5 3\n"}
    (tmp_path / "self").mkdir()
    for name, text in good.items():
        (tmp_path / name).write_text(text)
    read = second.MachineReader(CLOCK, tmp_path).look()
    assert (read.memory_percent, read.boot_s, read.total, read.busy) == (75.0, 12.5, 36, 27)
    assert read.resident == 5 * os.sysconf("SC_PAGE_SIZE")
    (tmp_path / ("self/statm" if broken == "statm" else broken)).write_text("?")
    with pytest.raises(Unreadable):
        second.MachineReader(CLOCK, tmp_path).look()


def test_a_store_that_does_not_answer_is_unreadable(tmp_path: Path) -> None:
    def fail() -> int:
        raise StoreError("away")

    with pytest.raises(Unreadable):
        second.DiskReader(tmp_path, tmp_path, fail, CLOCK).look()
    with pytest.raises(Unreadable):
        second.DiskReader(tmp_path / "none", tmp_path, lambda: 0, CLOCK).look()


# Doctored figures


@pytest.mark.parametrize(("field", "change"), [
    ("memoryUsage", {"memory_usage": 51.1}), ("memoryUsage", {"memory_usage": 48.9}),
    ("memoryUsage", {"memory_usage": None}), ("processMemory", {"process_memory": 105 << 20}),
    ("processMemory", {"process_memory": 100 << 10}), ("uptime", {"uptime": 103.0}), ("uptime", {"uptime": 0.1}),
    ("cpuUsage", {"cpu_usage": 75.0}), ("cpuUsage", {"cpu_usage": None}), ("cpuUsage", {"cpu_usage": 0.5}),
])
def test_a_doctored_figure_of_the_server_does_not_agree(field: str, change: dict[str, object]) -> None:
    pair = [seen(metrics(), look(0), look(0.01)), seen(metrics(uptime=110.0), look(10), look(10.01))]
    assert disagreeing(second.server(metrics(uptime=110.0), pair, 1000.0)) == set()
    changed = metrics(**{"uptime": 110.0, **change})
    pair[-1] = seen(changed, look(10), look(10.01))
    assert disagreeing(second.server(changed, pair, 1000.0)) == {field}


def disk(**changes: object) -> second.DiskLook:
    return replace(second.DiskLook(START, 10**12, 10**11, 90.0, ()), **changes)


@pytest.mark.parametrize(("field", "shown", "queue"), [
    ("disk.total", Disk(10**12 + 1, 10**11, 90.0), IngestQueue(0, 0)),
    ("disk.free", Disk(10**12, 10**11 + second.FREE + 1, 90.0), IngestQueue(0, 0)),
    ("disk.usedPercent", Disk(10**12, 10**11, 90.3), IngestQueue(0, 0)),
    ("queue.events", Disk(10**12, 10**11, 90.0), IngestQueue(1, 0)),
    ("queue.bytes", Disk(10**12, 10**11, 90.0), IngestQueue(0, 1)),
    (None, Disk(10**12, 10**11, 90.15), IngestQueue(0, 0)),
])
def test_a_doctored_figure_of_the_infrastructure_does_not_agree(field: str | None, shown: Disk,
                                                                queue: IngestQueue) -> None:
    payload = InfrastructureMetrics((), queue, shown)
    pair = [Seen(Sample(payload, 0), disk(at=at), disk(at=at), SECOND) for at in (START, START + SECOND)]
    assert disagreeing(second.infrastructure(pair)) == ({field} if field else set())


def test_a_queue_in_which_something_moves_is_not_compared(tmp_path: Path) -> None:
    payload = InfrastructureMetrics((), IngestQueue(7, 7), Disk(10**12, 10**11, 90.0))
    moved = ((tmp_path / "000000000001.tsv", 9),)

    def fields(*looks: second.DiskLook) -> set[str]:
        pair = [Seen(Sample(payload, 0), looks[0], looks[1], None), Seen(Sample(payload, 0), looks[2], looks[3], 1)]
        return {each.field.partition(".")[0] for each in second.infrastructure(pair)}

    later = START + SECOND
    assert fields(disk(), disk(), disk(at=later), disk(at=later)) == {"disk", "queue"}
    assert fields(disk(), disk(), disk(at=later), disk(at=later, queue=moved)) == {"disk"}
    assert fields(disk(), disk(queue=moved), disk(at=later), disk(at=later)) == {"disk"}
    assert fields(disk(), disk(), disk(at=START + 1), disk(at=START + 1)) == {"disk"}  # for too short a time
    gone = disk(at=later, queue=moved)
    assert fields(disk(), disk(queue=moved), gone, gone) == {"disk"}
    huge = ((moved[0][0], second.MOST_QUEUED + 1),)
    assert second.count(huge) is None


def test_readings_too_far_apart_prove_nothing() -> None:
    late, early = look(0.6), look(-0.1)
    judge = object.__new__(second.SystemSecond)  # without /proc, which is not asked
    judge._began_s = 1000.0
    assert judge.compare([seen(metrics(), look(), look(0.5))])
    assert judge.compare([seen(metrics(), look(), late)]) == []
    assert judge.compare([seen(metrics(), look(), early)]) == []  # the clock was set back
    assert judge.compare([]) == []


def test_cpu_is_compared_only_between_answers_that_follow_each_other_after_a_rest() -> None:
    first, last = seen(metrics(), look(0), look(0.01)), seen(metrics(), look(10), look(10.01))
    low, high = second.cpu_span([first, last]) or (0.0, 0.0)
    assert low <= 50 <= high
    assert second.cpu_span([last]) is None
    assert second.cpu_span([replace(first, rest=None), last]) is None
    assert second.cpu_span([first, replace(last, rest=second.LEAST_REST - 1)]) is None
    assert second.cpu_span([first, seen(metrics(), look(0.01), look(0.02))]) is None


# Tolerances

READING = st.floats(0, 1e9)


@given(READING, READING, st.floats(0, 1), st.floats(0, 1e6))
def test_whatever_lies_between_the_readings_agrees(one: float, other: float, share: float, allowed: float) -> None:
    real = min(one, other) + share * abs(one - other)
    assert second.between("c", "f", real, (one, other), allowed=allowed + 1e-6, window=(0, 1)).agrees


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**6))
def test_the_tolerance_ends_where_it_is_stated(one: int, other: int, allowed: int) -> None:
    def agrees(real: int) -> bool:
        return second.between("c", "f", real, (one, other), allowed=allowed, window=(0, 1)).agrees

    low, high = min(one, other) - allowed, max(one, other) + allowed
    assert agrees(low)
    assert agrees(high)
    assert not agrees(low - 1)
    assert not agrees(high + 1)


@given(st.floats(0.2, 1e4), st.floats(0, second.TRANSIT_MS - 1e-2))
def test_a_client_may_find_an_answer_slower_but_never_quicker(client: float, way: float) -> None:
    def agrees(server: float | None) -> bool:
        return second.response_time(server, client, (0, 1)).agrees

    assert agrees(max(0.0, client - way))
    assert not agrees(client * 1.03 + 0.11)
    assert not agrees(client * 0.97 - second.TRANSIT_MS - 0.01)
    assert not agrees(None)


def test_a_histogram_in_seconds_instead_of_milliseconds_would_be_seen() -> None:
    assert not second.response_time(0.08, 80.0, (0, 1)).agrees
    assert not second.response_time(80_000.0, 80.0, (0, 1)).agrees


# Beside a source


def test_readings_are_taken_only_while_it_listens() -> None:
    looks = iter(range(100))
    beside = Beside(Fixed(*[metrics()] * 4), lambda: next(looks), CLOCK)

    async def course() -> None:
        await beside.fetch(START)
        beside.listen()
        await beside.fetch(START)
        await beside.fetch(START)
        heard = beside.heard()
        assert [(one.before, one.after) for one in heard] == [(0, 1), (2, 3)]
        assert all(one.rest is not None for one in heard)
        await beside.fetch(START)
        assert next(looks) == 4

    asyncio.run(course())


def test_a_source_that_fails_breaks_the_chain_of_answers() -> None:
    beside = Beside(Fixed(metrics(), SourceError("down"), metrics()), lambda: 1, CLOCK)

    async def course() -> None:
        beside.listen()
        await beside.fetch(START)
        with pytest.raises(SourceError):
            await beside.fetch(START)
        assert beside.heard() == []
        await beside.fetch(START)

    asyncio.run(course())


def test_a_reading_that_fails_or_hangs_is_not_the_sources_trouble() -> None:
    def fail() -> int:
        raise Unreadable("no such thing")

    async def course() -> None:
        failing = Beside(Fixed(metrics()), fail, CLOCK)
        failing.listen()
        assert (await failing.fetch(START)).payload == metrics()
        assert (failing.heard(), failing.trouble) == ([], "no such thing")

        gate = asyncio.Event()
        loop = asyncio.get_running_loop()
        calls = []

        def hang() -> int:
            calls.append(1)
            asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(30)
            return 1

        hanging = Beside(Fixed(metrics(), metrics()), hang, CLOCK)
        hanging.listen()
        assert (await hanging.fetch(START)).payload == metrics()
        assert (await hanging.fetch(START)).payload == metrics()
        assert (hanging.heard(), len(calls)) == ([], 1)
        assert f"{PATIENCE_S:g} s" in str(hanging.trouble)
        gate.set()

    asyncio.run(course())
