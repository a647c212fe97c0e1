"""How long: ``5 min``, as people write it. Inside it is microseconds."""

import re

from .clock import DAY, HOUR, MINUTE, SECOND

UNITS = {"d": DAY, "h": HOUR, "min": MINUTE, "s": SECOND}
"""Longest first."""
LONGEST = 365 * DAY

_TEXT = re.compile(r"\s*([0-9]{1,9})\s*(d|h|min|s)\s*")


def parse(text: str) -> int:
    """The microseconds of ``90 s``, ``5 min``, ``2 h`` or ``7 d``. Raises ValueError for anything else."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no duration: write a whole number of s, min, h or d, such as '5 min'")
    span = int(found[1]) * UNITS[found[2]]
    if span > LONGEST:
        raise ValueError(f"{text!r} is longer than a year")
    return span


def shown(span: int) -> str:
    """The span in the longest unit that it is a whole number of; below a second it is cut."""
    unit = next((name for name, size in UNITS.items() if span >= size and span % size == 0), "s")
    return f"{span // UNITS[unit]} {unit}"


def rough(span: int) -> str:
    """The span as people say it, in its two largest units: ``1 h 52 min``. The rest is cut."""
    units = tuple(UNITS.items())
    largest = next((index for index, (_, size) in enumerate(units) if span >= size), len(units) - 1)
    said: list[str] = []
    for name, size in units[largest:largest + 2]:
        count, span = divmod(span, size)
        if count or not said:
            said.append(f"{count} {name}")
    return " ".join(said)
