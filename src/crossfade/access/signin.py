"""Signing in: by name and password, or by a link that is good for once."""

import asyncio
from typing import NamedTuple

import structlog

from crossfade.core.clock import MINUTE, SECOND, Clock
from crossfade.core.session import MAX_AGENT
from crossfade.core.throttle import Throttle
from crossfade.core.user import Change, UserError, canonical, check_password
from crossfade.state.people import People

from . import secret
from .errors import Refused, TooMany
from .passwords import Passwords
from .sessions import Sessions
from .tracks import OwnEvents

SPAN = 15 * MINUTE
BY_NAME, BY_ADDRESS = 10, 50
"""Failures within the span after which a name, or an address, must wait."""

log = structlog.get_logger(__name__)


class Caller(NamedTuple):
    """Who knocks: the address, and what the browser says that it is."""

    address: str
    agent: str


class SignIn:
    """Lets in who proves who it is. Every method may raise TooMany, Busy or StateError."""

    def __init__(self, people: People, sessions: Sessions, passwords: Passwords, events: OwnEvents,
                 clock: Clock) -> None:
        self._people = people
        self._sessions = sessions
        self._passwords = passwords
        self._events = events
        self._clock = clock
        self._names = Throttle(BY_NAME, SPAN)
        self._addresses = Throttle(BY_ADDRESS, SPAN)

    async def by_password(self, name: str, password: str, caller: Caller) -> str:
        """The secret of a new session. Raises Refused."""
        name = _lenient(name)
        self._admit(caller, name)
        with self._events.login("password") as attempt:
            await self._prove(name, password, caller)
            token = await self._begin(name, caller)
            attempt.succeeded(name)
        log.info("signed in", user=name, method="password", address=caller.address)
        return token

    async def by_link(self, link: str, caller: Caller) -> str:
        """The secret of a new session; the link is used up. Raises Refused."""
        self._admit(caller)
        token = secret.make()
        with self._events.login("link") as attempt:
            try:
                name = await asyncio.to_thread(self._people.use_link, secret.digest(link), secret.digest(token),
                                               at=self._clock.now(), agent=caller.agent[:MAX_AGENT])
            except UserError:
                name = None
            if name is None:
                log.warning("a sign-in was refused", method="link", address=caller.address)
                raise Refused("this link was used, or has expired: ask for another")
            attempt.succeeded(name)
        self._addresses.forgive(caller.address)
        log.info("signed in", user=name, method="link", address=caller.address)
        return token

    async def change_password(self, name: str, current: str, wanted: str, caller: Caller) -> str:
        """By the user, who is signed out everywhere else: the secret of the session that goes on.

        ``current`` is not asked of a user who has no password yet. Raises Refused, or UserError for one that cannot be.
        """
        check_password(wanted)
        if await asyncio.to_thread(self._people.password, name) is not None:
            self._admit(caller, name)
            await self._prove(name, current, caller)
        hashed = await self._passwords.hash(wanted)
        await asyncio.to_thread(
            self._people.change, name, Change(password_hash=hashed), who=name, at=self._clock.now())
        self._sessions.forget()
        return await self._begin(name, caller)

    def _admit(self, caller: Caller, name: str | None = None) -> None:
        """Counts an attempt. Raises TooMany."""
        now = self._clock.now()
        wait = max(self._addresses.wait(caller.address, now), 0 if name is None else self._names.wait(name, now))
        if wait:
            raise TooMany(-(-wait // SECOND))
        self._addresses.count(caller.address, now)
        if name is not None:
            self._names.count(name, now)

    async def _prove(self, name: str, password: str, caller: Caller) -> None:
        """Raises Refused, after the same time and with the same words whatever is wrong."""
        kept = await asyncio.to_thread(self._people.password, name)
        if not await self._passwords.matches(kept, password):
            # Not under which name: somebody may have typed the password there.
            log.warning("a sign-in was refused", method="password", address=caller.address)
            raise Refused("the name or the password is not right")
        self._names.forget(name)
        self._addresses.forgive(caller.address)

    async def _begin(self, name: str, caller: Caller) -> str:
        token = secret.make()
        try:
            await asyncio.to_thread(self._people.begin_session, secret.digest(token), name, at=self._clock.now(),
                                    agent=caller.agent[:MAX_AGENT])
        except UserError as error:  # removed or disabled at this moment
            raise Refused(str(error)) from None
        return token


def _lenient(name: str) -> str:
    """As it is kept; what can be no name is nobody's."""
    try:
        return canonical(name)
    except UserError:
        return ""
