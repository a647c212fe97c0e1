"""What is taken away says where it comes from, is the same in both forms, and is no formula."""

import csv
import io

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import MINUTE
from crossfade.web.curve import Curve, Point
from crossfade.web.export import PROVENANCE, columns, csv_text, rows, safe

POINTS = (Point(0, MINUTE, "mock", True, 5, {"a": 1.0, "=b": 2.5}),
          Point(MINUTE, MINUTE, "real", False, 7, {"a": -3.0}))
CURVE = Curve("orders", 0, 2 * MINUTE, MINUTE, POINTS)


def test_every_row_says_where_its_figures_come_from() -> None:
    paths = columns(CURVE)
    assert paths == ["a", "=b"]
    assert rows(CURVE, paths) == [
        {"at": "1970-01-01T00:00:00Z", "lengthSeconds": 60, "component": "orders", "source": "mock",
         "synthetic": True, "asOf": "1970-01-01T00:00:00.000005Z", "a": 1, "=b": 2.5},
        {"at": "1970-01-01T00:01:00Z", "lengthSeconds": 60, "component": "orders", "source": "real",
         "synthetic": False, "asOf": "1970-01-01T00:00:00.000007Z", "a": -3, "=b": None}]


def test_the_csv_says_the_same_as_the_json() -> None:
    paths = columns(CURVE)
    told = rows(CURVE, paths)
    found = list(csv.DictReader(io.StringIO(csv_text(told, paths))))
    assert [row.pop("'=b") for row in found] == ["2.5", ""]
    for row, other in zip(found, told, strict=True):
        del other["=b"]
        shown = {name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
                 for name, value in other.items()}
        assert row == shown


@given(st.text(), st.text())
def test_no_cell_is_a_formula(component: str, path: str) -> None:
    curve = Curve(component, 0, 1, MINUTE, (Point(0, MINUTE, "real", False, 0, {path: 1.0}),))
    text = csv_text(rows(curve, [path]), [path])
    table = list(csv.reader(io.StringIO(text, newline="")))
    assert table[0] == [*PROVENANCE, safe(path)]
    assert table[1][2] == safe(component)
    assert all(not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r")) for line in table for cell in line)


def test_a_number_below_zero_stays_a_number() -> None:
    assert csv_text(rows(CURVE, ["a"]), ["a"]).splitlines()[2].endswith(",-3")
