"""Which id a request has, and where it is seen."""

import asyncio

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.asgi import Message
from crossfade.web.errors import unexpected
from crossfade.web.requestid import current, id_of, naming, request_id


def told(*values: bytes) -> str:
    return id_of({"headers": [(b"host", b"x"), *((b"x-request-id", value) for value in values)]})


@pytest.mark.parametrize("value", [b"a", b"1f0c5a9e77d2-1a", b"0af7651916cd43dd8448eb211c80319c", b"a.b_c:D-9",
                                   b"x" * 64])
def test_a_well_formed_id_is_kept(value: bytes) -> None:
    assert told(value) == value.decode()


@pytest.mark.parametrize("value", [b"", b"x" * 65, b"a b", b"a\n", b"a\r\nset-cookie: b", b'"', b"<b>", b"\xc3\xa9",
                                   b"{}"])
def test_any_other_is_replaced(value: bytes) -> None:
    made = told(value)
    assert made.encode() != value
    assert told(made.encode()) == made


@given(st.binary())
def test_whatever_comes_the_id_can_be_logged_and_answered(value: bytes) -> None:
    made = told(value)
    assert 0 < len(made) <= 64
    assert set(made) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-")


def test_the_first_of_several_counts_and_new_ones_differ() -> None:
    assert told(b"first", b"second") == "first"
    assert told(b"not well-formed", b"second") != "second"
    assert len({told() for _ in range(100)}) == 100


def test_the_answer_names_it_beside_its_own_headers() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def scene() -> None:
        named = naming(send, "mine")
        await named({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
        await named({"type": "http.response.body", "body": b"x"})
        await named({"type": "http.response.start", "status": 204})

    asyncio.run(scene())
    assert sent == [
        {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b"), (b"x-request-id", b"mine")]},
        {"type": "http.response.body", "body": b"x"},
        {"type": "http.response.start", "status": 204, "headers": [(b"x-request-id", b"mine")]},
    ]


def test_it_is_in_what_is_logged_and_in_an_error_of_ours() -> None:
    assert request_id() is None
    assert unexpected().fields()["detail"] == unexpected().message
    before = current.set("mine")
    try:
        assert structlog.contextvars.merge_contextvars(None, "info", {"event": "x"}) == {
            "event": "x", "request_id": "mine"}
        assert "mine" in unexpected().fields()["detail"]
    finally:
        current.reset(before)
    assert structlog.contextvars.merge_contextvars(None, "info", {}) == {}
