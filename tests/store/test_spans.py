"""The cover holds every span, in few spans, and leaves out what is worth leaving out."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.store.spans import MOST, cover

span = st.tuples(st.integers(-10**15, 10**15), st.integers(0, 10**12)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(spans=st.lists(span, max_size=60), most=st.integers(1, 20))
def test_few_spans_in_order_hold_all(spans, most):
    found = cover(spans, most)
    assert len(found) <= most
    assert all(any(start <= first and last <= end for start, end in found) for first, last in spans)
    assert all(end < start for (_, end), (start, _) in pairwise(found))
    assert bool(found) == bool(spans)
    edges = {edge for pair in spans for edge in pair}
    assert all(start in edges and end in edges for start, end in found)


@given(spans=st.lists(span, max_size=30))
def test_order_and_repetition_make_no_difference(spans):
    assert cover([*reversed(spans), *spans]) == cover(spans)


@pytest.mark.parametrize(("spans", "found"), [
    ([], []),
    ([(5, 5)], [(5, 5)]),
    ([(0, 100), (1, 2), (50, 60)], [(0, 100)]),
    ([(0, 1), (1, 2)], [(0, 2)]),
    ([(0, 1), (1_000, 1_001)], [(0, 1), (1_000, 1_001)]),
    ([(0, 1), (1_000, 1_001), (10**9, 10**9)], [(0, 1), (1_000, 1_001), (10**9, 10**9)]),
])
def test_wide_gaps_are_left_out(spans, found):
    assert cover(spans) == found


def test_what_lies_everywhere_is_looked_through_at_once():
    assert cover([(place * 10, place * 10 + 8) for place in range(1_000)]) == [(0, 9_998)]


def test_there_are_never_too_many():
    assert len(cover([(10**place, 10**place) for place in range(3 * MOST)])) == MOST
