"""Checks of payloads: what is a value, what is a gap, what is wrong, and that nothing can make them fail."""

import asyncio
import datetime
import decimal
import enum
import math
import sys
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from crossfade.core.check import Failure, Findings, examine, prepare, validate
from crossfade.core.clock import DAY, HOUR, SECOND
from crossfade.core.days import Days
from crossfade.core.payloads import (
    BusinessMetrics,
    Disk,
    HistoryPoint,
    InfrastructureMetrics,
    IngestQueue,
    Service,
    SystemMetrics,
)
from crossfade.core.rule import AtMost, Monotone, OneRowADay, OnlyIf, Rule, Unique
from crossfade.core.shape import ModelError
from crossfade.sources.business import MockBusiness
from crossfade.sources.history import MockHistory
from crossfade.sources.infrastructure import MockInfrastructure
from crossfade.sources.system import MockSystem

NOW = 1_790_000_000_000_000  # 2026-09-21
BUSINESS = BusinessMetrics(3, 100, 7, 2, 0, 99.5)
SYSTEM = SystemMetrics("server", 60.0, 10, 12.5, 40.0, 55.0, 0.0, 50.0, 1_000_000, 12.0, ())
POINT = HistoryPoint("2026-09-20", 100, 5_000, 7, 2)
SERVICE = Service("eventStore", "up", 1.5, 100.0, 10, "10 events")
INFRASTRUCTURE = InfrastructureMetrics((SERVICE,), IngestQueue(0, 0), Disk(1_000, 400, 60.0))


def day(number: int, **values: int | None) -> HistoryPoint:
    return replace(POINT, date=f"2026-09-{number:02}", **values)


def gap(number: int) -> HistoryPoint:
    return HistoryPoint(f"2026-09-{number:02}", None, None, None, None)


def wrong(payload: object, as_of: object = NOW, previous: object = None) -> list[tuple[str, str, str]]:
    return [(each.field, each.value, each.reason) for each in validate(payload, as_of, NOW, previous)]


def counts(payload: object) -> tuple[int, int, int]:
    found = examine(payload, NOW, NOW)
    return found.expected, found.present, found.valid


# The guide's validators. They refuse zero and very high counts, too; here both are values.

@pytest.mark.parametrize(("payload", "changes", "passes"), [
    (BUSINESS, {}, True),
    (BUSINESS, {"active_users": 0}, True),
    (BUSINESS, {"files_processed": 0}, True),
    (BUSINESS, {"active_users": None}, False),
    (BUSINESS, {"files_processed": None}, False),
    (BUSINESS, {"active_users": -1}, False),
    (BUSINESS, {"active_users": 1_000_001}, True),
    (BUSINESS, {"files_processed": -1}, False),
    (BUSINESS, {"files_processed": 10_000_001}, True),
    (BUSINESS, {"auth_success_rate": -0.1}, False),
    (BUSINESS, {"auth_success_rate": 0.0}, True),
    (BUSINESS, {"auth_success_rate": 100}, True),
    (BUSINESS, {"auth_success_rate": 100.1}, False),
    (BUSINESS, {"active_users": "3"}, False),
    (BUSINESS, {"files_processed": "100"}, False),
    (SYSTEM, {}, True),
    (SYSTEM, {"uptime": 0.0}, True),
    (SYSTEM, {"uptime": None}, False),
    (SYSTEM, {"uptime": -1.0}, False),
    (SYSTEM, {"response_time": 0.0}, True),
    (SYSTEM, {"response_time": -0.1}, False),
    (SYSTEM, {"response_time": 10_000.0, "response_time_p95": 10_000.0, "response_time_p99": 10_000.0}, True),
    (SYSTEM, {"response_time_p95": 10_000.1}, False),
    (SYSTEM, {"error_rate": -1.0}, False),
    (SYSTEM, {"error_rate": 100.0}, True),
    (SYSTEM, {"error_rate": 101.0}, False),
    (POINT, {"date": None}, False),
    (POINT, {"date": ""}, False),
    (POINT, {"files": 0}, True),
    (POINT, {"files": -1}, False),
    (POINT, {"total_size": -1}, False),
    (POINT, {"total_size": 0}, True),
])
def test_the_guides_validators_but_for_zero(payload: Struct, changes: dict[str, object], passes: bool) -> None:
    changed = replace(payload, **changes)
    found = validate((changed,) if isinstance(changed, HistoryPoint) else changed, NOW, NOW)
    assert (found == ()) is passes, found


