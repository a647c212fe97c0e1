"""How good is good enough: the guide's figures, unless somebody says otherwise."""

import math

from msgspec import Struct


class Thresholds(Struct, frozen=True, rename="camel"):
    """Per cent are from 0 to 100. A figure at its threshold is good; counts are bad above theirs."""

    quality: float = 95.0
    """Per cent that each of a component's dimensions should reach."""
    accuracy: float = 95.0
    """Per cent of the windows that should be proved to agree."""
    confidence: float = 0.95
    """With which that is proved."""
    proof: bool = True
    """Whether a component that was compared with nothing remains inconclusive."""
    fresh_s: float = 300.0
    """Seconds that the data may be old."""
    fallbacks_noted: int = 10
    """Fallbacks to the mock above which it is worth a word."""
    fallbacks: int = 50
    """Fallbacks to the mock above which it is a warning."""
    errors: int = 5
    """Failed calls of the real source."""
    error_rate: float = 1.0
    """Per cent of the real source's calls that may fail."""
    p95_ms: float = 250.0
    """Milliseconds, of the real source."""


    def __post_init__(self) -> None:
        """Raises ValueError for a threshold that nothing could be measured by."""
        for name in ("quality", "accuracy", "error_rate"):
            if not 0 <= getattr(self, name) <= 100:
                raise ValueError(f"the threshold {name} is per cent: from 0 to 100")
        for name in ("fresh_s", "fallbacks_noted", "fallbacks", "errors", "p95_ms"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"the threshold {name} is at least 0")
        if not 0 < self.confidence < 1:
            raise ValueError("the confidence lies between 0 and 1")


GUIDE = Thresholds()


class Window(Struct, frozen=True, rename="camel"):
    """The span that is looked at, half-open, in microseconds since the epoch."""

    since: int
    until: int


class Ledger(Struct, frozen=True, rename="camel"):
    """The trackers' account of their events, by sequence numbers."""

    sent: int
    stored: int
