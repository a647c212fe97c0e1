"""Quality: the worst dimension, named; unknown where nothing is known; and never an exception."""

from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crossfade.core.clock import SECOND
from crossfade.core.dimension import Status, shown
from crossfade.core.quality import MOST_WITH_UNDECLARED, ValidationStatus, assess, health
from crossfade.core.tally import Agreement, Example, Tally, merge
from crossfade.core.threshold import Ledger, Thresholds

from .tally_samples import NOW, WINDOW, ledgers, quality, tallies

# What holds of any tally


@example(Tally("c", calls={"real": 1}, errors={"real": {"failed": -1}}), None, NOW)
@given(tallies, ledgers, st.integers())
def test_nothing_makes_it_fail_and_every_figure_is_one(found: Tally, ledger: Ledger | None, now: int) -> None:
    seen = assess(found, WINDOW, now=now, ledger=ledger)
    for value in (seen.quality, seen.real_share, seen.accuracy, seen.consistency, seen.completeness, seen.validity,
                  seen.error_rate, seen.fallback_rate, seen.legacy_score, health([seen]).value):
        assert value is None or 0 <= value <= 100
    assert seen.sentence
    msgspec.json.encode((seen, health([seen])))


@given(tallies)
def test_accuracy_is_unknown_without_a_reference(found: Tally) -> None:
    found.compared = {key: value for key, value in found.compared.items() if key in {"legacy", "odd"}}
    seen = assess(found, WINDOW, now=NOW)
    assert seen.accuracy is seen.accuracy_proof is seen.legacy_score is None
    found.compared = {}
    seen = assess(found, WINDOW, now=NOW)
    assert seen.consistency is seen.consistency_proof is None
    assert seen.status is not Status.PASS


@given(tallies, ledgers)
def test_quality_is_the_worst_dimension_and_named(found: Tally, ledger: Ledger | None) -> None:
    seen = assess(found, WINDOW, now=NOW, ledger=ledger)
    values = {each.name: each.value for each in seen.dimensions if each.value is not None}
    if values:
        assert seen.quality == min(values.values())
        assert seen.worst is not None
        assert values[seen.worst] == seen.quality
    else:
        assert seen.quality is seen.worst is None
    if seen.accuracy is not None:
        assert seen.quality is not None
        assert seen.quality <= seen.accuracy


@given(tallies)
def test_passing_means_that_quality_reaches_the_threshold(found: Tally) -> None:
    seen = assess(found, WINDOW, now=NOW)
    if seen.status is Status.PASS:
        assert seen.quality is not None
        assert seen.quality >= 95


@given(st.lists(tallies, max_size=4))
def test_health_is_at_most_49_with_an_undeclared_value(found: list[Tally]) -> None:
    seen = [assess(each, WINDOW, now=NOW) for each in found]
    whole = health(seen)
    if any(each.undeclared_synthetic > 0 for each in seen):
        assert whole.value is not None
        assert whole.value <= MOST_WITH_UNDECLARED
    values = [each.quality for each in seen if each.quality is not None]
    if values:
        assert whole.value is not None
        assert whole.value <= min(values)
    elif not any(each.undeclared_synthetic > 0 for each in seen):
        assert whole.value is None


@given(st.integers(0, 300), st.integers(0, 300))
def test_what_is_proved_lies_around_what_is_seen_and_grows(agreeing: int, differing: int) -> None:
    n = agreeing + differing
    proof = quality(compared={"recount": Agreement(agreeing, n)}).accuracy_proof
    better = quality(compared={"recount": Agreement(agreeing + 1, n + 1)}).accuracy_proof
    assert better is not None
    if proof is not None:
        assert proof.low <= proof.figure <= proof.high
        assert better.low > proof.low
        assert better.high >= proof.high


