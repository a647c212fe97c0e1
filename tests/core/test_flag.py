"""Flags: their defaults, their spellings, and what the environment may say."""

from collections import Counter
from collections.abc import Iterable
from itertools import combinations
from uuid import NAMESPACE_DNS, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.flag import (
    ALL,
    BUILT_IN,
    Evaluation,
    FlagError,
    Flags,
    Stage,
    bucket,
    camel,
    canonical,
    check,
    evaluate,
    own,
    parse,
    parse_bool,
    retreat,
    seed,
    shadows,
    share,
    snake,
    stage,
)
from crossfade.core.reading import Reason

DEFAULTS = {name: name == "fallback_on_error" for name in BUILT_IN}
MORE = {name: 100 if name.startswith("percent_") else False for name in ALL if name not in BUILT_IN}


def test_without_values_everything_is_mock_and_may_fall_back() -> None:
    flags = Flags({})
    assert {name: flags[name] for name in BUILT_IN} == DEFAULTS
    assert flags.fallback_on_error
    assert not flags.log_data_sources


@pytest.mark.parametrize("value", [False, True])
def test_a_value_goes_before_the_default(value: bool) -> None:
    flags = Flags(dict.fromkeys(BUILT_IN, value))
    assert [flags[name] for name in BUILT_IN] == [value] * len(BUILT_IN)
    assert flags.fallback_on_error is value
    assert flags.log_data_sources is value


@pytest.mark.parametrize(("values", "real"), [
    ({}, False),
    ({"use_real_orders": False}, False),
    ({"use_real_orders": True}, True),
    ({"use_real_other": True}, False),
])
def test_a_component_is_real_only_if_its_flag_says_so(values: dict[str, bool], real: bool) -> None:
    assert evaluate(Flags(values), "use_real_orders") == Evaluation(real, Reason.FLAG)


@pytest.mark.parametrize(("text", "value"), [
    ("true", True), ("TRUE", True), (" True\n", True), ("1", True), ("yes", True), ("On", True),
    ("false", False), ("False", False), ("0", False), ("no", False), ("\toff ", False),
])
def test_what_means_true_and_false(text: str, value: bool) -> None:
    assert parse_bool(text) is value


WORDS = {"true", "1", "yes", "on", "false", "0", "no", "off"}


@pytest.mark.parametrize("text", ["", " ", "ture", "2", "y", "t", "-1", "1.0", "none", "true false"])
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(FlagError, match="neither true nor false"):
        parse_bool(text)


@given(st.text())
def test_text_is_one_of_the_words_or_an_error(text: str) -> None:
    if text.strip().lower() in WORDS:
        assert isinstance(parse_bool(text), bool)
    else:
        with pytest.raises(FlagError):
            parse_bool(text)


@pytest.mark.parametrize(("environment", "changed"), [
    ({}, {}),
    ({"USE_REAL_SYSTEM_METRICS": "true"}, {"use_real_system_metrics": True}),
    ({"NEXT_PUBLIC_USE_REAL_BUSINESS_METRICS": "1"}, {"use_real_business_metrics": True}),
    ({"FALLBACK_ON_ERROR": "off"}, {"fallback_on_error": False}),
    ({"LOG_DATA_SOURCES": "no", "NEXT_PUBLIC_LOG_DATA_SOURCES": "yes"}, {}),
    ({"LOG_DATA_SOURCES": "yes", "NEXT_PUBLIC_LOG_DATA_SOURCES": "misspelt"}, {"log_data_sources": True}),
    ({"use_real_system_metrics": "true", "REAL": "true", "PATH": "/bin"}, {}),
    ({"PERCENT_SYSTEM_METRICS": "25%", "SHADOW_SYSTEM_METRICS": "on"},
     {"percent_system_metrics": 25, "shadow_system_metrics": True}),
])
def test_the_environment_seeds_the_flags(environment: dict[str, str], changed: dict[str, bool | int]) -> None:
    assert seed(environment) == DEFAULTS | MORE | changed


def test_a_seed_may_be_for_other_flags() -> None:
    assert seed({"USE_REAL_ORDERS": "on"}, ("use_real_orders", "use_real_carts")) == {
        "use_real_orders": True, "use_real_carts": False}


