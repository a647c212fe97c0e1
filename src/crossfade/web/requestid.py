"""Each request has an id: its own, where it is well-formed, or a new one. It is in the answer and in the log."""

import re
import secrets
from collections.abc import Awaitable
from contextvars import ContextVar
from itertools import count

from structlog.contextvars import STRUCTLOG_KEY_PREFIX

from crossfade.core.asgi import Message, Send

HEADER = b"x-request-id"
_WELL_FORMED = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
_START = secrets.token_hex(6)
_NUMBERS = count(1)

# structlog merges variables of such names into what is logged; its own bind takes several times as long.
current: ContextVar[str | None] = ContextVar(f"{STRUCTLOG_KEY_PREFIX}request_id")
"""Set while a request is handled."""


def request_id() -> str | None:
    """The id of the request that is being handled; None outside of one."""
    return current.get(None)


def id_of(scope: Message) -> str:
    """What the client calls its request, unless that could not be put into an answer and a log without care.

    A new one counts up from the process's random start: ``1f0c5a9e77d2-1a``.
    """
    for name, value in scope["headers"]:  # type: ignore[attr-defined]
        if name == HEADER:
            if _WELL_FORMED.fullmatch(value):
                return str(value, "ascii")
            break
    return f"{_START}-{next(_NUMBERS):x}"


def naming(send: Send, told: str) -> Send:
    """Sends, and names the id in the answer's head."""
    def answer(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (HEADER, told.encode())]  # type: ignore[misc]
        return send(message)

    return answer
