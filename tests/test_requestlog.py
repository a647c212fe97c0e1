"""The request log: counts, quantiles against exact ones, and the sliding window."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import HOUR, SECOND, ManualClock
from crossfade.core.latency import LONGEST, RELATIVE_ERROR, SHORTEST
from crossfade.requestlog import RequestLog

START = 1_700_000_000 * SECOND
LATENCY = st.floats(SHORTEST, LONGEST, exclude_max=True)


def filled(latencies: Sequence[float]) -> RequestLog:
    log = RequestLog(60, ManualClock(START))
    for latency in latencies:
        log.record(200, latency)
    return log


def exact_ms(latencies: Sequence[float], share: float) -> float:
    return sorted(latencies)[max(1, math.ceil(share * len(latencies))) - 1] * 1_000


@given(st.lists(LATENCY, min_size=1, max_size=200))
def test_quantiles_are_within_the_promised_error(latencies: list[float]) -> None:
    summary = filled(latencies).summary(START)
    for share, given_ms in ((0.5, summary.p50_ms), (0.95, summary.p95_ms), (0.99, summary.p99_ms)):
        assert given_ms == pytest.approx(exact_ms(latencies, share), rel=RELATIVE_ERROR + 1e-9)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_any_latency_at_all_lands_in_a_bucket(latency: float) -> None:
    summary = filled([latency]).summary(START)
    assert summary.requests == 1
    assert summary.p50_ms is not None
    slack = 1 + RELATIVE_ERROR
    assert SHORTEST * 1_000 <= summary.p50_ms <= LONGEST * 1_000 * slack


@pytest.mark.parametrize(("latency", "shown_ms"), [
    (-1.0, 0.01), (0.0, 0.01), (math.nan, 0.01), (100.0, 100_000.0), (1e9, 100_000.0), (math.inf, 100_000.0),
])
def test_latencies_off_the_scale_count_as_its_ends(latency: float, shown_ms: float) -> None:
    assert filled([latency]).summary(START).p50_ms == pytest.approx(shown_ms)


def test_an_empty_log_knows_no_latency() -> None:
    summary = RequestLog(60, ManualClock(START)).summary(START)
    assert (summary.requests, summary.errors) == (0, 0)
    assert (summary.p50_ms, summary.p95_ms, summary.p99_ms) == (None, None, None)
    assert summary.since == START


def test_only_a_status_of_500_or_more_is_an_error() -> None:
    log = RequestLog(60, ManualClock(START))
    for status in (200, 304, 404, 499, 500, 503, 599):
        log.record(status, 0.001)
    summary = log.summary(START)
    assert (summary.requests, summary.errors) == (7, 3)


def test_requests_slide_out_of_the_window() -> None:
    clock = ManualClock(START)
    log = RequestLog(60, clock)
    log.record(500, 1.0)
    clock.advance(59 * SECOND)
    log.record(200, 0.1)
    both = log.summary(clock.now())
    assert (both.requests, both.errors) == (2, 1)
    clock.advance(SECOND)
    one = log.summary(clock.now())
    assert (one.requests, one.errors) == (1, 0)
    assert one.since == START + SECOND
    clock.advance(HOUR)
    assert log.summary(clock.now()).requests == 0


@given(st.lists(st.integers(0, 20 * SECOND), max_size=60), st.integers(0, 90 * SECOND))
def test_the_window_holds_just_what_came_since_its_start(steps: list[int], wait: int) -> None:
    clock = ManualClock(START + 345_678)
    log = RequestLog(60, clock)
    moments = []
    for step in steps:
        clock.advance(step)
        log.record(200, 0.001)
        moments.append(clock.now())
    clock.advance(wait)
    summary = log.summary(clock.now())
    assert summary.requests == sum(moment >= summary.since for moment in moments)
    began = START + 345_678
    assert summary.since <= max(began, clock.now() - 59 * SECOND)
    assert summary.since >= max(began, clock.now() - 60 * SECOND)


def test_memory_stays_as_it_is() -> None:
    clock = ManualClock(START)
    log = RequestLog(60, clock)
    for _ in range(500):
        clock.advance(SECOND)
        log.record(200, 0.001)
    assert log.summary(clock.now()).requests == 60
    assert len(log._slots) == 60


def test_a_clock_that_is_set_back_takes_the_window_with_it() -> None:
    clock = ManualClock(START)
    log = RequestLog(60, clock)
    clock.advance(10 * SECOND)
    log.record(200, 0.001)
    clock.advance(-HOUR)
    log.record(200, 0.001)
    summary = log.summary(clock.now())
    assert summary.requests == 2
    assert summary.since <= clock.now()
    clock.advance(30 * SECOND)
    assert log.summary(clock.now()).requests == 2
    clock.advance(31 * SECOND)
    log.record(200, 0.001)
    assert log.summary(clock.now()).requests == 1


def test_an_idle_log_forgets_even_if_the_clock_was_set_back() -> None:
    clock = ManualClock(START)
    log = RequestLog(60, clock)
    log.record(200, 0.001)
    clock.advance(-HOUR)
    assert log.summary(clock.now()).requests == 1
    clock.advance(61 * SECOND)
    assert log.summary(clock.now()).requests == 0


def test_a_reader_with_an_older_moment_does_not_move_the_window() -> None:
    clock = ManualClock(START)
    log = RequestLog(60, clock)
    for _ in range(100):
        clock.advance(SECOND)
        log.record(200, 0.001)
        log.summary(clock.now() - 1)
    summary = log.summary(clock.now())
    assert (summary.requests, summary.since) == (60, clock.now() - 59 * SECOND)


@given(st.lists(st.tuples(st.integers(-HOUR, HOUR), st.booleans()), max_size=60))
def test_no_clock_breaks_it(moves: list[tuple[int, bool]]) -> None:
    clock = ManualClock(START)
    log = RequestLog(60, clock)
    for recorded, (step, ask) in enumerate(moves, 1):
        clock.advance(step)
        if ask:
            log.summary(clock.now())
        log.record(500, 0.001)
        summary = log.summary(clock.now())
        assert 1 <= summary.requests <= recorded
        assert summary.errors == summary.requests
        assert summary.since <= clock.now()


def test_another_thread_may_ask_while_one_records() -> None:
    clock = ManualClock(START)
    log = RequestLog(60, clock)

    def record() -> None:
        for _ in range(20_000):
            clock.advance(2_000)  # forty slots in all
            log.record(500, 0.001)

    with ThreadPoolExecutor(1) as pool:
        recording = pool.submit(record)
        while not recording.done():
            summary = log.summary(clock.now())
            assert summary.errors <= summary.requests
    recording.result()
    summary = log.summary(clock.now())
    assert (summary.requests, summary.errors) == (20_000, 20_000)
