"""What the mocks share: made-up numbers that are the same for the same seed, component and minute."""

import math
import random

from crossfade.core.clock import DAY, HOUR, MINUTE

_PEAK = 15 * HOUR


def rng(seed: int, component: str, now: int) -> random.Random:
    """The dice of one component in one minute."""
    return random.Random(f"{seed}/{component}/{now // MINUTE}")  # noqa: S311 - a mock is no secret


def daily(now: int, low: float, high: float) -> float:
    """A day's curve: the low at three in the night, the high at three in the afternoon, UTC.

    It moves by minutes, as the dice do.
    """
    angle = 2 * math.pi * ((now // MINUTE * MINUTE - _PEAK) % DAY) / DAY
    return low + (high - low) * (1 + math.cos(angle)) / 2


def around(dice: random.Random, value: float, spread: float) -> float:
    """The value, give or take a share of it: ``spread`` 0.05 is five per cent."""
    return value * (1 + dice.uniform(-spread, spread))
