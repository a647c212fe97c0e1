"""systemMetrics: the CPU meter, the real source on this machine, and the mock."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, cast

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND, ManualClock
from crossfade.core.cpu import CpuTimes
from crossfade.core.days import Days
from crossfade.core.payloads import SystemMetrics
from crossfade.requestlog import RequestLog
from crossfade.sources.component import Sample, SourceError
from crossfade.sources.processes import Processes
from crossfade.sources.synthetic import around, daily, rng
from crossfade.sources.system import CpuMeter, MockSystem, RealSystem, cpu_times
from crossfade.store.embedded import EmbeddedStore

START = 1_700_000_000 * SECOND


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[Processes]:
    """The processes of an application that has never reported."""
    store = EmbeddedStore(tmp_path / "events.duckdb", Days())
    yield Processes(store, ManualClock(START), 300)
    store.close()


def metrics(sample: Sample) -> SystemMetrics:
    return cast("SystemMetrics", sample.payload)


def test_the_machines_counters_agree_with_psutils_own_sum() -> None:
    times = cpu_times()
    assert 0 < times.busy < times.total
    per_core = psutil.cpu_times(percpu=True)
    idle = sum(core.idle + getattr(core, "iowait", 0.0) for core in per_core)
    assert times.total - times.busy == pytest.approx(idle, rel=0.01, abs=2)


def test_waiting_is_no_work_and_a_guest_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Linux(NamedTuple):
        user: float = 40
        idle: float = 50
        iowait: float = 7
        steal: float = 3
        guest: float = 30
        guest_nice: float = 2

    monkeypatch.setattr(psutil, "cpu_times", Linux)
    assert cpu_times() == CpuTimes(total=100, busy=43)


def test_counters_without_waiting_and_guests_do_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere(NamedTuple):
        user: float = 40
        idle: float = 60

    monkeypatch.setattr(psutil, "cpu_times", Elsewhere)
    assert cpu_times() == CpuTimes(total=100, busy=40)


def test_a_look_soon_after_another_repeats_it() -> None:
    clock = ManualClock(START)
    counters = [CpuTimes(100, 0), CpuTimes(110, 2), CpuTimes(120, 9)]
    meter = CpuMeter(clock, lambda: counters.pop(0))
    assert meter.look() is None
    clock.advance(SECOND // 10)
    assert meter.look() is None
    clock.advance(SECOND // 10)
    assert meter.look() == pytest.approx(20)
    clock.advance(SECOND // 5 - 1)
    assert meter.look() == pytest.approx(20)
    clock.advance(1)
    assert meter.look() == pytest.approx(70)
    assert counters == []


def test_a_clock_that_is_set_back_does_not_freeze_the_meter() -> None:
    clock = ManualClock(START)
    counters = [CpuTimes(100, 0), CpuTimes(110, 2)]
    meter = CpuMeter(clock, lambda: counters.pop(0))
    meter.look()
    clock.advance(-HOUR)
    assert meter.look() == pytest.approx(20)


def test_the_real_source_reads_the_log_and_the_machine(silent: Processes) -> None:
    clock = ManualClock(START)
    log = RequestLog(300, clock)
    for status in (200, 200, 200, 503):
        log.record(status, 0.020)
    source = RealSystem(silent, log, START - HOUR, clock)
    first = asyncio.run(source.fetch(START))
    shown = metrics(first)
    assert first.as_of == START
    assert (shown.scope, shown.processes) == ("server", ())
    assert (shown.uptime, shown.requests, shown.error_rate) == (3_600.0, 4, 25.0)
    assert shown.response_time == pytest.approx(20, rel=0.025)
    assert shown.response_time_p95 == pytest.approx(20, rel=0.025)
    assert shown.response_time_p99 == pytest.approx(20, rel=0.025)
    assert shown.cpu_usage is None
    assert 0 < shown.memory_usage <= 100
    assert shown.process_memory == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)


def test_an_idle_server_has_no_latency_and_no_errors(silent: Processes) -> None:
    clock = ManualClock(START)
    shown = metrics(asyncio.run(RealSystem(silent, RequestLog(300, clock), START, clock).fetch(START)))
    assert (shown.requests, shown.error_rate) == (0, 0.0)
    assert (shown.response_time, shown.response_time_p95) == (None, None)


def test_the_second_look_at_the_real_machine_knows_its_cpu(silent: Processes) -> None:
    clock = ManualClock(START)
    source = RealSystem(silent, RequestLog(300, clock), START, clock)
    asyncio.run(source.fetch(START))
    before = cpu_times()
    while cpu_times().total <= before.total:  # until the kernel's counters move: hundredths of a second
        pass
    clock.advance(SECOND)
    cpu = metrics(asyncio.run(source.fetch(clock.now()))).cpu_usage
    assert cpu is not None
    assert 0 <= cpu <= 100


def test_a_clock_before_the_start_gives_no_negative_uptime(silent: Processes) -> None:
    clock = ManualClock(START)
    shown = metrics(asyncio.run(RealSystem(silent, RequestLog(300, clock), START + HOUR, clock).fetch(START)))
    assert shown.uptime == 0


def test_a_machine_that_does_not_tell_is_a_source_error(silent: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PermissionError(13, "Permission denied")

    clock = ManualClock(START)
    source = RealSystem(silent, RequestLog(300, clock), START, clock)
    monkeypatch.setattr(psutil, "virtual_memory", refuse)
    with pytest.raises(SourceError, match="Permission denied"):
        asyncio.run(source.fetch(START))


def mock(now: int, seed: int = 5) -> Sample:
    return asyncio.run(MockSystem(seed).fetch(now))


def test_the_mock_is_the_same_within_a_minute_and_another_in_the_next() -> None:
    minute = START // MINUTE * MINUTE
    assert mock(minute).payload == mock(minute + MINUTE - 1).payload
    assert mock(minute).payload != mock(minute + MINUTE).payload
    assert mock(minute).payload != mock(minute, seed=6).payload
    assert mock(minute + 7).as_of == minute + 7


@pytest.mark.parametrize("start", [START, START + 7 * HOUR, START + 15 * HOUR])
def test_the_mock_drifts_and_stays_plausible(start: int) -> None:
    shown = [metrics(mock(start + minute * MINUTE)) for minute in range(120)]
    for one, following in pairwise(shown):
        assert following.requests == pytest.approx(one.requests, rel=0.15)
        assert following.response_time == pytest.approx(one.response_time, rel=0.15)
    for one in shown:
        assert one.response_time is not None
        assert one.response_time_p95 is not None
        assert one.cpu_usage is not None
        assert one.response_time_p99 is not None
        assert 0 < one.response_time < one.response_time_p95 < one.response_time_p99
        assert 0 < one.error_rate < 1
        assert 0 < one.memory_usage < 100
        assert 0 < one.cpu_usage < 100


@given(st.integers(0, 100 * 365 * DAY), st.floats(1, 1e6), st.floats(1, 10))
def test_the_days_curve_stays_between_its_ends_and_moves_slowly(now: int, low: float, factor: float) -> None:
    high = low * factor
    value, following = daily(now, low, high), daily(now + MINUTE, low, high)
    assert low * 0.999 <= value <= high * 1.001
    assert abs(following - value) <= (high - low) * 0.0025 + 1e-9


def test_the_dice_are_those_of_seed_component_and_minute() -> None:
    rolls = {rng(seed, component, now).random()
             for seed in (1, 2) for component in ("a", "b") for now in (0, MINUTE, 2 * MINUTE - 1)}
    assert len(rolls) == 8
    assert all(95 <= around(rng(1, "a", minute * MINUTE), 100, 0.05) <= 105 for minute in range(100))