def test_an_empty_series_is_valid_as_in_the_guide() -> None:
    assert examine((), NOW, NOW) == Findings(0, 0, 0, ())


def test_a_series_that_is_no_series_is_not() -> None:
    assert wrong({"date": "2026-09-20"}) == [("payload", "dict", "no payload")]


# What the built-in sources give

@pytest.mark.parametrize("source", [
    MockBusiness(1), MockSystem(1), MockInfrastructure(1), MockHistory(1, Days()),
], ids=lambda source: type(source).__name__)
def test_what_the_mocks_give_is_valid_and_complete(source: Any) -> None:
    for now in range(NOW, NOW + DAY, 5 * HOUR):
        found = examine(asyncio.run(source.fetch(now)).payload, now, now)
        assert found.failures == ()
        assert found.expected == found.present == found.valid > 0


@pytest.mark.parametrize(("payload", "size"), [(BUSINESS, 6), (SYSTEM, 10), (INFRASTRUCTURE, 10), ((POINT,), 4)])
def test_every_value_is_counted_but_no_key(payload: Struct, size: int) -> None:
    assert counts(payload) == (size, size, size)


# Failures are named, all of them

def test_every_failure_is_named_with_its_value_and_reason() -> None:
    payload = replace(BUSINESS, active_users=-3, auth_success_rate=math.nan, background_scans=True)
    assert wrong(payload) == [
        ("activeUsers", "-3", "below 0 users"),
        ("backgroundScans", "True", "no whole number"),
        ("authSuccessRate", "nan", "not a number"),
    ]
    assert counts(payload) == (6, 6, 3)


def test_a_failure_within_is_named_by_its_path() -> None:
    services = (SERVICE, replace(SERVICE, name="cache", latency=-1.0, status="well"))
    payload = replace(INFRASTRUCTURE, services=services, disk=Disk(100, 400, 60.0))
    assert wrong(payload) == [
        ("services[cache].status", "well", "not of the form that it should have"),
        ("services[cache].latency", "-1.0", "below 0 ms"),
        ("disk.free", "400", "above total, 100"),
    ]
    assert counts(payload) == (15, 15, 12)


def test_two_services_of_one_name_are_not_told_apart() -> None:
    payload = replace(INFRASTRUCTURE, services=(SERVICE, SERVICE))
    assert wrong(payload) == [("services[eventStore]", "eventStore", "comes twice")]
    assert counts(payload) == (15, 15, 10)


def test_the_median_is_never_above_the_95th_percentile() -> None:
    assert wrong(replace(SYSTEM, response_time=41.0)) == [("responseTime", "41.0", "above responseTimeP95, 40.0")]
    assert counts(replace(SYSTEM, response_time=41.0)) == (10, 10, 9)


def test_a_value_that_fails_twice_is_one_invalid_value() -> None:
    payload = replace(SYSTEM, response_time=20_000.0)
    assert [each[0] for each in wrong(payload)] == ["responseTime", "responseTime"]
    assert counts(payload) == (10, 10, 9)


class Counter(Struct, frozen=True):
    CHECKS: ClassVar[tuple[Rule, ...]] = (Monotone("total"),)

    total: float


@pytest.mark.parametrize(("previous", "failures"), [
    (None, []),
    (Counter(60.0), []),
    (Counter(59.0), []),
    (Counter(60.1), [("total", "60.0", "below 60.1, what it was before")]),
    (Counter(math.inf), []),
    (BUSINESS, []),
])
def test_a_counter_never_falls(previous: Struct | None, failures: list[tuple[str, str, str]]) -> None:
    assert wrong(Counter(60.0), previous=previous) == failures
    assert examine(Counter(60.0), NOW, NOW, previous).valid == 1 - len(failures)


# Gaps

def test_an_unknown_value_is_a_gap_and_no_failure() -> None:
    payload = replace(SYSTEM, cpu_usage=None)
    assert examine(payload, NOW, NOW) == Findings(10, 9, 9, ())


