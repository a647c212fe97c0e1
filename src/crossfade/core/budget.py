"""A share of one core, for work that must not be in anybody's way."""

from collections.abc import Callable

LEAST_REST = 0.01
"""Seconds; shorter rests are saved up."""


class Budget:
    """After each piece of work its thread rests, for as long as keeps it to the share."""

    def __init__(self, spent: Callable[[], float], rest: Callable[[float], None], share: float = 1.0) -> None:
        """``spent`` tells the processor time that the thread has used, in seconds; ``rest`` waits for some."""
        self._spent = spent
        self._rest = rest
        self._at: float | None = None
        self._owed = 0.0
        self.share = share

    def pace(self) -> None:
        """Call it often, from the thread that works. What ``rest`` raises ends the work."""
        if self._at is not None:
            self._owed += (self._spent() - self._at) * (1 / self.share - 1)
        rest, self._owed = (self._owed, 0.0) if self._owed >= LEAST_REST else (0.0, self._owed)
        self._rest(rest)
        self._at = self._spent()
