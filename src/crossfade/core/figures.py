"""The plain figures of a payload, by the paths that lead to them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

import msgspec

from .payloads import Payload
from .value import is_number


def figures(payload: Payload) -> dict[str, float]:
    """Every number by its path, such as ``queue.events``; of a series those of its last row.

    What lies in a list within has no path that stays the same, and is left out, as is what no float holds. Raises
    TypeError for a payload that holds what cannot be written as JSON.
    """
    found: dict[str, float] = {}
    for each in payload[-1:] if isinstance(payload, tuple) else (payload,):
        for path, value in numbers(msgspec.to_builtins(each, str_keys=True), rows=False):
            with suppress(OverflowError):
                found[path] = float(value)
    return found


def numbers(value: object, path: str = "", *, rows: bool = True) -> Iterator[tuple[str, float]]:
    """Every number in what JSON can hold, as it is, by its path; with ``rows`` also those in lists, by their place."""
    parts: Iterable[tuple[object, object]] = ()
    if isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, list | tuple):
        parts = enumerate(value) if rows else ()
    elif is_number(value):
        yield path, value
    for key, inner in parts:
        yield from numbers(inner, f"{path}.{key}".lstrip("."), rows=rows)


def lookup(value: object, path: str) -> object:
    """What stands under ``queue.events`` or ``services.0.uptime``, or None; under an empty path the value itself."""
    for part in path.split(".") if path else ():
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list | tuple) and part.removeprefix("-").isdecimal():
            value = value[int(part)] if -len(value) <= int(part) < len(value) else None
        else:
            return None
    return value
