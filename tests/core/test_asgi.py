"""The layer that observes an ASGI application's requests."""

import asyncio

import pytest

from crossfade.core.asgi import CLIENT_GONE, FAILED, App, Message, ObservedRequests, Receive, Send, is_event_stream


class Ticks:
    """A timer that moves when it is told to."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def start(status: int, content_type: bytes = b"application/json") -> Message:
    return {"type": "http.response.start", "status": status, "headers": [(b"content-type", content_type)]}


def body(*, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": b"x", "more_body": more}


class Exchange:
    """Runs one request through the layer and keeps what reached the server."""

    def __init__(self, *incoming: str, broken: bool = False) -> None:
        self.recorded: list[tuple[int, float]] = []
        self.timer = Ticks()
        self.sent: list[Message] = []
        self._incoming = list(incoming)
        self._broken = broken

    async def _receive(self) -> Message:
        return {"type": self._incoming.pop(0)}

    async def _send(self, message: Message) -> None:
        if self._broken:
            raise BrokenPipeError
        self.sent.append(message)

    def run(self, app: App, scope_type: str = "http") -> None:
        layer = ObservedRequests(app, lambda status, seconds: self.recorded.append((status, seconds)), self.timer)
        asyncio.run(layer({"type": scope_type}, self._receive, self._send))

    def statuses(self) -> list[int]:
        return [status for status, _ in self.recorded]


def test_the_latency_runs_to_the_last_byte_and_no_further() -> None:
    exchange = Exchange()

    async def app(_scope: Message, _receive: Receive, send: Send) -> None:
        exchange.timer.at = 0.1
        await send(start(200))
        await send(body(more=True))
        exchange.timer.at = 0.3
        await send(body())
        exchange.timer.at = 9.0

    exchange.run(app)
    assert exchange.recorded == [(200, 0.3)]
    assert [message["type"] for message in exchange.sent] == [
        "http.response.start", "http.response.body", "http.response.body",
    ]


def test_an_answer_of_500_is_an_error_and_is_counted_once() -> None:
    exchange = Exchange()

    async def app(_scope: Message, _receive: Receive, send: Send) -> None:
        await send(start(503))
        await send(body())
        raise RuntimeError("after the answer")

    with pytest.raises(RuntimeError, match="after the answer"):
        exchange.run(app)
    assert exchange.statuses() == [503]


def test_an_exception_before_the_answer_is_an_error_and_goes_on() -> None:
    exchange = Exchange()

    async def app(_scope: Message, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        exchange.run(app)
    assert exchange.statuses() == [FAILED]


@pytest.mark.parametrize("fails", [True, False])
def test_an_answer_that_stops_half_way_is_an_error(fails: bool) -> None:
    exchange = Exchange()

    async def app(_scope: Message, _receive: Receive, send: Send) -> None:
        await send(start(200))
        await send(body(more=True))
        if fails:
            raise RuntimeError("half-way")

    if fails:
        with pytest.raises(RuntimeError, match="half-way"):
            exchange.run(app)
    else:
        exchange.run(app)
    assert exchange.statuses() == [FAILED]


@pytest.mark.parametrize("status", [None, 200, 500])
def test_a_client_that_leaves_before_the_answer_is_no_error(status: int | None) -> None:
    exchange = Exchange("http.request", "http.disconnect")

    async def app(_scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        await receive()
        if status is None:
            raise RuntimeError("the client has left")
        await send(start(status))
        await send(body())

    if status is None:
        with pytest.raises(RuntimeError, match="has left"):
            exchange.run(app)
    else:
        exchange.run(app)
    assert exchange.statuses() == [CLIENT_GONE]


def test_a_send_that_fails_as_the_client_has_left_is_no_error() -> None:
    exchange = Exchange(broken=True)

    async def app(_scope: Message, _receive: Receive, send: Send) -> None:
        await send(start(200))

    with pytest.raises(BrokenPipeError):
        exchange.run(app)
    assert exchange.statuses() == [CLIENT_GONE]


def test_a_disconnect_that_is_heard_after_the_start_leaves_the_status() -> None:
    exchange = Exchange("http.disconnect")

    async def app(_scope: Message, receive: Receive, send: Send) -> None:
        await send(start(500))
        await receive()
        await send(body())

    exchange.run(app)
    assert exchange.statuses() == [500]


@pytest.mark.parametrize("content_type", [b"text/event-stream", b"Text/Event-Stream; charset=utf-8"])
def test_a_stream_of_events_is_not_recorded(content_type: bytes) -> None:
    exchange = Exchange()

    async def app(_scope: Message, _receive: Receive, send: Send) -> None:
        await send(start(200, content_type))
        await send(body(more=True))
        await send(body())

    exchange.run(app)
    assert exchange.statuses() == []
    assert len(exchange.sent) == 3


@pytest.mark.parametrize("scope_type", ["lifespan", "websocket"])
def test_other_scopes_pass_through(scope_type: str) -> None:
    exchange = Exchange()
    seen = []

    async def app(scope: Message, _receive: Receive, send: Send) -> None:
        seen.append(scope["type"])
        await send({"type": "anything"})

    exchange.run(app, scope_type)
    assert seen == [scope_type]
    assert exchange.sent == [{"type": "anything"}]
    assert exchange.statuses() == []


@pytest.mark.parametrize("last", [
    {"type": "http.response.pathsend", "path": "/x"},
    {"type": "http.response.zerocopysend", "file": 3},
    {"type": "http.response.zerocopysend", "file": 3, "more_body": False},
], ids=["path", "file", "the file's end"])
def test_an_answer_that_the_server_sends_from_a_file_is_finished_too(last: Message) -> None:
    exchange = Exchange()

    async def app(_scope: Message, _receive: Receive, send: Send) -> None:
        await send(start(200))
        await send(last)

    exchange.run(app)
    assert exchange.statuses() == [200]


@pytest.mark.parametrize("message", [
    {}, {"type": None}, {"type": "http.response.start"}, {"type": "http.response.start", "status": "200", "headers": 3},
    {"type": "http.response.start", "status": 200, "headers": [None, b"x", ()]},
    {"type": "http.response.start", "status": 200, "headers": [(b"content-type", None)]},
], ids=repr)
def test_a_message_that_is_none_goes_on_to_the_server(message: Message) -> None:
    exchange = Exchange()

    async def app(_scope: Message, _receive: Receive, send: Send) -> None:
        await send(message)

    exchange.run(app)
    assert exchange.sent == [message]
    assert exchange.statuses() == [FAILED]


@pytest.mark.parametrize(("headers", "streams"), [
    ([(b"Content-Type", b"Text/Event-Stream; charset=utf-8")], True),
    ([("X-Powered-By", "us"), ("content-type", "text/event-stream")], True),
    ([("content-type", "text/html"), ("x-content-ty", "text/event-stream")], False),
    (((b"content-type", b"text/event-stream"),), True),
    ([], False), (None, False), ("content-type", False),
])
def test_what_a_stream_of_events_looks_like(headers: object, streams: bool) -> None:
    assert is_event_stream(headers) is streams
