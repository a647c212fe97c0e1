"""One attempt to bring a batch to the server, with every wait bounded."""

import codecs
import gzip
import os
import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
from msgspec import Struct

GZIP_FROM = 1_400
"""Bytes from which a body is compressed: smaller ones fit a packet."""
MAX_ANSWER = 32 << 20
"""Bytes that an answer may have."""

_unforked = threading.Lock()
"""Half of httpx is imported when its first client is made; a child that is forked in the midst of an import never gets
the rest. So a fork waits for it, some milliseconds.
"""
os.register_at_fork(before=_unforked.acquire, after_in_parent=_unforked.release, after_in_child=_unforked.release)


class Reply(Struct, frozen=True):
    """What came back, whatever it means."""

    status: int
    body: bytes = b""
    retry_after: float = 0.0
    """Seconds, 0 when the server did not say."""


class Silence(Struct, frozen=True):
    """Nothing came back, or no end of it."""

    trouble: str


class Post:
    """Posts to one server with one write key. For one thread and one process."""

    def __init__(self, url: str, write_key: str, *, timeout: float) -> None:
        """``timeout``: seconds for which the server may say nothing; a whole answer may take twice as long. Raises
        ValueError when the address is none.
        """
        try:
            known = httpx.URL(url)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise ValueError(f"{url} is not an address: {error}") from None
        if known.scheme not in {"http", "https"} or not known.host:
            raise ValueError(f"{url} is not an address: it must begin with http:// or https://")
        self._url = known
        self._write_key = write_key
        self._timeout = timeout
        self._client: httpx.Client | None = None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def send(self, body: bytes, *, call: str = "batch", attempt: int = 0) -> Reply | Silence:
        """Posts a batch. ``attempt``: how often this was tried before."""
        headers = {"Content-Type": "application/json"}
        if attempt:
            headers["X-Retry-Count"] = str(attempt)
        if len(body) >= GZIP_FROM:
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        content = bytearray()
        end = time.monotonic() + 2 * self._timeout
        try:
            with self._open().stream("POST", f"/v1/{call}", content=body, headers=headers) as response:
                for part in response.iter_bytes():
                    content += part
                    if len(content) > MAX_ANSWER or time.monotonic() > end:
                        return Silence("the answer has no end")
                return Reply(response.status_code, bytes(content), seconds(response.headers.get("Retry-After", "")))
        except httpx.RequestError as error:
            return Silence(str(error) or type(error).__name__)

    def _open(self) -> httpx.Client:
        """Made by who uses it first: it takes a while, and belongs to one process."""
        if self._client is None:
            with _unforked:
                codecs.lookup("idna")  # as connecting will
                self._client = httpx.Client(base_url=self._url, auth=(self._write_key, ""), timeout=self._timeout,
                                            trust_env=False)
        return self._client


def seconds(retry_after: str, now: datetime | None = None) -> float:
    """What a Retry-After says, as seconds or as a date; 0 when it says neither."""
    if retry_after.isdecimal() and retry_after.isascii():
        return float(retry_after[:15])
    try:
        then = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - (now or datetime.now(UTC))).total_seconds())
