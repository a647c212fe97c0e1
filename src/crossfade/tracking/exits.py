"""The ends of a process, and its forks: every tracker is told, within a bound."""

import atexit
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Protocol

from .stats import FlushResult


class Tracked(Protocol):
    """What is told."""

    exit_timeout: float

    def say_last(self) -> None: ...
    def finish(self, timeout: float) -> FlushResult: ...
    def deliver(self, timeout: float) -> FlushResult: ...
    def begin_anew(self) -> None: ...


_known: "weakref.WeakSet[Tracked]" = weakref.WeakSet()
_started: set[Tracked] = set()
"""Kept alive until they are shut down, whatever the application forgets."""


def watch(tracker: Tracked) -> None:
    """From now on the tracker hears of forks, and SIGTERM is answered, unless the application does that itself."""
    _known.add(tracker)
    main = threading.current_thread() is threading.main_thread()
    if main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def keep(tracker: Tracked) -> None:
    """It has something to deliver when the process ends."""
    _started.add(tracker)


def release(tracker: Tracked) -> None:
    """It is shut down."""
    _started.discard(tracker)


def _tell(do: Callable[[Tracked, float], FlushResult]) -> None:
    """All share one bound: the longest of theirs."""
    for tracker in tuple(_known):
        tracker.say_last()  # which may be the first that it has to deliver
    trackers = tuple(_started)
    end = time.monotonic() + max((tracker.exit_timeout for tracker in trackers), default=0.0)
    for tracker in trackers:
        do(tracker, max(0.0, end - time.monotonic()))


def _on_sigterm(number: int, _: FrameType | None) -> None:
    """Only flushes, as other threads may still track; then the process ends as it would have without us."""
    signal.signal(number, signal.SIG_DFL)
    _tell(lambda tracker, timeout: tracker.deliver(timeout))
    os.kill(os.getpid(), number)


def _at_exit() -> None:
    _tell(lambda tracker, timeout: tracker.finish(timeout))


def _in_child() -> None:
    _started.clear()
    for tracker in tuple(_known):
        tracker.begin_anew()


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_in_child)
