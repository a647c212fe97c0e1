"""Answers, counted by how long they took."""

from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.answers import BOUNDS, Answers


@given(st.lists(st.tuples(st.sampled_from([200, 404, 503]), st.floats(0, 100) | st.sampled_from(BOUNDS))))
def test_each_answer_is_in_the_bucket_whose_end_it_does_not_pass(given: list[tuple[int, float]]) -> None:
    answers = Answers()
    for status, seconds in given:
        answers.record(status, seconds)
    for place, bound in enumerate(BOUNDS, 1):
        assert sum(answers.counts[:place]) == sum(seconds <= bound for _, seconds in given)
    assert sum(answers.counts) == sum(answers.statuses.values()) == len(given)
    assert answers.seconds == sum(seconds for _, seconds in given)
    assert answers.statuses == {status: sum(one == status for one, _ in given) for status, _ in given}
