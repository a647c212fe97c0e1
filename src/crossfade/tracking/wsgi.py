"""The layer that a WSGI application is put in to have its requests counted."""

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from types import TracebackType
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from crossfade.core.asgi import CLIENT_GONE, FAILED, Record, is_event_stream

from .core import Core
from .reporter import EVERY, Reporter

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class TrackedWSGI:
    """``TrackedWSGI(app, tracker, service="web")``: from then on the server's ``systemMetrics`` are the application's.

    A request lasts until the server closes its answer. A status of 500 or more is an error, and so is an application
    that raises; an answer that the server gives up half-way is none, as its client has left. A stream of events is
    not counted.
    """

    def __init__(self, app: WSGIApplication, tracker: Core, *, service: str = "", report_every: float = EVERY) -> None:
        """``service``: a name for this part of the application. ``report_every`` is in seconds.

        Raises ValueError for what cannot be meant.
        """
        self._app = app
        self._reporter = Reporter(tracker, service=service, every=report_every)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not self._reporter.running:
            self._reporter.start()
        exchange = Exchange(start_response, self._reporter.record)
        try:
            answer = self._app(environ, exchange.start_response)
        except BaseException:
            exchange.finish(FAILED)
            raise
        if _is_file(answer, environ):  # the server knows a quicker way for it, if it is left as it is
            exchange.finish(exchange.status or FAILED)
            return answer
        return _SizedAnswer(answer, exchange) if isinstance(answer, Sized) else _Answer(answer, exchange)

    def start(self) -> None:
        """Begins to report before the first request: for a server that tells when its worker is ready."""
        self._reporter.start()


class Exchange:
    """One request and its answer."""

    __slots__ = ("_began", "_done", "_record", "_start_response", "_timer", "status")

    def __init__(self, start_response: StartResponse, record: Record,
                 timer: Callable[[], float] = time.perf_counter) -> None:
        self._start_response = start_response
        self._record = record
        self._timer = timer
        self._done = False
        self.status: int | None = None
        """As the application has it so far."""
        self._began = timer()

    def start_response(self, status: str, headers: list[tuple[str, str]],
                       exc_info: ExcInfo | None = None) -> Callable[[bytes], object]:
        """The server's, listened to."""
        self.status = _code(status)
        self._done = is_event_stream(headers)
        if exc_info is None:
            return self._start_response(status, headers)
        return self._start_response(status, headers, exc_info)

    def finish(self, status: int) -> None:
        if not self._done:
            self._done = True
            self._record(status, self._timer() - self._began)


class _Answer:
    """The application's iterable, watched until its close()."""

    __slots__ = ("_answer", "_chunks", "_ended", "_exchange", "_failed")

    def __init__(self, answer: Iterable[bytes], exchange: Exchange) -> None:
        self._answer = answer
        self._exchange = exchange
        self._chunks: Iterator[bytes] | None = None
        self._ended = self._failed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            if self._chunks is None:
                self._chunks = iter(self._answer)
            return next(self._chunks)
        except StopIteration:
            self._ended = True
            raise
        except BaseException:
            self._failed = True
            raise

    def close(self) -> None:
        try:
            close = getattr(self._answer, "close", None)
            if close is not None:
                close()
        finally:
            self._exchange.finish(self._status())

    def _status(self) -> int:
        said = self._exchange.status
        if self._failed or (self._ended and said is None):
            return FAILED
        if said is None or (said < FAILED and not self._ended):
            return CLIENT_GONE
        return said


class _SizedAnswer(_Answer):
    """Servers make a content-length from an answer's size, so it has one if the application's has."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._answer)  # type: ignore[arg-type]


def _code(status: object) -> int:
    """The number in "404 Not Found". What is none is for the server to complain of."""
    text = status[:3] if isinstance(status, str) else ""
    return int(text) if len(text) == 3 and text.isdecimal() else FAILED


def _is_file(answer: object, environ: WSGIEnvironment) -> bool:
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(answer, wrapper)
