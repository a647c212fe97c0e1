"""Figures to take away: as rows that say where each comes from, in JSON or CSV. Pure."""

import csv
import io
from collections.abc import Iterable, Sequence

from crossfade.core.clock import SECOND, iso

from .curve import Curve
from .curves import plain

Cell = str | int | float | bool | None
PROVENANCE = ("at", "lengthSeconds", "component", "source", "synthetic", "asOf")
"""The columns that come before the figures."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""How a text begins that a spreadsheet would take for a formula."""


def rows(curve: Curve, paths: Sequence[str]) -> list[dict[str, Cell]]:
    """A row a point, with its provenance; a figure that was not known then is None."""
    return [
        {"at": iso(point.start), "lengthSeconds": plain(point.length / SECOND), "component": curve.component,
         "source": point.source, "synthetic": point.synthetic, "asOf": iso(point.as_of),
         **{path: None if (value := point.values.get(path)) is None else plain(value) for path in paths}}
        for point in curve.points
    ]


def columns(curve: Curve) -> list[str]:
    """The figures that any point has, in the order in which they first come."""
    return list(dict.fromkeys(path for point in curve.points for path in point.values))


def csv_text(found: Iterable[dict[str, Cell]], paths: Sequence[str]) -> str:
    """The rows as CSV with a header; what is None is empty. No cell can be taken for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([safe(name) for name in (*PROVENANCE, *paths)])
    for row in found:
        writer.writerow([_cell(row[name]) for name in (*PROVENANCE, *paths)])
    return out.getvalue()


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return safe(value) if isinstance(value, str) else repr(value)


def safe(text: str) -> str:
    """The text with an apostrophe before what a spreadsheet would take for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
