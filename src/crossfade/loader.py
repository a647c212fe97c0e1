"""Moves sealed segments from the journal to the event store, each exactly once, and tells those who follow.

One thread, and another for the followers: events do not wait for what those ask. It seals the journal's open segment
a few times a second, so that an acknowledged event is visible within a second, and uses quiet moments for upkeep:
checkpoints, retention, and having loaded segments packed. Where no moment is quiet, upkeep comes now and then all the
same.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import structlog

from crossfade.archive import PACK_BYTES
from crossfade.core.clock import DAY, SECOND, Clock
from crossfade.journal import Journal, Segment
from crossfade.store.port import EventStore, SegmentUnreadable
from crossfade.worker import Worker

log = structlog.get_logger(__name__)

PERIOD = 0.2
"""Seconds between two looks at the journal."""
GATHER = 0.5
"""Seconds for which an event may wait at the most, while so many come that a segment is worth filling."""
LULL = 0.1
"""Seconds without an event after which nothing more is waited for."""
MANY = 60_000
"""Events in a segment that make it so: about a row group of the store."""
QUIET = 3.0
"""Seconds without an event after which upkeep may take its time."""
UPKEEP_EVERY = 30.0
"""Seconds after which upkeep is done even when it never gets quiet."""
HEARTBEAT = 5.0
"""Seconds after which followers are called even when nothing came."""
BURST = 1.0
"""Seconds after which followers are called and upkeep has its turn, however much waits."""
RETRY = 1.0
"""Seconds before a segment that the store could not take is tried again."""
PATIENCE = 30
"""Tries after which a segment whose file cannot be read is set aside."""
ASIDE = ".aside"
ACCOUNT_DAYS = 30
"""Days for which a tracker that is done is shown by itself in the ledger."""

_T = TypeVar("_T")

Follower = Callable[[], None]
"""Called in the followers' thread after events came in, or nothing happened for a while."""


