"""How long to wait before the next attempt."""

from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom

MAX_RETRY_AFTER = 3600.0
"""Seconds that a server may ask for."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Full jitter: anything up to a bound that doubles with each failure, so that many clients never come at once."""

    first: float = 0.5
    """Seconds that the first pause may last."""
    longest: float = 30.0
    """Seconds that any pause may last."""
    draw: Callable[[float, float], float] = SystemRandom().uniform  # without a state that a forked child would share

    def pause(self, failures: int, retry_after: float = 0.0) -> float:
        """Seconds to wait after so many failures in a row. Never less than the server asked for, within reason."""
        doubled = self.first * 2.0 ** min(failures - 1, 32)
        return min(retry_after, MAX_RETRY_AFTER) + self.draw(0.0, min(self.longest, doubled))
