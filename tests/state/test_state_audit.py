"""The audit log is searched by who, what, to what and when."""

import pytest

from crossfade.core.flag import BUILT_IN
from crossfade.state import State
from crossfade.state.audit import AuditFilter

BUSINESS, SYSTEM = BUILT_IN[:2]


@pytest.fixture
def told(state: State) -> State:
    state.seed_flags({BUSINESS: False, SYSTEM: False}, at=1)
    state.change_flags({BUSINESS: True}, who="Ann", at=10, reason="first")
    state.change_flags({SYSTEM: True}, who="100%bob", at=20)
    state.change_flags({BUSINESS: False}, who="ann (admin token)", at=30)
    return state


@pytest.mark.parametrize(("matching", "found"), [
    (AuditFilter(), [30, 20, 10, 1, 1]),
    (AuditFilter(who="ANN"), [30, 10]),
    (AuditFilter(who="%"), [20]),
    (AuditFilter(action="seed"), [1, 1]),
    (AuditFilter(subject="business", action="change"), [30, 10]),
    (AuditFilter(since=10, until=30), [20, 10]),
    (AuditFilter(who="_"), []),
])
def test_only_what_matches_is_given(told: State, matching: AuditFilter, found: list[int]) -> None:
    assert [entry.at for entry in told.audit(matching=matching)] == found


def test_a_page_goes_on_behind_the_one_before(told: State) -> None:
    first = told.audit(1, matching=AuditFilter(who="ann"))
    assert [entry.at for entry in told.audit(5, first[0].id, matching=AuditFilter(who="ann"))] == [10]
