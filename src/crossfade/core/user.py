"""Who may sign in, under which name and with which password."""

import re

from msgspec import Struct

from .role import Role

ADMIN = "admin"
"""The built-in user, whom the link that the server prints at its start signs in."""
SHORTEST, LONGEST = 10, 1000
"""Characters that a password may have. A longer one would only keep the hash busy."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


class UserError(ValueError):
    """A user cannot be as it is asked. The message says what can."""


class NoUser(UserError):  # noqa: N818  it says what is wrong
    """There is no such user."""


class UserTaken(UserError):  # noqa: N818  it says what is wrong
    """There is a user of that name already."""


class User(Struct, frozen=True, rename="camel"):
    """Somebody who may sign in; what proves who it is stays in the control database."""

    name: str
    role: Role
    has_password: bool
    disabled: bool
    made_at: int
    made_by: str
    sessions: int = 0
    """Those that have not expired."""
    seen_at: int | None = None
    """When one of them was last used, to a few minutes."""


class Change(Struct, frozen=True):
    """What of a user is to be changed; None leaves it."""

    role: Role | None = None
    disabled: bool | None = None
    password_hash: str | None = None

    def __repr__(self) -> str:
        return f"Change(role={self.role}, disabled={self.disabled}, …)"


def canonical(name: str) -> str:
    """A user's name as it is kept: small letters. Raises UserError when it can be none."""
    wanted = name.strip().lower()
    if not _NAME.fullmatch(wanted):
        raise UserError(f"{name[:80]!r} cannot be a user's name: take up to 64 letters, digits and . _ @ + -, "
                        "a letter or digit first")
    return wanted


def check_password(password: str) -> str:
    """The password, if it may be one. Raises UserError, which does not repeat it."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise UserError(f"a password has {SHORTEST} to {LONGEST:,} characters")
    try:
        password.encode()
    except UnicodeEncodeError:
        raise UserError("a password is Unicode text") from None
    return password


def check_change(user: User, change: Change) -> None:
    """Raises UserError for what the built-in user cannot be."""
    if user.name == ADMIN and change.role not in {None, Role.ADMIN}:
        raise UserError(f"{ADMIN} is the built-in admin: it can be disabled, but has no other role")
