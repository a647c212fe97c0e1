"""The plain figures of a payload, by the paths that lead to them."""

from collections.abc import Iterator, Mapping

import msgspec

from .payloads import Payload
from .value import is_number


def figures(payload: Payload) -> dict[str, float]:
    """Every number by its path, such as ``queue.events``; of a series those of its last row.

    What lies in a list within has no path that stays the same, and is left out, as is what no float holds. Raises
    TypeError for a payload that holds what cannot be written as JSON.
    """
    last = payload[-1:] if isinstance(payload, tuple) else (payload,)
    return {path: number for each in last for path, number in _numbers(msgspec.to_builtins(each, str_keys=True))}


def _numbers(value: object, path: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(inner, f"{path}.{key}".lstrip("."))
    elif is_number(value):
        try:
            yield path, float(value)
        except OverflowError:
            return