def test_where_nothing_was_measured_no_figure_is_expected() -> None:
    idle = replace(SYSTEM, requests=0, response_time=None, response_time_p95=None, response_time_p99=None)
    assert examine(idle, NOW, NOW) == Findings(7, 7, 7, ())
    assert examine(replace(idle, requests=1), NOW, NOW) == Findings(10, 7, 7, ())


def test_null_where_a_value_is_required_is_a_gap_and_a_failure() -> None:
    payload = replace(BUSINESS, active_users=None)
    assert examine(payload, NOW, NOW) == Findings(6, 5, 5, (Failure("activeUsers", "null", "missing"),))


def test_a_missing_day_is_a_gap() -> None:
    assert examine((day(1), gap(2), day(3), day(6)), NOW, NOW) == Findings(23, 12, 12, ())


def test_days_before_the_first_value_are_none() -> None:
    assert counts((gap(1), gap(2), day(3), day(4, total_size=None))) == (7, 7, 7)


def test_a_series_without_any_value_is_all_gaps() -> None:
    assert counts((gap(1), gap(2))) == (6, 0, 0)


@pytest.mark.parametrize(("rows", "failures", "found"), [
    ((day(1), day(1)), [("[2026-09-01]", "2026-09-01", "comes twice")], (8, 8, 4)),
    ((day(2), day(1)), [("[2026-09-01]", "2026-09-01", "comes after a later day")], (8, 8, 4)),
    ((day(20), day(23)), [("[2026-09-23]", "2026-09-23", "lies in the future")], (8, 8, 4)),
    ((day(20), replace(POINT, date="2026-02-30")), [("[2026-02-30]", "2026-02-30", "no day")], (8, 8, 4)),
    ((day(20), replace(POINT, date="2026-W39-1")), [("[2026-W39-1]", "2026-W39-1", "no day")], (8, 8, 4)),
    ((day(20), replace(POINT, date=20260921)), [("[1]", "20260921", "no day")], (8, 8, 4)),
    ((day(20), BUSINESS), [("[1]", "null", "no day"), ("[1]", "BusinessMetrics", "no HistoryPoint")], (8, 8, 4)),
    ((day(20, files=-1, duplicates="7"), day(21)), [("[2026-09-20].files", "-1", "below 0 events"),
                                                    ("[2026-09-20].duplicates", "7", "no whole number")], (8, 8, 6)),
    ((day(20), day(22)), [], (12, 8, 8)),
])
def test_a_row_a_day(rows: tuple[Struct, ...], failures: list[tuple[str, str, str]],
                     found: tuple[int, int, int]) -> None:
    assert sorted(wrong(rows)) == sorted(failures)
    assert counts(rows) == found


# The time of the data

@pytest.mark.parametrize(("as_of", "failures"), [
    (NOW, []),
    (0, []),
    (NOW + SECOND, []),
    (NOW + 3 * SECOND, [("asOf", "2026-09-21T14:13:23Z", "lies 3 s in the future")]),
    (NOW + 100 * 365 * DAY, [("asOf", "2126-08-28T14:13:20Z", "lies 3,153,600,000 s in the future")]),
    (2**62, [("asOf", "4611686018427387904", "lies 4,609,896,018,427 s in the future")]),
    (2**63, [("asOf", "9223372036854775808", "no time")]),
    (-1, [("asOf", "-1", "no time")]),
    (None, [("asOf", "null", "no time")]),
    (True, [("asOf", "True", "no time")]),
    (float(NOW), [("asOf", "1790000000000000.0", "no time")]),
])
def test_data_is_of_a_time_that_has_been(as_of: object, failures: list[tuple[str, str, str]]) -> None:
    assert wrong(BUSINESS, as_of=as_of) == failures
    assert examine(BUSINESS, as_of, NOW).valid == (0 if failures else 6)


# Any model

class Colour(enum.Enum):
    RED = "red"


class Inner(Struct, frozen=True):
    amount: Annotated[float, Meta(gt=0, lt=10, multiple_of=0.5, extra={"unit": "€"})]
    inners: "tuple[Inner, ...]" = ()


