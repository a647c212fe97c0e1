"""The server's own request log: counts, errors and latencies over a sliding window, in fixed memory."""

import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from threading import Lock

from msgspec import Struct

from crossfade.core.clock import Clock
from crossfade.core.latency import BUCKETS, bucket_of, quantile_ms

SLOTS = 60
CLIENT_GONE = 499
"""What is recorded where the client left before its answer: no error of ours."""
FAILED = 500

Message = MutableMapping[str, object]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
"""An ASGI application, in the words of the specification."""


class RequestSummary(Struct, frozen=True):
    """What the window holds. Quantiles are of the nearest rank, in milliseconds; None without a request."""

    requests: int
    errors: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    since: int
    """The first moment that is counted: the start of the window, or of the log if that is later."""


class _Slot:
    """One sixtieth of the window."""

    __slots__ = ("counts", "errors", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.errors = 0
        self.counts = [0] * BUCKETS


class RequestLog:
    """Requests of the last ``window_s`` seconds, to a sixtieth of it.

    One thread records; any thread may ask for the summary. A clock that is set back takes the window with it:
    what was recorded stays for as long as it would have stayed.
    """

    def __init__(self, window_s: float, clock: Clock) -> None:
        self._now = clock.now
        self._slot_us = max(1, round(window_s * 1_000_000 / SLOTS))
        self._offset = 0
        """Added to the clock: by how much it was set back so far."""
        self._started = clock.now()
        self._newest = _Slot(self._started // self._slot_us)
        self._slots = deque([self._newest], maxlen=SLOTS)
        self._turning = Lock()

    def record(self, status: int, seconds: float) -> None:
        """Count one request. It is an error of ours when the status is 500 or more."""
        now = self._now()
        slot = self._newest
        if (now + self._offset) // self._slot_us != slot.number:
            slot = self._turn(now)
        slot.counts[bucket_of(seconds)] += 1
        if status >= FAILED:
            slot.errors += 1

    def summary(self, now: int) -> RequestSummary:
        """What the window that ends now holds."""
        with self._turning:
            number = self._follow(now)
            first = number - SLOTS + 1
            slots = [slot for slot in self._slots if slot.number >= first]
            since = min(now, max(self._started, first * self._slot_us) - self._offset)
        # Errors are read before the counts, as they are written after them: never more errors than requests.
        errors = sum(slot.errors for slot in slots)
        counts = [sum(column) for column in zip(*(slot.counts for slot in slots), strict=True)]
        p50, p95, p99 = (quantile_ms(counts, share) for share in (0.5, 0.95, 0.99))
        return RequestSummary(sum(counts), errors, p50, p95, p99, since)

    def _turn(self, now: int) -> _Slot:
        with self._turning:
            number = self._follow(now)
            if number > self._newest.number:
                self._newest = _Slot(number)
                self._slots.append(self._newest)
            return self._newest

    def _follow(self, now: int) -> int:
        """The number of the slot that holds the moment: never one before the newest.

        One slot back is a caller whose moment is a little old; more is a clock that was set back.
        """
        number = (now + self._offset) // self._slot_us
        newest = self._newest.number
        if number < newest - 1:
            self._offset = newest * self._slot_us - now
        return max(number, newest)


class LoggedRequests:
    """ASGI: records each HTTP request of the application, from the call to the last byte of the answer.

    An answer that fails or stops half-way counts as a 500, one whose client has left as a 499. A stream of
    events is not recorded: how long it lasts is no latency.
    """

    def __init__(self, app: App, log: RequestLog, timer: Callable[[], float] = time.perf_counter) -> None:
        self._app = app
        self._log = log
        self._timer = timer

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send, self._log, self._timer)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            exchange.close()


class _Exchange:
    """One request and its answer."""

    __slots__ = ("_began", "_done", "_gone", "_log", "_receive", "_send", "_status", "_timer")

    def __init__(self, receive: Receive, send: Send, log: RequestLog, timer: Callable[[], float]) -> None:
        self._receive = receive
        self._send = send
        self._log = log
        self._timer = timer
        self._status = FAILED
        self._gone = False
        self._done = False
        self._began = timer()

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._gone = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start(message)
        try:
            await self._send(message)
        except OSError:  # how a server may tell that the client has left
            self._gone = True
            raise
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._finish(self._status)

    def close(self) -> None:
        """The application has returned or raised: an answer that is not finished by now never will be."""
        self._finish(CLIENT_GONE if self._gone else FAILED)

    def _start(self, message: Message) -> None:
        status = message["status"]
        if self._gone:
            self._status = CLIENT_GONE
        elif isinstance(status, int):
            self._status = status
        self._done = _is_stream(message)

    def _finish(self, status: int) -> None:
        if not self._done:
            self._done = True
            self._log.record(status, self._timer() - self._began)


def _is_stream(message: Message) -> bool:
    headers = message.get("headers", ())
    return isinstance(headers, list | tuple) and any(
        name.lower() == b"content-type" and value.lower().startswith(b"text/event-stream")
        for name, value in headers
    )
