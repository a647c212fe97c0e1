"""One question to a part that the server stands on, and how it is asked over TCP; ``webprobe`` asks over HTTP.

A target's address may carry a secret, so no address, path or query appears in what a probe tells or logs.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

_USERINFO = re.compile(r"//\S*@")
_LONGEST_DETAIL = 200
_LONGEST_TEXT = 2_000

Words = tuple[tuple[type[BaseException], str], ...]
WORDS: Words = (
    (ssl.SSLCertVerificationError, "its certificate is not trusted"),
    (ssl.SSLError, "TLS fails"),
    (ConnectionRefusedError, "refuses the connection"),
    (ConnectionResetError, "resets the connection"),
    (BrokenPipeError, "resets the connection"),
    (socket.gaierror, "its name does not resolve"),
    (TimeoutError, "times out"),
)
"""What a kind of error means. The first that is found among an error and its causes tells."""

Ask = Callable[[], Awaitable[str]]
"""Answers in words if the part is well, with Impaired if it is not quite, and raises if it is down."""


class Impaired(str):
    """An answer that is there, but is not a good one."""

    __slots__ = ()


class ProbeError(Exception):
    """The part is down; the message says how that showed, without its address."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A part's name, as it is shown, and how to ask it."""

    name: str
    ask: Ask


def target(name: str, address: str) -> Probe:
    """The probe of an ``http://``, ``https://`` or ``tcp://host:port`` address.

    Raises ValueError, without the address, if it is none of these.
    """
    try:
        scheme = urlsplit(address).scheme
        if scheme == "tcp":
            return Probe(name, tcp(address))
        if scheme in {"http", "https"}:
            # Most servers probe nothing by HTTP, and its client takes longer to load than many other parts together.
            from .webprobe import http  # noqa: PLC0415

            return Probe(name, http(address))
    except ValueError:
        pass
    raise ValueError(f"target {name!r} is not an http://, https:// or tcp://host:port address")


def tcp(address: str) -> Ask:
    """Connects and hangs up. Raises ValueError if the host or the port is missing."""
    parts = urlsplit(address)
    host, port = parts.hostname, parts.port
    if not host or not port:
        raise ValueError("a tcp:// address needs a host and a port")

    async def ask() -> str:
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_connection(asyncio.Protocol, host, port)
        except OSError as error:
            raise ProbeError(in_words(error)) from error
        transport.abort()
        return "connects"

    return ask


def in_words(error: BaseException, words: Words = WORDS) -> str:
    """What went wrong, told by the errors' kinds: their texts may hold the address."""
    causes = list(_causes(error))
    told = (said for kind, said in words if any(isinstance(cause, kind) for cause in causes))
    return next(told, "cannot be reached")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it comes from."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [origin for origin in (cause.__cause__, cause.__context__) if origin is not None]
        if isinstance(cause, BaseExceptionGroup):
            waiting += cause.exceptions


def shown(text: str) -> str:
    """A probe's words fit to be shown: one short line, without the user and password of an address in it."""
    line = _USERINFO.sub("//…@", " ".join(text[:_LONGEST_TEXT].split()))
    return line if len(line) <= _LONGEST_DETAIL else line[:_LONGEST_DETAIL - 1] + "…"
