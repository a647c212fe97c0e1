"""Sign-ins, tracked as the guide's ``auth_attempt`` and ``auth_success``.

What the tracker cannot take is logged: nobody is kept from signing in by it.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from .wire import JSON

log = logging.getLogger("crossfade.tracking")


class Tracks(Protocol):
    """A tracker, as far as sign-ins need one."""

    def track(self, event: str, user_id: str | None = None, properties: JSON | None = None, *,
              session_id: str | None = None) -> str | None: ...


class Login:
    """A sign-in that is under way."""

    def __init__(self) -> None:
        self.user_id: str | None = None

    def succeeded(self, user_id: str) -> None:
        """It is this user. It is tracked when the block ends, unless that raises."""
        self.user_id = user_id


@contextmanager
def login(tracker: Tracks, *, method: str | None = None, session_id: str | None = None) -> Iterator[Login]:
    """``with login(tracker, method="password") as attempt: … attempt.succeeded(user_id)``.

    The attempt is tracked at the begin, the success at the end. A block that raises, or that nobody called a success
    in, was an attempt only.
    """
    login_attempt(tracker, method=method, session_id=session_id)
    attempt = Login()
    yield attempt
    if attempt.user_id is not None:
        login_success(tracker, attempt.user_id, method=method, session_id=session_id)


def login_attempt(tracker: Tracks, user_id: str | None = None, *, method: str | None = None,
                  session_id: str | None = None) -> None:
    """Somebody tries to sign in. ``method`` is a word such as ``password``; never pass a secret."""
    _track(tracker, "auth_attempt", user_id, method, session_id)


def login_success(tracker: Tracks, user_id: str, *, method: str | None = None, session_id: str | None = None) -> None:
    """This user has signed in."""
    _track(tracker, "auth_success", user_id, method, session_id)


def _track(tracker: Tracks, event: str, user_id: str | None, method: str | None, session_id: str | None) -> None:
    properties: JSON = {} if method is None else {"method": method}
    try:
        tracker.track(event, user_id, properties, session_id=session_id)
    except Exception:
        log.exception("%s could not be tracked", event)
