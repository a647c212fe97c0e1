"""The pauses between attempts."""

from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.backoff import MAX_RETRY_AFTER, Backoff


@given(st.integers(1, 10**9), st.floats(0, 10**12))
def test_a_pause_is_within_its_bounds(failures, retry_after):
    pause = Backoff(0.5, 30.0).pause(failures, retry_after)
    asked = min(retry_after, MAX_RETRY_AFTER)
    assert asked <= pause <= asked + min(30.0, 0.5 * 2.0 ** min(failures - 1, 32))


def test_the_bound_doubles_up_to_the_longest():
    longest = Backoff(0.5, 30.0, draw=lambda _, high: high)
    assert [longest.pause(n) for n in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_the_jitter_is_full():
    assert Backoff(draw=lambda low, _: low).pause(5) == 0
