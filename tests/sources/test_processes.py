"""The application's processes, from reports in a real store, by a clock that is told when to move."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND, ManualClock, iso
from crossfade.core.counts import Counts
from crossfade.core.days import Days
from crossfade.core.latency import RELATIVE_ERROR, bucket_of
from crossfade.core.payloads import SystemMetrics
from crossfade.core.report import REPORT
from crossfade.requestlog import RequestLog
from crossfade.sources import processes
from crossfade.sources.component import Sample, SourceError
from crossfade.sources.process import Process
from crossfade.sources.processes import Processes, ago
from crossfade.sources.system import RealSystem
from crossfade.store.embedded import EmbeddedStore
from crossfade.store.port import StoreError

START = 1_790_000_000 * SECOND
EVERY = 10 * SECOND


class Place:
    """A store that processes report to, and what the server makes of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock(START)
        self.store = EmbeddedStore(folder / "events.duckdb", Days())
        self.processes = self.begin()
        self._numbers = itertools.count(1)

    def begin(self) -> Processes:
        """As after a start of the server."""
        return Processes(self.store, self.clock, 300)

    def bring(self, *reports: dict[str, object] | str, at: int | None = None) -> None:
        """A segment of reports, whose senders' clocks may be off: the store has corrected ``at``."""
        number, moment = next(self._numbers), self.clock.now() if at is None else at
        path = self.folder / f"{number}.tsv"
        texts = [one if isinstance(one, str) else json.dumps(one) for one in reports]
        path.write_text("".join(f"1\t{moment}\t0\t{iso(moment)}\t{number}/{place}\t{REPORT}\t\t\t\t{text}\t\t\n"
                                for place, text in enumerate(texts)))
        assert self.store.load(number, path).stored == len(reports)
        self.processes.follow()

    def sample(self) -> Sample | None:
        return self.processes.sample(self.clock.now())

    def shown(self) -> SystemMetrics:
        sample = self.sample()
        assert sample is not None
        assert isinstance(sample.payload, SystemMetrics)
        return sample.payload


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.store.close()


def report(process: str = "p1", seconds: tuple[float, ...] = (), *, errors: int = 0, now: int = START,
           uptime: int = HOUR, **more: object) -> dict[str, object]:
    buckets: dict[str, int] = {}
    for latency in seconds:
        bucket = str(bucket_of(latency))
        buckets[bucket] = buckets.get(bucket, 0) + 1
    return {"version": 1, "process": process, "service": "web", "host": "h1", "pid": 7, "startedAt": iso(now - uptime),
            "since": iso(now - EVERY), "until": iso(now), "every": 10.0, "requests": len(seconds), "errors": errors,
            "buckets": buckets, "processMemory": 1000, "processCpu": 50.0, "memoryUsage": 40.0, "cpuUsage": 20.0,
            **more}


def test_an_application_that_never_reported_is_none(place: Place) -> None:
    assert place.sample() is None


def test_two_processes_are_one_application(place: Place) -> None:
    fast, slow = tuple(0.001 * n for n in range(1, 61)), tuple(0.001 * n for n in range(61, 101))
    place.bring(report("p1", fast, errors=1, uptime=HOUR), report("p2", slow, errors=4, uptime=MINUTE, pid=8, host="h2",
                                                                  memoryUsage=70.0, cpuUsage=None, processMemory=500))
    shown = place.shown()
    assert (shown.scope, shown.requests, shown.error_rate, shown.uptime) == ("application", 100, 5.0, 3600.0)
    for found, exact in ((shown.response_time, 50), (shown.response_time_p95, 95), (shown.response_time_p99, 99)):
        assert found == pytest.approx(exact, rel=RELATIVE_ERROR + 0.001)
    assert (shown.memory_usage, shown.cpu_usage, shown.process_memory) == (70.0, 20.0, 1500)
    one, two = shown.processes
    assert (one.id, one.host, one.pid, one.service, one.status, one.requests, one.uptime) == (
        "p1", "h1", 7, "web", "up", 60, 3600.0)
    assert (two.id, two.error_rate, two.memory, two.cpu, two.as_of) == ("p2", 10.0, 500, 50.0, iso(START))
    assert two.response_time == pytest.approx(80, rel=RELATIVE_ERROR + 0.001)