@pytest.mark.parametrize("variable", ["USE_REAL_SYSTEM_METRICS", "NEXT_PUBLIC_USE_REAL_SYSTEM_METRICS"])
def test_a_misspelt_seed_names_its_variable(variable: str) -> None:
    with pytest.raises(FlagError, match=f"^{variable}: 'ture' is neither"):
        seed({variable: "ture"})


def test_camel_is_the_spelling_of_json() -> None:
    assert [camel(name) for name in BUILT_IN] == [
        "useRealBusinessMetrics", "useRealSystemMetrics", "useRealHistoricalData",
        "useRealInfrastructureMetrics", "fallbackOnError", "logDataSources"]


@given(st.sampled_from(ALL))
def test_every_spelling_of_a_flag_means_it(name: str) -> None:
    for spelling in (name, name.upper(), camel(name), f"NEXT_PUBLIC_{name.upper()}"):
        assert canonical(spelling) == name
        assert snake(camel(name)) == snake(name) == name


@pytest.mark.parametrize("name", ["", "useReal", "use-real-system-metrics", "USEREALSYSTEMMETRICS", "next_public_"])
def test_an_unknown_flag_is_told_which_there_are(name: str) -> None:
    with pytest.raises(FlagError, match=f"no flag '{name}'.*{', '.join(BUILT_IN)}"):
        canonical(name)


def test_a_flag_is_looked_for_among_those_given() -> None:
    assert canonical("useRealOrders", ("use_real_orders",)) == "use_real_orders"
    with pytest.raises(FlagError, match=r"there are: use_real_orders$"):
        canonical("fallback_on_error", ("use_real_orders",))


# Shares of the viewers


@given(st.text(), st.integers(0, 100), st.integers(0, 100))
def test_a_viewer_who_is_in_stays_in_while_the_share_grows(viewer: str, one: int, other: int) -> None:
    less, more = sorted((one, other))
    small, large = (evaluate(Flags({"use_real_orders": True, "percent_orders": percent}), "use_real_orders", viewer)
                    for percent in (less, more))
    assert large.real >= small.real
    assert small.reason is (Reason.FLAG if less == 100 else Reason.RAMP)
    assert small.real or less < 100


def test_shares_are_as_large_as_they_say_and_each_flag_has_its_own() -> None:
    viewers = [str(number) for number in range(20_000)]
    in_first, in_second = ({viewer for viewer in viewers if bucket(flag, viewer) < 2_000}
                           for flag in ("use_real_orders", "use_real_carts"))
    assert len(in_first) == pytest.approx(4_000, rel=0.1)
    assert len(in_first & in_second) == pytest.approx(800, rel=0.2)


def _surprise(counts: Iterable[int], expected: float) -> float:
    """How far counts are from all being as expected: chi-squared, in standard deviations from its mean."""
    found = list(counts)
    freedom = len(found) - 1
    return (sum((count - expected) ** 2 for count in found) / expected - freedom) / (2 * freedom) ** 0.5


VIEWERS = {
    "numbers": [str(number) for number in range(40_000)],
    "padded": [f"{number:012d}" for number in range(0, 4_000_000, 100)],
    "addresses": [f"user{number}@example.org" for number in range(40_000)],
    "uuids": [str(uuid5(NAMESPACE_DNS, str(number))) for number in range(40_000)],
}
FLAGS = ("use_real_orders", "use_real_ordert", "use_real_carts", "use_real_business_metrics")


