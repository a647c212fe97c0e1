"""Bars over time: nothing that was counted is lost, nothing is drawn beyond the field, the seldom is seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import HOUR, MINUTE
from crossfade.core.tally import Agreement, Tally
from crossfade.web.stacks import COMPARED, HEIGHT, SOURCES, WIDTH, compared, served, stack

SPAN = 0, 24 * HOUR
counts = st.dictionaries(st.sampled_from(["real/flag", "real/ramp", "real/stale", "legacy/flag", "mock/flag",
                                          "mock/fallback", "unavailable/forced"]), st.integers(0, 10**9))
slots = st.lists(st.tuples(st.integers(-HOUR, 25 * HOUR), counts), max_size=30)


def of(served_by: dict[str, int]) -> Tally:
    return Tally("businessMetrics", served=served_by)


def test_a_stale_value_is_told_from_a_real_one() -> None:
    assert served(of({"real/flag": 3, "real/stale": 2, "mock/ramp": 1, "mock/fallback": 4})) == {
        "real": 3, "stale": 2, "mock": 5}


def test_comparisons_of_all_references_are_added() -> None:
    tally = Tally("businessMetrics", compared={"recount": Agreement(3, 4), "legacy": Agreement(1, 1)})
    assert compared(tally) == {"agrees": 4, "differs": 1}
    made = stack([(0, MINUTE, tally)], COMPARED, compared, SPAN)
    assert made.totals == (("agrees", 4), ("differs", 1))
    assert made.words == "80 % agrees, 20 % differs"


@given(slots)
def test_every_reading_is_in_one_line_of_the_table(found: list[tuple[int, dict[str, int]]]) -> None:
    made = stack([(start, MINUTE, of(each)) for start, each in found], SOURCES, served, SPAN)
    whole = sum(sum(each.values()) for _, each in found)
    assert sum(sum(line.counts) for line in made.lines) == whole == sum(count for _, count in made.totals)
    assert [line.at for line in made.lines] == sorted((line.at for line in made.lines), reverse=True)


@given(slots)
def test_the_bars_stay_within_the_field_and_fill_it(found: list[tuple[int, dict[str, int]]]) -> None:
    made = stack([(start, MINUTE, of(each)) for start, each in found], SOURCES, served, SPAN)
    heights: dict[float, float] = {}
    for slice_ in made.slices:
        assert slice_.x >= 0
        assert slice_.x + slice_.width <= WIDTH + 1
        assert slice_.y >= -0.01
        heights[slice_.x] = heights.get(slice_.x, 0) + slice_.height
    assert all(abs(height - HEIGHT) < 0.1 for height in heights.values())
    assert len(heights) == len(made.lines)


def test_one_fallback_in_a_million_is_seen_and_said() -> None:
    made = stack([(0, MINUTE, of({"real/flag": 10**6, "mock/fallback": 1}))], SOURCES, served, SPAN)
    assert made.words == "99.9 % real, < 0.1 % mock"
    assert min(slice_.height for slice_ in made.slices) > 2


@pytest.mark.parametrize("found", [[], [(0, MINUTE, of({}))], [(0, MINUTE, of({"real/flag": 0}))]])
def test_nothing_is_no_bar(found: list[tuple[int, int, Tally]]) -> None:
    made = stack(found, SOURCES, served, SPAN)
    assert (made.slices, made.lines, made.totals, made.words) == ((), (), (), "nothing")
