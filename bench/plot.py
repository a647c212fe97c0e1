"""The plot of growth, as SVG: a panel a thing, a line a part of it, the events stored on a logarithmic axis.

It takes its colours from whether the reader's page is light or dark.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from row import Row

COLUMNS = 3
WIDTH, HEIGHT = 300, 210
LEFT, RIGHT, TOP, BOTTOM = 48, 14, 46, 34
"""Room around a panel's axes, for what is written there."""
COLOURS = ("#1f77d0", "#d9730d", "#0b8f6a", "#a34fc4")
STYLE = """text { font: 11px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600; font-size: 12px }
.axis { stroke: #8c959f; stroke-width: 1; fill: none } .grid { stroke: #8c959f; stroke-width: .5; opacity: .4 }
polyline { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #d1d7de } }"""
Point = tuple[int, float]
Panel = Mapping[str, Sequence[Point]]
"""By line its points."""


def svg(rows: Sequence[Row]) -> str | None:
    """None where no row has a place in it."""
    panels = _panels(rows)
    if not panels:
        return None
    width, height = COLUMNS * WIDTH, -(-len(panels) // COLUMNS) * HEIGHT
    drawn = "\n".join(line for number, (title, panel) in enumerate(panels.items())
                      for line in _panel(title, panel, WIDTH * (number % COLUMNS), HEIGHT * (number // COLUMNS)))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            f'aria-label="What each of these costs as the store grows; the figures are in the table">\n'
            f"<style>{STYLE}</style>\n{drawn}\n</svg>\n")


def _panels(rows: Sequence[Row]) -> dict[str, dict[str, list[Point]]]:
    panels: dict[str, dict[str, list[Point]]] = {}
    for row in rows:
        if row.place is not None:
            lines = panels.setdefault(row.place.panel, {})
            lines.setdefault(row.place.line, []).append((row.place.events, row.median))
    return panels


def _panel(title: str, panel: Panel, left: int, top: int) -> Iterator[str]:
    most = _round_up(max(figure for points in panel.values() for _, figure in points))
    counts = sorted({events for points in panel.values() for events, _ in points})
    bottom, end = HEIGHT - BOTTOM, WIDTH - RIGHT
    yield f'<g transform="translate({left} {top})">'
    yield f'<text class="title" x="{LEFT}" y="16">{escape(title)}</text>'
    yield f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{end}"/>'
    for share in (0.5, 1.0):
        y = bottom - (bottom - TOP) * share
        yield f'<path class="grid" d="M{LEFT} {y}H{end}"/>'
        yield f'<text x="{LEFT - 5}" y="{y + 4}" text-anchor="end">{short(most * share)}</text>'
    yield f'<text x="{LEFT - 5}" y="{bottom + 4}" text-anchor="end">0</text>'
    for events in counts:
        yield (f'<text x="{_x(events, counts)}" y="{bottom + 15}" text-anchor="middle">{short(events)}</text>')
    yield f'<text x="{(LEFT + end) / 2}" y="{bottom + 29}" text-anchor="middle">events stored</text>'
    place = LEFT
    for (line, points), colour in zip(panel.items(), COLOURS, strict=False):
        places = [(_x(events, counts), round(bottom - (bottom - TOP) * figure / most, 1)) for events, figure in points]
        yield f'<polyline stroke="{colour}" points="{" ".join(f"{x},{y}" for x, y in places)}"/>'
        yield from (f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in places)
        if line:
            yield f'<text x="{place}" y="33" style="fill: {colour}">{escape(line)}</text>'
            place += 7 * len(line) + 8
    yield "</g>"


def _x(events: int, counts: Sequence[int]) -> float:
    """Room is left at both ends, for what is written below."""
    span = math.log(counts[-1] / counts[0]) or 1.0
    room = WIDTH - LEFT - RIGHT - 40
    return round(LEFT + 20 + room * math.log(events / counts[0]) / span, 1)


def _round_up(value: float) -> float:
    """To the next 1, 2, 4, 6 or 8 of its size."""
    size = 10 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(step * size for step in (1, 2, 4, 6, 8, 10) if step * size >= value)


def short(value: float) -> str:
    """As one writes it beside an axis."""
    for size, name in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:g}{name}"
    return f"{value:g}"