class Mine(Struct, frozen=True, rename="camel"):
    CHECKS: ClassVar[tuple[Rule, ...]] = (AtMost("few", "many_things"), OnlyIf("rate", "many_things"))

    few: int
    many_things: Annotated[int, Meta(ge=0)] | Annotated[float, Meta(ge=0)]
    rate: float | None
    word: Literal["a", 1]
    colour: Colour
    when: datetime.datetime
    price: decimal.Decimal
    parts: dict[str, Inner]
    numbers: Annotated[list[Annotated[int, Meta(le=5)]], Meta(max_length=3)]
    inner: Inner | None
    anything: Any
    later: int | UnsetType = UNSET


MINE = Mine(1, 2, 0.5, "a", Colour.RED, datetime.datetime(2026, 9, 21, tzinfo=datetime.UTC), decimal.Decimal("1.5"),
            {"one": Inner(1.5, (Inner(2.0),))}, [1, 2], Inner(0.5), object(), 7)


def test_a_model_of_ones_own() -> None:
    assert examine(MINE, NOW, NOW) == Findings(14, 14, 14, ())


@pytest.mark.parametrize(("changes", "failures"), [
    ({"few": 3}, [("few", "3", "above manyThings, 2")]),
    ({"few": 2**63}, [("few", "9223372036854775808", "larger than a number can be"),
                      ("few", "9223372036854775808", "above manyThings, 2")]),
    ({"many_things": "2"}, [("manyThings", "2", "no whole number or no number")]),
    ({"many_things": -1.0, "few": -2}, [("manyThings", "-1.0", "no whole number or below 0")]),
    ({"rate": math.inf}, [("rate", "inf", "not finite")]),
    ({"rate": 1e300}, []),
    ({"rate": 10**400}, [("rate", "a number of more than 38 digits", "larger than a number can be")]),
    ({"word": True}, [("word", "True", "none of 1, a")]),
    ({"word": "b"}, [("word", "b", "none of 1, a")]),
    ({"colour": "red"}, [("colour", "red", "no Colour")]),
    ({"when": "now"}, [("when", "now", "no datetime")]),
    ({"price": decimal.Decimal("NaN")}, [("price", "NaN", "not finite")]),
    ({"parts": {"one": Inner(0.0)}}, [("parts[one].amount", "0.0", "not above 0 €")]),
    ({"parts": {"one": Inner(1.0, (Inner(10.0),))}}, [("parts[one].inners[0].amount", "10.0", "not below 10 €")]),
    ({"parts": {"one": Inner(0.7)}}, [("parts[one].amount", "0.7", "no multiple of 0.5 €")]),
    ({"parts": [MINE]}, [("parts[0]", "Mine", "no Inner")]),
    ({"parts": "text"}, [("parts", "text", "no list")]),
    ({"numbers": [1, 6]}, [("numbers[1]", "6", "above 5")]),
    ({"numbers": [1, 1, 1, 1]}, [("numbers", "list", "has 4 parts")]),
    ({"inner": None}, []),
    ({"inner": 5}, [("inner", "5", "no Inner")]),
    ({"anything": None}, []),
    ({"later": UNSET}, []),
])
def test_what_is_wrong_with_it(changes: dict[str, object], failures: list[tuple[str, str, str]]) -> None:
    assert wrong(replace(MINE, **changes)) == failures


def test_unset_and_null_are_gaps() -> None:
    assert counts(replace(MINE, later=UNSET, inner=None, anything=None)) == (14, 11, 11)


@pytest.mark.parametrize("rule", [AtMost("few", "nothing"), OnlyIf("nothing", "few"), Monotone("nothing"),
                                  Unique("nothing"), OneRowADay("nothing")])
def test_a_rule_that_names_no_field_says_so(rule: Rule) -> None:
    model = msgspec.defstruct("Model", [("few", int)], namespace={"CHECKS": (rule,)})
    with pytest.raises(ModelError, match=f"{type(rule).__name__} names 'nothing', which Model lacks"):
        prepare(model)
    found = examine(model(1), NOW, NOW)
    assert (found.expected, found.valid) == (1, 0)
    assert "which Model lacks" in found.failures[0].reason


@pytest.mark.parametrize(("checks", "told"), [
    (("uptime",), "holds str, which is no rule"),
    ((Unique("few"), OneRowADay("few")), "more than one key"),
    (5, "cannot be read"),
])
def test_rules_that_are_none(checks: Any, told: str) -> None:
    model = msgspec.defstruct("Model", [("few", int)], namespace={"CHECKS": checks})
    with pytest.raises(ModelError, match=told):
        prepare(model)


