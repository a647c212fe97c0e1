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


class TransportError(Exception):
    """The events could not be delivered; the message says why. Those of earlier calls are safe."""


class Answer(Struct, frozen=True):
    """What the server made of a batch. The accepted events are on its disk."""

    accepted: int
    rejected: tuple[Rejection, ...] = ()


class Transport:
    """Sends to one server with one write key. Close it, or use it as a context."""

    def __init__(self, url: str, write_key: str, *, patience: float = 30.0, timeout: float = 30.0,
                 pause: Callable[[float], None] = time.sleep) -> None:
        """``patience``: seconds for which a busy or absent server is asked again."""
        self._patience = patience
        self._pause = pause
        self._url = url
        self._client = httpx.Client(base_url=url, auth=(write_key, ""), timeout=timeout, trust_env=False)

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
            response, trouble = self._post(f"/v1/{call}", body, headers)
            if response is not None and response.status_code == 200:
                return _answer(response)
            if response is not None and response.status_code not in {429, 503}:
                return self._refused(response)
            asked = _retry_after(response)
            delay = max(asked, pause) if asked is not None else pause
            if waited + delay > self._patience:
                raise TransportError(f"{self._url}: {trouble}, for {waited:.0f} s")
            self._pause(delay)
            waited, pause = waited + delay, min(2 * pause, LONGEST_PAUSE)

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[httpx.Response | None, str]:
        try:
            response = self._client.post(path, content=body, headers=headers)
        except httpx.TransportError as error:
            return None, f"the server does not answer ({str(error) or type(error).__name__})"
        return response, f"the server is busy ({response.status_code})"

    def _refused(self, response: httpx.Response) -> Answer:
        if response.status_code == 400:
            try:
                return msgspec.json.decode(response.content, type=Answer)
            except msgspec.MsgspecError:
                pass
        if response.status_code == 401:
            raise TransportError(f"{self._url}: the server does not know the write key")
        raise TransportError(f"{self._url}: the server answered {response.status_code}: {_message(response)}")


def _answer(response: httpx.Response) -> Answer:
    try:
        return msgspec.json.decode(response.content, type=Answer)
    except msgspec.MsgspecError:
        raise TransportError(f"{response.url.host}: what answers there is no Crossfade server") from None


class _Explained(Struct):
    message: str


def _message(response: httpx.Response) -> str:
    try:
        return msgspec.json.decode(response.content, type=_Explained).message
    except msgspec.MsgspecError:
        return response.text[:200]


def _retry_after(response: httpx.Response | None) -> float | None:
    try:
        return None if response is None else float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return None
