"""Packs loaded segments in a thread of its own: it may wait for the disk as long as it must, and no event with it."""

import threading
from collections.abc import Callable

import structlog

from crossfade.archive import Archive
from crossfade.core.clock import Clock

log = structlog.get_logger(__name__)


class Packer:
    """Does its work whenever it is woken. What fails is tried again the next time."""

    def __init__(self, archive: Archive, last_segment: Callable[[], int], clock: Clock) -> None:
        """``last_segment``: through which one the store has them; it may raise."""
        self._archive = archive
        self._last_segment = last_segment
        self._clock = clock
        self._due = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="packer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Has what is loaded by now packed, and old packs forgotten, before long."""
        self._due.set()

    def close(self) -> None:
        """Ends it after the pack that is being written; what is left is packed after the next start."""
        self._ended.set()
        self._due.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while self._due.wait() and not self._ended.is_set():
            self._due.clear()
            self._try(self._pack)
            self._try(self._forget)

    def _pack(self) -> None:
        self._archive.pack(self._last_segment(), ended=self._ended.is_set)

    def _forget(self) -> None:
        self._archive.forget(self._clock.now())

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception:
            log.exception("packer: the journal cannot be tidied up now")
