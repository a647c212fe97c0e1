"""Turns what a producer tells into events, and hands them on in batches."""

import uuid
from collections.abc import Mapping

import msgspec

from crossfade.core.clock import Clock, iso

from .transport import Transport
from .verdict import Refusal

BATCH = 500
BATCH_BYTES = 4 << 20
"""A batch is delivered when it has as many events, or as many bytes."""


class Batcher:
    """Collects events and delivers them: each exactly once, however often a delivery has to be repeated."""

    def __init__(self, transport: Transport, clock: Clock, *, session_id: str | None = None) -> None:
        self._transport = transport
        self._clock = clock
        self._session = session_id
        self._waiting: list[bytes] = []
        self._bytes = 0
        self.accepted = 0
        self.rejected: list[Refusal] = []

    def track(self, event: str, properties: Mapping[str, object]) -> None:
        """Takes an event that happens now. Raises TransportError when a batch cannot be delivered: it is kept, and
        delivered with the next one.
        """
        text = msgspec.json.encode({
            "type": "track", "event": event, "messageId": str(uuid.uuid4()), "timestamp": iso(self._clock.now()),
            "sessionId": self._session, "properties": properties,
        })
        self._waiting.append(text)
        self._bytes += len(text)
        if len(self._waiting) >= BATCH or self._bytes >= BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Delivers what waits. Raises TransportError, and keeps it, when that cannot be done."""
        if not self._waiting:
            return
        answer = self._transport.send(self._waiting)
        self._waiting, self._bytes = [], 0
        self.accepted += answer.accepted
        self.rejected += answer.rejected
