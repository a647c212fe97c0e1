"""Passwords: hashed with argon2id in threads, few at a time, since each takes 64 MiB and a core for 0.1 s."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from crossfade.core.user import LONGEST

from .errors import Busy

AT_ONCE, WAITING = 2, 20

_HASHER = PasswordHasher()
"""RFC 9106's second choice: 64 MiB, three passes, four lanes."""
Result = TypeVar("Result")


class Passwords:
    """Hashes and compares, in one event loop."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        """``waiting``: how many may wait for their turn; more are refused."""
        self._turns = asyncio.Semaphore(at_once)
        self._room = at_once + waiting

    async def hash(self, password: str) -> str:
        """For the control database. Raises Busy."""
        return await self._run(lambda: _HASHER.hash(password))

    async def matches(self, kept: str | None, password: str) -> bool:
        """Whether it is the password whose hash is kept. Without one it takes as long, and is not. Raises Busy."""
        return await self._run(lambda: _matches(kept, password))

    async def _run(self, work: Callable[[], Result]) -> Result:
        async with self._turn():
            return await asyncio.to_thread(work)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if not self._room:
            raise Busy("too many sign-ins at this moment")
        self._room -= 1
        try:
            async with self._turns:
                yield
        finally:
            self._room += 1


def _matches(kept: str | None, password: str) -> bool:
    if len(password) > LONGEST:
        kept, password = None, ""
    try:
        _HASHER.verify(kept or _nobody(), password)
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False
    return kept is not None


@cache
def _nobody() -> str:
    """A hash that nobody's password has."""
    return _HASHER.hash("")
