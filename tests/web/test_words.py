"""What the page calls a reading, and the kinds of nothing that it tells apart."""

import pytest

from crossfade.core.comparison import Reference
from crossfade.core.reading import Origin, Reading
from crossfade.web.proof import Vouched
from crossfade.web.words import PARTS, STATES, WORDS, emptiness, note, part_of, proof, state_of

from .page_samples import BUSINESS, reading


@pytest.mark.parametrize(("given", "state", "words"), [
    (reading("businessMetrics", BUSINESS), "real", ""),
    (reading("businessMetrics", BUSINESS, reason="stale", error="gone"), "cached",
     "The last good values: the real source is failing: gone"),
    (reading("businessMetrics", BUSINESS, reason="stale"), "cached",
     "Real, and old: the real source gives nothing newer."),
    (reading("businessMetrics", BUSINESS, "legacy"), "legacy", "From the legacy system."),
    (reading("businessMetrics", BUSINESS, "legacy", "legacy", error="gone"), "legacy",
     "From the legacy system: the real source failed: gone"),
    (reading("businessMetrics", BUSINESS, "mock", "ramp"), "mock",
     "Synthetic: made up, not measured. Real figures go to a share of the viewers so far."),
    (reading("businessMetrics", BUSINESS, "mock"), "mock",
     "Synthetic: made up, not measured. The flag use_real_business is off."),
    (reading("businessMetrics", BUSINESS, "mock", "fallback", error="gone {flag}"), "mock",
     "Synthetic: made up, not measured. Fallback: the source failed: gone {flag}"),
    (reading("businessMetrics", BUSINESS, "mock", "stale"), "mock", "Synthetic: made up, not measured."),
    (reading("businessMetrics", None, "unavailable", "failed"), "unavailable",
     "No value to show: no reason was given"),
    (reading("businessMetrics", None, "real"), "unavailable", "No value to show: no reason was given"),
    (reading("businessMetrics", BUSINESS, "real", synthetic=True), "mock",
     "Synthetic: made up, not measured. The flag use_real_business is off."),
])
def test_a_reading_is_called_what_it_is_and_why(given: Reading, state: str, words: str) -> None:
    assert state_of(given) == state
    assert note(state, given.provenance, "use_real_business") == words


def test_every_origin_has_its_words() -> None:
    assert {origin.value for origin in Origin} | {"cached"} == set(STATES)
    assert all(f"note.{state}" in WORDS for state in STATES)
    assert all(f"truth.{part}" in WORDS for part in PARTS)


@pytest.mark.parametrize(("state", "value", "waiting", "kind", "part"), [
    ("real", 0, True, "waiting", "none"), ("real", None, True, "waiting", "none"), ("real", 7, True, "", "real"),
    ("real", 0, False, "zero", "real"), ("real", 0.0, False, "zero", "real"), ("real", None, False, "nodata", "none"),
    ("cached", 0, False, "zero", "cached"), ("legacy", None, False, "nodata", "none"),
    ("mock", 0, False, "", "mock"), ("mock", 0, True, "", "mock"), ("mock", None, False, "nodata", "none"),
    ("unavailable", None, True, "failed", "unavailable"), ("unavailable", 0, False, "failed", "unavailable"),
])
def test_there_are_several_kinds_of_nothing(state: str, value: float | None, waiting: bool, kind: str,
                                            part: str) -> None:
    assert emptiness(state, value, waiting=waiting) == kind
    assert part_of(state, kind) == part


def test_the_kinds_of_nothing_are_told_apart() -> None:
    told = [WORDS[f"empty.{kind}"] for kind in ("waiting", "zero", "nodata", "failed")] + [WORDS["lost"]]
    assert len(set(told)) == 5


@pytest.mark.parametrize(("state", "found", "words"), [
    ("real", Vouched(Reference.RECOUNT, 1212, 1212), "verified by recount, n\u00a0=\u00a01,212"),
    ("cached", Vouched(Reference.RECOUNT, 5, 5), "verified by recount, n\u00a0=\u00a05"),
    ("real", Vouched(Reference.RECOUNT, 209, 212), "recount: 3 of 212 windows disagree"),
    ("real", Vouched(Reference.SECOND_READER, 9, 9), "verified by a second reader, n\u00a0=\u00a09"),
    ("real", Vouched(Reference.LEGACY, 8, 9), "legacy system: 1 of 9 looks disagree"),
    ("real", None, "no reference"), ("legacy", Vouched(Reference.LEGACY, 9, 9), "no reference"),
    ("mock", Vouched(Reference.RECOUNT, 9, 9), "made up: nothing to verify"),
    ("unavailable", Vouched(Reference.RECOUNT, 9, 9), ""),
])
def test_a_proof_is_told_of_what_is_shown(state: str, found: Vouched | None, words: str) -> None:
    assert proof(state, found) == words
