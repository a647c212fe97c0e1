"""Users as they are stored; every change of one leaves an audit row."""

from sqlalchemy import Connection, delete, func, select, update

from crossfade.core.role import Role
from crossfade.core.user import ADMIN, Change, NoUser, User, UserError, UserTaken, check_change

from . import audit, sessions
from .database import insert
from .tables import sessions as session_rows
from .tables import users


def every(connection: Connection, now: int) -> tuple[User, ...]:
    """All users by name, with how many sessions each has at the moment."""
    return _find(connection, now)


def add(connection: Connection, name: str, role: Role, password_hash: str | None, *, who: str, at: int) -> None:
    """Raises UserTaken when there is one of that name."""
    if not _insert(connection, name, role, password_hash, who=who, at=at):
        raise UserTaken(f"there is a user {name} already")


def ensure_admin(connection: Connection, *, who: str, at: int) -> None:
    """The built-in user, unless it is there."""
    _insert(connection, ADMIN, Role.ADMIN, None, who=who, at=at)


def change(connection: Connection, name: str, wanted: Change, *, who: str, at: int) -> User:
    """The user as it is then. Raises NoUser, or UserError for what it cannot be.

    Who is disabled, or gets another password, is signed out everywhere.
    """
    user = _one(connection, name, at, lock=True)
    check_change(user, wanted)
    if wanted.role not in {None, user.role}:
        _set(connection, name, role=wanted.role)
        _note(connection, name, "role", who=who, at=at, old=user.role, new=wanted.role)
    if wanted.disabled not in {None, user.disabled}:
        _set(connection, name, disabled_at=at if wanted.disabled else None)
        _note(connection, name, "disable" if wanted.disabled else "enable", who=who, at=at)
    if wanted.password_hash is not None:
        _set(connection, name, password=wanted.password_hash)
        _note(connection, name, "password", who=who, at=at)
    if wanted.disabled or wanted.password_hash is not None:
        sessions.end_all(connection, name)
    return _one(connection, name, at)


def remove(connection: Connection, name: str, *, who: str, at: int) -> None:
    """With its sessions. Raises NoUser, or UserError for the built-in one."""
    if name == ADMIN:
        raise UserError(f"{ADMIN} is the built-in admin: it can be disabled, not removed")
    user = _one(connection, name, at, lock=True)
    connection.execute(delete(users).where(users.c.name == name))
    _note(connection, name, "remove", who=who, at=at, old=user.role)


def sign_out(connection: Connection, name: str, *, who: str, at: int) -> int:
    """Everywhere; how many sessions that were. Raises NoUser."""
    _one(connection, name, at)
    ended = sessions.end_all(connection, name)
    _note(connection, name, "sign-out", who=who, at=at, old=f"{ended} sessions")
    return ended


def enabled(connection: Connection, name: str) -> User:
    """Raises NoUser, or UserError when the user is disabled."""
    user = _one(connection, name, 0)
    if user.disabled:
        raise UserError(f"the user {name} is disabled")
    return user


def password(connection: Connection, name: str) -> str | None:
    """The hash of an enabled user's password; None when there is none to compare with."""
    return connection.execute(
        select(users.c.password).where(users.c.name == name, users.c.disabled_at.is_(None))).scalar()


def _insert(connection: Connection, name: str, role: Role, password_hash: str | None, *, who: str, at: int) -> bool:
    statement = insert(connection, users).values(
        name=name, role=role, password=password_hash, disabled_at=None, made_at=at, made_by=who)
    added = bool(connection.execute(statement.on_conflict_do_nothing()).rowcount)
    if added:
        _note(connection, name, "add", who=who, at=at, new=role)
    return added


def _set(connection: Connection, name: str, **values: int | str | None) -> None:
    connection.execute(update(users).where(users.c.name == name).values(values))


def _one(connection: Connection, name: str, now: int, *, lock: bool = False) -> User:
    if lock:
        connection.execute(select(users.c.name).where(users.c.name == name).with_for_update())
    found = _find(connection, now, name)
    if not found:
        raise NoUser(f"there is no user {name[:80]!r}")
    return found[0]


def _find(connection: Connection, now: int, name: str | None = None) -> tuple[User, ...]:
    rows = session_rows.c
    live = select(rows.user_name, func.count().label("alive"), func.max(rows.seen_at).label("seen")).where(
        rows.expires_at > now).group_by(rows.user_name).subquery()
    query = select(users, live.c.alive, live.c.seen).outerjoin(
        live, users.c.name == live.c.user_name).order_by(users.c.name)
    found = connection.execute(query if name is None else query.where(users.c.name == name))
    return tuple(
        User(row.name, Role(row.role), row.password is not None, row.disabled_at is not None, row.made_at, row.made_by,
             row.alive or 0, row.seen)
        for row in found
    )


def _note(connection: Connection, name: str, what: str, *, who: str, at: int, old: str | None = None,
          new: str | None = None) -> None:
    audit.write(connection, at=at, who=who, action=f"user.{what}", subject=f"user {name}", old=old, new=new)
