"""A real value beside its reference: the only ground on which accuracy is ever told."""

import math
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from .reading import Origin
from .value import is_number, short

Figure = int | float | None


class Reference(StrEnum):
    """What a real value is compared with. A mock is no reference, so there is none for it."""

    RECOUNT = "recount"
    """The raw events, counted again by another way."""
    SECOND_READER = "second_reader"
    """Another instrument that measures the same."""
    LEGACY = "legacy"
    """An existing system: agreement with it is consistency, not accuracy."""

    @property
    def words(self) -> str:
        return {"recount": "the recount", "second_reader": "the second reader"}.get(self, "the legacy system")


class Tolerance(Struct, frozen=True, rename="camel"):
    """How far from its reference a value may be: the larger of an absolute and a relative distance."""

    absolute: float = 0.0
    relative: float = 0.0
    """A share of the reference: 0.02 is two per cent."""


EXACT = Tolerance()


class Comparison(Struct, frozen=True, rename="camel"):
    """One value of one closed window, compared. Moments are microseconds since the epoch; windows are half-open."""

    component: str
    field: str
    start: int
    end: int
    real: Figure
    reference: Figure
    kind: Reference
    tolerance: Tolerance
    agrees: bool
    noise: float = 0.0
    """By how much the reference differed from itself."""
    at: int = 0
    """When it was compared."""

    @property
    def within_noise(self) -> bool:
        """Whether it agrees only because the reference itself is not steady."""
        return self.agrees and not _close(self.real, self.reference, self.tolerance, 0.0)

    @property
    def words(self) -> str:
        """What the reference says, beside the real value."""
        said = f"{self.kind.words} says {short(self.reference)}"
        return f"{said}, and differs from itself by {self.noise:g}" if self.noise else said


def reference_of(origin: Origin) -> Reference | None:
    """As what a source's values may be compared with real ones; None for a mock."""
    return Reference.LEGACY if origin is Origin.LEGACY else None


def compare(component: str, field: str, real: Figure, reference: Figure, kind: Reference, *, window: tuple[int, int],
            at: int, tolerance: Tolerance = EXACT, again: Figure = None) -> Comparison:
    """Whether a real value agrees with its reference.

    ``again`` is a legacy value read a second time: what lies within the difference of the two agrees, and says so.
    Two unknown values agree; an unknown beside a known one does not. Raises ValueError for a recount with a tolerance:
    what is counted twice must be the same.
    """
    if kind is Reference.RECOUNT and tolerance != EXACT:
        raise ValueError("a recount is compared exactly")
    noise = _noise(reference, again) if kind is Reference.LEGACY else 0.0
    return Comparison(component, field, window[0], window[1], real, reference, kind, tolerance,
                      _close(real, reference, tolerance, noise), noise, at)


def of_window(comparisons: Sequence[Comparison]) -> Comparison:
    """What stands for all fields of one window: one that does not agree, else the first.

    A window counts once: its fields come from the same events, so that they prove no more than one of them does.
    Raises ValueError for none at all.
    """
    if not comparisons:
        raise ValueError("there is nothing compared in this window")
    return next((comparison for comparison in comparisons if not comparison.agrees), comparisons[0])


def _close(real: Figure, reference: Figure, tolerance: Tolerance, noise: float) -> bool:
    if real is None or reference is None:
        return real is reference
    if not is_number(real) or not is_number(reference):
        return False
    if real == reference:
        return True
    try:
        allowed = max(tolerance.absolute, tolerance.relative * abs(float(reference)))
        return abs(real - reference) <= allowed + noise
    except OverflowError:  # a number that no float holds
        return False


def _noise(reference: Figure, again: Figure) -> float:
    if reference is None or again is None or not is_number(reference) or not is_number(again):
        return 0.0
    try:
        difference = float(abs(reference - again))
    except OverflowError:
        return 0.0
    return difference if math.isfinite(difference) else 0.0
