"""Work that is done in a thread of its own whenever it is woken: who wakes it does not wait for it."""

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)


class Worker:
    """Takes its steps in their order. One that fails is logged, keeps no other from its turn, and has the next one."""

    def __init__(self, name: str, *steps: Callable[[], object]) -> None:
        self._name = name
        self.steps = list(steps)
        self._due = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Has the steps taken before long: once more, if they are being taken now."""
        self._due.set()

    def ended(self) -> bool:
        """Whether it is to end: a long step looks now and then."""
        return self._ended.is_set()

    def close(self) -> None:
        """Ends it after the step that is being taken."""
        self._ended.set()
        self._due.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while self._due.wait() and not self.ended():
            self._due.clear()
            for step in self.steps:
                if not self.ended():
                    self._take(step)

    def _take(self, step: Callable[[], object]) -> None:
        try:
            step()
        except Exception:
            log.exception("worker: a step failed", worker=self._name)
