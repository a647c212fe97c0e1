"""``POST /v1/…``: the Segment spec's calls, as a bare ASGI application, since most requests come here.

The answers are those that unmodified clients need: exactly 200 for success, given when the events are on disk; 400
and 413 for what will never be taken; 429 and 503 with Retry-After for what should be sent again.
"""

import asyncio
import base64
import binascii
from collections.abc import Mapping
from concurrent.futures import Future
from typing import cast

import msgspec
import structlog

from crossfade.core.asgi import JSON, Message, Receive, Send, answer, encoded
from crossfade.core.envelope import Malformed
from crossfade.ingest import BATCH_CALLS, SINGLE_CALLS, Ingest, Taken, TooLarge
from crossfade.journal import JournalFailed, JournalFull
from crossfade.keys import Verifier

from .errors import HTTPError, unexpected

PREFIX = "/v1/"
CALLS = BATCH_CALLS | SINGLE_CALLS
MAX_DIGITS = 15
"""Digits of a content-length that is not absurd."""

log = structlog.get_logger(__name__)


class Events:
    """Takes the calls for one write key."""

    def __init__(self, ingest: Ingest, writer: Verifier, source: int, *, max_body: int, max_in_flight: int) -> None:
        """``max_in_flight``: bytes of bodies that may be held at a time, of all requests together."""
        self._ingest = ingest
        self._writer = writer
        self._source = source
        self._max_body = max_body
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._synced: tuple[Future[None], asyncio.Event] | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            status, body, more = 200, await self._answer(scope, receive), {}
        except HTTPError as error:
            status, body, more = error.status, error.body(), error.headers()
        except Exception:
            log.exception("events: a request failed", path=scope["path"])
            failure = unexpected()
            status, body, more = failure.status, failure.body(), failure.headers()
        await answer(send, status, [JSON, *encoded(more.items())], body)

    async def _answer(self, scope: Message, receive: Receive) -> bytes:
        call = str(scope["path"])[len(PREFIX):].strip("/")
        if call not in CALLS:
            known = ", ".join(sorted(CALLS))
            raise HTTPError(404, "not_found", f"there is no call /v1/{call[:40]}; there are: {known}")
        if scope["method"] != "POST":
            raise HTTPError(405, "method_not_allowed", "events are sent by POST", headers={"Allow": "POST"})
        headers = dict(scope["headers"])  # type: ignore[call-overload]
        self._authenticate(headers)
        chunks: list[bytes] = []
        try:
            await self._read(headers, receive, chunks)
            return _accepted(await self._take(call, b"".join(chunks), headers))
        finally:
            self._in_flight -= sum(map(len, chunks))

    def _authenticate(self, headers: Mapping[bytes, bytes]) -> None:
        scheme, _, encoded = headers.get(b"authorization", b"").partition(b" ")
        try:
            key = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            key = ""
        if scheme.lower() != b"basic" or not self._writer.matches(key):
            raise HTTPError(401, "unauthorized", "send the write key by Basic auth, as the user, with no password",
                            headers={"WWW-Authenticate": 'Basic realm="write key"'})

    async def _read(self, headers: Mapping[bytes, bytes], receive: Receive, chunks: list[bytes]) -> None:
        """Reads the whole body. What is held of it counts from the first chunk: a slow sender holds memory too."""
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit():
            raise HTTPError(400, "malformed", "the content-length is not a number")
        if len(declared) > MAX_DIGITS or int(declared) > self._max_body:
            raise _too_large(self._max_body)
        if self._in_flight + int(declared) > self._max_in_flight:
            raise _later("too many requests are being read")
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise HTTPError(400, "cut_short", "the request ended before its body did")
            chunk, more = cast("bytes", message.get("body", b"")), bool(message.get("more_body", False))
            size += len(chunk)
            if size > self._max_body:
                raise _too_large(self._max_body)
            if self._in_flight + len(chunk) > self._max_in_flight:
                raise _later("too many requests are being read")
            chunks.append(chunk)
            self._in_flight += len(chunk)

    async def _take(self, call: str, body: bytes, headers: Mapping[bytes, bytes]) -> Taken:
        encoding = headers.get(b"content-encoding", b"").lower()
        if encoding not in {b"", b"identity", b"gzip"}:
            raise HTTPError(415, "unknown_encoding", "a body is plain or gzip")
        try:
            plain = self._ingest.unpack(body) if encoding == b"gzip" else body
            taken = self._ingest.take(call, plain, self._source)
            if taken.on_disk is not None:
                await self._synced_to_disk(taken.on_disk)
        except Malformed as error:
            raise HTTPError(400, "malformed", str(error)) from None
        except TooLarge as error:
            raise HTTPError(413, "too_large", str(error)) from None
        except JournalFull as error:
            raise _later(str(error)) from None
        except JournalFailed as error:
            raise _later(str(error), code="not_stored", seconds=5) from None
        if taken.rejected and not taken.accepted:
            raise _Refused(taken)
        if taken.rejected:
            _note(taken, headers)
        return taken

    async def _synced_to_disk(self, future: "Future[None]") -> None:
        """Waits for the sync that many requests share: one call into the loop wakes them all.

        Each waits for itself, so that one who leaves takes nobody with him. Raises JournalFailed, each time anew: a
        shared exception would gather the tracebacks of all who raised it.
        """
        if self._synced is None or self._synced[0] is not future:
            loop, done = asyncio.get_running_loop(), asyncio.Event()
            future.add_done_callback(lambda _: loop.call_soon_threadsafe(done.set))
            self._synced = (future, done)
        if not future.done():
            await self._synced[1].wait()
        if (error := future.exception()) is not None:
            raise JournalFailed(str(error))


class _Refused(HTTPError):  # noqa: N818  it says what is wrong
    """Not one event of the request was taken: each is named with its reason."""

    def __init__(self, taken: Taken) -> None:
        first = taken.rejected[0]
        super().__init__(400, first.reason, first.detail)
        self._taken = taken

    def body(self) -> bytes:
        return msgspec.json.encode({**self.fields(), "accepted": 0, "rejected": self._taken.rejected})


def _accepted(taken: Taken) -> bytes:
    if taken.rejected:
        return msgspec.json.encode({"success": True, "accepted": taken.accepted, "rejected": taken.rejected})
    return b'{"success":true,"accepted":%d,"rejected":[]}' % taken.accepted


def _note(taken: Taken, headers: Mapping[bytes, bytes]) -> None:
    """Into the log: most clients do not read what a success says of the events that were rejected alone."""
    first = taken.rejected[0]
    log.warning("events: some were rejected", accepted=taken.accepted, rejected=len(taken.rejected),
                first=first.reason, detail=first.detail, message_id=first.message_id,
                client=headers.get(b"user-agent", b"")[:100].decode("latin-1"))


def _too_large(limit: int) -> HTTPError:
    return HTTPError(413, "too_large", f"a body may have {limit:,} bytes: send fewer events at a time")


def _later(message: str, code: str = "busy", seconds: int = 1) -> HTTPError:
    return HTTPError(503, code, message, "send it again later", headers={"Retry-After": str(seconds)})
