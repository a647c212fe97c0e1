"""For how long somebody stays signed in."""

from msgspec import Struct

from .clock import DAY, HOUR, MINUTE
from .role import Role

IDLE, LONGEST = 12 * HOUR, 7 * DAY
"""A session ends when it was not used for so long, and so long after its begin in any case."""
RENEWAL = 5 * MINUTE
"""The use of a session is noted at most so often."""
LINK_LASTS = 15 * MINUTE
"""How long a sign-in link may be used, once."""
MAX_AGENT = 200
"""Characters that are kept of what a browser says that it is."""


class Session(Struct, frozen=True):
    """Somebody who is signed in with one browser."""

    user: str
    role: Role
    """The user's at this moment."""
    made_at: int
    seen_at: int
    expires_at: int


def expiry(made_at: int, seen_at: int) -> int:
    """When a session that was last used at the moment ends."""
    return min(seen_at + IDLE, made_at + LONGEST)


def alive(session: Session, now: int) -> bool:
    """Whether it counts. A clock that was set back far ends it: its age is unknown then."""
    return session.made_at - HOUR <= now < session.expires_at


def due(session: Session, now: int) -> bool:
    """Whether its use is to be noted again."""
    return now - session.seen_at >= RENEWAL
