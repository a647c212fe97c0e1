"""How a part that the server stands on is asked over HTTP. It is imported when a setting names such a part."""

import ssl
from base64 import b64encode
from functools import lru_cache

import httpx

from .probe import WORDS, Ask, Impaired, ProbeError, Words, in_words

_WORDS: Words = (
    *WORDS,
    (httpx.TimeoutException, "times out"),
    (httpx.ProtocolError, "gives no valid HTTP answer"),
)


def http(address: str) -> Ask:
    """Asks for the address once, over a connection of its own, and reads no more than the headers.

    A 2xx or 3xx is well, and a redirect is not followed. A 4xx is impaired: something answers, but not what
    was meant, or not to us. A 5xx is down. A user and password in the address are sent as Basic credentials.
    Raises ValueError if the address is none.
    """
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        raise ValueError("the address is none") from None
    if not url.host:
        raise ValueError("an http:// address needs a host")
    headers = {"user-agent": "crossfade-probe", "accept": "*/*"}
    if url.userinfo:
        pair = f"{url.username}:{url.password}".encode()
        headers["authorization"] = f"Basic {b64encode(pair).decode('ascii')}"
    bare = url.copy_with(userinfo=b"", fragment=None)
    trust = _trust()

    async def ask() -> str:
        try:
            status = await _status(httpx.Request("GET", bare, headers=headers), trust)
        except (httpx.HTTPError, OSError) as error:
            raise ProbeError(in_words(error, _WORDS)) from error
        if status >= 500:
            raise ProbeError(f"answers {status}")
        return Impaired(f"answers {status}") if status >= 400 else f"answers {status}"

    return ask


async def _status(request: httpx.Request, trust: ssl.SSLContext) -> int:
    # A transport, not a client: a client logs the address, and may ask a proxy in the target's place.
    async with httpx.AsyncHTTPTransport(verify=trust) as transport:
        response = await transport.handle_async_request(request)
        await response.aclose()
        return response.status_code


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """The authorities that are trusted: read once, as it takes a while."""
    return httpx.create_ssl_context()
