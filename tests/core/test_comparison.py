"""Comparisons: exact for what is counted twice, tolerant where two instruments measure, blind to a legacy's noise."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.comparison import EXACT, Comparison, Reference, Tolerance, compare, of_window, reference_of
from crossfade.core.reading import Origin

WINDOW = (1_790_000_000_000_000, 1_790_000_060_000_000)


def made(real: Any, reference: Any, kind: Reference, **more: Any) -> Comparison:
    return compare("c", "f", real, reference, kind, window=WINDOW, at=WINDOW[1], **more)


@pytest.mark.parametrize(("real", "reference", "agrees"), [
    (0, 0, True), (7, 7, True), (7, 8, False), (7, 7.0, True), (2**80, 2**80, True), (2**80, 2**80 + 1, False),
    (10**400, 1, False), (None, None, True), (None, 0, False), (0, None, False), (math.nan, math.nan, False),
    (math.inf, math.inf, False), (True, 1, False), ("7", 7, False),
])
def test_a_recount_is_exact(real: Any, reference: Any, agrees: bool) -> None:
    assert made(real, reference, Reference.RECOUNT).agrees is agrees


def test_a_recount_has_no_tolerance() -> None:
    with pytest.raises(ValueError, match="exactly"):
        made(1, 1, Reference.RECOUNT, tolerance=Tolerance(absolute=1))


@pytest.mark.parametrize(("real", "reference", "tolerance", "agrees"), [
    (102, 100, Tolerance(relative=0.02), True), (102.1, 100, Tolerance(relative=0.02), False),
    (-98, -100, Tolerance(relative=0.02), True), (3, 0, Tolerance(absolute=3), True),
    (4, 0, Tolerance(absolute=3), False), (4, 100, Tolerance(3, 0.96), True), (1, 2, EXACT, False),
    (10**400, 1, Tolerance(relative=0.5), False), (1, 10**400, Tolerance(relative=0.5), False),
    (1e308, -1e308, Tolerance(absolute=1), False),
])
def test_a_second_reader_may_differ_a_little(real: Any, reference: Any, tolerance: Tolerance, agrees: bool) -> None:
    found = made(real, reference, Reference.SECOND_READER, tolerance=tolerance)
    assert found.agrees is agrees
    assert not found.within_noise


@pytest.mark.parametrize(("real", "reference", "again", "agrees", "noisy"), [
    (100, 100, 100, True, False), (103, 100, 100, False, False), (103, 100, 103, True, True),
    (103, 100, 97, True, True), (104, 100, 103, False, False), (103, 100, None, False, False),
    (103, 100, math.nan, False, False), (103, 100, 10**400, False, False),
])
def test_what_a_legacy_system_does_not_know_itself_is_no_difference(
        real: Any, reference: Any, again: Any, agrees: bool, noisy: bool) -> None:
    found = made(real, reference, Reference.LEGACY, again=again)
    assert (found.agrees, found.within_noise) == (agrees, noisy)


def test_the_noise_is_told() -> None:
    noisy = made(103, 100, Reference.LEGACY, again=97)
    assert noisy.words == "the legacy system says 100, and differs from itself by 3"
    assert made(103, 100, Reference.RECOUNT).words == "the recount says 100"
    assert made(103, 100, Reference.SECOND_READER).words == "the second reader says 100"


def test_noise_is_no_excuse_for_a_recount() -> None:
    assert not made(103, 100, Reference.RECOUNT, again=97).agrees


def test_a_mock_is_no_reference() -> None:
    assert {origin: reference_of(origin) for origin in Origin if reference_of(origin)} == {
        Origin.LEGACY: Reference.LEGACY}


def test_a_window_counts_once_and_by_its_worst() -> None:
    good, bad = made(1, 1, Reference.RECOUNT), made(1, 2, Reference.RECOUNT)
    assert of_window([good, bad, good]) is bad
    assert of_window([good, good]) is good
    with pytest.raises(ValueError, match="nothing"):
        of_window([])


figures = st.none() | st.integers() | st.floats()


@given(figures, figures, figures, st.sampled_from([Reference.SECOND_READER, Reference.LEGACY]),
       st.builds(Tolerance, st.floats(0, 1e9), st.floats(0, 1)))
def test_nothing_makes_a_comparison_fail(real: Any, reference: Any, again: Any, kind: Reference,
                                         tolerance: Tolerance) -> None:
    found = made(real, reference, kind, tolerance=tolerance, again=again)
    assert found.words.isprintable()
    if made(real, reference, kind).agrees:
        assert found.agrees


@given(st.integers(-10**6, 10**6), st.integers(-10**6, 10**6))
def test_counts_agree_if_they_are_the_same(real: int, reference: int) -> None:
    assert made(real, reference, Reference.RECOUNT).agrees is (real == reference)