def test_a_model_is_prepared_with_all_that_is_in_it() -> None:
    prepare(Mine)
    prepare(InfrastructureMetrics)
    bad = msgspec.defstruct("Bad", [("few", int)], namespace={"CHECKS": (AtMost("few", "many"),)})
    with pytest.raises(ModelError, match="which Bad lacks"):
        prepare(msgspec.defstruct("Outer", [("parts", tuple[bad, ...])]))


# Hostile values

def test_a_huge_text_is_told_in_a_line() -> None:
    text = "a\n" * 5_000_000
    assert wrong(replace(INFRASTRUCTURE, services=(replace(SERVICE, detail=text, name=text),))) == [
        (f"services[{'a ' * 19}a…].detail", "a " * 19 + "a…", "longer than 10,000 characters"),
        (f"services[{'a ' * 19}a…]", "a " * 19 + "a…", "longer than 10,000 characters"),
    ]


def test_a_number_that_python_does_not_write_out_is_told_of() -> None:
    assert wrong(replace(BUSINESS, active_users=10**5_000)) == [
        ("activeUsers", "a number of more than 38 digits", "larger than a number can be")]


def test_what_holds_itself_is_a_failure() -> None:
    endless: list[Any] = []
    endless.append(endless)
    model = msgspec.defstruct("Model", [("many", "list[Any]")], module=__name__)
    nested = msgspec.defstruct("Nested", [("inners", tuple[Inner, ...])])
    chain = Inner(1.0)
    for _ in range(2 * sys.getrecursionlimit()):
        chain = Inner(1.0, (chain,))
    assert [each.reason for each in validate(nested((chain,)), NOW, NOW)] == ["nested too deeply"]
    assert examine(nested((chain,)), NOW, NOW).valid == 0
    assert validate(model(endless), NOW, NOW) == ()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(UNSET)
    | st.dates().map(str) | st.decimals() | st.just(object()) | st.just(POINT) | st.just(10**1_000),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner)
    | st.builds(Disk, inner, inner, inner) | st.builds(IngestQueue, inner, inner), max_leaves=8)
models = st.one_of(
    st.builds(BusinessMetrics, *[anything] * 6), st.builds(SystemMetrics, *[anything] * 8),
    st.builds(InfrastructureMetrics, st.lists(st.builds(Service, *[anything] * 6) | anything).map(tuple) | anything,
              anything, anything),
    st.lists(st.builds(HistoryPoint, *[anything] * 5) | anything).map(tuple),
    st.builds(Mine, *[anything] * 12), anything)


@given(payload=models, previous=models, as_of=anything, now=st.integers())
def test_nothing_makes_a_check_fail(payload: Any, previous: Any, as_of: Any, now: int) -> None:
    found = examine(payload, as_of, now, previous)
    assert 0 <= found.valid <= found.present <= found.expected
    assert found.valid == found.present or found.failures
    for failure in found.failures:
        assert failure.reason
        assert len(failure.value) <= 40
        assert len(failure.field) <= 120
        assert (failure.field + failure.value + failure.reason).isprintable()
    msgspec.json.encode(found)


values = st.none() | st.integers(-2, 3) | st.just(2**63) | st.just("x")


@given(st.lists(st.tuples(values, values, values, values), min_size=1, max_size=6))
def test_a_series_is_checked_alike_by_column_and_by_row(rows: list[tuple[Any, ...]]) -> None:
    """Counted here value by value."""
    points = tuple(HistoryPoint(f"2026-09-{number + 1:02}", *row) for number, row in enumerate(rows))
    begun = next((number for number, row in enumerate(rows) if any(value is not None for value in row)), 0)
    told = [value for row in rows[begun:] for value in row]
    present = [value for value in told if value is not None]
    valid = [value for value in present if type(value) is int and 0 <= value < 2**63]
    found = examine(points, NOW, NOW)
    excused = sum(size is None for _, size, *_ in rows[begun:])  # without a scan there is none
    assert (found.expected, found.present, found.valid) == (len(told) - excused, len(present), len(valid))
    assert len(found.failures) == len(present) - len(valid)
