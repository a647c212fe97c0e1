"""Figures, spans and moments for the eye, as ``static/figures.js`` writes them in the reader's locale. Pure."""

import math
from collections.abc import Callable, Mapping

from .layouts import Kind

NONE = "—"
"""What is shown for a value that is not known: never 0."""
SPACE = "\u00a0"
"""Keeps a number and its unit on one line."""
TEXT_LENGTH = 300
"""Characters of a text from outside that are shown; the API gives all of it."""
UNKNOWN_TIME = "an unknown time"
_MOST = 1e300
"""Beyond this a number is none: no float, or no end."""
_LEAST = 0.01
"""What lies between this and zero is said to be less than this: it is no zero, and its digits tell nothing."""


def show(value: object, kind: Kind) -> str:
    """A value with its unit, or a dash if there is none or it is no number."""
    if kind == "text":
        return NONE if value is None or value == "" else clip(str(value))
    if not isinstance(value, int | float) or not -_MOST < value < _MOST:
        return NONE
    return _WRITERS[kind](value)


def clip(text: str) -> str:
    """The beginning of a text that may be endless."""
    return text if len(text) <= TEXT_LENGTH else text[:TEXT_LENGTH] + "…"


def number(value: float, significant: int = 3) -> str:
    """With about so many significant digits, two decimals at the most, its thousands grouped."""
    if 0 < abs(value) < _LEAST:
        return f"<{SPACE}{_LEAST}" if value > 0 else f">{SPACE}-{_LEAST}"
    decimals = min(2, max(0, significant - 1 - math.floor(math.log10(abs(value))))) if value else 0
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(value: float) -> str:
    """Never 100 unless it is 100: one failure in a million is no perfection."""
    return number(min(value, 99.99) if value < 100 else value, 4) + SPACE + "%"


def size(value: float) -> str:
    """Bytes in the binary unit that suits them."""
    units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    while abs(value) >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return number(value) + SPACE + units[0]


def duration(seconds: float) -> str:
    """A span in its two greatest units."""
    whole = math.floor(seconds)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if days:
        return f"{days:,}{SPACE}d {hours % 24}{SPACE}h"
    if hours:
        return f"{hours}{SPACE}h {minutes % 60}{SPACE}min"
    if minutes:
        return f"{minutes}{SPACE}min {whole % 60}{SPACE}s"
    return f"{whole}{SPACE}s"


def age(seconds: float) -> str:
    """How long ago. Data from the future is the mark of a wrong clock, and is called so."""
    if seconds <= -1:
        return f"{duration(-seconds)} in the future: a clock is wrong"
    return f"{duration(max(seconds, 0))} ago"


def moment(stamp: str) -> str:
    """An ISO 8601 moment in UTC for the eye, to the second; the browser puts it in the reader's zone."""
    return f"{stamp[:10]} {stamp[11:19]} UTC" if stamp else UNKNOWN_TIME


_WRITERS: Mapping[Kind, Callable[[float], str]] = {
    "count": lambda value: f"{value:,.0f}",
    "number": number,
    "percent": percent,
    "milliseconds": lambda value: number(value) + SPACE + "ms",
    "bytes": size,
    "duration": duration,
}
