"""Counts of an application's requests since the last look, in fixed memory."""

from threading import RLock

from crossfade.core.asgi import FAILED
from crossfade.core.counts import Counts
from crossfade.core.latency import BUCKETS, bucket_of


class Recorder:
    """Any thread may record. A signal's handler may take the counts, whatever it interrupted."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """In a forked child: the counts are the parent's, and the lock may be held by a thread that is not here."""
        self._lock = RLock()
        self._counts = [0] * BUCKETS
        self._errors = 0

    def record(self, status: int, seconds: float) -> None:
        """Count one request. It is an error of the application when the status is 500 or more."""
        bucket = bucket_of(seconds)
        with self._lock:
            self._counts[bucket] += 1
            if status >= FAILED:
                self._errors += 1

    def take(self) -> Counts:
        """What was recorded since the last call."""
        with self._lock:
            counts, self._counts = self._counts, [0] * BUCKETS
            errors, self._errors = self._errors, 0
        return Counts({bucket: count for bucket, count in enumerate(counts) if count}, errors)

    def put_back(self, counts: Counts) -> None:
        """It could not be told: it counts towards the next interval."""
        with self._lock:
            for bucket, count in counts.buckets.items():
                self._counts[bucket] += count
            self._errors += counts.errors
