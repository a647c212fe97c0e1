"""Who is signed in, by the secret in the browser's cookie."""

import asyncio

import structlog
from msgspec.structs import replace

from crossfade.core.clock import SECOND, Clock
from crossfade.core.session import Session, alive, due, expiry
from crossfade.state.errors import StateError
from crossfade.state.people import People

from . import secret

MEMORY = 10 * SECOND
"""For how long a session is believed without a look at the database, which another process may have changed."""
REMEMBERED = 10_000

log = structlog.get_logger(__name__)


class Sessions:
    """Those of the control database, remembered for a moment; what this process ends is ended at once."""

    def __init__(self, people: People, clock: Clock) -> None:
        self._people = people
        self._clock = clock
        self._remembered: dict[str, tuple[int, Session]] = {}
        self._changes = 0

    async def find(self, token: str) -> Session | None:
        """The session of a cookie, if it is one and has not expired; its use is noted. Raises StateError."""
        if len(token) > secret.LONGEST:
            return None
        key, now = secret.digest(token), self._clock.now()
        session = self._recall(key, now) or await self._look(key, now)
        if session is None or not alive(session, now):
            return None
        return await self._touch(key, session, now) if due(session, now) else session

    async def end(self, token: str) -> None:
        """Whether there is one or not. Raises StateError."""
        await asyncio.to_thread(self._people.end_session, secret.digest(token))
        self.forget()

    def forget(self) -> None:
        """Something was changed: look into the database again. Call it after the change."""
        self._changes += 1
        self._remembered = {}

    def _recall(self, key: str, now: int) -> Session | None:
        at, session = self._remembered.get(key, (now - MEMORY, None))
        return session if now - MEMORY < at <= now else None

    async def _look(self, key: str, now: int) -> Session | None:
        before = self._changes
        session = await asyncio.to_thread(self._people.session, key)
        if session is not None and self._changes == before:  # else it may be from before the change
            self._remember(key, session, now)
        return session

    async def _touch(self, key: str, session: Session, now: int) -> Session:
        used = replace(session, seen_at=now, expires_at=expiry(session.made_at, now))
        if key in self._remembered:
            self._remember(key, used, self._remembered[key][0])
        try:
            await asyncio.to_thread(self._people.touch_session, key, seen_at=now, expires_at=used.expires_at)
        except StateError as error:  # it counts until it would have expired
            log.warning("the use of a session could not be noted", error=str(error))
        return used

    def _remember(self, key: str, session: Session, at: int) -> None:
        if len(self._remembered) >= REMEMBERED:
            self._remembered = {}
        self._remembered[key] = (at, session)
