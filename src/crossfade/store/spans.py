"""Few spans that cover many: where messages are looked for that may have come before."""

from collections.abc import Iterable

MOST = 16
"""Spans to look through, at the most."""

Span = tuple[int, int]


def cover(spans: Iterable[Span], most: int = MOST) -> list[Span]:
    """At most ``most`` closed spans, apart and in order, that hold all the given ones.

    The widest gaps are left out, each as long as that saves a ``most``-th of the way: to look through one wide span
    costs less than to look through many that leave out next to nothing.
    """
    joined = _joined(spans)
    if not joined:
        return []
    starts = [start for start, _ in joined[1:]]
    ends = [end for _, end in joined[:-1]]
    gaps = sorted(((start - end, end, start) for end, start in zip(ends, starts, strict=True)), reverse=True)
    left = joined[-1][1] - joined[0][0]
    cuts: list[Span] = []
    for width, end, start in gaps[:most - 1]:
        if width * most < left:
            break
        left -= width
        cuts.append((end, start))
    cuts.sort()
    return list(zip([joined[0][0], *(start for _, start in cuts)], [*(end for end, _ in cuts), joined[-1][1]],
                    strict=True))


def _joined(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, those that overlap made one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined
