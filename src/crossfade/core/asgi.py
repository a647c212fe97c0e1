"""ASGI, in the words of its specification, and the layer that observes an application's requests.

The server observes its own requests by it, and ``crossfade.tracking`` those of the application that it is built into.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping

CLIENT_GONE = 499
"""What is recorded where the client left before its answer: no error of ours."""
FAILED = 500
NO_CONTENT = 204
JSON = (b"content-type", b"application/json")

Message = MutableMapping[str, object]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Record = Callable[[int, float], None]
"""Is told a request's status and how many seconds it took. Must not raise."""

_CHUNKS = frozenset({"http.response.body", "http.response.zerocopysend"})
_NAME_LENGTH = len("content-type")


class ObservedRequests:
    """Records each HTTP request of the application, from the call to the last byte of the answer.

    An answer that fails or stops half-way counts as a 500, one whose client has left as a 499. A stream of
    events is not recorded: how long it lasts is no latency.
    """

    def __init__(self, app: App, record: Record, timer: Callable[[], float] = time.perf_counter) -> None:
        self._app = app
        self._record = record
        self._timer = timer

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send, self._record, self._timer)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            exchange.close()


class _Exchange:
    """One request and its answer."""

    __slots__ = ("_began", "_done", "_gone", "_receive", "_record", "_send", "_status", "_timer")

    def __init__(self, receive: Receive, send: Send, record: Record, timer: Callable[[], float]) -> None:
        self._receive = receive
        self._send = send
        self._record = record
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
        kind = message.get("type")  # a message without one is for the server to complain of
        if kind == "http.response.start":
            self._start(message)
        try:
            await self._send(message)
        except OSError:  # how a server may tell that the client has left
            self._gone = True
            raise
        if (kind in _CHUNKS and not message.get("more_body", False)) or kind == "http.response.pathsend":
            self._finish(self._status)

    def close(self) -> None:
        """The application has returned or raised: an answer that is not finished by now never will be."""
        self._finish(CLIENT_GONE if self._gone else FAILED)

    def _start(self, message: Message) -> None:
        status = message.get("status")
        if self._gone:
            self._status = CLIENT_GONE
        elif isinstance(status, int):
            self._status = status
        self._done = is_event_stream(message.get("headers"))

    def _finish(self, status: int) -> None:
        if not self._done:
            self._done = True
            self._record(status, self._timer() - self._began)


def encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Headers as ASGI has them."""
    return [(name.lower().encode(), value.encode()) for name, value in headers]


async def answer(send: Send, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
    """Sends a whole answer, with its length; a 204 has none."""
    length = [] if status == NO_CONTENT else [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body", "body": body})


def is_event_stream(headers: object) -> bool:
    """Whether an answer's headers, pairs of bytes (ASGI) or text (WSGI), say that it is a stream of events.

    What is no header is for the server to complain of.
    """
    if not isinstance(headers, list | tuple):
        return False
    try:
        for name, value in headers:
            if len(name) == _NAME_LENGTH and _text(name).lower() == "content-type":
                return _text(value).lower().startswith("text/event-stream")
    except (TypeError, ValueError):
        return False
    return False


def _text(part: object) -> str:
    return part.decode("latin-1") if isinstance(part, bytes) else str(part)
