"""Users, as an admin manages them: whatever takes a right away takes effect at once."""

import asyncio

from crossfade.core.clock import Clock
from crossfade.core.role import Role
from crossfade.core.user import Change, User, canonical, check_password
from crossfade.state.people import People

from . import secret
from .passwords import Passwords
from .sessions import Sessions


class Users:
    """Every method may raise NoUser, UserError, Busy or StateError; ``who`` is for the audit log."""

    def __init__(self, people: People, sessions: Sessions, passwords: Passwords, clock: Clock) -> None:
        self._people = people
        self._sessions = sessions
        self._passwords = passwords
        self._now = clock.now

    async def all(self) -> tuple[User, ...]:
        """By name."""
        return await asyncio.to_thread(self._people.all, self._now())

    async def add(self, name: str, role: Role, password: str | None, *, who: str) -> str:
        """The name as it is kept. Without a password a link must sign the user in. Raises UserTaken."""
        name = canonical(name)
        hashed = None if password is None else await self._passwords.hash(check_password(password))
        await asyncio.to_thread(self._people.add, name, role, hashed, who=who, at=self._now())
        return name

    async def change(self, name: str, *, role: Role | None = None, disabled: bool | None = None,
                     password: str | None = None, who: str) -> User:
        """What is None stays. Who is disabled, or gets another password, is signed out."""
        hashed = None if password is None else await self._passwords.hash(check_password(password))
        changed = await asyncio.to_thread(
            self._people.change, _kept(name), Change(role, disabled, hashed), who=who, at=self._now())
        self._sessions.forget()
        return changed

    async def remove(self, name: str, *, who: str) -> None:
        await asyncio.to_thread(self._people.remove, _kept(name), who=who, at=self._now())
        self._sessions.forget()

    async def sign_out(self, name: str, *, who: str) -> int:
        """Everywhere; how many sessions that were."""
        ended = await asyncio.to_thread(self._people.sign_out, _kept(name), who=who, at=self._now())
        self._sessions.forget()
        return ended

    def link(self, name: str, *, who: str) -> tuple[str, int]:
        """A secret that signs the user in, once; and when it expires. Blocks for as long as the database does."""
        made = secret.make()
        return made, self._people.add_link(secret.digest(made), _kept(name), who=who, at=self._now())


def _kept(name: str) -> str:
    return name.strip().lower()