class Loader:
    """Loads until it is closed; what it could not load stays in the journal and is loaded after the next start."""

    def __init__(self, journal: Journal, store: EventStore, clock: Clock, *, pack: Callable[[], object],
                 raw_keep_days: int | None = None) -> None:
        """``pack`` is called when there are loaded segments to be packed, and should not keep this thread waiting."""
        self._journal = journal
        self._store = store
        self._pack = pack
        self._clock = clock
        self._raw_keep = raw_keep_days
        self._followers = Worker("followers")
        self._between: deque[Callable[[], None]] = deque()
        self._stop = threading.Event()
        self._busy_since = time.monotonic()
        self._kept_at = time.monotonic()
        self._told_at = float("-inf")
        self._tidied_at = 0
        self._unpacked = 0
        self._tries = 0
        self.trouble: str | None = None
        """Why the last segment could not be loaded, while that lasts."""
        self._thread = threading.Thread(target=self._run, name="loader", daemon=True)

    def follow(self, follower: Follower) -> None:
        """Has it called after events came in, one follower after the other; once for all that came while they were
        busy. What it raises is logged.
        """
        self._followers.steps.append(follower)

    def between(self, work: Callable[[], _T]) -> "Future[_T]":
        """Has something done to the store by the one thread that may, between two segments.

        What it raises, the future raises. A future that is still waiting when the loader stops is cancelled.
        """
        future: Future[_T] = Future()

        def do() -> None:
            if self._stop.is_set():
                future.cancel()
            elif future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except Exception as error:  # noqa: BLE001 - it is whoever waits that must know
                    future.set_exception(error)

        self._between.append(do)
        if self._stop.is_set():
            self._do_between()
        return future

    def start(self) -> None:
        self._followers.start()
        self._thread.start()

    def close(self) -> None:
        """Stops after the segment that is being loaded."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._followers.close()
        self._do_between()

    def as_of(self, now: int) -> int | None:
        """Up to when every acknowledged event is in the store: now, unless some wait. None when it is unknown.

        It may wait for the disk: not for the event loop.
        """
        oldest = self._journal.oldest_pending()
        if oldest is None:
            return now
        return min(oldest, now) or None

    def load_pending(self) -> int:
        """Loads all that waits; gives the number of segments. Raises StoreBusy when the store cannot take one."""
        count = 0
        while self._load_next():
            count += 1
        return count

    def _load_next(self) -> bool:
        """Loads the oldest segment that waits, or sets it aside; whether there was one."""
        segment = self._journal.seal()
        if segment is None or self._stop.is_set():
            return False
        try:
            quarantined = self._store.load(segment.number, segment.path).quarantined
        except SegmentUnreadable as error:
            self._tries += 1
            if self._tries < PATIENCE:
                raise
            self._set_aside(segment, str(error))
        else:
            if quarantined:
                log.error("loader: lines were quarantined", segment=segment.number, lines=quarantined)
        self._journal.loaded(segment)
        self._unpacked += segment.bytes
        self._tries = 0
        return True

    def _set_aside(self, segment: Segment, reason: str) -> None:
        """One file that cannot be read must not keep all later events waiting for ever.

        The file stays beside the journal. Mended, and named as the journal's last segment, it is loaded at a start.
        """
        log.critical("loader: a segment cannot be read and is set aside, its events are missing",
                     segment=segment.number, events=segment.events, error=reason)
        self._store.set_aside(segment.number, segment.events, reason)
        try:
            segment.path.rename(segment.path.with_suffix(ASIDE))
        except OSError as error:
            log.warning("loader: the file that was set aside keeps its name", error=str(error))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                worked = self._load_burst()
            except Exception as error:  # noqa: BLE001 - nothing may end this thread: all events go through it
                self._complain(error)
                self._stop.wait(RETRY)
                worked = False
            else:
                self.trouble = None
            self._do_between()
            self._follow_up(worked=worked)
            if not (worked and self._behind()):
                self._stop.wait(LULL if self._gathering() else PERIOD)

    def _load_burst(self) -> bool:
        """Loads until nothing old waits, for a second at the most; whether anything was loaded."""
        end = time.monotonic() + BURST
        if self._gathering():
            return False
        worked = self._load_next()
        while worked and self._behind() and time.monotonic() < end and self._load_next():
            pass
        return worked

    def _behind(self) -> bool:
        """Whether events wait for longer than a pause: else it is better to gather some more."""
        return self._waited() >= PERIOD * SECOND and not self._gathering()

    def _gathering(self) -> bool:
        """Whether a segment fills so fast that it is better loaded full: one event then costs much less."""
        return (self._journal.filling >= MANY and 0 <= self._waited() < GATHER * SECOND
                and self._clock.now() - self._journal.latest < LULL * SECOND)

    def _waited(self) -> int:
        """Microseconds for which the oldest event has waited that is not in the store; below 0 where the clock was
        set back.
        """
        now = self._clock.now()
        oldest = self._journal.oldest_pending()
        return 0 if oldest is None else now - oldest

    def _do_between(self) -> None:
        while True:
            try:
                do = self._between.popleft()
            except IndexError:
                return
            do()

    def _complain(self, error: Exception) -> None:
        if self.trouble is None:
            log.error("loader: a segment cannot be loaded now", exc_info=error)
        self.trouble = str(error) or type(error).__name__

    def _follow_up(self, *, worked: bool) -> None:
        """Calls the followers after events, and now and then without; and sees to upkeep."""
        now = time.monotonic()
        if worked:
            self._busy_since = now
        if worked or now - self._told_at >= HEARTBEAT:
            self._told_at = now
            self._followers.wake()
        self._keep()

    def _keep(self) -> None:
        """Upkeep when it is quiet or long overdue; packing also when a pack is full."""
        if self._unpacked >= PACK_BYTES:
            self._upkeep(self._have_packed)
        now = time.monotonic()
        quiet = now - self._busy_since >= QUIET
        if now - self._kept_at < (QUIET if quiet else UPKEEP_EVERY):
            return
        self._kept_at = now
        self._upkeep(self._store.rest, self._have_packed, self._daily)

    def _upkeep(self, *steps: Callable[[], object]) -> None:
        for step in steps:
            try:
                step()
            except Exception:
                log.exception("loader: upkeep failed")

    def _have_packed(self) -> None:
        self._unpacked = 0
        self._pack()

    def _daily(self) -> None:
        """Once a day, drops raw events that are older than they are to be kept, and closes trackers' accounts.

        Raw events are kept for a day longer than ingest takes events for, so that no retry finds its first try gone.
        """
        now = self._clock.now()
        if now - self._tidied_at < DAY:
            return
        self._store.settle(now - ACCOUNT_DAYS * DAY)
        if self._raw_keep is not None:
            gone = self._store.forget(now - (self._raw_keep + 1) * DAY)
            log.info("loader: forgot raw events", events=gone, older_than_days=self._raw_keep + 1)
        self._tidied_at = now
