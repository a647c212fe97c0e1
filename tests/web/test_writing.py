"""How figures, spans and moments are written for the eye."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.web.layouts import Kind
from crossfade.web.writing import SPACE, TEXT_LENGTH, age, duration, number, percent, show


@pytest.mark.parametrize(("value", "kind", "text"), [
    (1201, "count", "1,201"), (0, "count", "0"), (None, "count", "—"), ("7", "count", "—"),
    (float("nan"), "percent", "—"), (float("inf"), "milliseconds", "—"),
    (97.5, "percent", "97.5 %"), (100.0, "percent", "100 %"), (99.99999, "percent", "99.99 %"),
    (0.0025, "percent", "< 0.01 %"), (0.0, "percent", "0 %"), (33.333333, "percent", "33.33 %"),
    (-0.001, "number", "> -0.01"), (0.73125, "number", "0.73"), (12345.678, "number", "12,346"),
    (1.234, "milliseconds", "1.23 ms"), (1234.5, "milliseconds", "1,234 ms"), (0.0, "milliseconds", "0 ms"),
    (0, "bytes", "0 B"), (1023, "bytes", "1,023 B"), (1024, "bytes", "1 KiB"), (123_456_789, "bytes", "118 MiB"),
    (1 << 62, "bytes", "4 EiB"), (1 << 72, "bytes", "4,096 EiB"),
    (10**400, "count", "—"), (-(10**400), "number", "—"),
    (12.9, "duration", "12 s"), (61, "duration", "1 min 1 s"), (3723, "duration", "1 h 2 min"),
    (1e9, "duration", "11,574 d 1 h"),
    ("up", "text", "up"), ("", "text", "—"), (None, "text", "—"), ([], "text", "[]"),
])
def test_figures_are_written_for_the_eye(value: object, kind: Kind, text: str) -> None:
    assert show(value, kind).replace(SPACE, " ") == text


def test_an_endless_text_is_cut() -> None:
    assert show("x" * 10_000, "text") == "x" * TEXT_LENGTH + "…"
    assert show("x" * TEXT_LENGTH, "text") == "x" * TEXT_LENGTH


@given(st.floats(min_value=0.01, max_value=1e15))
def test_a_number_is_near_to_what_it_is_and_no_longer_than_people_read(value: float) -> None:
    text = number(value).replace(",", "")
    assert float(text) == pytest.approx(value, rel=0.00501, abs=0.00501)
    assert len(text.partition(".")[2]) <= 2


@given(st.floats(min_value=1e-300, max_value=0.00999))
def test_what_is_nearly_nothing_is_never_written_as_nothing(value: float) -> None:
    assert number(value) == f"<{SPACE}0.01"


@given(st.floats(min_value=0, max_value=100, exclude_max=True))
def test_only_a_hundred_is_a_hundred_per_cent(value: float) -> None:
    assert percent(value) != percent(100)


@given(st.integers(min_value=0, max_value=10**12), st.integers(min_value=0, max_value=10**12))
def test_longer_is_never_written_as_less(one: int, other: int) -> None:
    units = {"d": 86400, "h": 3600, "min": 60, "s": 1}

    def seconds(text: str) -> int:
        return sum(int(number.replace(",", "")) * units[unit] for number, unit in re.findall(r"([\d,]+)\s(\w+)", text))

    assert seconds(duration(min(one, other))) <= seconds(duration(max(one, other))) <= max(one, other)


@pytest.mark.parametrize(("seconds", "text"), [
    (0.0, "0 s ago"), (3.2, "3 s ago"), (-0.4, "0 s ago"), (-30.0, "30 s in the future: a clock is wrong")])
def test_age(seconds: float, text: str) -> None:
    assert age(seconds).replace(SPACE, " ") == text
