"""Counts of requests: from many threads, taken and put back."""

import math
from concurrent.futures import ThreadPoolExecutor

import pytest

from crossfade.core.counts import Counts, merged
from crossfade.core.latency import bucket_of
from crossfade.tracking.recorder import Recorder


def test_only_a_status_of_500_or_more_is_an_error() -> None:
    recorder = Recorder()
    for status in (200, 304, 404, 499, 500, 503):
        recorder.record(status, 0.02)
    assert recorder.take() == Counts({bucket_of(0.02): 6}, 2)
    assert recorder.take() == Counts({}, 0)


def test_what_could_not_be_told_counts_towards_the_next() -> None:
    recorder = Recorder()
    recorder.record(500, 0.02)
    told = recorder.take()
    recorder.record(200, 0.02)
    recorder.put_back(told)
    assert recorder.take() == Counts({bucket_of(0.02): 2}, 1)


@pytest.mark.parametrize("seconds", [-1.0, 0.0, math.nan, math.inf, 1e300])
def test_no_latency_breaks_it(seconds: float) -> None:
    recorder = Recorder()
    recorder.record(200, seconds)
    assert recorder.take().requests == 1


def test_threads_lose_nothing() -> None:
    recorder = Recorder()

    def work(_: int) -> list[Counts]:
        for _ in range(5_000):
            recorder.record(500, 0.001)
        return [recorder.take()]

    with ThreadPoolExecutor(8) as pool:
        told = [counts for part in pool.map(work, range(8)) for counts in part]
    assert merged([*told, recorder.take()]) == Counts({bucket_of(0.001): 40_000}, 40_000)
