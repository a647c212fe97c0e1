"""``POST /api/flags/ack`` with the write key, as a bare ASGI application: a hundred come at once after each rollback.

It is the route of the same name in a third of the time; whoever comes with another key, or none, gets that one.
"""

from typing import cast

import msgspec

from crossfade.core.asgi import JSON, NO_CONTENT, App, Message, Receive, Send, answer, encoded
from crossfade.followers import Followers, UnknownFollower
from crossfade.keys import Verifier

from .errors import HTTPError
from .following import Acknowledgement

PATH = "/api/flags/ack"
MAX_BODY = 1_000
"""Bytes of an acknowledgement."""

_DECODER = msgspec.json.Decoder(Acknowledgement)


class Acks:
    """Takes acknowledgements for one write key, and passes everything else on."""

    def __init__(self, followers: Followers, writer: Verifier, others: App) -> None:
        self._followers = followers
        self._writer = writer
        self._others = others

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])  # type: ignore[call-overload]
        scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
        if scope["method"] != "POST" or scheme != b"Bearer" or not self._writer.matches(key.decode("latin-1")):
            await self._others(scope, receive, send)
            return
        try:
            await self._take(receive)
        except HTTPError as error:
            await answer(send, error.status, [JSON, *encoded(error.headers().items())], error.body())
        else:
            await answer(send, NO_CONTENT, [], b"")

    async def _take(self, receive: Receive) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise HTTPError(400, "cut_short", "the request ended before its body did")
            body, more = body + cast("bytes", message.get("body", b"")), bool(message.get("more_body", False))
            if len(body) > MAX_BODY:
                raise HTTPError(413, "too_large", f"an acknowledgement may have {MAX_BODY:,} bytes")
        try:
            told = _DECODER.decode(body)
            self._followers.acknowledge(told.id, told.revision)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise HTTPError(400, "malformed", f"this is no acknowledgement: {error}") from None
        except UnknownFollower as error:
            raise HTTPError(404, "unknown_follower", str(error)) from None
