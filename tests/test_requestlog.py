"""The request log: counts, quantiles against exact ones, the sliding window, and the layer that fills it."""

import asyncio
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import HOUR, SECOND, ManualClock
from crossfade.core.latency import LONGEST, RELATIVE_ERROR, SHORTEST
from crossfade.requestlog import (
    App,
    LoggedRequests,
    Message,
    Receive,
    RequestLog,
    Send,
)

START = 1_700_000_000 * SECOND
LATENCY = st.floats(SHORTEST, LONGEST, exclude_max=True)


def filled(latencies: Sequence[float]) -> RequestLog:
    log = RequestLog(60, ManualClock(START))
    for latency in latencies:
        log.record(200, latency)
    return log


def exact_ms(latencies: Sequence[float], share: float) -> float:
    return sorted(latencies)[max(1, math.ceil(share * len(latencies))) - 1] * 1_000


@given(st.lists(LATENCY, min_size=1, max_size=200))
def test_quantiles_are_within_the_promised_error(latencies: list[float]) -> None:
    summary = filled(latencies).summary(START)
    for share, given_ms in ((0.5, summary.p50_ms), (0.95, summary.p95_ms), (0.99, summary.p99_ms)):
        assert given_ms == pytest.approx(exact_ms(latencies, share), rel=RELATIVE_ERROR + 1e-9)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_any_latency_at_all_lands_in_a_bucket(latency: float) -> None:
    summary = filled([latency]).summary(START)
    assert summary.requests == 1
    assert summary.p50_ms is not None
    slack = 1 + RELATIVE_ERROR
    assert SHORTEST * 1_000 <= summary.p50_ms <= LONGEST * 1_000 * slack


@pytest.mark.parametrize(("latency", "shown_ms"), [
    (-1.0, 0.01), (0.0, 0.01), (math.nan, 0.01), (100.0, 100_000.0), (1e9, 100_000.0), (math.inf, 100_000.0),
])
def test_latencies_off_the_scale_count_as_its_ends(latency: float, shown_ms: float) -> None:
    assert filled([latency]).summary(START).p50_ms == pytest.approx(shown_ms)


def test_an_empty_log_knows_no_latency() -> None:
    summary = RequestLog(60, ManualClock(START)).summary(START)
    assert (summary.requests, summary.errors) == (0, 0)
    assert (summary.p50_ms, summary.p95_ms, summary.p99_ms) == (None, None, None)
    assert summary.since == START


def test_only_a_status_of_500_or_more_is_an_error() -> None:
    log = RequestLog(60, ManualClock(START))
    for status in (200, 304, 404, 499, 500, 503, 599):
        log.record(status, 0.001)
    summary = log.summary(START)
    assert (summary.requests, summary.errors) == (7, 3)


def test_requests_slide_out_of_the_window() -> None:
    clock = ManualClock(START)
    log = RequestLog(60, clock)
    log.record(500, 1.0)
    clock.advance(59 * SECOND)
    log.record(200, 0.1)
    both = log.summary(clock.now())
    assert (both.requests, both.errors) == (2, 1)
    clock.advance(SECOND)
    one = log.summary(clock.now())
    assert (one.requests, one.errors) == (1, 0)
    assert one.since == START + SECOND
    clock.advance(HOUR)
    assert log.summary(clock.now()).requests == 0


@given(st.lists(st.integers(0, 20 * SECOND), max_size=60), st.integers(0, 90 * SECOND))
def test_the_window_holds_just_what_came_since_its_start(steps: list[int], wait: int) -> None:
    clock = ManualClock(START + 345_678)
    log = RequestLog(60, clock)
    moments = []
    for step in steps:
        clock.advance(step)
        log.record(200, 0.001)
        moments.append(clock.now())
    clock.advance(wait)
    summary = log.summary(clock.now())
    assert summary.requests == sum(moment >= summary.since for moment in moments)
    began = START + 345_678
    assert summary.since <= max(began, clock.now() - 59 * SECOND)
    assert summary.since >= max(began, clock.now() - 60 * SECOND)


def test_memory_stays_as_it_is() -> None:
    clock = ManualClock(START)
    log = RequestLog(60, clock)
    for _ in range(500):
        clock.advance(SECOND)
        log.record(200, 0.001)
    assert log.summary(clock.now()).requests == 60
    assert len(log._slots) == 60


