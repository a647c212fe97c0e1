"""The auditor's thread: what it does next, within its share of a core.

The minutes that have just closed come first, then the last 24 hours as the dashboard shows them, then what of today
lies before, then closed days, the newest first. A day is done once, and again when a later event changed it. A run
that somebody asks for goes before all of that.
"""

import threading
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import msgspec
import structlog

from crossfade.aggregator import scan_event
from crossfade.core.budget import Budget
from crossfade.core.clock import HOUR, MINUTE, SECOND, Clock
from crossfade.core.days import Days
from crossfade.core.recounted import Recounted
from crossfade.sources.examiner import Examiner
from crossfade.sources.kept import Kept
from crossfade.sources.witness import Witnesses
from crossfade.state.repository import State
from crossfade.state.scans import ScanEvent
from crossfade.store.port import EventStore
from crossfade.store.port import ScanEvent as StoredScanEvent

from . import plan
from .book import Book, CountDays, Emit, Repair, Result
from .run import Run, Standing

log = structlog.get_logger(__name__)

SETTLED = 90 * SECOND
"""How long after its end a minute counts as closed: what comes later is late, and counts when its day is closed."""
BEHIND = HOUR
"""When this much of today waits, the newest goes first and the rest comes later."""
NEWEST = 10 * MINUTE
"""How much of it that is."""
FIGURES_EVERY = HOUR
FIGURES_EVENTS = 5_000_000
"""Where two days hold more, the last 24 hours are recounted on request alone: it would keep all else waiting."""
PLAN_EVERY = MINUTE
RUN_SHARE = 0.5
"""Of one core, for a run that somebody waits for: the rest is for those who want other answers."""
IDLE = 5.0
"""Seconds between two looks for something to do."""


class Interrupted(Exception):  # noqa: N818  it says what happened
    """There is something else to do first, or nothing more."""


