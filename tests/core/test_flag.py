"""Flags: their defaults, their spellings, and what the environment may say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.flag import BUILT_IN, FlagError, Flags, camel, canonical, evaluate, parse_bool, seed
from crossfade.core.reading import Origin

DEFAULTS = {name: name == "fallback_on_error" for name in BUILT_IN}


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


@pytest.mark.parametrize(("values", "origin"), [
    ({}, Origin.MOCK),
    ({"use_real_orders": False}, Origin.MOCK),
    ({"use_real_orders": True}, Origin.REAL),
    ({"use_real_other": True}, Origin.MOCK),
])
def test_a_component_is_real_only_if_its_flag_says_so(values: dict[str, bool], origin: Origin) -> None:
    assert evaluate(Flags(values), "use_real_orders") is origin


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
])
def test_the_environment_seeds_the_flags(environment: dict[str, str], changed: dict[str, bool]) -> None:
    assert seed(environment) == DEFAULTS | changed


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


@given(st.sampled_from(BUILT_IN))
def test_every_spelling_of_a_flag_means_it(name: str) -> None:
    for spelling in (name, name.upper(), camel(name), f"NEXT_PUBLIC_{name.upper()}"):
        assert canonical(spelling) == name


@pytest.mark.parametrize("name", ["", "useReal", "use-real-system-metrics", "USEREALSYSTEMMETRICS", "next_public_"])
def test_an_unknown_flag_is_told_which_there_are(name: str) -> None:
    with pytest.raises(FlagError, match=f"no flag '{name}'.*{', '.join(BUILT_IN)}"):
        canonical(name)


def test_a_flag_is_looked_for_among_those_given() -> None:
    assert canonical("useRealOrders", ("use_real_orders",)) == "use_real_orders"
    with pytest.raises(FlagError, match=r"there are: use_real_orders$"):
        canonical("fallback_on_error", ("use_real_orders",))
