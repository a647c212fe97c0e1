"""Turns what a producer tells into events, and hands them on in batches."""

import uuid
from collections.abc import Mapping

import msgspec

from crossfade.core.clock import Clock, iso
from crossfade.core.event import Rejection

from .transport import Transport

BATCH = 500


class Batcher:
    """Collects events and delivers them: each exactly once, however often a delivery has to be repeated."""

    def __init__(self, transport: Transport, clock: Clock, *, session_id: str | None = None) -> None:
        self._transport = transport
        self._clock = clock
        self._session = session_id
        self._waiting: list[bytes] = []
        self.accepted = 0
        self.rejected: list[Rejection] = []

    def track(self, event: str, properties: Mapping[str, object]) -> None:
        """Takes an event that happens now. Raises TransportError when a batch cannot be delivered."""
        self._waiting.append(msgspec.json.encode({
            "type": "track", "event": event, "messageId": str(uuid.uuid4()), "timestamp": iso(self._clock.now()),
            "sessionId": self._session, "properties": properties,
        }))
        if len(self._waiting) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Delivers what waits."""
        if not self._waiting:
            return
        answer = self._transport.send(self._waiting)
        self._waiting = []
        self.accepted += answer.accepted
        self.rejected += answer.rejected
