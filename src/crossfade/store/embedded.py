"""The embedded event store: DuckDB, one file, one owning process, one loader thread, a cursor a reader."""

import errno
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import islice
from pathlib import Path

import duckdb
import structlog

from crossfade.core.clock import MINUTE
from crossfade.core.days import Days
from crossfade.core.report import REPORT

from . import accounts, schema
from .connections import Connections, opened
from .faults import UNFIT, breaks, first_line, trouble_with
from .horizon import NOTHING, UNKNOWN, Horizon, Look, Mark, from_moment, from_segment
from .intake import Intake
from .port import (
    Ledger,
    Loaded,
    Message,
    MinuteCounts,
    RawEvent,
    Reach,
    ScanEvent,
    SegmentUnreadable,
    StoreBusy,
    StoredReport,
    StoreError,
    StoreStatus,
)
from .sift import sift
from .statements import Parameters, Statements

log = structlog.get_logger(__name__)

QUIET_WAL = 1 << 20
"""Bytes of write-ahead log that are worth a checkpoint when nothing else is to do."""
SCANS_AT_ONCE = 10_000
REPORTS_AT_ONCE = 20_000
ROWS_AT_ONCE = 5_000
PARTS_AHEAD = 5
"""Parts of an answer that are taken before they are given: one that has no more holds nothing while it is read."""
RENEW_AFTER = 20_000_000
"""Rows after which the file is taken up anew: what is kept in memory of them is 12 MB by then."""


