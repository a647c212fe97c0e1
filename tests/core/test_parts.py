"""What a payload holds, one level down; of a timeline, two."""

from dataclasses import dataclass
from types import MappingProxyType

import pytest
from msgspec import Struct

from crossfade.core.parts import parts


class Row(Struct):
    day: str
    files: int | None


@dataclass
class Pair:
    left: object
    right: object


@pytest.mark.parametrize(("value", "held"), [
    (Row("a", 1), ["a", 1]),
    ((Row("a", 1), Row("b", None)), ["a", 1, "b", None]),
    ((Row("a", 1), 2.5), [Row("a", 1), 2.5]),
    ([[1], "x"], [[1], "x"]),
    ((), []), ([], []), ({}, []),
    ({"a": 1, "b": [2]}, [1, [2]]),
    (MappingProxyType({"a": 1}), [1]),
    (frozenset({3}), [3]),
    (Pair(1, (2,)), [1, (2,)]),
    ("text", []), (b"bytes", []), (5, []), (2.5, []), (None, []),
])
def test_parts(value: object, held: list[object]) -> None:
    assert list(parts(value)) == held
