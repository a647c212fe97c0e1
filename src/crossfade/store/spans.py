"""Few spans that cover many: where messages are looked for that may have come before."""

from collections.abc import Sequence
from itertools import pairwise

MOST = 16
"""Spans to look through; where there are more, the narrowest gaps between them are bridged."""


def cover(spans: Sequence[tuple[int, int]], most: int = MOST) -> list[tuple[int, int]]:
    """At most ``most`` closed spans that hold all the given ones, leaving out the widest gaps."""
    ordered = sorted(spans)
    gaps = sorted(
        (later[0] - earlier[1], index) for index, (earlier, later) in enumerate(pairwise(ordered))
    )
    cuts = sorted(index for _, index in gaps[max(0, len(gaps) - most + 1):])
    bounds = [-1, *cuts, len(ordered) - 1]
    return [
        (ordered[before + 1][0], max(end for _, end in ordered[before + 1:last + 1]))
        for before, last in pairwise(bounds) if ordered
    ]