def test_an_idle_process_is_a_heartbeat(place: Place) -> None:
    place.bring(report())
    shown = place.shown()
    assert (shown.requests, shown.error_rate, shown.response_time, shown.response_time_p99) == (0, 0.0, None, None)
    assert [process.status for process in shown.processes] == ["up"]


def test_the_data_is_as_old_as_the_newest_report(place: Place) -> None:
    place.bring(report("p1"))
    place.clock.advance(5 * SECOND)
    place.bring(report("p2"))
    place.clock.advance(3 * SECOND)
    sample = place.sample()
    assert sample is not None
    assert sample.as_of == START + 5 * SECOND
    assert place.shown().uptime == 3608.0


def test_a_report_from_a_clock_that_is_ahead_is_of_now(place: Place) -> None:
    place.bring(report(), at=START + 200 * SECOND)
    sample = place.sample()
    assert sample is not None
    assert sample.as_of == START


def test_requests_slide_out_of_the_window(place: Place) -> None:
    place.bring(report("p1", (0.01, 0.01)))
    for passed in range(1, 33):
        place.clock.advance(EVERY)
        place.bring(report("p1", (0.01,)))
        assert place.shown().requests == (passed + 2 if passed < 30 else 30)


def test_a_process_that_is_silent_is_not_up_and_its_requests_stay_for_the_window(place: Place) -> None:
    place.bring(report("p1", (0.01,), uptime=DAY, memoryUsage=90.0), report("p2", (0.01,)))
    place.clock.advance(30 * SECOND)
    place.bring(report("p2"))
    assert {one.id: one.status for one in place.shown().processes} == {"p1": "up", "p2": "up"}
    place.clock.advance(1)
    shown = place.shown()
    assert {one.id: one.status for one in shown.processes} == {"p1": "down", "p2": "up"}
    assert (shown.requests, shown.memory_usage, shown.process_memory) == (2, 40.0, 1000)
    assert shown.uptime == pytest.approx(3600)
    assert next(one.uptime for one in shown.processes if one.id == "p1") == 86_400
    for _ in range(28):
        place.clock.advance(EVERY)
        place.bring(report("p2"))
    assert {one.id for one in place.shown().processes} == {"p2"}


def test_a_process_says_how_long_its_silence_may_last(place: Place) -> None:
    place.bring(report(every=60.0))
    place.clock.advance(3 * MINUTE)
    assert place.shown().processes[0].status == "up"
    place.clock.advance(1)
    with pytest.raises(SourceError):
        place.sample()


def test_an_application_that_fell_silent_is_an_error_that_says_since_when(place: Place) -> None:
    place.bring(report("p1", host="alpha", pid=12))
    place.clock.advance(17 * MINUTE)
    with pytest.raises(SourceError, match=r"the last one \(web on alpha, pid 12\) last reported 17 min ago"):
        place.sample()
    place.clock.advance(DAY - 17 * MINUTE)
    with pytest.raises(SourceError, match="24 h ago"):
        place.sample()
    place.clock.advance(1)
    assert place.sample() is None  # a day without a word: there is no such application any more
    place.bring(report("p2", (0.01,)))
    assert place.shown().requests == 1


def test_a_process_that_said_goodbye_is_gone_at_once(place: Place) -> None:
    place.bring(report("p1", (0.01,)), report("p2", (0.02,), closed=True))
    shown = place.shown()
    assert {one.id: one.status for one in shown.processes} == {"p1": "up", "p2": "ended"}
    assert (shown.requests, shown.process_memory) == (2, 1000)
    place.bring(report("p1", closed=True))
    with pytest.raises(SourceError, match="said goodbye 0 s ago"):
        place.sample()


def test_a_start_finds_what_was_reported_before_it(place: Place) -> None:
    place.bring(report("p1", (0.01,)), report("p2", (0.01,)))
    place.clock.advance(20 * SECOND)
    before = place.shown()
    place.processes = place.begin()
    assert place.shown() == before
    place.processes.follow()
    assert place.shown() == before
    place.clock.advance(2 * HOUR)
    place.processes = place.begin()
    with pytest.raises(SourceError, match="2 h ago"):
        place.sample()


def test_a_late_report_counts_where_it_belongs(place: Place) -> None:
    place.bring(report("p1", (0.01,)))
    place.bring(report("p2", (0.01, 0.01)), at=START - 100 * SECOND)
    place.bring(report("p3", (0.01,) * 5), at=START - HOUR)
    shown = place.shown()
    assert shown.requests == 3
    assert {one.id: one.status for one in shown.processes} == {"p1": "up", "p2": "down"}


