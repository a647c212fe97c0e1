"""An application of its own that tracks events, and notes in a file how many calls have returned.

The note is a mapped page: it outlives SIGKILL as what write() took does.
"""

import mmap
import os
import sys
import time
from pathlib import Path

from crossfade.tracking import Backoff, Tracker

QUICK = Backoff(0.02, 0.2)


class Note:
    """Counts, by name of the process."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            # In one store: struct.pack_into() clears the bytes first, and SIGKILL may come between.
            self._page = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")

    def set(self, count: int) -> None:
        self._page[0] = count


def track(tracker: Tracker, notes: Path, name: str, count: int) -> None:
    """Events numbered from 1, each noted as soon as its call has returned."""
    note = Note(notes / name)
    for number in range(1, count + 1):
        tracker.track("file_processed", "user-1", {"run": name, "n": number})
        note.set(number)


def endless(tracker: Tracker, notes: Path) -> None:
    track(tracker, notes, f"run-{os.getpid()}-{time.time_ns()}", 1 << 60)


def fork_after(tracker: Tracker, notes: Path) -> None:
    """A fork in the midst of it: both go on."""
    track(tracker, notes, "before", 250)
    child = os.fork()
    if child == 0:
        track(tracker, notes, "child", 350)
        os._exit(0 if tracker.shutdown(30).done else 1)
    track(tracker, notes, "parent", 450)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert tracker.shutdown(30).done


def preload(tracker: Tracker, notes: Path) -> None:
    """A master that makes the tracker and workers that use it, as gunicorn's preloading has it."""
    children = []
    for worker in range(3):
        child = os.fork()
        if child == 0:
            track(tracker, notes, f"worker-{worker}", 300)
            if worker == 2:
                os._exit(0)  # no goodbye: another has to deliver it
            sys.exit(0)  # the exit delivers
        children.append(child)
    for child in children:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert tracker.flush(30).done


def leave(tracker: Tracker, notes: Path) -> None:
    """Neither flush nor shutdown: the interpreter's exit delivers."""
    track(tracker, notes, "leaving", 1000)


def main() -> None:
    course, url, key, spool, notes, *more = sys.argv[1:]
    options: dict[str, float] = {name: float(value) for name, _, value in (one.partition("=") for one in more)}
    tracker = Tracker(url, key, spool=spool or None, backoff=QUICK, **options)
    globals()[course](tracker, Path(notes))


if __name__ == "__main__":
    main()
