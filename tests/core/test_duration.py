"""Durations, as they are read and shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND
from crossfade.core.duration import LONGEST, parse, rough, shown


@pytest.mark.parametrize(("text", "span"), [
    ("5 min", 5 * MINUTE), ("90s", 90 * SECOND), (" 2 h ", 2 * HOUR), ("7 d", 7 * DAY), ("0 s", 0)])
def test_what_people_write_is_read(text: str, span: int) -> None:
    assert parse(text) == span


@pytest.mark.parametrize("text", ["", "5", "5 m", "-5 s", "1.5 h", "5 min 3 s", "٥ s", "366 d", "9" * 10 + " s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|year"):
        parse(text)


@given(st.integers(0, LONGEST // SECOND))
def test_what_is_shown_is_read(seconds: int) -> None:
    assert parse(shown(seconds * SECOND)) == seconds * SECOND


@pytest.mark.parametrize(("span", "text"), [
    (0, "0 s"), (SECOND - 1, "0 s"), (5 * SECOND, "5 s"), (90 * SECOND, "1 min 30 s"), (5 * MINUTE, "5 min"),
    (HOUR + 52 * MINUTE + 59 * SECOND, "1 h 52 min"), (HOUR + 5 * SECOND, "1 h"), (DAY + 3 * HOUR, "1 d 3 h"),
    (400 * DAY, "400 d")])
def test_a_rough_span_has_two_units_at_the_most(span: int, text: str) -> None:
    assert rough(span) == text


@given(st.integers(0, LONGEST))
def test_a_rough_span_is_never_longer_than_the_span(span: int) -> None:
    words = rough(span).split()
    said = sum(parse(f"{words[index]} {words[index + 1]}") for index in range(0, len(words), 2))
    assert span / 25 * 24 - SECOND < said <= span
