"""Durations, as they are read and shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND
from crossfade.core.duration import LONGEST, parse, shown


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
