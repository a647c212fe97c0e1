"""The server's own events, which go the way of an application's: through the ingest into the journal."""

import uuid
from collections.abc import Callable

import msgspec

from crossfade.core.clock import Clock, iso
from crossfade.tracking.wire import JSON


class OwnEvents:
    """What ``autotrack`` needs of a tracker."""

    def __init__(self, take: Callable[[bytes], object], clock: Clock) -> None:
        """``take``: has the body of a track call taken, and raises when it cannot be."""
        self._take = take
        self._clock = clock

    def track(self, event: str, user_id: str | None = None, properties: JSON | None = None, *,
              session_id: str | None = None) -> str:
        """The event's id. Raises what the ingest raises."""
        message = str(uuid.uuid4())
        self._take(msgspec.json.encode({
            "type": "track", "event": event, "userId": user_id, "sessionId": session_id, "properties": properties or {},
            "messageId": message, "timestamp": iso(self._clock.now()),
        }))
        return message
