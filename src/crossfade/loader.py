"""Moves sealed segments from the journal to the event store, each exactly once, and tells those who follow.

One thread. It seals the journal's open segment a few times a second, so that an acknowledged event is visible within
a second, and uses quiet moments for upkeep: checkpoints, compression of loaded segments, retention.
"""

import threading
import time
from collections.abc import Callable

import structlog

from crossfade.archive import Archive
from crossfade.core.clock import DAY, Clock
from crossfade.journal import Journal, Segment
from crossfade.store.port import EventStore, Loaded, StoreBusy

log = structlog.get_logger(__name__)

PERIOD = 0.2
"""Seconds between two looks at the journal."""
QUIET = 3.0
"""Seconds without an event after which upkeep may take its time."""
UPKEEP_EVERY = 30.0
"""Seconds after which upkeep is done even when it never gets quiet."""
HEARTBEAT = 5.0
"""Seconds after which followers are called even when nothing came."""
RETRY = 1.0
"""Seconds before a segment that the store could not take is tried again."""

Follower = Callable[[], None]
"""Called in the loader's thread after events came in, or nothing happened for a while."""


class Loader:
    """Loads until it is closed; what it could not load stays in the journal and is loaded after the next start."""

    def __init__(self, journal: Journal, store: EventStore, archive: Archive, clock: Clock, *,
                 raw_keep_days: int | None = None) -> None:
        self._journal = journal
        self._store = store
        self._archive = archive
        self._clock = clock
        self._raw_keep = raw_keep_days
        self._followers: list[Follower] = []
        self._stop = threading.Event()
        self._busy_since = time.monotonic()
        self._kept_at = time.monotonic()
        self._told_at = float("-inf")
        self._forgot_at = 0
        self.trouble: str | None = None
        """Why the last segment could not be loaded, while that lasts."""
        self._thread = threading.Thread(target=self._run, name="loader", daemon=True)

    def follow(self, follower: Follower) -> None:
        """Has it called after every load. What it raises is logged: it must not stop the events."""
        self._followers.append(follower)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stops after the segment that is being loaded."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def as_of(self, now: int) -> int | None:
        """Up to when every acknowledged event is in the store: now, unless some wait. None when it is unknown."""
        oldest = self._journal.oldest_pending()
        return now if oldest is None else oldest or None

    def load_pending(self) -> int:
        """Loads what there is; gives the number of segments. Raises StoreBusy when the store cannot take one."""
        count = 0
        while (segment := self._journal.seal()) is not None and not self._stop.is_set():
            self._load(segment)
            count += 1
        return count

    def _load(self, segment: Segment) -> Loaded:
        loaded = self._store.load(segment.number, segment.path)
        self._journal.loaded(segment)
        if loaded.quarantined:
            log.error("loader: lines were quarantined",
                      segment=segment.number, lines=loaded.quarantined)
        return loaded

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                worked = self.load_pending() > 0
                self.trouble = None
            except StoreBusy as error:
                if self.trouble is None:
                    log.error("loader: the store takes no segment now", error=str(error))
                self.trouble = str(error)
                self._stop.wait(RETRY)
                continue
            now = time.monotonic()
            if worked:
                self._busy_since = now
            if worked or now - self._told_at >= HEARTBEAT:
                self._told_at = now
                self._tell()
            self._keep()
            self._stop.wait(PERIOD)

    def _tell(self) -> None:
        for follower in self._followers:
            try:
                follower()
            except Exception:
                log.exception("loader: a follower failed")

    def _keep(self) -> None:
        """Upkeep, when it is quiet or long overdue."""
        now = time.monotonic()
        quiet = now - self._busy_since >= QUIET
        if now - self._kept_at < (QUIET if quiet else UPKEEP_EVERY):
            return
        self._kept_at = now
        try:
            self._archive.pack(self._store.last_segment())
            self._archive.forget(self._clock.now())
            self._forget_raw()
            if quiet:
                self._store.rest()
        except Exception:
            log.exception("loader: upkeep failed")

    def _forget_raw(self) -> None:
        """Once a day, drops raw events that are older than they are to be kept."""
        now = self._clock.now()
        if self._raw_keep is not None and now - self._forgot_at >= DAY:
            self._forgot_at = now
            gone = self._store.forget(now - self._raw_keep * DAY)
            log.info("loader: forgot raw events", events=gone, older_than_days=self._raw_keep)
