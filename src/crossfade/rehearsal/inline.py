"""Does at once what would be left to a thread: in a rehearsal nothing runs beside it, and a hand-over costs most."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Inline(ThreadPoolExecutor):
    """An executor without threads, for an event loop that has nothing else to do."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        done: Future[T] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  as a thread does: whoever waits for it gets it
            done.set_exception(error)
        return done
