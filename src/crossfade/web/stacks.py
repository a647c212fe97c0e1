"""What happened over time as stacked bars, and as the table beside them: what values came from, what agreed. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from crossfade.core.clock import MINUTE, iso
from crossfade.core.reading import Reason
from crossfade.core.tally import Tally

from .writing import moment

BARS = 48
WIDTH, HEIGHT = 240, 40
"""The field of a picture, top left is 0."""
SOURCES = ("real", "stale", "legacy", "mock", "unavailable")
"""What a viewer can have been given, from the best on."""
COMPARED = ("agrees", "differs")

Series = Iterable[tuple[int, int, Tally]]
"""Slots: start, length, and what became of the component in them."""
Counting = Callable[[Tally], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Slice:
    """One kind's part of a bar."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    """One bar as a line of the table."""

    at: str
    at_text: str
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stack:
    """Bars over a span; each is as high as the field, so that they show shares and not how many there were."""

    kinds: tuple[str, ...]
    slices: tuple[Slice, ...]
    lines: tuple[Line, ...]
    """The newest first; those with nothing are not there."""
    totals: tuple[tuple[str, int], ...]
    """Of the kinds that there were."""
    words: str


def stack(series: Series, kinds: Sequence[str], count: Counting, span: tuple[int, int], bars: int = BARS) -> Stack:
    """So many bars over the span ``[since, until)``. A slot counts where it begins."""
    since, until = span
    step = max(MINUTE, -(-(until - since) // bars))
    found: dict[int, Counter[str]] = {}
    for start, _, tally in series:
        place = (min(max(start, since), until - 1) - since) // step
        found.setdefault(place, Counter()).update(count(tally))
    places = {place: counts for place, counts in sorted(found.items()) if counts.total() > 0}
    whole = sum(places.values(), Counter[str]())
    width = WIDTH * step / max(1, until - since)
    slices = (each for place, counts in places.items() for each in _bar(place * width, width, counts, kinds))
    return Stack(
        tuple(kinds), tuple(slices),
        tuple(_line(since + place * step, counts, kinds) for place, counts in reversed(places.items())),
        tuple((kind, whole[kind]) for kind in kinds if whole[kind]), _words(whole, kinds),
    )


def served(tally: Tally) -> dict[str, int]:
    """How many readings were of each of ``SOURCES``."""
    found: Counter[str] = Counter()
    for told, count in tally.served.items():
        source, _, reason = told.partition("/")
        found["stale" if source == "real" and reason == Reason.STALE else source] += count
    return found


def compared(tally: Tally) -> dict[str, int]:
    """How many comparisons with a reference agreed, and how many did not."""
    agreeing = sum(each.agreeing for each in tally.compared.values())
    return {"agrees": agreeing, "differs": sum(each.compared for each in tally.compared.values()) - agreeing}


def _bar(x: float, width: float, counts: Counter[str], kinds: Sequence[str]) -> Iterable[Slice]:
    """From the bottom up. A kind that there was is seen, however seldom it was."""
    there = [kind for kind in kinds if counts[kind] > 0]
    least = min(3.0, HEIGHT / len(there))
    shares = {kind: max(least, HEIGHT * counts[kind] / counts.total()) for kind in there}
    scale, bottom = HEIGHT / sum(shares.values()), float(HEIGHT)
    for kind in there:
        bottom -= shares[kind] * scale
        yield Slice(kind, round(x, 2), round(bottom, 2), round(max(1.0, width - 0.6), 2),
                    round(shares[kind] * scale, 2))


def _line(start: int, counts: Counter[str], kinds: Sequence[str]) -> Line:
    return Line(iso(start), moment(iso(start)), tuple(counts[kind] for kind in kinds))


def _words(whole: Counter[str], kinds: Sequence[str]) -> str:
    total = whole.total()
    if not total:
        return "nothing"
    return ", ".join(f"{_share(whole[kind], total)} {kind}" for kind in kinds if whole[kind])


def _share(part: int, whole: int) -> str:
    """Never all or nothing unless it is."""
    share = 100 * part / whole
    if part < whole:
        share = min(99.9, share)
    return "< 0.1 %" if share < 0.1 else f"{share:.1f}".removesuffix(".0") + " %"
