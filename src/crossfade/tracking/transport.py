"""Brings batches to a server: sends again what a busy or absent server did not take, and never gives up silently.

For whoever has the events and can wait: an import, a scan. A tracker's own way is ``delivery.py``.
"""

import time
from collections.abc import Callable, Sequence

import httpx

from .post import Post, Reply, Silence
from .verdict import Answer, answer_of, message_of

PAUSE = 0.25
"""Seconds before the first repetition; each further one waits twice as long, up to LONGEST_PAUSE."""
LONGEST_PAUSE = 5.0


class TransportError(Exception):
    """The events could not be delivered; the message says why. Those of earlier calls are safe."""


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
            self._post = Post(url, write_key, timeout=timeout)
            httpx.URL(url).host.encode("idna")  # as the look-up will, which does not say so well what is wrong
        except UnicodeError as error:
            raise TransportError(f"{url} is not an address: {error}") from None
        except ValueError as error:
            raise TransportError(str(error)) from None

    def __enter__(self) -> "Transport":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._post.close()

    def send(self, events: Sequence[bytes], *, call: str = "batch") -> Answer:
        """Delivers events, each a JSON text. Raises TransportError when that cannot be done."""
        body = b'{"batch":[' + b",".join(events) + b"]}"
        waited, pause, attempt = 0.0, PAUSE, 0
        while True:
            asked_at = time.monotonic()
            reply = self._post.send(body, call=call, attempt=attempt)
            waited += time.monotonic() - asked_at
            trouble = _passing(reply)
            if trouble is None and isinstance(reply, Reply):
                return self._final(reply)
            delay = max(reply.retry_after if isinstance(reply, Reply) else 0.0, pause)
            if waited + delay > self._patience:
                raise TransportError(f"{self._url}: {trouble}, for {waited:.0f} s")
            self._pause(delay)
            waited, pause, attempt = waited + delay, min(2 * pause, LONGEST_PAUSE), attempt + 1

    def _final(self, reply: Reply) -> Answer:
        """An answer that asking again would not change."""
        answer = answer_of(reply.body) if reply.status in {200, 400} else None  # 400: not one was accepted
        if answer is not None:
            return answer
        if reply.status == 200:
            raise TransportError(f"{self._url}: what answers there is no Crossfade server")
        if reply.status == 401:
            raise TransportError(f"{self._url}: the server does not know the write key")
        raise TransportError(f"{self._url}: the server answered {reply.status}: {message_of(reply.body)}")


def _passing(reply: Reply | Silence) -> str | None:
    """Why the same request may be taken a little later; None when it would not."""
    if isinstance(reply, Silence):
        return f"the server does not answer ({reply.trouble})"
    if reply.status == 429 or reply.status >= 500:
        return f"the server is busy ({reply.status} {message_of(reply.body)}".rstrip() + ")"
    return None
