"""Delivers what is in the outbox: each target for itself, again and again until it is delivered or given up."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import structlog
from msgspec.structs import replace

from crossfade.core.backoff import Backoff
from crossfade.core.clock import HOUR, MINUTE, SECOND, Clock
from crossfade.core.notice import TEST, Message
from crossfade.state.deliveries import Delivery
from crossfade.state.errors import StateError
from crossfade.state.repository import State

log = structlog.get_logger(__name__)

TRIES = 12
"""Tries of a message, over one to four hours, before it is given up."""
LEASE = 2 * MINUTE
"""For how long a message that is being sent is nobody else's: longer than a courier takes."""
LONGEST_REST = 60.0
"""Seconds after which the outbox is looked at even if nobody says that there is something."""
GRACE_S = 2.0
"""Seconds for messages that are under way when the server stops."""

Send = Callable[[str, Message], Awaitable[str | None]]
"""Sends a message to an address; gives why it was not delivered, or None."""


class Notifier:
    """One loop a target, so that a slow or absent one delays no other. Targets are addresses by name.

    Nothing is lost by a crash: what was being sent then is sent again. After an orderly stop nothing is sent twice,
    unless a target took longer than the grace.
    """

    def __init__(self, state: State, targets: Mapping[str, str], send: Send, clock: Clock, *, cap: int = 50,
                 backoff: Backoff | None = None, grace_s: float = GRACE_S) -> None:
        self._state = state
        self._targets = dict(targets)
        self._send = send
        self._clock = clock
        self._cap = cap
        self._backoff = backoff or Backoff(first=10, longest=HOUR / SECOND)
        self._grace_s = grace_s
        self._news = {name: asyncio.Event() for name in targets}
        self._stopping = asyncio.Event()

    @property
    def targets(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._targets)

    def wake(self) -> None:
        """Say that there is something in the outbox. Call it on the event loop."""
        for news in self._news.values():
            news.set()

    async def run(self) -> None:
        """Deliver until cancelled; what is under way then has a moment to finish."""
        loops = [asyncio.create_task(self._serve(target), name=f"notifier {target}") for target in self._targets]
        try:
            await asyncio.to_thread(self._state.give_up_deliveries, self.targets, at=self._clock.now())
            await asyncio.Event().wait()
        finally:
            self._stopping.set()
            self.wake()
            if loops:
                _, late = await asyncio.wait(loops, timeout=self._grace_s)
                for task in late:
                    task.cancel()
                await asyncio.gather(*loops, return_exceptions=True)

    async def deliver_next(self, target: str) -> bool:
        """Send the target's next message that is due. Whether there was one."""
        now = self._clock.now()
        found = await asyncio.to_thread(self._state.take_delivery, target, now=now, lease=LEASE, cap=self._cap)
        if found is None:
            return False
        await self._note(found, await self._send(self._targets[target], _dated(found, now)))
        return True

    async def test(self, target: str) -> str | None:
        """Send a test message at once; gives why it was not delivered. Raises KeyError for a target there is not."""
        return await self._send(self._targets[target], TEST)

    async def _serve(self, target: str) -> None:
        news = self._news[target]
        while not self._stopping.is_set():
            news.clear()
            try:
                rest = 0.0 if await self.deliver_next(target) else await self._rest(target)
            except StateError:
                log.exception("notifier: the outbox cannot be used", target=target)
                rest = LONGEST_REST
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await news.wait()

    async def _rest(self, target: str) -> float:
        """Seconds until there is something to do, as far as is known."""
        due = await asyncio.to_thread(self._state.next_delivery, target)
        return LONGEST_REST if due is None else min((due - self._clock.now()) / SECOND, LONGEST_REST)

    async def _note(self, delivery: Delivery, error: str | None) -> None:
        now = self._clock.now()
        about = {"target": delivery.target, "delivery": delivery.id, "attempts": delivery.attempts}
        if error is None:
            await asyncio.to_thread(self._state.finish_delivery, delivery.id, status="delivered", at=now)
            log.info("notifier: delivered", **about)
        elif delivery.attempts >= TRIES:
            await asyncio.to_thread(self._state.finish_delivery, delivery.id, status="failed", at=now, error=error)
            log.error("notifier: given up", **about, error=error)
        else:
            pause = self._backoff.pause(delivery.attempts)
            await asyncio.to_thread(self._state.retry_delivery, delivery.id, at=now + int(pause * SECOND), error=error)
            log.warning("notifier: not delivered", **about, error=error, again_in_s=round(pause))


def _dated(delivery: Delivery, now: int) -> Message:
    """The message; one that is late says so."""
    late = (now - delivery.made_at) // MINUTE
    if late < 2:
        return delivery.message
    return replace(delivery.message, body=f"{delivery.message.body}\nDelivered {late:,} minutes late.")