class EmbeddedStore:
    """DuckDB behind the EventStore port."""

    def __init__(self, path: Path, days: Days, *, memory_limit: int = 10**9) -> None:
        """Opens or makes the file; its engine may take ``memory_limit`` bytes.

        Raises StoreError when it cannot, StoreTooNew when it is from a later version.
        """
        self._path = path
        self._days = days
        self._memory_limit = memory_limit
        self._sql = schema.queries()
        self._broken = False
        self._taken = 0
        self._statements = Statements(lambda: self._connections.loader, self._sql)
        self._intake = Intake(self._statements, days)
        try:
            self._connections = self._open()
        except duckdb.Error as error:
            raise StoreError(f"the event store {path.name} cannot be opened: {first_line(error)}") from None
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    # Loading

    def load(self, number: int, path: Path) -> Loaded:
        """Brings in a segment in one transaction; one that is in already changes nothing.

        Raises StoreBusy when the store cannot take it now, SegmentUnreadable when the file is to blame.
        """
        with self._writing(path):
            self._keep_within_the_folder(path)
            try:
                loaded = self._intake.load(number, path, self._horizon)
            except UNFIT as error:
                log.warning("store: a segment holds lines that cannot be stored",
                            segment=number, error=first_line(error))
                loaded = self._load_sifted(number, path)
            self._taken += loaded.stored
            return loaded

    def set_aside(self, number: int, lines: int, reason: str) -> None:
        """Goes on without a segment; its lines count as quarantined."""
        with self._writing():
            self._intake.set_aside(number, lines, reason)

    def _load_sifted(self, number: int, path: Path) -> Loaded:
        """Loads the good lines and quarantines the others."""
        fit = self._path.with_name("sifted.tsv")
        try:
            refused = sift(path, fit)
            return self._intake.load_sifted(number, fit, refused, self._horizon)
        except UNFIT as error:
            raise SegmentUnreadable(f"{path.name}: {first_line(error)}") from error
        finally:
            fit.unlink(missing_ok=True)

    # Questions

    def last_segment(self) -> int:
        """Through which journal segment everything is in."""
        return int(self._ask("progress")[0][0])

    def counts(self, since: int, until: int) -> dict[str, int]:
        """Events by name, exactly, with ``since <= ts < until``."""
        first, last = -(-since // MINUTE), until // MINUTE
        if first >= last:  # no whole minute between: all from the raw events
            first = last = 0
            head_end = tail_start = until
        else:
            head_end, tail_start = first * MINUTE, last * MINUTE
        rows = self._ask("counts", {"since": since, "until": until, "first": first, "last": last,
                                    "head_end": head_end, "tail_start": tail_start},
                         lambda horizon: {"from": horizon.since(since), "tail_from": horizon.since(tail_start)})
        return {str(event): int(n) for event, n in rows}

    def signed_in(self, since: int, until: int) -> int:
        """How many users signed in (``auth_success``), over a minute at the least; events without a user id aside."""
        if until - since < MINUTE:
            raise ValueError("sign-ins are told of a minute at the least")
        return int(self._ask("signed_in", {"since": since, "until": until, "first": since // MINUTE,
                                           "final": (until - 1) // MINUTE})[0][0])

    def days(self, first: date, last: date) -> dict[date, dict[str, int]]:
        """Events by day and name, for the days that have any."""
        found: dict[date, dict[str, int]] = {}
        for day, event, n in self._ask("days", {"first": first, "last": last}):
            found.setdefault(day, {})[event] = n
        return found

    def days_touched(self, after_segment: int) -> dict[date, int]:
        """The days that a later segment changed, with the last that did."""
        return dict(self._ask("days_touched", {"segment": after_segment}))

    def scan_events(self, after_segment: int) -> list[ScanEvent]:
        """Scans' begins and ends that later segments brought, in their order; many of them in parts."""
        later = from_segment(after_segment)
        last = self._ask("scans_until", {"segment": after_segment, "most": SCANS_AT_ONCE}, later)[0][0]
        if last is None:
            return []
        return [ScanEvent(*row) for row in self._ask("scan_events", {"segment": after_segment, "last": last}, later)]

    def ledger(self) -> Ledger:
        """The account of the trackers' events, as of the last segment that is in."""
        return accounts.read(self._ask)

    def reports(self, after_segment: int, since: int) -> list[StoredReport]:
        """Processes' reports from ``since`` on that later segments brought, in their order; of very many the newest."""
        rows = self._ask("reports", {"event": REPORT, "segment": after_segment, "since": since,
                                     "most": REPORTS_AT_ONCE}, from_segment(after_segment))
        return [StoredReport(*row) for row in rows]

    def status(self) -> StoreStatus:
        """How far the store is, and how large."""
        segment, stored, duplicates, quarantined = self._ask("progress")[0]
        return StoreStatus(segment, stored, duplicates, quarantined, _size(self._path) + _size(self._wal()))

    # For the recount

    def minutes(self, since: int, until: int) -> MinuteCounts:
        """The minute rollup of a span of whole minutes, with the segment after which it stood so."""
        rows = self._ask("minutes", {"first": since // MINUTE, "last": until // MINUTE})
        segment = next(row[0] for row in rows if row[0] is not None)
        return MinuteCounts(segment, {(minute, event): n for _, minute, event, n in rows if minute is not None})

    def raw(self, since: int, until: int) -> Iterator[Sequence[RawEvent]]:
        """The stored events of the span, in parts."""
        return self._stream("raw", {"since": since, "until": until}, from_moment(since))

    def messages(self, since: int, until: int) -> Iterator[Sequence[Message]]:
        """The stored events of the span by source and message id, in parts."""
        return self._stream("messages", {"since": since, "until": until}, from_moment(since))

    def known(self, messages: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
        """Those of the messages that are stored, whatever their time."""
        if not messages:
            return set()
        sources, ids = zip(*messages, strict=True)
        return set(self._ask("known", {"sources": sources, "ids": ids}))

    def reach(self) -> Reach:
        """How far back the raw events go."""
        forgotten, first = self._ask("reach")[0]
        return Reach(int(forgotten or 0), first)

    def repair(self, minutes: Collection[int], days: Collection[date]) -> None:
        """Counts rollups anew from the raw events, as far as these go back."""
        with self._writing(), self._statements.transaction():
            forgotten = self._statements.one("reach")[0] or 0
            self._recount_minutes(sorted(minute for minute in set(minutes) if minute * MINUTE >= forgotten))
            self._recount_days(sorted(day for day in set(days) if self._days.start(day) >= forgotten))

    def _recount_minutes(self, minutes: Sequence[int]) -> None:
        if minutes:
            span = {"since": minutes[0] * MINUTE, "until": (minutes[-1] + 1) * MINUTE}
            for rollup in ("minutes", "sign_ins"):
                self._statements.do(f"drop_{rollup}", {"minutes": minutes})
                self._statements.do(f"recount_{rollup}", {"minutes": minutes, **span})

    def _recount_days(self, days: Sequence[date]) -> None:
        if days:
            bounds = [self._days.bounds(day) for day in days]
            self._statements.do("drop_days", {"days": days})
            self._statements.do("recount_days", {"days": days, "starts": [start for start, _ in bounds],
                                      "ends": [end for _, end in bounds]})

    # Upkeep, by the loader's thread

    def rest(self) -> None:
        """Brings the write-ahead log into the file, when it is worth it; and takes the file up anew after many rows."""
        with self._writing():
            if _size(self._wal()) >= QUIET_WAL:
                self._connections.loader.execute("CHECKPOINT")
            if self._taken >= RENEW_AFTER:
                self._renew()

    def forget(self, before: int) -> int:
        """Deletes raw events before the moment; rollups stay. Gives how many."""
        with self._writing(), self._statements.transaction():
            first = self._statements.one("reach")[1]
            if first is None or first >= before:
                return 0
            self._horizon = UNKNOWN
            self._statements.do("note_forgotten", {"before": before})
            self._statements.do("forget_sign_ins", {"before": before})
            return self._statements.do("forget", {"before": before})

    def settle(self, before: int) -> int:
        """Adds up the trackers that were last heard of before the moment and are done; gives how many."""
        with self._writing():
            return self._intake.settle(before)

    def close(self) -> None:
        self._connections.close()

    # Inside

    def _keep_within_the_folder(self, segment: Path) -> None:
        """The engine's own reader holds itself to that; the compiled one goes where it is sent."""
        if not segment.resolve().is_relative_to(self._path.parent.resolve()):
            raise PermissionError(errno.EACCES, "it lies outside the data folder", str(segment))

    def _open(self) -> Connections:
        return Connections(opened(self._path, self._memory_limit))

    def _renew(self) -> None:
        try:
            if self._connections.renew(self._path):
                self._taken = 0
        except duckdb.Error:
            self._broken = True
            raise

    @contextmanager
    def _writing(self, segment: Path | None = None) -> Iterator[None]:
        """What the loader's thread does: every failure in it is a StoreBusy. Opens the file anew if that is needed."""
        try:
            if self._broken:
                self._connections.close()
                self._connections = self._open()
                self._horizon = self._look_back()
                self._broken = False
                self._taken = 0
                log.warning("store: the event store was opened anew")
            yield
        except (duckdb.Error, OSError) as error:
            if breaks(error):
                self._broken = True
            trouble = None if segment is None else trouble_with(segment)
            if trouble is not None:
                raise SegmentUnreadable(trouble) from error
            raise StoreBusy(f"the event store cannot be written: {first_line(error)}") from error

    def _prepare(self) -> None:
        try:
            schema.prepare(self._connections.loader, self._sql, self._days.zone)
            self._horizon = self._look_back()
        except duckdb.Error as error:
            raise StoreError(f"the event store cannot be read: {first_line(error)}") from None

    def _look_back(self) -> Horizon:
        """What the marks tell, and the few rows after the last one."""
        if self._statements.all("meta", {"name": "forgotten"}):
            return UNKNOWN
        marks = [Mark(*row) for row in self._statements.all("marks")]
        last = marks[-1] if marks else NOTHING
        rows, *rest = self._statements.all("rows_since", {"from": last.row})[0]
        return Horizon(marks, last if rows is None else last.joined(Mark(rows, *rest)))

    def _wal(self) -> Path:
        return self._path.with_name(self._path.name + ".wal")

    def _stream(self, statement: str, parameters: Parameters, look: Look) -> Iterator[list[tuple]]:  # type: ignore[type-arg]
        """Asks on a cursor of its own, and takes the answer in parts."""
        try:
            with self._connections.cursor() as cursor:
                self._execute(cursor, statement, parameters, look)
                while len(parts := _parts(cursor)) == PARTS_AHEAD:
                    yield from parts
            yield from parts
        except duckdb.Error as error:
            raise self._unanswered(error) from error

    def _ask(self, statement: str, parameters: Parameters | None = None, look: Look | None = None) -> list[tuple]:  # type: ignore[type-arg]
        """Asks on a cursor of its own, beside the loader."""
        try:
            with self._connections.cursor() as cursor:
                self._execute(cursor, statement, parameters or {}, look)
                rows: list[tuple] = cursor.fetchall()  # type: ignore[type-arg]
        except duckdb.Error as error:
            raise self._unanswered(error) from error
        return rows

    def _execute(self, cursor: duckdb.DuckDBPyConnection, statement: str, parameters: Parameters,
                 look: Look | None) -> None:
        """``look``: from which rows on. Where these have moved meanwhile, which they do once, it asks again."""
        horizon = self._horizon
        cursor.execute(self._sql[statement], {**parameters, **look(horizon)} if look else parameters)
        if look and self._horizon is not horizon:
            cursor.execute(self._sql[statement], {**parameters, **look(UNKNOWN)})

    def _unanswered(self, error: duckdb.Error) -> StoreError:
        if breaks(error):
            self._broken = True  # the loader's thread opens the file anew
        return StoreError(f"the event store did not answer: {first_line(error)}")


def _parts(cursor: duckdb.DuckDBPyConnection) -> list[list[tuple]]:  # type: ignore[type-arg]
    """The next of an answer; fewer than can be when there is no more."""
    return list(islice(iter(lambda: cursor.fetchmany(ROWS_AT_ONCE), []), PARTS_AHEAD))


def _size(path: Path) -> int:
    """0 for a file that is not there: a checkpoint takes the log away at any moment."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
