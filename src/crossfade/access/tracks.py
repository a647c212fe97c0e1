"""The server's own events, which go the way of an application's: through the ingest into the journal."""

import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import msgspec

from crossfade.core.clock import Clock, iso

if TYPE_CHECKING:
    from crossfade.tracking.autotrack import Login


class OwnEvents:
    """What ``autotrack`` needs of a tracker."""

    def __init__(self, take: Callable[[bytes], object], clock: Clock) -> None:
        """``take``: has the body of a track call taken, and raises when it cannot be."""
        self._take = take
        self._clock = clock

    def track(self, event: str, user_id: str | None = None, properties: Mapping[str, object] | None = None, *,
              session_id: str | None = None) -> str:
        """The event's id. Raises what the ingest raises."""
        message = str(uuid.uuid4())
        self._take(msgspec.json.encode({
            "type": "track", "event": event, "userId": user_id, "sessionId": session_id, "properties": properties or {},
            "messageId": message, "timestamp": iso(self._clock.now()),
        }))
        return message

    def login(self, method: str) -> "AbstractContextManager[Login]":
        """A sign-in that is tracked, as by ``autotrack.login``."""
        # With it comes the whole tracker, HTTP client included: the server's start is spared that.
        from crossfade.tracking.autotrack import login  # noqa: PLC0415

        return login(self, method=method)
