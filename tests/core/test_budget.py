"""A share of a core, with a clock that the test winds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.budget import LEAST_REST, Budget


class Thread:
    def __init__(self, share):
        self.spent = 0.0
        self.rested = 0.0
        self.rests = []
        self.budget = Budget(lambda: self.spent, self.rest, share)

    def rest(self, seconds):
        self.rests.append(seconds)
        self.rested += seconds

    def work(self, seconds):
        self.spent += seconds
        self.budget.pace()


@given(share=st.floats(0.01, 1), pieces=st.lists(st.floats(0, 2), min_size=1, max_size=50))
def test_the_share_is_kept_but_for_the_shortest_rest(share, pieces):
    thread = Thread(share)
    thread.budget.pace()
    for piece in pieces:
        thread.work(piece)
    due = sum(pieces) * (1 / share - 1)
    assert due - LEAST_REST - 1e-6 <= thread.rested <= due + 1e-6


def test_short_rests_are_saved_up_but_it_can_always_be_interrupted():
    thread = Thread(0.5)
    thread.budget.pace()
    for _ in range(12):
        thread.work(0.001)
    assert [rest for rest in thread.rests if rest] == [pytest.approx(LEAST_REST)]
    assert len(thread.rests) == 13, "rest is asked each time: it may raise"


def test_what_was_spent_before_the_first_piece_is_not_owed():
    thread = Thread(0.5)
    thread.spent = 100.0
    thread.budget.pace()
    assert thread.rested == 0


def test_a_whole_core_needs_no_rest():
    thread = Thread(1.0)
    for _ in range(5):
        thread.work(1.0)
    assert thread.rested == 0
