"""Exact bounds of a share that was seen k times of n.

Clopper and Pearson, Biometrika 26 (1934): the lower bound is the smallest share under which seeing k or more has a
chance of 5 %; so it holds whatever the share is, and not only for many trials. One-sided: the question is how bad it
may be, or how good, never both.
"""

import math
from functools import lru_cache

CONFIDENCE = 0.95
_PATIENCE = 1_000_000
"""More further trials than this nobody waits for."""
_MOST = 10**9
"""More trials than this are taken for as many, with the share rounded down: that proves no more than they do."""
_TINY = 1e-300


@lru_cache(maxsize=4_096)
def lower_bound(k: int, n: int, confidence: float = CONFIDENCE) -> float:
    """The least share that k of n successes prove, from 0 to 1; 0 without a trial.

    Raises ValueError unless 0 ≤ k ≤ n and 0 < confidence < 1.
    """
    _refuse_nonsense(k, n, confidence)
    if k == 0:
        return 0.0
    if k == n:
        return math.exp(math.log1p(-confidence) / n)
    if n > _MOST:
        k, n = k * _MOST // n, _MOST
    return _quantile(k, n - k + 1, 1 - confidence) if k else 0.0


def upper_bound(k: int, n: int, confidence: float = CONFIDENCE) -> float:
    """The largest share that k of n successes leave possible, from 0 to 1; 1 without a trial. Raises ValueError."""
    _refuse_nonsense(k, n, confidence)
    # In n trials of which k succeed n - k fail: the same question from the other end.
    return 1.0 - lower_bound(n - k, n, confidence)


@lru_cache(maxsize=1_024)
def needed(k: int, n: int, share: float, confidence: float = CONFIDENCE) -> int | None:
    """How many further successes, without a failure, prove the share (0 to 1); 0 if k of n do already.

    None if a million would not do. Raises ValueError as ``lower_bound``.
    """
    if lower_bound(k, n, confidence) >= share:
        return 0
    # Before so many even the share that was seen is too small.
    few = max(0, math.floor((share * n - k) / (1 - share))) if share < 1 else _PATIENCE
    step = 1
    while few + step <= _PATIENCE and lower_bound(k + few + step, n + few + step, confidence) < share:
        few, step = few + step, 2 * step
    many = few + step
    if many > _PATIENCE:
        return None
    while many - few > 1:
        middle = (few + many) // 2
        if lower_bound(k + middle, n + middle, confidence) < share:
            few = middle
        else:
            many = middle
    return many


def _refuse_nonsense(k: int, n: int, confidence: float) -> None:
    if not 0 <= k <= n or not 0 < confidence < 1:
        raise ValueError(f"there are no bounds of {k} in {n} at a confidence of {confidence}")


def _quantile(a: int, b: int, alpha: float) -> float:
    """The x at which the regularised incomplete beta function of a and b is alpha.

    Newton's steps on its logarithm, kept within a bracket that every step narrows.
    """
    low, high = 0.0, 1.0
    x = a / (a + b)
    for _ in range(200):
        value = _beta_share(a, b, x)
        low, high = (x, high) if value < alpha else (low, x)
        slope = math.exp(_log_density(a, b, x))
        step = (math.log(max(value, _TINY)) - math.log(alpha)) * value / slope if value > 0 and slope > 0 else math.inf
        last, x = x, x - step
        if not low < x < high:
            x = (low + high) / 2
        if abs(x - last) <= 1e-15 * x or high - low <= 4e-16 * high:
            break
    return x


def _log_density(a: int, b: int, x: float) -> float:
    """The logarithm of the beta distribution's density."""
    return (math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
            + (a - 1) * math.log(x) + (b - 1) * math.log1p(-x))


def _beta_share(a: int, b: int, x: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (DLMF 8.17.22) from the quicker end."""
    front = math.exp(_log_density(a, b, x)) * x * (1 - x)
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1.0 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: int, b: int, x: float) -> float:
    """The continued fraction, by Lentz's method; it takes about the square root of a + b rounds."""
    c, d = 1.0, 1.0 / _off_zero(1.0 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 10_000_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1.0 / _off_zero(1.0 + even * d)
        c = _off_zero(1.0 + even / c)
        value *= c * d
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1.0 / _off_zero(1.0 + odd * d)
        c = _off_zero(1.0 + odd / c)
        value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return value


def _off_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