class Auditor:
    """``start`` it in a server; or ``ask`` and ``work_through`` it where the data folder is a command's own."""

    def __init__(self, store: EventStore, state: State, days: Days, clock: Clock, journal: Path, *, lead: int,
                 share: float, repair: Repair, count_days: CountDays, emit: Emit = lambda _: None,
                 spent: Callable[[], float] = time.thread_time) -> None:
        """``lead``: how far, in microseconds, events may lie in the future; ``share``: of one core, 0 for runs alone.

        ``spent`` tells the processor time of the auditor's thread, in seconds.
        """
        self._store = store
        self._state = state
        self._days = days
        self._clock = clock
        self._share = share
        self._budget = Budget(spent, self._rest)
        self._witnesses = Witnesses(store, Kept(journal, lead), self._budget.pace)
        examiner = Examiner(store, state, days, self._witnesses, clock, read_end=_read_end)
        self._book = Book(store, state, days, clock, examiner, emit=emit, repair=repair, count_days=count_days)
        self._wake = threading.Event()
        self._stopping = False
        self._asking = threading.Lock()
        self._run: Run | None = None
        self._due: list[date] = []
        self._events: dict[date, int] = {}
        self._planned_at = 0
        self._figures_at = 0
        self._thread = threading.Thread(target=self._work, name="auditor", daemon=True)

    # From any thread

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stops within a moment; a piece of work that was not finished is begun again after the next start."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def ask(self, since: int, *, repair: bool, who: str) -> Run | None:
        """Has everything since the moment recounted, closed days as wholes; None while another run is under way."""
        open_day = self._days.start(self._days.of(self._closed()))
        since = since - since % MINUTE if since >= open_day else max(0, self._days.start(self._days.of(since)))
        with self._asking:
            if self._run is not None and self._run.ended_at is None:
                return None
            number = self._run.number + 1 if self._run is not None else 1
            asked = self._run = Run(number, since, repair, who, self._clock.now())
        self._wake.set()
        return asked

    def standing(self) -> Standing:
        """How far it is. Raises StateError."""
        known = self._state.recounted_days().values()
        done = sum(row.segment is not None for row in known)
        return Standing(sum(row.windows for row in known), done, len(self._due), self._run)

    def mismatches(self) -> tuple[Recounted, ...]:
        """What did not agree when it was last recounted, the newest windows first. Raises StateError."""
        return self._state.mismatches()

    # A little at a time

    def step(self) -> bool:
        """Does the most urgent piece of work; whether there was any. Raises StoreError or StateError."""
        closed = self._closed()
        today = self._days.of(closed)
        self._witnesses.catch_up(self._store.last_segment())
        return self._recent(today, closed) or self._figures(closed) or self._earlier(today) or self._past(today)

    def _recent(self, today: date, closed: int) -> bool:
        """The minutes that closed since the last look."""
        row = self._state.recounted_days().get(today)
        since = closed - NEWEST if row is None or closed - row.until > BEHIND else row.until
        since = max(self._start(today), since)
        if since >= closed:
            return False
        self._book.minutes(today, since, closed)
        return True

    def _figures(self, closed: int) -> bool:
        """What the dashboard showed a moment ago."""
        if closed - self._figures_at < FIGURES_EVERY:
            return False
        self._figures_at = closed
        today = self._days.of(closed)
        if sum(self._counted([today - timedelta(days=1), today]).values()) <= FIGURES_EVENTS:
            self._book.figures(closed)
        return True

    def _earlier(self, today: date) -> bool:
        """The hour before what is known of today."""
        row = self._state.recounted_days().get(today)
        start = self._start(today)
        if row is None or row.since <= start:
            return False
        self._book.minutes(today, max(start, row.since - HOUR), row.since)
        return True

    def _past(self, today: date) -> bool:
        """The newest closed days that were not examined since they last changed."""
        now = self._clock.now()
        if not self._due and now - self._planned_at >= PLAN_EVERY:
            self._planned_at = now
            days = self._closed_days(today)
            self._due = plan.due(days, self._store.days_touched(0), self._state.recounted_days(), now)
            self._events = self._counted(self._due)
        if not self._due:
            return False
        group = plan.grouped(self._due, self._events, self._by_journal())
        self._book.closed_days(group)
        self._due = self._due[len(group):]
        return True

    # As somebody asked

    def work_through(self, told: Callable[[Run], None] = lambda _: None) -> None:
        """Does what was asked for; what goes wrong, the run tells."""
        if self._run is None or self._run.status != "waiting":
            return
        try:
            self._through(self._run, told)
        except Interrupted:
            self._tell(told, status="failed", error="the server stopped", ended_at=self._clock.now())
            raise
        except Exception as error:
            log.exception("auditor: a run failed")
            self._tell(told, status="failed", error=str(error) or type(error).__name__, ended_at=self._clock.now())
        else:
            self._tell(told, status="done", ended_at=self._clock.now())

    def _through(self, run: Run, told: Callable[[Run], None]) -> None:
        closed = self._closed()
        today = self._days.of(closed)
        first = self._days.of(run.since)
        days = [day for day in reversed(self._closed_days(today)) if day >= first]
        events = self._counted([*days, today])
        self._tell(told, status="running", total=sum(events.values()))
        through = self._store.last_segment()
        while not self._witnesses.catch_up(through):
            self._budget.pace()
        for begin, end in self._of_today(max(self._start(today), run.since), closed):
            self._piece(lambda begin=begin, end=end: self._book.minutes(today, begin, end), run, told)  # type: ignore[misc]
        while days:
            group = plan.grouped(days, events, self._by_journal())
            days = days[len(group):]
            self._piece(lambda group=group: self._book.closed_days(group), run, told)  # type: ignore[misc]
        self._piece(lambda: self._book.figures(closed), run, told)

    def _of_today(self, since: int, until: int) -> list[tuple[int, int]]:
        """The span, the newest part first, cut where the journal begins to tell everything."""
        known = self._witnesses.journal_since()
        cut = since if known is None else min(max(since, -(-known // MINUTE) * MINUTE), until)
        return [part for part in ((cut, until), (since, cut)) if part[0] < part[1]]

    def _piece(self, examine: Callable[[], Result], run: Run, told: Callable[[Run], None]) -> None:
        """Examines; and where something is wrong and may be repaired, repairs it and examines again."""
        result, repaired = examine(), 0
        if run.repair and result.wrong:
            before = len(result.wrong)
            self._book.mend(result.wrong, run.who)
            again = examine()
            result, repaired = again, max(0, before - len(again.wrong))
        so_far = self._run or run
        self._tell(
            told, events=so_far.events + result.events, windows=so_far.windows + result.windows,
            disagreeing=so_far.disagreeing + len(result.wrong), repaired=so_far.repaired + repaired,
            waiting=so_far.waiting + result.unsettled,
        )

    def _tell(self, told: Callable[[Run], None], **changes: int | str) -> None:
        if self._run is not None:
            self._run = msgspec.structs.replace(self._run, **changes)
            told(self._run)

    # Inside

    def _work(self) -> None:
        while not self._stopping:
            self._wake.clear()
            worked = False
            try:
                if self._waiting():
                    self._budget.share = RUN_SHARE
                    self.work_through()
                elif self._share:
                    self._budget.share = self._share
                    worked = self.step()
            except Interrupted:
                continue
            except Exception:
                log.exception("auditor: could not recount")
            if not worked:
                self._wake.wait(IDLE)

    def _waiting(self) -> bool:
        return self._run is not None and self._run.status == "waiting"

    def _rest(self, seconds: float) -> None:
        if self._stopping or self._waiting():
            raise Interrupted
        if seconds and self._wake.wait(seconds):
            self._wake.clear()

    def _closed(self) -> int:
        """The end of the last closed minute."""
        return (self._clock.now() - SETTLED) // MINUTE * MINUTE

    def _start(self, day: date) -> int:
        """The first whole minute of the day of which all raw events are there."""
        return max(self._days.start(day), -(-self._store.reach().forgotten // MINUTE) * MINUTE)

    def _closed_days(self, today: date) -> list[date]:
        """Every day before, from the first with an event on, of which all raw events are there."""
        reach = self._store.reach()
        firsts = [*self._store.days_touched(0), *([] if reach.first is None else [self._days.of(reach.first)])]
        if not firsts:
            return []
        days = self._days.between(min(firsts), today - timedelta(days=1))
        return [day for day in days if self._days.start(day) >= reach.forgotten]

    def _by_journal(self) -> date | None:
        """The first day that the journal tells of from its beginning."""
        since = self._witnesses.journal_since()
        return None if since is None else self._days.of(since) + timedelta(days=1)

    def _counted(self, days: list[date]) -> dict[date, int]:
        """How many events the days hold, by what is reported."""
        if not days:
            return {}
        return {day: sum(counts.values()) for day, counts in self._store.days(min(days), max(days)).items()}


def _read_end(at: int, properties: str) -> ScanEvent | None:
    """An ended scan; None when the event cannot be understood, and so counts for nobody."""
    try:
        return scan_event(StoredScanEvent(0, at, "scan_completed", properties))
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None
