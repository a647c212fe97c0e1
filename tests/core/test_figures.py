"""The plain figures of a payload, by their paths."""

import math

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from crossfade.core.figures import figures


class Inner(Struct, rename="camel"):
    used_percent: float | None = None


class Payload(Struct, rename="camel"):
    open_orders: int = 0
    disk: Inner | None = None
    name: str = ""
    on: bool = True
    parts: tuple[int, ...] = ()
    by_name: dict[str, int] | None = None


def test_every_number_has_its_path_and_nothing_else_has_one() -> None:
    payload = Payload(3, Inner(75.5), "shop", True, (1, 2), {"a": 7})
    assert figures(payload) == {"openOrders": 3.0, "disk.usedPercent": 75.5, "byName.a": 7.0}


def test_what_is_unknown_is_absent_and_a_zero_is_there() -> None:
    assert figures(Payload(0, Inner(None))) == {"openOrders": 0.0}


def test_a_series_gives_its_last_row() -> None:
    assert figures((Payload(1), Payload(2))) == {"openOrders": 2.0}
    assert figures(()) == {}


@given(st.one_of(st.integers(), st.floats()))
def test_only_finite_floats_come_out(value: float) -> None:
    assert all(math.isfinite(found) for found in figures(Payload(value)).values())  # type: ignore[arg-type]


def test_a_number_that_no_float_holds_is_left_out() -> None:
    assert figures(Payload(10**400)) == {}
