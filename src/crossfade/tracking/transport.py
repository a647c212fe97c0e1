"""Brings batches to a server: sends again what a busy or absent server did not take, and never gives up silently."""

import gzip
import time
from collections.abc import Callable, Sequence

import httpx
import msgspec
from msgspec import Struct

from crossfade.core.event import Rejection

GZIP_FROM = 1_400
"""Bytes from which a body is compressed: smaller ones fit a packet."""
PAUSE = 0.25
"""Seconds before the first repetition; each further one waits twice as long, up to LONGEST_PAUSE."""
LONGEST_PAUSE = 5.0
MAX_ANSWER = 32 << 20
"""Bytes that an answer may have."""


class TransportError(Exception):
    """The events could not be delivered; the message says why. Those of earlier calls are safe."""


class Answer(Struct, frozen=True):
    """What the server made of a batch. The accepted events are on its disk."""

    accepted: int
    rejected: tuple[Rejection, ...] = ()


class _Reply(Struct, frozen=True):
    """What came back, whatever it means."""

    status: int
    body: bytes
    retry_after: float
    """Seconds, 0 when the server did not say."""


class Transport:
    """Sends to one server with one write key. Close it, or use it as a context."""

    def __init__(self, url: str, write_key: str, *, patience: float = 30.0, timeout: float = 30.0,
                 pause: Callable[[float], None] = time.sleep) -> None:
        """``patience``: seconds for which a busy or absent server is asked again; ``timeout``: seconds for which it
        may say nothing. Raises TransportError when the address is none.
        """
        self._patience = patience
        self._pause = pause
        self._url = url
        try:
            known = httpx.URL(url)
            known.host.encode("idna")  # as the look-up will, which does not say so well what is wrong
        except (httpx.InvalidURL, UnicodeError) as error:
            raise TransportError(f"{url} is not an address: {error}") from None
        if known.scheme not in {"http", "https"} or not known.host:
            raise TransportError(f"{url} is not an address: it must begin with http:// or https://")
        self._client = httpx.Client(base_url=known, auth=(write_key, ""), timeout=timeout, trust_env=False)

    def __enter__(self) -> "Transport":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def send(self, events: Sequence[bytes], *, call: str = "batch") -> Answer:
        """Delivers events, each a JSON text. Raises TransportError when that cannot be done."""
        body = b'{"batch":[' + b",".join(events) + b"]}"
        headers = {"Content-Type": "application/json"}
        if len(body) >= GZIP_FROM:
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        waited, pause = 0.0, PAUSE
        while True:
            asked_at = time.monotonic()
            reply = self._post(f"/v1/{call}", body, headers)
            waited += time.monotonic() - asked_at
            if isinstance(reply, _Reply):
                if not _is_passing(reply.status):
                    return self._final(reply)
                trouble = f"the server is busy ({reply.status} {_message(reply.body)}".rstrip() + ")"
                delay = max(reply.retry_after, pause)
            else:
                trouble = f"the server does not answer ({reply})"
                delay = pause
            if waited + delay > self._patience:
                raise TransportError(f"{self._url}: {trouble}, for {waited:.0f} s")
            self._pause(delay)
            waited, pause = waited + delay, min(2 * pause, LONGEST_PAUSE)

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> _Reply | str:
        """What came back, or why nothing did."""
        content = bytearray()
        try:
            with self._client.stream("POST", path, content=body, headers=headers) as response:
                for part in response.iter_bytes():
                    content += part
                    if len(content) > MAX_ANSWER:
                        raise TransportError(f"{self._url}: the answer has no end")
                return _Reply(response.status_code, bytes(content), _seconds(response.headers.get("Retry-After", "")))
        except httpx.RequestError as error:
            return str(error) or type(error).__name__

    def _final(self, reply: _Reply) -> Answer:
        """An answer that asking again would not change."""
        if reply.status in {200, 400}:  # 400 when not one of them was accepted
            try:
                return msgspec.json.decode(reply.body, type=Answer)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                pass
        if reply.status == 200:
            raise TransportError(f"{self._url}: what answers there is no Crossfade server")
        if reply.status == 401:
            raise TransportError(f"{self._url}: the server does not know the write key")
        raise TransportError(f"{self._url}: the server answered {reply.status}: {_message(reply.body)}")


class _Explained(Struct):
    message: str


def _is_passing(status: int) -> bool:
    """Whether the same request may be taken a little later."""
    return status == 429 or status >= 500


def _message(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Explained).message
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return body[:200].decode(errors="replace")


def _seconds(text: str) -> float:
    """Of a Retry-After; one that is a date is passed over."""
    return float(text) if text.isdecimal() else 0.0
