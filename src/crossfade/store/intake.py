"""How a segment goes into the tables: read, freed of what is there already, stored and counted, in one transaction."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path

from msgspec.structs import asdict

from crossfade.core.clock import DAY
from crossfade.core.days import Days
from crossfade.core.ledger import Heard

from .accounts import Accounts
from .faults import CalendarError, StatementError
from .horizon import Horizon, Mark
from .lines import read_any, read_plain
from .port import Loaded
from .sift import EARLIEST, LATEST, Refused
from .spans import cover
from .statements import Parameters, Statements

ARRIVAL_WINDOW = 7 * DAY
"""How far back a message without a time of its own is looked for."""
RECENT = 1_000_000
"""Among how many of the last events a retry with a new time is looked for."""


class Intake:
    """For the loader's thread. What is wrong with a file it raises as duckdb.Error, CalendarError, StatementError."""

    def __init__(self, statements: Statements, days: Days) -> None:
        self._statements = statements
        self._days = days
        self._accounts = Accounts(statements)

    def load(self, number: int, path: Path, horizon: Horizon) -> Loaded:
        """Brings in the file; a segment that is in changes nothing."""
        return self._load(number, partial(read_plain, self._statements, path), (), horizon)

    def load_sifted(self, number: int, path: Path, refused: Sequence[Refused], horizon: Horizon) -> Loaded:
        """Brings in what the careful look has left, and notes the lines that it has not."""
        return self._load(number, partial(read_any, self._statements, path), refused, horizon)

    def _load(self, number: int, read: Callable[[], None], refused: Sequence[Refused], horizon: Horizon) -> Loaded:
        with self._statements.transaction():
            if self._is_in(number):
                return Loaded(number, 0, 0, 0)
            read()
            heard = self._hear()
            lines, distinct, earliest, latest, latest_raw, first_arrival, tracked = (
                self._statements.one("measure_incoming"))
            arrivals = self._accounts.arrivals() if tracked else {}
            stored, mark = 0, horizon.due()
            if lines:
                if earliest is None or earliest < EARLIEST or latest >= LATEST:
                    raise CalendarError("an event's time is unknown, or lies before 1973 or after 3000")
                stored = self._deduplicate(lines, distinct, first_arrival, horizon)
            if stored:
                self._store(number, self._days.of(earliest), self._days.of(latest))
                self._keep(mark)
            if arrivals or heard:
                self._accounts.note(arrivals, heard)
            self._keep_refused(number, refused)
            loaded = Loaded(number, stored, lines - stored, len(refused))
            self._advance(loaded)
        if stored:
            horizon.grow(mark, stored, number, latest, latest_raw)
        return loaded

    def set_aside(self, number: int, lines: int, reason: str) -> None:
        """Goes on without a segment; its lines count as quarantined."""
        with self._statements.transaction():
            if not self._is_in(number):
                self._keep_refused(number, (Refused(0, reason, ""),))
                self._advance(Loaded(number, 0, 0, lines))

    def settle(self, before: int) -> int:
        """Adds up the trackers that were last heard of before the moment and are done; gives how many."""
        with self._statements.transaction():
            return self._accounts.settle(before)

    def _is_in(self, number: int) -> bool:
        return bool(number <= self._statements.one("progress")[0])

    def _hear(self) -> list[Heard]:
        try:
            return self._accounts.hear()
        except ValueError as error:
            raise StatementError(f"a line without a message id and a name is no statement: {error}") from None

    def _deduplicate(self, lines: int, distinct: int, first_arrival: int | None, horizon: Horizon) -> int:
        """Leaves in ``incoming`` only what the store does not hold; gives how many that are."""
        if distinct < lines:
            lines -= self._statements.do("drop_repeats")
        first = self._rows(horizon) - RECENT
        lines -= self._drop_known("suspects_by_recency", {"first": first})
        for since, until in cover(self._statements.all("spans_of_incoming")):
            lines -= self._drop_known("suspects_by_time", {"since": since, "until": until, "first": first,
                                                           "from": horizon.since_raw(since)})
        if first_arrival is not None:
            lines -= self._drop_known("suspects_by_arrival", {"since": first_arrival - ARRIVAL_WINDOW, "first": first})
        return lines

    def _drop_known(self, look: str, parameters: Parameters) -> int:
        """Each look makes its table anew and fills it in the same statement: rows that are inserted after an insert of
        none, a row group or more, are not found by DuckDB 2.0 until the transaction has ended.
        """
        return self._statements.do("drop_known") if self._statements.do(look, parameters) else 0

    def _rows(self, horizon: Horizon) -> int:
        """How many rows of events there are, gaps of those that were deleted included."""
        if horizon.rows is not None:
            return horizon.rows
        newest = self._statements.one("newest_row")[0]
        return 0 if newest is None else newest + 1

    def _store(self, number: int, first: date, last: date) -> None:
        """Puts ``incoming``, whose events lie in these days, where it belongs."""
        do, days = self._statements.do, list(self._days.between(first, last))
        do("insert_events", {"segment": number})
        do("count_minutes")
        do("merge_minutes")
        do("merge_days", {"segment": number, "days": days, "starts": [self._days.start(day) for day in days]})
        do("merge_sign_ins")

    def _keep(self, mark: Mark | None) -> None:
        if mark is not None:
            self._statements.do("keep_mark", asdict(mark))

    def _keep_refused(self, number: int, refused: Sequence[Refused]) -> None:
        if refused:
            self._statements.do("quarantine", {
                "segment": number, "lines": [line.line for line in refused],
                "reasons": [line.reason for line in refused], "texts": [line.text for line in refused],
            })

    def _advance(self, loaded: Loaded) -> None:
        self._statements.do("advance", {"segment": loaded.segment, "stored": loaded.stored,
                                        "duplicates": loaded.duplicates, "quarantined": loaded.quarantined})