@given(tallies, tallies)
def test_two_halves_of_a_window_are_assessed_as_one(one: Tally, other: Tally) -> None:
    assert assess(merge(one, other), WINDOW, now=NOW) == assess(merge(other, one), WINDOW, now=NOW)


# The dimensions, one by one


@pytest.mark.parametrize(("changes", "worst", "figure", "status"), [
    ({}, "accuracy", 97.0487, Status.PASS),
    ({"present": 500}, "completeness", 83.3333, Status.FAIL),
    ({"present": 0, "valid": 0}, "completeness", 0, Status.FAIL),
    ({"valid": 540}, "validity", 90, Status.FAIL),
    ({"valid": 571}, "validity", 95.1667, Status.PASS),
    ({"valid": 569}, "validity", 94.8333, Status.FAIL),
    ({"newest": (NOW, NOW - 300 * SECOND)}, "accuracy", 97.0487, Status.PASS),
    ({"newest": (NOW, NOW - 600 * SECOND)}, "freshness", 50, Status.FAIL),
    ({"newest": (NOW, NOW + 2 * SECOND)}, "freshness", 0, Status.FAIL),
    ({"newest": (NOW, NOW + SECOND)}, "accuracy", 97.0487, Status.PASS),
    ({"errors": {"real": {"timeout": 50}}}, "completeness", 50, Status.FAIL),
    ({"errors": {"real": {"timeout": 100}}, "expected": 0, "present": 0, "valid": 0, "newest": None},
     "completeness", 0, Status.FAIL),
    ({"errors": {"mock": {"timeout": 50}}}, "accuracy", 97.0487, Status.PASS),
    ({"compared": {"recount": Agreement(59, 59)}}, "accuracy", 95.0491, Status.PASS),
    ({"compared": {"recount": Agreement(58, 58)}}, "accuracy", 94.9660, Status.INCONCLUSIVE),
    ({"compared": {"recount": Agreement(1, 1)}}, "accuracy", 5, Status.INCONCLUSIVE),
    ({"compared": {"recount": Agreement(92, 93)}}, "accuracy", 95.0006, Status.PASS),
    ({"compared": {"recount": Agreement(58, 59)}}, "accuracy", 92.2102, Status.INCONCLUSIVE),
    ({"compared": {"recount": Agreement(50, 100)}}, "accuracy", 41.3622, Status.FAIL),
    ({"compared": {"second_reader": Agreement(30, 30), "recount": Agreement(29, 29)}}, "accuracy", 95.0491,
     Status.PASS),
    ({"compared": {"legacy": Agreement(59, 59)}}, "consistency", 95.0491, Status.PASS),
    ({"compared": {"legacy": Agreement(5, 59)}}, "consistency", 3.3987, Status.FAIL),
    ({"compared": {}}, "completeness", 100, Status.INCONCLUSIVE),
])
def test_the_worst_dimension(changes: dict[str, Any], worst: str, figure: float, status: Status) -> None:
    seen = quality(**changes)
    assert (seen.worst, seen.status) == (worst, status)
    assert seen.quality == pytest.approx(figure, abs=1e-3)


def test_without_any_real_data_there_is_no_quality() -> None:
    seen = assess(Tally("c", served={"mock/flag": 9}, synthetic=9), WINDOW, now=NOW)
    assert (seen.status, seen.quality, seen.worst, seen.dimensions) == (Status.NO_DATA, None, None, ())
    assert seen.sentence == "No real data of c was read."
    assert seen.validation_status is ValidationStatus.WARNING
    assert (seen.latency_p95, seen.error_rate, seen.freshness, seen.legacy_score) == (None, None, None, None)


def test_who_may_go_without_proof() -> None:
    seen = quality(Thresholds(proof=False), compared={})
    assert (seen.status, seen.quality, seen.accuracy) == (Status.PASS, 100, None)


