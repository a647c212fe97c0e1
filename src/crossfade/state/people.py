"""Users, their sessions, and the links that they sign in with."""

from crossfade.core.role import Role
from crossfade.core.session import Session
from crossfade.core.user import ADMIN, Change, User

from . import sessions, users
from .database import Database


class People:
    """Any thread may call; every method may raise StateError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, now: int) -> tuple[User, ...]:
        """All of them, by name."""
        with self._database.reading() as connection:
            return users.every(connection, now)

    def add(self, name: str, role: Role, password_hash: str | None, *, who: str, at: int) -> None:
        """With an audit row. Raises UserTaken when there is one of that name."""
        with self._database.writing() as connection:
            users.add(connection, name, role, password_hash, who=who, at=at)

    def change(self, name: str, change: Change, *, who: str, at: int) -> User:
        """With audit rows; see `users.change`. Raises NoUser or UserError."""
        with self._database.writing() as connection:
            return users.change(connection, name, change, who=who, at=at)

    def remove(self, name: str, *, who: str, at: int) -> None:
        """With an audit row. Raises NoUser or UserError."""
        with self._database.writing() as connection:
            users.remove(connection, name, who=who, at=at)

    def sign_out(self, name: str, *, who: str, at: int) -> int:
        """End all sessions of the user, with an audit row. How many that were. Raises NoUser."""
        with self._database.writing() as connection:
            return users.sign_out(connection, name, who=who, at=at)

    def password(self, name: str) -> str | None:
        """The hash of an enabled user's password, if there is one."""
        with self._database.reading() as connection:
            return users.password(connection, name)

    def begin_session(self, secret_hash: str, user: str, *, at: int, agent: str) -> None:
        """Raises NoUser, or UserError when the user is disabled."""
        with self._database.writing() as connection:
            users.enabled(connection, user)
            sessions.begin(connection, secret_hash, user, at=at, agent=agent)

    def session(self, secret_hash: str) -> Session | None:
        """That of an enabled user; it may have expired."""
        with self._database.reading() as connection:
            return sessions.find(connection, secret_hash)

    def touch_session(self, secret_hash: str, *, seen_at: int, expires_at: int) -> None:
        """Note that it is used."""
        with self._database.writing() as connection:
            sessions.touch(connection, secret_hash, seen_at=seen_at, expires_at=expires_at)

    def end_session(self, secret_hash: str) -> None:
        """Whether there is one or not."""
        with self._database.writing() as connection:
            sessions.end(connection, secret_hash)

    def add_link(self, secret_hash: str, user: str, *, who: str, at: int) -> int:
        """A link that signs the user in, once; with an audit row. When it expires.

        The built-in user is made when it is needed. Raises NoUser, or UserError when the user is disabled.
        """
        with self._database.writing() as connection:
            if user == ADMIN:
                users.ensure_admin(connection, who=who, at=at)
            users.enabled(connection, user)
            return sessions.add_link(connection, secret_hash, user, who=who, at=at)

    def use_link(self, link_hash: str, secret_hash: str, *, at: int, agent: str) -> str | None:
        """Take the link for a session, in one transaction. Whose; None when it can be used no more.

        Raises UserError when the user is disabled.
        """
        with self._database.writing() as connection:
            user = sessions.use_link(connection, link_hash, at=at)
            if user is not None:
                users.enabled(connection, user)
                sessions.begin(connection, secret_hash, user, at=at, agent=agent)
            return user
