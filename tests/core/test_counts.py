"""Counts of requests add up: over intervals, processes and hosts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.counts import Counts, merged
from crossfade.core.latency import LONGEST, RELATIVE_ERROR, SHORTEST
from crossfade.tracking.recorder import Recorder

REQUESTS = st.lists(st.tuples(st.sampled_from((200, 404, 499, 500, 503)),
                              st.floats(SHORTEST, LONGEST, exclude_max=True), st.integers(0, 3)), max_size=80)


def told(requests: list[tuple[int, float, int]]) -> Counts:
    recorder = Recorder()
    for status, seconds, _ in requests:
        recorder.record(status, seconds)
    return recorder.take()


@given(REQUESTS)
def test_the_reports_of_several_processes_merge_into_the_report_of_all(requests: list[tuple[int, float, int]]) -> None:
    split = [told([one for one in requests if one[2] == process]) for process in range(4)]
    assert merged(split) == told(requests)
    assert merged([merged(split[:2]), merged(split[2:])]) == merged(reversed(split))


@given(REQUESTS.filter(bool), st.floats(0.01, 1))
def test_quantiles_of_merged_counts_are_within_the_promised_error(requests: list[tuple[int, float, int]],
                                                                  share: float) -> None:
    (found,) = merged([told(requests[::2]), told(requests[1::2])]).quantiles_ms(share)
    exact = sorted(seconds for _, seconds, _ in requests)[max(1, math.ceil(share * len(requests))) - 1]
    assert found == pytest.approx(exact * 1000, rel=RELATIVE_ERROR + 1e-9)


def test_without_a_request_there_is_no_latency_and_no_error() -> None:
    nothing = merged([])
    assert (nothing.requests, nothing.error_rate, nothing.quantiles_ms(0.5, 0.9)) == (0, 0.0, (None, None))


def test_the_error_rate_is_per_cent_of_the_requests() -> None:
    assert Counts({3: 6, 5: 2}, 2).error_rate == 25