def test_a_clock_that_is_set_back_takes_the_window_with_it() -> None:
    clock = ManualClock(START)
    log = RequestLog(60, clock)
    clock.advance(10 * SECOND)
    log.record(200, 0.001)
    clock.advance(-HOUR)
    log.record(200, 0.001)
    summary = log.summary(clock.now())
    assert summary.requests == 2
    assert summary.since <= clock.now()
    clock.advance(30 * SECOND)
    assert log.summary(clock.now()).requests == 2
    clock.advance(31 * SECOND)
    log.record(200, 0.001)
    assert log.summary(clock.now()).requests == 1


def test_an_idle_log_forgets_even_if_the_clock_was_set_back() -> None:
    clock = ManualClock(START)
    log = RequestLog(60, clock)
    log.record(200, 0.001)
    clock.advance(-HOUR)
    assert log.summary(clock.now()).requests == 1
    clock.advance(61 * SECOND)
    assert log.summary(clock.now()).requests == 0


def test_a_reader_with_an_older_moment_does_not_move_the_window() -> None:
    clock = ManualClock(START)
    log = RequestLog(60, clock)
    for _ in range(100):
        clock.advance(SECOND)
        log.record(200, 0.001)
        log.summary(clock.now() - 1)
    summary = log.summary(clock.now())
    assert (summary.requests, summary.since) == (60, clock.now() - 59 * SECOND)


@given(st.lists(st.tuples(st.integers(-HOUR, HOUR), st.booleans()), max_size=60))
def test_no_clock_breaks_it(moves: list[tuple[int, bool]]) -> None:
    clock = ManualClock(START)
    log = RequestLog(60, clock)
    for recorded, (step, ask) in enumerate(moves, 1):
        clock.advance(step)
        if ask:
            log.summary(clock.now())
        log.record(500, 0.001)
        summary = log.summary(clock.now())
        assert 1 <= summary.requests <= recorded
        assert summary.errors == summary.requests
        assert summary.since <= clock.now()


def test_another_thread_may_ask_while_one_records() -> None:
    clock = ManualClock(START)
    log = RequestLog(60, clock)

    def record() -> None:
        for _ in range(20_000):
            clock.advance(2_000)  # forty slots in all
            log.record(500, 0.001)

    with ThreadPoolExecutor(1) as pool:
        recording = pool.submit(record)
        while not recording.done():
            summary = log.summary(clock.now())
            assert summary.errors <= summary.requests
    recording.result()
    summary = log.summary(clock.now())
    assert (summary.requests, summary.errors) == (20_000, 20_000)


# The ASGI layer.

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
        self.clock = ManualClock(START)
        self.log = RequestLog(60, self.clock)
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
        layer = LoggedRequests(app, self.log, self.timer)
        asyncio.run(layer({"type": scope_type}, self._receive, self._send))

    def figures(self) -> tuple[int, int]:
        summary = self.log.summary(START)
        return summary.requests, summary.errors


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
    summary = exchange.log.summary(START)
    assert (summary.requests, summary.errors) == (1, 0)
    assert summary.p50_ms == pytest.approx(300, rel=RELATIVE_ERROR)
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
    assert exchange.figures() == (1, 1)


def test_an_exception_before_the_answer_is_an_error_and_goes_on() -> None:
    exchange = Exchange()

    async def app(_scope: Message, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        exchange.run(app)
    assert exchange.figures() == (1, 1)


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
    assert exchange.figures() == (1, 1)


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
    assert exchange.figures() == (1, 0)


def test_a_send_that_fails_as_the_client_has_left_is_no_error() -> None:
    exchange = Exchange(broken=True)

    async def app(_scope: Message, _receive: Receive, send: Send) -> None:
        await send(start(200))

    with pytest.raises(BrokenPipeError):
        exchange.run(app)
    assert exchange.figures() == (1, 0)


def test_a_disconnect_that_is_heard_after_the_start_leaves_the_status() -> None:
    exchange = Exchange("http.disconnect")

    async def app(_scope: Message, receive: Receive, send: Send) -> None:
        await send(start(500))
        await receive()
        await send(body())

    exchange.run(app)
    assert exchange.figures() == (1, 1)


@pytest.mark.parametrize("content_type", [b"text/event-stream", b"Text/Event-Stream; charset=utf-8"])
def test_a_stream_of_events_is_not_recorded(content_type: bytes) -> None:
    exchange = Exchange()

    async def app(_scope: Message, _receive: Receive, send: Send) -> None:
        await send(start(200, content_type))
        await send(body(more=True))
        await send(body())

    exchange.run(app)
    assert exchange.figures() == (0, 0)
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
    assert exchange.figures() == (0, 0)