def test_bad_reports_are_passed_over_and_counted(place: Place) -> None:
    deep = '{"a":' + "[" * 5_000 + "]" * 5_000 + "}"
    place.bring("{}", '{"process":"x"}', report("p1", (0.01,), errors=2), "[]", deep, report("p2", (0.01,)),
                report("p3", buckets={"9999": 1}, requests=1), report("p4", startedAt="0001-01-01T00:00:00Z"))
    assert place.processes.skipped == 6
    assert {one.id for one in place.shown().processes} == {"p2", "p4"}
    assert place.shown().requests == 1


def test_processes_without_number_do_not_fill_the_memory(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "MOST", 3)
    place.bring(report("old", (0.01,)))
    place.clock.advance(SECOND)
    place.bring(*(report(f"p{n}", (0.01,)) for n in range(3)))
    assert {one.id for one in place.shown().processes} == {"p0", "p1", "p2"}


def test_what_has_left_the_window_is_let_go(place: Place) -> None:
    for number in range(80):
        place.bring(report("stays", (0.01,)), report(f"p{number}", (0.01,), closed=True))
        place.clock.advance(EVERY)
    known = place.processes._known
    assert len(known) == 31
    assert len(known["stays", "web"]._slots) == 30


def test_reports_without_number_do_not_fill_the_memory() -> None:
    process = Process(processes._decode(json.dumps(report("p1", (0.01,)))), START, 0)
    for number in range(500):
        process.take(process.last, START, number % 60)
    assert process.counts(range(60)) == Counts({bucket_of(0.01): 501}, 0)
    assert len(process._slots) == 60


def test_a_process_of_two_services_has_its_memory_counted_once(place: Place) -> None:
    place.bring(report("p1", (0.01,), service="web"), report("p1", (0.01,), service="api"))
    assert (place.shown().process_memory, place.shown().requests, len(place.shown().processes)) == (1000, 2, 2)


def test_a_sum_that_lacks_a_part_is_not_known(place: Place) -> None:
    place.bring(report("p1"), report("p2", processMemory=None, memoryUsage=None))
    assert (place.shown().process_memory, place.shown().memory_usage) == (None, 40.0)


def test_a_clock_that_is_set_back_lets_nobody_live_for_ever(place: Place) -> None:
    place.bring(report("p1", (0.01,)))
    place.clock.advance(-HOUR)
    with pytest.raises(SourceError, match="0 s ago"):
        place.sample()
    place.bring(report("p1", (0.02, 0.02)))
    assert (place.shown().requests, place.shown().processes[0].status) == (2, "up")


def test_a_store_that_does_not_answer_is_an_error_and_not_the_server_s_own_figures(place: Place) -> None:
    source = RealSystem(place.begin(), RequestLog(300, place.clock), START, place.clock)
    place.store.close()
    with pytest.raises(StoreError):
        source._measure(START)


def test_the_source_shows_the_application_once_it_reports(place: Place) -> None:
    source = RealSystem(place.processes, RequestLog(300, place.clock), START, place.clock)
    assert source._measure(START).payload.scope == "server"
    place.bring(report("p1", (0.01,)))
    assert source._measure(START).payload == place.shown()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 400), st.integers(0, 5)), max_size=30))
def test_the_window_holds_just_what_came_since_its_start(reports: list[tuple[int, int, int]]) -> None:
    """Reports of so many requests, so many seconds old; the window is 300 s, to a sixtieth."""
    known: dict[int, Process] = {}
    slots = range(100 - 59, 100 + 2)
    for name, age, count in reports:
        told = processes._decode(json.dumps(report(str(name), (0.01,) * count)))
        slot = 100 - age // 5
        if name in known:
            known[name].take(told, START, slot)
        else:
            known[name] = Process(told, START, slot)
    for process in known.values():
        process.forget(slots)
    assert sum(process.counts(slots).requests for process in known.values()) == sum(
        count for _, age, count in reports if age < 300)


@pytest.mark.parametrize(("age", "words"), [
    (-5, "0 s"), (0, "0 s"), (119 * SECOND, "119 s"), (2 * MINUTE, "2 min"), (119 * MINUTE, "119 min"),
    (2 * HOUR, "2 h"), (DAY, "24 h"),
])
def test_ages_in_words(age: int, words: str) -> None:
    assert ago(age) == words
