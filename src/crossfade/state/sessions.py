"""Sessions, and the links that begin one, as they are stored: by the hashes of their secrets alone."""

from sqlalchemy import Connection, delete, insert, select, update

from crossfade.core.role import Role
from crossfade.core.session import LINK_LASTS, Session, expiry

from . import audit
from .tables import links, sessions, users


def begin(connection: Connection, secret_hash: str, user: str, *, at: int, agent: str) -> None:
    """The user must be there and enabled; who asks has made sure of it in this transaction."""
    connection.execute(delete(sessions).where(sessions.c.expires_at <= at))
    connection.execute(insert(sessions).values(
        secret_hash=secret_hash, user_name=user, made_at=at, seen_at=at, expires_at=expiry(at, at), agent=agent))


def find(connection: Connection, secret_hash: str) -> Session | None:
    """Of an enabled user, with its role at this moment; whether it has expired is for the caller to see."""
    query = select(sessions, users.c.role).join(users, users.c.name == sessions.c.user_name).where(
        sessions.c.secret_hash == secret_hash, users.c.disabled_at.is_(None))
    row = connection.execute(query).first()
    return None if row is None else Session(row.user_name, Role(row.role), row.made_at, row.seen_at, row.expires_at)


def touch(connection: Connection, secret_hash: str, *, seen_at: int, expires_at: int) -> None:
    connection.execute(
        update(sessions).where(sessions.c.secret_hash == secret_hash).values(seen_at=seen_at, expires_at=expires_at))


def end(connection: Connection, secret_hash: str) -> None:
    connection.execute(delete(sessions).where(sessions.c.secret_hash == secret_hash))


def end_all(connection: Connection, user: str) -> int:
    """A user's, and the links that would begin another. How many sessions that were."""
    connection.execute(delete(links).where(links.c.user_name == user))
    return connection.execute(delete(sessions).where(sessions.c.user_name == user)).rowcount


def add_link(connection: Connection, secret_hash: str, user: str, *, who: str, at: int) -> int:
    """When it expires. The user must be there."""
    connection.execute(delete(links).where(links.c.expires_at <= at))
    connection.execute(insert(links).values(secret_hash=secret_hash, user_name=user, expires_at=at + LINK_LASTS))
    audit.write(connection, at=at, who=who, action="user.link", subject=f"user {user}")
    return at + LINK_LASTS


def use_link(connection: Connection, secret_hash: str, *, at: int) -> str | None:
    """Whom it signs in; it is gone then. None when it was used before, has expired, or never was."""
    found = connection.execute(
        delete(links).where(links.c.secret_hash == secret_hash, links.c.expires_at > at).returning(links.c.user_name))
    return found.scalar()
