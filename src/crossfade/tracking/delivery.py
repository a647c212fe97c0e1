"""The thread that brings events to the server: first what dead processes left, then the tracker's own, in order.

It alone reads the spools. Others talk to it through a queue that a signal's handler may use too, since that one may
have interrupted anything.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from msgspec.structs import replace

from crossfade.core.backoff import Backoff
from crossfade.core.clock import Clock, iso
from crossfade.core.ledger import Account

from .heirs import Heirs
from .outbox import Outbox
from .post import Post
from .quarantine import Quarantine, Refused, refuse
from .spool import Batch, Spool
from .stats import FlushResult, Tally
from .verdict import Apart, Later, Paused, Refusal, Taken, Verdict, judge
from .wire import envelope, number

BATCH_BYTES = 1 << 20
"""Bytes of events in a request, roughly."""
CATCH_UP = 50
"""What has piled up goes in requests of so many times the batch."""

log = logging.getLogger("crossfade.tracking")


@dataclass(frozen=True, slots=True)
class Pace:
    """When things are sent."""

    batch: int = 100
    """Events that are sent as soon as they are there."""
    interval: float = 5.0
    """Seconds after which fewer are sent."""
    heartbeat: float = 60.0
    """Seconds after which an idle tracker says that it lives, and looks for what dead ones left."""
    pause: float = 60.0
    """Seconds between attempts while a person has to change something."""
    backoff: Backoff = field(default_factory=Backoff)


@dataclass(frozen=True, slots=True)
class _Flush:
    target: int
    reply: SimpleQueue[FlushResult]


class _Stop:
    """Asks the thread to end."""


class Delivery:
    """The thread, and what it knows. Its public methods are for other threads."""

    def __init__(self, outbox: Outbox, heirs: Heirs | None, quarantine: Quarantine | None, post: Post, *, tally: Tally,
                 pace: Pace, clock: Clock, durable: bool) -> None:
        """``durable``: what the server does not take at once is synced."""
        self._outbox = outbox
        self._heirs = heirs
        self._quarantine = quarantine
        self._post = post
        self._tally = tally
        self._pace = pace
        self._clock = clock
        self._durable = durable
        self._inbox: SimpleQueue[_Flush | _Stop | None] = SimpleQueue()
        self._flushes: list[_Flush] = []
        self._stopping = False
        self._idle = False
        self._most = pace.batch * CATCH_UP
        self._failures = 0
        self._not_before = 0.0
        self._paused = False
        self._tick_at = self._beat_at = 0.0
        self._look_at = 0.0
        self._done_to = 0
        self._send_to = 0
        self._legacy: Spool | None = None
        self._thread = threading.Thread(target=self._run, name="crossfade-tracker", daemon=True)

    def start(self) -> None:
        """Begins. When the interpreter is ending no thread can begin: the events stay in the spool."""
        now = time.monotonic()
        self._tick_at, self._beat_at = now + self._pace.interval, now + self._pace.heartbeat
        try:
            self._thread.start()
        except RuntimeError as error:
            self._tally.trouble = f"no thread can deliver: {error}"
            log.warning("events are not delivered and wait: %s", self._tally.trouble)

    def wake(self) -> None:
        """What waits should be sent. Costs next to nothing while the thread is busy, or may not send anyway."""
        if self._idle:
            self._idle = False
            self._inbox.put(None)

    @property
    def waiting(self) -> int:
        """Own events not yet delivered."""
        return max(0, self._outbox.appended - self._done_to)

    def flush(self, timeout: float) -> FlushResult:
        """Waits until everything appended so far is delivered, or the time is up, or waiting is no use."""
        if not self._thread.is_alive():
            return FlushResult(not self.waiting, self.waiting, self._tally.trouble)
        flush = _Flush(self._outbox.appended, SimpleQueue())
        self._inbox.put(flush)
        try:
            return flush.reply.get(timeout=max(0.0, timeout))
        except Empty:
            return FlushResult(False, self.waiting, self._tally.trouble or "the time was too short")

    def stop(self, timeout: float) -> None:
        """Ends the thread, which lets go of everything; within the time, or by itself soon after."""
        self._inbox.put(_Stop())
        if self._thread.is_alive():
            self._thread.join(max(0.0, timeout))

    def _run(self) -> None:
        try:
            while not self._stopping:
                try:
                    self._step()
                except Exception:  # the thread must outlive anything: it is all the delivery there is
                    log.exception("delivery failed unexpectedly; it goes on")
                    self._later(Later("delivery failed unexpectedly: see the log"))
            self._say_goodbye()
        finally:
            self._close()

    def _step(self) -> None:
        """Hears what others want, then sends one batch at the most."""
        self._listen()
        now = time.monotonic()
        if self._stopping:
            return
        if now >= self._tick_at:
            self._tick_at = now + self._pace.interval
            self._send_to = self._outbox.appended
            self._sync_if_in_trouble()
        if now >= self._not_before and not self._send_next(now) and now >= self._beat_at:
            self._beat(now)
        self._answer()

    def _listen(self) -> None:
        """Waits for a message, or until something is to be done."""
        self._idle = time.monotonic() >= self._not_before  # before it looks, or it may miss what comes meanwhile
        try:
            self._hear(self._inbox.get(timeout=self._leisure()))
            while True:
                self._hear(self._inbox.get_nowait())
        except Empty:
            return

    def _hear(self, message: "_Flush | _Stop | None") -> None:
        if isinstance(message, _Flush):
            self._flushes.append(message)
            self._send_to = max(self._send_to, message.target)
        elif message is not None:
            self._stopping = True
        else:
            self._send_to = self._outbox.appended

    def _leisure(self) -> float:
        """Seconds until something is to be done."""
        now = time.monotonic()
        if self._is_due(now):
            return max(0.0, min(self._not_before, self._tick_at) - now)
        return max(0.0, min(self._tick_at, self._beat_at) - now)

    def _is_due(self, now: float) -> bool:
        own = self.waiting >= self._pace.batch or self._done_to < self._send_to
        return own or self._legacy is not None or self._inherits(now)

    def _inherits(self, now: float) -> bool:
        return self._heirs is not None and now >= self._look_at

    def _send_next(self, now: float) -> bool:
        """Whether there was anything to send."""
        if self._legacy is None and self._heirs is not None and self._inherits(now):
            self._legacy = self._heirs.next()
            self._look_at = now if self._legacy is not None else now + self._pace.heartbeat
        if self._legacy is not None and self._heirs is not None:
            self._send_legacy(self._legacy, self._heirs)
            return True
        return self._is_due(now) and self._send_own()

    def _send_legacy(self, spool: Spool, heirs: Heirs) -> None:
        try:
            batch = spool.peek(self._most, BATCH_BYTES)
        except OSError as error:
            self._legacy = None
            heirs.shun(spool, error)
            return
        if batch is None:
            self._bid_farewell(spool)
            return
        last = max((number(record) for record in batch.records[-1:]), default=0)
        account = replace(spool.account, sequence=max(spool.account.sequence, last))
        verdict = self._send(batch, account)
        if verdict is not None:
            taken = len(batch.records) - len(verdict.rejected)
            rejected = Counter(account.rejected)
            rejected.update(refusal.reason for refusal in verdict.rejected)
            self._tally.adopted += taken
            self._note(spool, batch, replace(account, rejected=rejected, delivered=account.delivered + taken))

    def _bid_farewell(self, spool: Spool) -> None:
        """All of a dead process's events are delivered: the server may know that no more will come."""
        if spool.account.sequence:
            self._post.send(envelope([], replace(spool.account, closed=True), iso(self._clock.now())))
        spool.retire()
        self._legacy = None

    def _send_own(self) -> bool:
        before = self._outbox.appended
        try:
            return self._send_peeked(self._outbox.peek(self._most, BATCH_BYTES), before)
        finally:
            self._outbox.settle()

    def _send_peeked(self, batch: Batch | None, before: int) -> bool:
        if batch is None:
            self._done_to = before
            return False
        verdict = self._send(batch, self._account())
        if verdict is not None:
            self._tally.delivered += len(batch.records) - len(verdict.rejected)
            self._done_to += len(batch.records) + len(batch.lost)
            self._note(self._outbox, batch, self._account())
        return True

    def _send(self, batch: Batch, account: Account) -> Taken | None:
        """Sends a batch; gives what the server made of it when it is done with."""
        self._report_lost(batch.lost)
        if not batch.records:
            return Taken()
        body = envelope(batch.records, account, iso(self._clock.now()))
        verdict = self._alone(judge(self._post.send(body, attempt=self._failures), len(batch.records)), batch)
        match verdict:
            case Taken():
                self._well(verdict, batch)
                return verdict
            case Apart():
                self._most = len(batch.records) // 2
            case Paused():
                self._pause(verdict)
            case Later():
                self._later(verdict)
        return None

    def _alone(self, verdict: Verdict, batch: Batch) -> Verdict:
        """An event that is refused by itself is rejected."""
        if isinstance(verdict, Apart) and len(batch.records) == 1:
            return Taken((Refusal(verdict.reason, verdict.detail),))
        return verdict

    def _well(self, taken: Taken, batch: Batch) -> None:
        if self._tally.trouble:
            log.info("events are delivered again")
        self._failures, self._paused, self._tally.trouble = 0, False, ""
        self._most = min(2 * self._most, self._pace.batch * CATCH_UP)
        self._beat_at = time.monotonic() + self._pace.heartbeat
        for refusal in taken.rejected:
            self._tally.rejected[refusal.reason] += 1
        self._keep([refuse(batch.records[one.index], one.reason, one.detail) for one in taken.rejected])

    def _report_lost(self, lost: Sequence[bytes]) -> None:
        """A span that is no record: the numbers of the events around it tell how many it held."""
        if lost:
            self._tally.dropped["corrupt"] += len(lost)
        self._keep([refuse(span, "corrupt", "the spool's file is damaged here, or was cut short") for span in lost])

    def _keep(self, refused: Sequence[Refused]) -> None:
        if not refused:
            return
        log.warning("%d events cannot be delivered, the first for: %s (%s)", len(refused), refused[0].reason,
                    refused[0].detail)
        if self._quarantine is not None:
            try:
                self._quarantine.add(refused)
            except OSError as error:
                log.error("the quarantine cannot be written: %s", error)  # noqa: TRY400  the trace tells no more

    def _account(self, *, closed: bool = False) -> Account:
        return self._tally.account(self._outbox.id, self._pace.heartbeat, closed=closed)

    def _note(self, source: Spool | Outbox, batch: Batch, account: Account) -> None:
        try:
            source.commit(batch, account)
        except OSError as error:  # the next start will send it again, and the server will know it
            log.warning("the spool's cursor cannot be written: %s", error)

    def _pause(self, paused: Paused) -> None:
        self._trouble(paused.trouble)
        self._paused = True
        self._not_before = time.monotonic() + self._pace.pause

    def _later(self, later: Later) -> None:
        self._trouble(later.trouble)
        self._paused = False
        self._failures += 1
        self._not_before = time.monotonic() + self._pace.backoff.pause(self._failures, later.retry_after)

    def _trouble(self, trouble: str) -> None:
        if not self._tally.trouble:
            log.warning("events are not delivered and wait: %s", trouble)
        self._tally.trouble = trouble
        self._sync_if_in_trouble()

    def _sync_if_in_trouble(self) -> None:
        if self._durable and self._tally.trouble:
            try:
                self._outbox.sync()
            except OSError as error:
                log.warning("the spool cannot be synced: %s", error)

    def _beat(self, now: float) -> None:
        """Says that the tracker lives. Nobody waits for it, so its failing is no trouble."""
        self._beat_at = now + self._pace.heartbeat
        if self._tally.sequence:
            self._post.send(envelope([], self._account(), iso(self._clock.now())))

    def _answer(self) -> None:
        """Tells those who wait for a flush."""
        inherits = self._legacy is not None or self._inherits(time.monotonic())
        for flush in tuple(self._flushes):
            done = self._done_to >= flush.target and not inherits
            if done or self._paused:
                self._flushes.remove(flush)
                flush.reply.put(FlushResult(done, self.waiting, self._tally.trouble))

    def _say_goodbye(self) -> None:
        """The tracker is shut down: the server may know that no more will come."""
        if self._tally.sequence and not self.waiting and not self._tally.trouble:
            self._post.send(envelope([], self._account(closed=True), iso(self._clock.now())))

    def _close(self) -> None:
        try:
            if self._legacy is not None:
                self._legacy.abandon()
            if lost := self._outbox.close():
                self._tally.dropped["memory"] += lost
                log.warning("%d events were only in memory and are lost", lost)
        except OSError as error:
            log.warning("the spool cannot be closed: %s", error)
        finally:
            self._post.close()
