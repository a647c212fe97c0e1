"""The control plane: flags with their audit log, scans, counted days, cursors, runs and alerts."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from threading import Lock

from sqlalchemy import Connection, select

from crossfade.core.alert import Alert, Condition, Pace, Silence, Transitions, step
from crossfade.core.clock import MINUTE
from crossfade.core.flag import Flags, FlagValue
from crossfade.core.recounted import Recounted
from crossfade.core.retirement import Prospect, Retirement

from . import (
    alerts,
    audit,
    cursors,
    deliveries,
    flags,
    recounts,
    retirements,
    runs,
    samples,
    scans,
    silences,
    stats,
    tables,
    tallies,
)
from .audit import EVERYTHING, AuditEntry, AuditFilter
from .database import Database
from .deliveries import Delivery, DeliveryStatus
from .flags import FlagChange, FlagRow
from .migrate import migrate
from .people import People
from .recounts import RecountedDay, Replaced
from .rollouts import Rollouts
from .samples import SHOWN, Sample
from .scans import ScanEvent
from .stats import DailyStats
from .tallies import TallyRow


class State:
    """What must be remembered beside the events. Any thread may call; every method may raise StateError.

    A change is on disk when its method returns, or has left no trace when it raises.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changing = Lock()
        self._flags = Flags({})
        self.rollouts = Rollouts(database, self._changing_flags)
        self.people = People(database)
        self.refresh()

    @classmethod
    def open(cls, path_or_url: str | Path, *, durable: bool = True) -> "State":
        """The state in an SQLite file, made if there is none, or at an address; with today's tables.

        ``durable`` as for a Database. Raises StateTooNew when a newer Crossfade wrote it.
        """
        database = Database.connect(path_or_url, durable=durable)
        try:
            with database.writing() as connection:
                migrate(connection, database.name)
            return cls(database)
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Let go of the database. Call it when no other thread is in a method."""
        self._database.close()

    def ping(self) -> None:
        """Raise StateError when the database does not answer."""
        with self._database.reading() as connection:
            connection.execute(select(tables.flags.c.name).limit(1)).first()

    # Flags

    def flags(self) -> Flags:
        """The flags, from memory: as this process last changed or refreshed them."""
        return self._flags

    def refresh(self) -> Flags:
        """Read the flags again, which another process may have changed."""
        with self._changing:
            with self._database.reading() as connection:
                current = flags.snapshot(connection)
            self._flags = current
        return current

    def seed_flags(self, values: Mapping[str, FlagValue], *, at: int, who: str = "environment") -> bool:
        """Store the flags of a first start; where there are any, nothing happens. Whether it did."""
        with self._changing_flags() as connection:
            return flags.seed(connection, values, at=at, who=who)

    def ensure_flags(self, names: Iterable[str], at: int, *, who: str = "crossfade") -> tuple[str, ...]:
        """Add the flags of new components, at their defaults, and leave the others. Those added.

        Seed first: a seed finds no room beside them.
        """
        with self._changing_flags() as connection:
            return flags.ensure(connection, names, at=at, who=who)

    def change_flags(
        self, changes: Mapping[str, FlagValue], *, who: str, at: int, reason: str | None = None,
    ) -> tuple[FlagChange, ...]:
        """Set flags, all or none, with an audit row for each that really changes; those are returned.

        Raises FlagError when there is no such flag, RetiredError when its component is retired.
        """
        with self._changing_flags() as connection:
            return flags.change(connection, changes, who=who, at=at, reason=reason)

    @contextmanager
    def _changing_flags(self) -> Iterator[Connection]:
        """A transaction after which the flags in memory are those that it left."""
        with self._changing:
            with self._database.writing() as connection:
                yield connection
                current = flags.snapshot(connection)
            self._flags = current

    # Retirement

    def retirements(self) -> tuple[Retirement, ...]:
        """All retired components, with their flags while they are kept."""
        with self._database.reading() as connection:
            return retirements.all_of(connection)

    def prospects(self, use_real: Iterable[str], *, at: int, wait: int) -> tuple[Prospect, ...]:
        """What would become of the components with these flags if they were retired at the moment."""
        with self._database.reading() as connection:
            current = flags.snapshot(connection)
            return tuple(retirements.foresee(connection, current, flag, at=at, wait=wait) for flag in use_real)

    def retire(
        self, component: str, flag: str, *, who: str, at: int, wait: int, reason: str | None = None,
        despite: str | None = None,
    ) -> Retirement:
        """Archive a component's flags, with audit rows. Raises RetirementError: see `retirements.retire`."""
        with self._changing:
            with self._database.writing() as connection:
                made = retirements.retire(connection, flags.snapshot(connection), component, flag, who=who, at=at,
                                          wait=wait, reason=reason, despite=despite)
                current = flags.snapshot(connection)
            self._flags = current
        return made

    def undo_retirement(self, component: str, *, who: str, at: int, reason: str | None = None) -> Retirement:
        """Bring a component's flags back, with audit rows. Raises RetirementError when that cannot be."""
        with self._changing:
            with self._database.writing() as connection:
                undone = retirements.undo(connection, component, who=who, at=at, reason=reason)
                current = flags.snapshot(connection)
            self._flags = current
        return undone

    def purge_retired(self, at: int, *, who: str = "crossfade") -> tuple[Retirement, ...]:
        """Delete archived flags that were kept for long enough, with audit rows. Those retirements."""
        with self._database.writing() as connection:
            return retirements.purge(connection, at=at, who=who)

    def flag_rows(self) -> tuple[FlagRow, ...]:
        """All flags by name, with who changed each last."""
        with self._database.reading() as connection:
            return flags.rows(connection)

    def audit(
        self, limit: int = 100, before_id: int | None = None, subject: str | None = None,
        matching: AuditFilter = EVERYTHING,
    ) -> tuple[AuditEntry, ...]:
        """Audit entries, newest first; `before_id` is the last one of the page before."""
        with self._database.reading() as connection:
            return audit.latest(connection, limit=limit, before_id=before_id, subject=subject, matching=matching)

    def audit_between(self, since: int, until: int, limit: int) -> tuple[AuditEntry, ...]:
        """The first audit entries of a span, both ends included, in their order."""
        with self._database.reading() as connection:
            return audit.between(connection, since, until, limit)

    def sign(self, subject: str, *, who: str, at: int, reason: str) -> None:
        """Keep in the audit log what somebody states."""
        with self._database.writing() as connection:
            audit.write(connection, at=at, who=who, action="checklist.sign", subject=subject, reason=reason)

    # Scans

    def record_scans(self, events: Sequence[ScanEvent], *, follower: str, segment: int) -> None:
        """Add what a segment's events tell of scans, and move the follower's cursor, in one transaction.

        A replay changes nothing, and the events' order does not matter.
        """
        with self._database.writing() as connection:
            cursors.move(connection, follower, segment)
            scans.record(connection, events)

    def cursor(self, follower: str) -> int:
        """The last segment that the follower has read; 0 at first."""
        with self._database.reading() as connection:
            return cursors.segment(connection, follower)

    def running_scans(self, since: int) -> int:
        """How many scans that started at or after the moment have not ended."""
        with self._database.reading() as connection:
            return scans.running(connection, since)

    def latest_sizes(self, bounds: Sequence[tuple[date, int, int]]) -> dict[date, int]:
        """By day, the bytes that the last completed scan in its span ``[start, end)`` found.

        A day without a completed scan is absent, and so is one whose last completed scan told no size.
        """
        with self._database.reading() as connection:
            return scans.latest_sizes(connection, bounds)

    # Counted days

    def daily_stats(self, first: date, last: date) -> dict[date, DailyStats]:
        """The counted days from the first to the last, both included; one that nobody counted is absent."""
        with self._database.reading() as connection:
            return stats.between(connection, first, last)

    def put_daily_stats(self, rows: Iterable[DailyStats]) -> None:
        """Store days; a day's new count takes the place of its old one."""
        with self._database.writing() as connection:
            stats.put(connection, rows)

    # What components did

    def put_tallies(self, rows: Iterable[TallyRow]) -> None:
        """Store slots; one that is there already is replaced."""
        with self._database.writing() as connection:
            tallies.put(connection, rows)

    def tallies(self, since: int, until: int, component: str | None = None) -> tuple[TallyRow, ...]:
        """The slots that overlap ``[since, until)``, in the order of their starts."""
        with self._database.reading() as connection:
            return tallies.between(connection, since, until, component)

    def coarsen_tallies(self, now: int, merge: Callable[[Sequence[TallyRow], int], Iterable[TallyRow]]) -> int:
        """Put old slots together, some at a time; how many. ``merge`` gives the new ones, of that length."""
        with self._database.writing() as connection:
            return tallies.coarsen(connection, now, merge)

    # Figures over time

    def put_samples(self, rows: Iterable[Sample]) -> None:
        """Store them; one of the same slot and source is replaced."""
        with self._database.writing() as connection:
            samples.put(connection, rows)

    def samples(self, component: str, since: int, until: int, *, step: int = MINUTE,
                sources: Collection[str] = SHOWN) -> tuple[Sample, ...]:
        """Those that overlap ``[since, until)``, in the order of their starts; of each source the last in a step."""
        with self._database.reading() as connection:
            return samples.between(connection, component, since, until, step, sources)

    def coarsen_samples(self, now: int) -> int:
        """Put old minutes together to hours, some at a time; how many. See `samples.coarsen`."""
        with self._database.writing() as connection:
            return samples.coarsen(connection, now)

    # Recounts

    def recounted_days(self) -> dict[date, RecountedDay]:
        """How far each day was recounted; one of which nothing was is absent."""
        with self._database.reading() as connection:
            return recounts.days(connection)

    def put_recount(
        self, days: Iterable[RecountedDay], replaced: Replaced, wrong: Sequence[Recounted],
        beside: Iterable[Sample] = (),
    ) -> None:
        """Remember what was recounted; ``wrong`` takes the place of the windows' earlier disagreements.

        ``beside``: both sides of windows, whether they agree or not.
        """
        with self._database.writing() as connection:
            recounts.put(connection, days)
            recounts.replace(connection, replaced, wrong)
            samples.put(connection, beside)

    def mismatches(self, limit: int = recounts.MOST) -> tuple[Recounted, ...]:
        """Windows that did not agree when they were last recounted, the newest first."""
        with self._database.reading() as connection:
            return recounts.latest(connection, limit)

    def record_repair(self, *, at: int, who: str, subject: str, old: str, new: str, reason: str) -> None:
        """An audit row for rollups that are counted anew."""
        with self._database.writing() as connection:
            audit.write(connection, at=at, who=who, action="recount.repair", subject=subject, old=old, new=new,
                        reason=reason)

    # Runs

    def begin_run(self, at: int) -> int:
        """Note that a collector starts. The run's number, for `touch_run`."""
        with self._database.writing() as connection:
            return runs.begin(connection, at)

    def touch_run(self, run: int, at: int) -> None:
        """Note that the run is alive; call it every few seconds."""
        with self._database.writing() as connection:
            runs.touch(connection, run, at)

    def alive(self, start: int, end: int) -> int:
        """Microseconds of ``[start, end)`` in which at least one collector was alive."""
        with self._database.reading() as connection:
            return runs.alive(connection, start, end)

    # Alerts

    def step_alerts(
        self, conditions: Iterable[Condition], *, at: int, pace: Pace, targets: Iterable[str],
    ) -> Transitions:
        """Take the alerts one step on and put what is to be told into the outbox, in one transaction."""
        with self._database.writing() as connection:
            before = alerts.watched(connection, at - pace.reopen_within)
            made = step(before, conditions, silences.active(connection, at), at, pace)
            made = alerts.put(connection, before, made)
            deliveries.enqueue(connection, made.notices, targets)
        return made

    def live_alerts(self) -> tuple[Alert, ...]:
        """The open ones, acknowledged or not, the newest first."""
        with self._database.reading() as connection:
            return alerts.live(connection)

    def alerts(self, limit: int = 100, before_id: int | None = None) -> tuple[Alert, ...]:
        """All of them, the newest first; `before_id` is the last one of the page before."""
        with self._database.reading() as connection:
            return alerts.history(connection, limit=limit, before_id=before_id)

    def alerts_between(self, since: int, until: int, limit: int) -> tuple[Alert, ...]:
        """Those that were open at some time of a span, the newest first."""
        with self._database.reading() as connection:
            return alerts.between(connection, since, until, limit)

    def acknowledge_alert(self, number: int, *, who: str, at: int, note: str | None = None) -> Alert:
        """Note, with an audit row, that somebody knows. Raises AlertError when there is no such open alert."""
        with self._database.writing() as connection:
            return alerts.acknowledge_one(connection, number, who=who, at=at, note=note)

    def silences(self, now: int) -> tuple[Silence, ...]:
        """Those that have not expired."""
        with self._database.reading() as connection:
            return silences.active(connection, now)

    def add_silence(self, silence: Silence) -> Silence:
        """Store it, with an audit row; what comes back has its number."""
        with self._database.writing() as connection:
            return silences.add(connection, silence)

    def end_silence(self, number: int, *, who: str, at: int) -> Silence:
        """Take it away, with an audit row. Raises AlertError when there is none."""
        with self._database.writing() as connection:
            return silences.end(connection, number, who=who, at=at)

    # The outbox

    def take_delivery(self, target: str, *, now: int, lease: int, cap: int) -> Delivery | None:
        """The target's next delivery that is due, nobody else's before the lease is over. See `deliveries.take`."""
        with self._database.writing() as connection:
            return deliveries.take(connection, target, now=now, lease=lease, cap=cap)

    def finish_delivery(
        self, number: int, *, status: DeliveryStatus, at: int, error: str | None = None,
    ) -> None:
        """It is delivered, or given up."""
        with self._database.writing() as connection:
            deliveries.finish(connection, number, status=status, at=at, error=error)

    def retry_delivery(self, number: int, *, at: int, error: str) -> None:
        """It failed, and is due again at the moment."""
        with self._database.writing() as connection:
            deliveries.retry(connection, number, at=at, error=error)

    def next_delivery(self, target: str) -> int | None:
        """When the target's first waiting delivery is due; None without any."""
        with self._database.reading() as connection:
            return deliveries.next_try(connection, target)

    def give_up_deliveries(self, targets: Iterable[str], *, at: int) -> int:
        """Fail what waits for any other target than these. How many that were."""
        with self._database.writing() as connection:
            return deliveries.give_up_unknown(connection, targets, at=at)

    def deliveries(self, components: Iterable[str], since: int) -> tuple[Delivery, ...]:
        """What was to be told of the components since the moment, in its order."""
        with self._database.reading() as connection:
            return deliveries.about(connection, components, since)