@pytest.mark.parametrize(("ledger", "complete"), [
    (None, 100), (Ledger(0, 0), 100), (Ledger(100, 100), 100), (Ledger(100, 101), 100), (Ledger(1_000, 940), 94),
])
def test_events_that_were_sent_and_not_stored_are_gaps(ledger: Ledger | None, complete: float) -> None:
    seen = quality(ledger=ledger)
    assert seen.completeness == pytest.approx(complete)
    assert (seen.status is Status.PASS) is (complete >= 95)


@pytest.mark.parametrize(("served", "source", "share"), [
    ({}, "none", None), ({"unavailable/failed": 3}, "none", None),
    ({"real/flag": 3}, "real", 100), ({"real/flag": 3, "real/stale": 1}, "real", 100),
    ({"real/flag": 3, "unavailable/failed": 1}, "real", 100),
    ({"mock/flag": 3}, "mock", 0), ({"mock/fallback": 3, "mock/flag": 1}, "mock", 0),
    ({"real/flag": 3, "mock/fallback": 1}, "mixed", 75), ({"real/flag": 10**9, "mock/flag": 1}, "mixed", 99.9999999),
    ({"legacy/flag": 3}, "legacy", 0), ({"legacy/flag": 1, "mock/flag": 1}, "mixed", 0),
])
def test_what_was_served(served: dict[str, int], source: str, share: float | None) -> None:
    seen = quality(served=served)
    assert seen.data_source == source
    assert seen.real_share == (None if share is None else pytest.approx(share))


def test_rates_are_of_what_was_meant_to_be_real() -> None:
    seen = quality(
        calls={"real": 200, "mock": 7}, errors={"real": {"timeout": 3, "failed": 1}, "mock": {"failed": 7}},
        served={"real/flag": 60, "real/stale": 20, "mock/fallback": 15, "unavailable/failed": 5, "mock/flag": 900},
        undeclared=15)
    assert (seen.calls, seen.errors, seen.error_rate) == (200, 4, 2)
    assert (seen.served, seen.fallback_triggers, seen.fallback_rate) == (1_000, 15, 15)
    assert (seen.stale, seen.unavailable, seen.undeclared_synthetic) == (20, 5, 15)


def test_latency_is_of_the_real_source() -> None:
    seen = quality(latency={150: 90, 200: 9, 250: 1})
    assert seen.latency_p50 is not None
    assert seen.latency_p95 is not None
    assert seen.latency_p99 is not None
    assert seen.latency_p50 < seen.latency_p95 == seen.latency_p99
    assert quality(latency={}).latency_p50 is None


@pytest.mark.parametrize(("valid", "status"), [(600, "passed"), (599, "warning"), (570, "warning"), (569, "failed")])
def test_the_guides_words_for_validation(valid: int, status: str) -> None:
    assert quality(valid=valid).validation_status == status


@pytest.mark.parametrize(("changes", "score"), [
    ({}, 100),
    ({"compared": {"recount": Agreement(50, 100)}}, 80),
    ({"present": 300}, 85),
    ({"errors": {"real": {"failed": 1}}}, 79.7),
    ({"served": {"mock/fallback": 1}}, 90),
    ({"compared": {}}, None),
    ({"compared": {"legacy": Agreement(100, 100)}}, None),
    ({"calls": {}, "expected": 0, "present": 0, "valid": 0}, None),
])
def test_the_guides_score_from_true_inputs(changes: dict[str, Any], score: float | None) -> None:
    assert quality(**changes).legacy_score == (None if score is None else pytest.approx(score))


# In words


