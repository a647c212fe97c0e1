"""Packs loaded segments beside the loader: it may wait for the disk as long as it must, and no event with it."""

from collections.abc import Callable

from crossfade.archive import Archive
from crossfade.core.clock import Clock
from crossfade.worker import Worker


class Packer(Worker):
    """Whenever it is woken. What is left when it ends, or fails, is packed the next time."""

    def __init__(self, archive: Archive, last_segment: Callable[[], int], clock: Clock) -> None:
        """``last_segment``: through which one the store has them; it may raise."""
        super().__init__("packer", lambda: archive.pack(last_segment(), ended=self.ended),
                         lambda: archive.forget(clock.now()))
