"""Retirement: what is lacking, when it is over, and what it says, row by row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND
from crossfade.core.flag import Flags, FlagValue, Stage, own, stage
from crossfade.core.retirement import (
    KEPT,
    ArchivedFlag,
    Lack,
    Prospect,
    Retirement,
    due,
    lacking,
    obstacle,
    of_flag,
    real_only_since,
    refusal,
    span,
    why,
)

NOW = 1_790_000_000 * SECOND
FLAG = "use_real_orders"
REAL_ONLY: dict[str, FlagValue] = {FLAG: True, "percent_orders": 100, "fallback_on_error": False}
WEEK = 7 * DAY
MADE = Retirement("orders", FLAG, NOW, "ann", None, NOW - WEEK)


def lacks(since: int | None, now: int = NOW, wait: int = WEEK, **values: FlagValue) -> list[str]:
    return [lack.words for lack in lacking(Flags({**REAL_ONLY, **values}), FLAG, since, now, wait)]


@pytest.mark.parametrize(("changed", "values", "since"), [
    ({FLAG: 5, "percent_orders": 7, "fallback_on_error": 6}, {}, 7),
    ({FLAG: 5, "fallback_on_error": 9}, {}, 9),
    ({FLAG: 8, "shadow_orders": 99, "log_data_sources": 99, "use_real_other": 99}, {}, 8),
    ({}, {}, 0),
    ({FLAG: 5}, {FLAG: False}, None),
    ({FLAG: 5}, {"percent_orders": 99}, None),
    ({FLAG: 5}, {"percent_orders": 0}, None),
    ({FLAG: 5}, {"fallback_on_error": True}, None),
])
def test_since_when_it_is_real_only(changed: dict[str, int], values: dict[str, FlagValue], since: int | None) -> None:
    assert real_only_since(Flags({**REAL_ONLY, **values}), changed, FLAG) == since


def test_a_retired_component_is_not_on_its_way() -> None:
    assert real_only_since(Flags(REAL_ONLY, retired=frozenset({FLAG})), {}, FLAG) is None


def test_nothing_is_lacking_when_the_time_is_over() -> None:
    assert lacks(NOW - WEEK) == []
    assert lacks(NOW, wait=0) == []


def test_all_that_is_lacking_is_told_at_once() -> None:
    told = lacks(None, **{FLAG: False, "percent_orders": 30, "fallback_on_error": True})
    assert told == ["use_real_orders is off", "percent_orders is 30 %, not 100 %", "fallback_on_error is on",
                    "from then on it must be real only for 7 d"]
    assert lacks(None, wait=0, fallback_on_error=True) == ["fallback_on_error is on"]


def test_the_time_that_is_lacking_says_from_when_to_when() -> None:
    told, = lacks(NOW - WEEK + 1)
    assert "for 6 d 23 h, since 2026-09-14T14:13:20Z: it must be for 7 d, until 2026-09-21T14:13:20Z" in told
    assert "from a moment in the future on" in lacks(NOW + HOUR)[0], "a clock that was set back is no time that passed"


@given(st.booleans(), st.integers(0, 100), st.booleans(), st.integers(0, 2 * NOW), st.integers(0, KEPT))
def test_what_is_lacking_and_the_stage_agree(on: bool, percent: int, fallback: bool, changed: int, wait: int) -> None:
    flags = Flags({FLAG: on, "percent_orders": percent, "fallback_on_error": fallback})
    since = real_only_since(flags, dict.fromkeys(own(FLAG), changed), FLAG)
    found = lacking(flags, FLAG, since, NOW, wait)
    assert (stage(flags, FLAG) is Stage.REAL_ONLY) is (since is not None)
    assert any(not lack.of_time for lack in found) is (since is None)
    if since is not None:
        assert any(lack.of_time for lack in found) is (NOW - changed < wait)


def test_a_reason_waives_the_time_alone() -> None:
    time, fallback = Lack("it is too soon", of_time=True), Lack("fallback_on_error is on")
    assert refusal("orders", (time,), despite="the release") is None
    assert refusal("orders", (), despite=None) is None
    assert refusal("orders", (time, fallback), despite="the release") == (
        "orders cannot be retired: fallback_on_error is on")
    assert refusal("orders", (fallback, time), despite=None) == (
        "orders cannot be retired: fallback_on_error is on; it is too soon")
    assert refusal("orders", (time,), despite="") is not None


def test_what_was_waived_is_in_the_reason() -> None:
    ahead = Prospect(FLAG, NOW, (Lack("it is too soon", of_time=True),), ())
    assert why(ahead, "done", "the release") == "done; despite that it is too soon: the release"
    assert why(ahead, None, "the release") == "despite that it is too soon: the release"
    assert why(Prospect(FLAG, NOW, (), ()), "done", "the release") == "done", "nothing was waived"
    assert why(Prospect(FLAG, NOW, (), ()), None, None) is None


@pytest.mark.parametrize(("purged_at", "now", "undone", "is_due"), [
    (None, NOW, True, False),
    (None, NOW + KEPT - 1, True, False),
    (None, NOW + KEPT, False, True),
    (None, NOW - DAY, True, False),
    (NOW + KEPT, NOW + KEPT, False, False),
    (NOW + KEPT, NOW, False, False),
])
def test_undone_until_it_is_due_to_be_purged(purged_at: int | None, now: int, undone: bool, is_due: bool) -> None:
    found = Retirement("orders", FLAG, NOW, "ann", None, 0, purged_at)
    assert (obstacle(found, now) is None) is undone
    assert (due([found], now) == (found,)) is is_due
    assert ("crossfade retire --undo orders" in of_flag("percent_orders", found, now)) is undone
    assert "orders was retired on 2026-09-21T14:13:20Z" in of_flag("percent_orders", found, now)


def test_what_is_too_late_says_what_to_do() -> None:
    told = obstacle(MADE, NOW + KEPT)
    assert told is not None
    assert "Mend its real source, or declare a component of another name" in told


@pytest.mark.parametrize(("microseconds", "text"), [
    (0, "less than a minute"), (-5, "less than a minute"), (MINUTE - 1, "less than a minute"), (MINUTE, "1 min"),
    (HOUR, "1 h"), (DAY - 1, "23 h 59 min"), (DAY + MINUTE, "1 d 1 min"), (7 * DAY, "7 d"),
])
def test_a_span_for_people(microseconds: int, text: str) -> None:
    assert span(microseconds) == text


def test_values_as_they_are_written() -> None:
    assert [ArchivedFlag("a", value, 0, "").text for value in (True, False, 100)] == ["true", "false", "100"]