@pytest.mark.parametrize(("changes", "sentence"), [
    ({}, "100 of 100 compared windows agree (100 %), which proves 97.04 %."),
    ({"valid": 540, "examples": (Example(NOW, "invalid", "activeUsers", "below 0 users", "-3"),)},
     ("Validity is 90 %, where 95 % is wanted: 540 of 600 values passed their checks. "
      "For example, activeUsers is -3: below 0 users.")),
    ({"expected": 10**5, "present": 10**5, "valid": 94_999},
     "Validity is 94.99 %, where 95 % is wanted: 94,999 of 100,000 values passed their checks."),
    ({"present": 500, "errors": {"real": {"timeout": 10}}, "examples": (Example(NOW, "error", "", "late", "timeout"),)},
     ("Completeness is 75 %, where 95 % is wanted: 500 of 600 expected values were there, and 10 of 100 calls gave "
      "none. For example, timeout: late.")),
    ({"newest": (NOW, NOW - 1_000 * SECOND)},
     "Freshness is 30 %, where 95 % is wanted: its newest data is 1,000 s old, where 300 s are allowed."),
    ({"newest": (NOW, NOW + 60 * SECOND)},
     "Freshness is 0 %, where 95 % is wanted: its newest data lies 60 s in the future, so a clock is wrong."),
    ({"compared": {"recount": Agreement(10, 10)}},
     ("10 of 10 compared windows agree (100 %), which proves only 74.11 %: 49 windows more that agree "
      "would prove 95 %.")),
    ({"compared": {}}, "Nothing was compared yet: 59 windows that agree would prove 95 %."),
    ({"compared": {"recount": Agreement(1, 100)},
      "examples": (Example(NOW, "mismatch", "file_processed", "the recount says 8, for …", "7"),)},
     ("1 of 100 compared windows agree (1 %), so that 95 % is out of question. "
      "For example, file_processed is 7: the recount says 8, for ….")),
])
def test_the_sentence_names_figure_threshold_and_example(changes: dict[str, Any], sentence: str) -> None:
    assert quality(**changes).sentence == sentence


def test_what_fails_is_told_before_what_is_not_known_yet() -> None:
    seen = quality(valid=540, compared={"recount": Agreement(1, 1)})
    assert (seen.status, seen.worst) == (Status.FAIL, "accuracy")
    assert seen.sentence.startswith("Validity is 90 %")


@pytest.mark.parametrize(("value", "text"), [(94.9999, "94.99 %"), (95, "95 %"), (100, "100 %"), (0.5, "0.5 %")])
def test_per_cent_are_never_rounded_up(value: float, text: str) -> None:
    assert shown(value) == text


def test_on_the_wire_it_has_the_guides_names() -> None:
    document = msgspec.to_builtins(quality())
    assert {"dataSource", "accuracy", "completeness", "freshness", "fallbackTriggers", "errors",
            "validationStatus"} <= document.keys()
    assert document["accuracy"] == 100
    assert document["status"] == "pass"
    assert document["window"] == {"since": WINDOW.since, "until": WINDOW.until}


# Health


def test_health_is_the_worst_component() -> None:
    good, bad = quality(), quality(component="d", valid=300)
    assert (health([good, bad]).value, health([good, bad]).component) == (50, "d")
    assert health([bad]).sentence.startswith("d: Validity is 50 %")
    assert health([]).value is None
    assert health([assess(Tally("e"), WINDOW, now=NOW)]).value is None


@pytest.mark.parametrize(("valid", "value", "component"), [(600, 49, "leaky"), (300, 49, "leaky"), (60, 10, "c")])
def test_an_undeclared_made_up_value_caps_it(valid: int, value: float, component: str) -> None:
    leaky = quality(component="leaky", undeclared=1)
    whole = health([quality(valid=valid), leaky])
    assert (whole.value, whole.component) == (value, component)


@pytest.mark.parametrize("wrong", [
    {"quality": 101}, {"accuracy": -1}, {"error_rate": float("nan")}, {"fresh_s": -1}, {"fresh_s": float("inf")},
    {"p95_ms": -0.1}, {"errors": -1}, {"confidence": 1}, {"confidence": 0},
])
def test_a_threshold_that_measures_nothing_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Thresholds(**wrong)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({msgspec.structs.fields(Thresholds)[0].encode_name: 101}, Thresholds)
