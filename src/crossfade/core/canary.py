"""A mark in a mock's figures by which they are known wherever they turn up: no measurement ends like that by chance.

It lies in the fourth to twelfth decimal, below what any dashboard shows. A figure that was rounded on the way has lost
it, which is why a mock marks as many figures as it can.
"""

from collections.abc import Iterator, Mapping
from math import isfinite

from msgspec import Struct
from msgspec.structs import asdict

from .parts import parts

_MARK = 0.731_977_613
"""In thousandths."""
_TOLERANCE = 1e-8
LARGEST = 1e4
"""Figures above have no room for it."""
TELLING = 5
"""Different figures that two payloads must share to be the same by more than chance."""

_UNMARKED = frozenset({int, str, bool, type(None)})


def mark(value: float) -> float:
    """The value to three decimals, marked."""
    return (round(value, 3) * 1_000 + _MARK) / 1_000


def is_marked(value: float) -> bool:
    """Whether the figure carries the mark: one in fifty million does by chance."""
    if not isfinite(value) or abs(value) > LARGEST:
        return False
    return abs((value * 1_000) % 1 - _MARK) < _TOLERANCE


def is_copy(payload: object, mock: object) -> bool:
    """Whether a payload is the mock's, figure for figure. A few equal figures may be chance, and prove nothing."""
    return payload == mock and _figures(mock) >= TELLING


def _figures(value: object) -> int:
    """How many different numbers it holds, those aside that any payload might."""
    return len(set(_numbers(value)) - {0, 1, 100})


def _numbers(value: object) -> Iterator[float]:
    match value:
        case bool():
            return
        case int() | float():
            yield value
        case Struct():
            yield from _numbers(asdict(value))
        case Mapping():
            yield from (number for inner in value.values() for number in _numbers(inner))
        case list() | tuple():
            yield from (number for inner in value for number in _numbers(inner))


def marked(value: object) -> Iterator[str]:
    """The names of the figures in a payload that carry the mark."""
    if _carries(value):
        yield from _named(value, "")


def _carries(value: object) -> bool:
    """Whether any figure does. A timeline has thousands, and hardly ever one that does: no names are made here."""
    if isinstance(value, float):
        return is_marked(value)
    return any(_carries(part) for part in parts(value) if type(part) not in _UNMARKED)


def _named(value: object, name: str) -> Iterator[str]:
    match value:
        case float():
            if is_marked(value):
                yield name
        case Struct():
            yield from _named(asdict(value), name)
        case Mapping():
            for key, inner in value.items():
                yield from _named(inner, f"{name}.{key}".lstrip("."))
        case list() | tuple():
            for index, inner in enumerate(value):
                yield from _named(inner, f"{name}[{index}]")
