"""The server's own request log: counts, errors and latencies over a sliding window, in fixed memory."""

from collections import deque
from threading import Lock

from msgspec import Struct

from crossfade.core.asgi import FAILED
from crossfade.core.clock import Clock
from crossfade.core.latency import BUCKETS, bucket_of, quantile_ms

SLOTS = 60


class RequestSummary(Struct, frozen=True):
    """What the window holds. Quantiles are of the nearest rank, in milliseconds; None without a request."""

    requests: int
    errors: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    since: int
    """The first moment that is counted: the start of the window, or of the log if that is later."""


class _Slot:
    """One sixtieth of the window."""

    __slots__ = ("counts", "errors", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.errors = 0
        self.counts = [0] * BUCKETS


class RequestLog:
    """Requests of the last ``window_s`` seconds, to a sixtieth of it.

    One thread records; any thread may ask for the summary. A clock that is set back takes the window with it:
    what was recorded stays for as long as it would have stayed.
    """

    def __init__(self, window_s: float, clock: Clock) -> None:
        self._now = clock.now
        self._slot_us = max(1, round(window_s * 1_000_000 / SLOTS))
        self._offset = 0
        """Added to the clock: by how much it was set back so far."""
        self._started = clock.now()
        self._newest = _Slot(self._started // self._slot_us)
        self._slots = deque([self._newest], maxlen=SLOTS)
        self._turning = Lock()

    def record(self, status: int, seconds: float) -> None:
        """Count one request. It is an error of ours when the status is 500 or more."""
        now = self._now()
        slot = self._newest
        if (now + self._offset) // self._slot_us != slot.number:
            slot = self._turn(now)
        slot.counts[bucket_of(seconds)] += 1
        if status >= FAILED:
            slot.errors += 1

    def summary(self, now: int) -> RequestSummary:
        """What the window that ends now holds."""
        with self._turning:
            number = self._follow(now)
            first = number - SLOTS + 1
            slots = [slot for slot in self._slots if slot.number >= first]
            since = min(now, max(self._started, first * self._slot_us) - self._offset)
        # Errors are read before the counts, as they are written after them: never more errors than requests.
        errors = sum(slot.errors for slot in slots)
        counts = [sum(column) for column in zip(*(slot.counts for slot in slots), strict=True)]
        p50, p95, p99 = (quantile_ms(counts, share) for share in (0.5, 0.95, 0.99))
        return RequestSummary(sum(counts), errors, p50, p95, p99, since)

    def slot(self) -> tuple[int, tuple[int, ...]]:
        """The part of the window that is being filled: its number, and how many requests are in each bucket so far."""
        slot = self._turn(self._now())
        return slot.number, tuple(slot.counts)

    def _turn(self, now: int) -> _Slot:
        with self._turning:
            number = self._follow(now)
            if number > self._newest.number:
                self._newest = _Slot(number)
                self._slots.append(self._newest)
            return self._newest

    def _follow(self, now: int) -> int:
        """The number of the slot that holds the moment: never one before the newest.

        One slot back is a caller whose moment is a little old; more is a clock that was set back.
        """
        number = (now + self._offset) // self._slot_us
        newest = self._newest.number
        if number < newest - 1:
            self._offset = newest * self._slot_us - now
        return max(number, newest)