@pytest.mark.parametrize("kind", VIEWERS)
def test_viewers_of_every_kind_are_spread_evenly_and_anew_for_each_flag(kind: str) -> None:
    buckets = {flag: [bucket(flag, viewer) for viewer in VIEWERS[kind]] for flag in FLAGS}
    for of_flag in buckets.values():
        counts = Counter(place // 100 for place in of_flag)
        assert abs(_surprise((counts[part] for part in range(100)), 400)) < 5
    for one, other in combinations(FLAGS, 2):
        pairs = Counter((a // 1_000, b // 1_000) for a, b in zip(buckets[one], buckets[other], strict=True))
        assert abs(_surprise((pairs[a, b] for a in range(10) for b in range(10)), 400)) < 5, (one, other)


@pytest.mark.parametrize("kind", VIEWERS)
def test_one_changed_character_moves_a_viewer_anywhere(kind: str) -> None:
    moves = Counter((bucket(FLAGS[0], viewer + "a") - bucket(FLAGS[0], viewer + "b")) % 10_000 // 100
                    for viewer in VIEWERS[kind])
    assert abs(_surprise((moves[part] for part in range(100)), 400)) < 5


def test_a_viewers_place_is_the_same_everywhere_and_always() -> None:
    assert [bucket("use_real_orders", viewer) for viewer in ("", "ada", "Zoë", "\ud800")] == [4578, 4141, 4250, 1018]


@given(st.text(), st.text())
def test_whatever_a_viewer_is_called_it_has_a_place(flag: str, viewer: str) -> None:
    assert 0 <= bucket(flag, viewer) < 10_000


def test_nobody_in_particular_waits_for_all() -> None:
    flags = Flags({"use_real_orders": True, "percent_orders": 99})
    assert evaluate(flags, "use_real_orders") == Evaluation(False, Reason.RAMP)


@pytest.mark.parametrize(("values", "expected"), [
    ({}, Stage.MOCK),
    ({"percent_orders": 50}, Stage.MOCK),
    ({"shadow_orders": True}, Stage.SHADOW),
    ({"use_real_orders": True, "percent_orders": 0, "shadow_orders": True}, Stage.SHADOW),
    ({"use_real_orders": True, "percent_orders": 5}, Stage.RAMPING),
    ({"use_real_orders": True}, Stage.LIVE),
    ({"use_real_orders": True, "fallback_on_error": False}, Stage.REAL_ONLY),
])
def test_the_stage_follows_from_the_flags(values: dict[str, bool | int], expected: Stage) -> None:
    assert stage(Flags(values), "use_real_orders") is expected


@pytest.mark.parametrize(("name", "value"), [
    ("percent_orders", 101), ("percent_orders", -1), ("percent_orders", True), ("percent_orders", 5.0),
    ("percent_orders", "5"), ("use_real_orders", 1), ("use_real_orders", None), ("shadow_orders", "true"),
])
def test_a_value_that_a_flag_cannot_have(name: str, value: object) -> None:
    with pytest.raises(FlagError, match=name):
        check(name, value)


@pytest.mark.parametrize("text", ["", "%", "101", "-5", "5.5", "five", "٥", "9" * 5000])
def test_no_percentage(text: str) -> None:
    with pytest.raises(FlagError):
        parse("percent_orders", text)


def test_a_value_from_text() -> None:
    assert (parse("percent_orders", " 25 % "), parse("percent_orders", "0"), parse("use_real_orders", "1")) == (
        25, 0, True)


RETIRED = frozenset({"use_real_orders"})
VALUES = st.dictionaries(st.sampled_from(["use_real_orders", "percent_orders", "shadow_orders", "fallback_on_error"]),
                         st.booleans() | st.integers(0, 100))


@given(VALUES, st.none() | st.text())
def test_a_retired_component_is_real_whatever_the_flags_say(values: dict[str, bool | int], viewer: str | None) -> None:
    flags = Flags(values, retired=RETIRED)
    assert evaluate(flags, "use_real_orders", viewer) == Evaluation(True, Reason.FLAG)
    assert stage(flags, "use_real_orders") is Stage.RETIRED
    assert share(flags, "use_real_orders") == 100
    assert not shadows(flags, "use_real_orders")
    assert [flags[name] for name in own("use_real_orders")] == [True, 100, False]
    assert all(flags.is_retired(name) for name in own("use_real_orders"))
    assert not flags.is_retired("fallback_on_error")
    assert flags["fallback_on_error"] == values.get("fallback_on_error", True)


@given(VALUES, st.none() | st.text())
def test_another_retirement_changes_nothing(values: dict[str, bool | int], viewer: str | None) -> None:
    plain, flags = Flags(values), Flags(values, retired=frozenset({"use_real_other"}))
    assert evaluate(flags, "use_real_orders", viewer) == evaluate(plain, "use_real_orders", viewer)
    assert stage(flags, "use_real_orders") is stage(plain, "use_real_orders")
    assert [flags[name] for name in own("use_real_orders")] == [plain[name] for name in own("use_real_orders")]


def test_nobody_goes_back_behind_a_retirement() -> None:
    both = ["use_real_orders", "use_real_other"]
    assert retreat(both, RETIRED) == {"use_real_other": False, "fallback_on_error": True}
    assert retreat(both) == {"use_real_orders": False, "use_real_other": False, "fallback_on_error": True}
    assert retreat(["use_real_orders"], RETIRED) == {}, "where nothing goes back, nothing need stand in"
