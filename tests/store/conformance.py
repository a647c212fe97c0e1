"""What any EventStore backend must do, against a naive count in Python: subclass ``Conformance`` and give ``make``."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.core import line
from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND, iso
from crossfade.core.days import Days
from crossfade.core.ledger import Account, Standing, Statement, stand
from crossfade.core.report import REPORT
from crossfade.store.port import (
    EventStore,
    Loaded,
    MinuteCounts,
    Reach,
    SegmentUnreadable,
    StoreBusy,
    StoreError,
)

BASE = 1_790_000_040 * SECOND
"""A moment that is a whole minute."""
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu")
TRACKER = "01976f4e-0000-7000-8000-000000000001"
NAMES = ("auth_success", "file_processed", "scan_started", "größe 😀 '\"{}")


@dataclass(frozen=True)
class Item:
    """One line of a segment."""

    message: str
    raw: int | None = None
    """As the sender wrote it; None when it wrote no time."""
    received: int = BASE
    offset: int = 0
    source: int = 1
    event: str = "file_processed"
    user: str = ""
    properties: str = "{}"
    tracker: str = ""
    number: int = 0

    @property
    def ts(self) -> int:
        return self.received if self.raw is None else self.raw + self.offset

    def line(self) -> str:
        raw = "" if self.raw is None else iso(self.raw)
        return (f"{self.source}\t{self.received}\t{self.offset}\t{raw}\t{self.message}\t{self.event}\t{self.user}\t\t\t"
                f"{self.properties}\t{self.tracker}\t{self.number or ''}\n")


class Oracle:
    """Every event once, in a list."""

    def __init__(self, zone: str) -> None:
        self.zone = ZoneInfo(zone)
        self.kept: dict[tuple[int, str], Item] = {}
        self.touched: dict[date, int] = {}

    def load(self, number: int, items: Iterable[Item]) -> tuple[int, int]:
        stored = seen = 0
        for item in items:
            seen += 1
            if (item.source, item.message) not in self.kept:
                self.kept[item.source, item.message] = item
                self.touched[self.day(item.ts)] = number
                stored += 1
        return stored, seen - stored

    def day(self, moment: int) -> date:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment)).astimezone(self.zone).date()

    def counts(self, since: int, until: int) -> dict[str, int]:
        return dict(Counter(item.event for item in self.kept.values() if since <= item.ts < until))

    def signed_in(self, since: int, until: int) -> int:
        return len({item.user for item in self.kept.values()
                    if item.event == "auth_success" and since <= item.ts < until and item.user})

    def days(self) -> dict[date, dict[str, int]]:
        found: dict[date, Counter[str]] = defaultdict(Counter)
        for item in self.kept.values():
            found[self.day(item.ts)][item.event] += 1
        return {day: dict(counts) for day, counts in found.items()}


moments = st.one_of(
    st.integers(BASE - 2 * MINUTE, BASE + 2 * MINUTE),  # many in the same few minutes
    st.builds(lambda minute, off: BASE + minute * MINUTE + off, st.integers(-3, 3), st.sampled_from((-1, 0, 1))),
    st.integers(BASE - 400 * DAY, BASE),
    st.integers(94_694_401 * SECOND, BASE),  # from 1973 on, however the clocks differ
)


@st.composite
def _items(draw: st.DrawFn) -> Item:
    raw = draw(st.none() | moments)
    # A message that is sent again keeps its name and its time; which ones meet is left to the few ids.
    return Item(
        f"m{draw(st.integers(0, 60))}", raw, BASE + draw(st.integers(0, 3 * HOUR)),
        draw(st.sampled_from((0, 0, 1, -SECOND, 90 * MINUTE))), draw(st.integers(1, 2)),
        draw(st.sampled_from(NAMES)), draw(st.sampled_from(("", "", "ann", "bob", "zoë"))),
    )


loads = st.lists(st.lists(_items(), min_size=1, max_size=25), min_size=1, max_size=5)
edges = st.one_of(moments, st.just(BASE), st.integers(BASE - 500 * DAY, BASE + 500 * DAY))


class Conformance:
    """The tests. A segment file is written beside the store's own file, in a folder that is the test's."""

    def make(self, path: Path, days: Days) -> EventStore:
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterable[EventStore]:
        made = self.make(tmp_path / "events", Days())
        yield made
        made.close()

    @settings(max_examples=25)
    @given(batches=loads, zone=st.sampled_from(ZONES), spans=st.lists(st.tuples(edges, edges), max_size=4),
           reopen=st.booleans())
    def test_it_agrees_with_a_naive_count(self, batches: list[list[Item]], zone: str, spans: list[tuple[int, int]],
                                          reopen: bool) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder)
            store, oracle = self.make(path / "events", Days(zone)), Oracle(zone)
            try:
                for number, items in enumerate(batches, 1):
                    stored, duplicates = oracle.load(number, items)
                    assert load(store, path, number, items) == Loaded(number, stored, duplicates, 0)
                    assert store.load(number, path / f"{number}.tsv") == Loaded(number, 0, 0, 0)  # a replay
                    agree(store, oracle, spans)
                    if reopen:
                        store.close()
                        store = self.make(path / "events", Days(zone))
                agree(store, oracle, spans)
                assert store.days_touched(len(batches)) == {}
                assert store.days_touched(len(batches) - 1) == {
                    day: segment for day, segment in oracle.touched.items() if segment == len(batches)
                }
            finally:
                store.close()

    def test_an_empty_store_has_nothing(self, store: EventStore) -> None:
        assert store.last_segment() == 0
        assert store.counts(0, BASE) == {}
        assert store.signed_in(0, BASE) == 0
        assert store.days(date(1973, 1, 1), date(2999, 1, 1)) == {}
        assert store.days_touched(0) == {}
        assert store.scan_events(0) == []
        assert store.reports(0, 0) == []
        status = store.status()
        assert (status.segment, status.stored, status.duplicates, status.quarantined) == (0, 0, 0, 0)

    @pytest.mark.parametrize("ids", [("a", "a"), ("a", "b", "a", "b", "c")])
    def test_a_message_that_stands_twice_in_a_segment_counts_once(self, store: EventStore, tmp_path: Path,
                                                                  ids: tuple[str, ...]) -> None:
        items = [Item(name, BASE + place, event=f"e{place}") for place, name in enumerate(ids)]
        assert load(store, tmp_path, 1, items) == Loaded(1, len(set(ids)), len(ids) - len(set(ids)), 0)
        assert store.counts(0, BASE + HOUR) == {f"e{ids.index(name)}": 1 for name in set(ids)}  # the first one stays

    def test_a_retry_is_recognised_however_long_ago_it_was(self, store: EventStore, tmp_path: Path) -> None:
        first = Item("old", BASE - 5_000 * DAY, received=BASE - 5_000 * DAY)
        load(store, tmp_path, 1, [first])
        load(store, tmp_path, 2, [Item(f"x{i}", BASE + i) for i in range(100)])
        again = [replace(first, received=BASE + DAY, offset=7), Item("new", BASE)]
        assert load(store, tmp_path, 3, again) == Loaded(3, 1, 1, 0)

    def test_a_retry_with_another_time_is_recognised_among_the_last_events(self, store: EventStore,
                                                                           tmp_path: Path) -> None:
        load(store, tmp_path, 1, [Item("a", BASE - 300 * DAY), Item("b", None)])
        again = [Item("a", BASE), Item("a", None), Item("b", BASE - DAY)]
        assert load(store, tmp_path, 2, again) == Loaded(2, 0, 3, 0)

    @pytest.mark.parametrize("later", [0, HOUR])
    def test_very_many_retries_are_recognised(self, store: EventStore, tmp_path: Path, later: int) -> None:
        """So many that a store may treat them otherwise than a few."""
        load(store, tmp_path, 1, [Item(f"a{number}", BASE) for number in range(130_000)])
        again = [Item(f"a{number}", BASE + later) for number in range(130_000)]
        assert load(store, tmp_path, 2, again) == Loaded(2, 0, 130_000, 0)

    def test_a_retry_without_a_time_is_recognised_for_a_week_even_when_the_clock_was_set_back(
        self, store: EventStore, tmp_path: Path,
    ) -> None:
        load(store, tmp_path, 1, [Item("a", None, BASE), Item("b", None, BASE + HOUR)])
        again = [Item("a", None, BASE + 7 * DAY), Item("b", None, BASE + 7 * DAY)]
        assert load(store, tmp_path, 2, again) == Loaded(2, 0, 2, 0)
        assert load(store, tmp_path, 3, [Item("b", None, BASE)]) == Loaded(3, 0, 1, 0)

    def test_the_same_id_from_another_source_is_another_event(self, store: EventStore, tmp_path: Path) -> None:
        items = [Item("a", BASE), Item("a", BASE, source=2)]
        assert load(store, tmp_path, 1, items).stored == 2
        assert load(store, tmp_path, 2, [*items, Item("a", BASE, source=65_535)]) == Loaded(2, 1, 2, 0)

    def test_scans_come_segment_by_segment(self, store: EventStore, tmp_path: Path) -> None:
        load(store, tmp_path, 1, [Item("a", BASE + 5, event="scan_completed", properties='{"scanId":"1"}'),
                                  Item("b", BASE + 1, event="scan_started"), Item("c", BASE)])
        load(store, tmp_path, 2, [Item("d", BASE, event="scan_started")])
        told = [(found.segment, found.at, found.event, found.properties) for found in store.scan_events(0)]
        assert told == [(1, BASE + 1, "scan_started", "{}"), (1, BASE + 5, "scan_completed", '{"scanId":"1"}'),
                        (2, BASE, "scan_started", "{}")]
        assert [found.segment for found in store.scan_events(1)] == [2]
        assert store.scan_events(2) == []

    def test_what_came_of_each_tracker_is_accounted_for(self, store: EventStore, tmp_path: Path) -> None:
        own = [Item(f"a{number}", BASE, tracker=TRACKER, number=number) for number in (1, 2, 4)]
        told = Account(TRACKER, 5, 0, {}, {"sampled": 3})
        write(tmp_path, 1, [*own, Item("z", BASE)], Statement(told, {"too_old": ((3, 3),)}),
              Statement(nameless={"deep": 2}))
        assert store.load(1, tmp_path / "1.tsv") == Loaded(1, 4, 0, 0)
        assert stand(store.ledger().entries[0]) == Standing(5, 3, 3, 0, {"too_old": 1}, {"sampled": 3}, 1, 0)
        assert store.ledger().nameless == {"deep": 2}
        # A batch that is sent again, with what was still to come, and a message id that is there already.
        write(tmp_path, 2, [*own, Item("z", BASE, tracker=TRACKER, number=5), Item("a4", BASE)],
              Statement(msgspec.structs.replace(told, delivered=3, closed=True)),
              Statement(nameless={"deep": 1, "odd": 1}))
        assert store.load(2, tmp_path / "2.tsv") == Loaded(2, 0, 5, 0)
        assert store.load(2, tmp_path / "2.tsv") == Loaded(2, 0, 0, 0)
        entry, = store.ledger().entries
        assert stand(entry) == Standing(5, 4, 3, 4, {"too_old": 1}, {"sampled": 3}, 0, 0)
        assert (entry.account.closed, entry.first_seen, entry.last_seen, entry.source) == (True, BASE, BASE, 1)
        assert store.ledger().nameless == {"deep": 3, "odd": 1}

    def test_a_heartbeat_alone_is_a_segment(self, store: EventStore, tmp_path: Path) -> None:
        write(tmp_path, 1, [], Statement(Account(TRACKER, 2, 0, {}, {})))
        assert store.load(1, tmp_path / "1.tsv") == Loaded(1, 0, 0, 0)
        assert stand(store.ledger().entries[0]).waiting == 2

    def test_trackers_that_are_done_are_added_up(self, store: EventStore, tmp_path: Path) -> None:
        for number, closed in enumerate((True, False, True), 1):
            tracker = TRACKER[:-1] + str(number)
            write(tmp_path, number, [Item(tracker, BASE, tracker=tracker, number=1)],
                  Statement(Account(tracker, 1, 0, {}, {}, closed=closed)))
            store.load(number, tmp_path / f"{number}.tsv")
        before = store.ledger()
        assert store.settle(BASE) == 0
        assert store.ledger() == before
        assert store.settle(BASE + 1) == 2
        after = store.ledger()
        assert (len(after.entries), after.past_trackers, after.past.sent, after.past.stored) == (1, 2, 2, 2)
        assert store.settle(BASE + 1) == 0
        assert store.ledger() == after

    def test_reports_come_segment_by_segment_from_a_moment_on(self, store: EventStore, tmp_path: Path) -> None:
        load(store, tmp_path, 1, [Item("a", BASE + 5, event=REPORT, properties='{"n":1}'), Item("b", BASE + 6),
                                  Item("c", BASE + 1, event=REPORT), Item("d", BASE - 1, event=REPORT)])
        load(store, tmp_path, 2, [Item("e", BASE, event=REPORT), Item("a", BASE + 5, event=REPORT)])  # and a retry
        told = [(found.segment, found.at, found.properties) for found in store.reports(0, BASE)]
        assert told == [(1, BASE + 1, "{}"), (1, BASE + 5, '{"n":1}'), (2, BASE, "{}")]
        assert [found.segment for found in store.reports(1, 0)] == [2]
        assert store.reports(2, 0) == []

    def test_a_bad_line_does_not_keep_the_others(self, store: EventStore, tmp_path: Path) -> None:
        good = [Item("a", BASE).line(), Item("b", None, user="ann").line()]
        bad = ["\n", "\t" * 11 + "\n", "x\n", good[0].replace("1\t", "99999\t", 1), good[0].replace("{}", ""),
               Item("c", 10**17).line(), Item("c", -5).line(), Item("", BASE).line(), good[0].replace("a", "\0")]
        path = tmp_path / "1.tsv"
        path.write_text("".join([good[0], *bad, good[1]]))
        assert store.load(1, path) == Loaded(1, 2, 0, len(bad))
        assert store.counts(0, BASE + HOUR) == {"file_processed": 2}
        assert store.status().quarantined == len(bad)
        assert store.load(1, path) == Loaded(1, 0, 0, 0)
        assert load(store, tmp_path, 2, [Item("a", BASE), Item("z", BASE)]) == Loaded(2, 1, 1, 0)

    def test_a_segment_of_bad_lines_alone_is_done_with(self, store: EventStore, tmp_path: Path) -> None:
        path = tmp_path / "1.tsv"
        path.write_bytes(b"\xff\xfe\n" * 3)
        assert store.load(1, path) == Loaded(1, 0, 0, 3)
        assert store.last_segment() == 1

    @pytest.mark.parametrize("spoil", [
        lambda path: path.unlink(), lambda path: (path.unlink(), path.mkdir()),
    ], ids=["missing", "a folder"])
    def test_a_file_that_cannot_be_read_leaves_nothing_behind(
        self, store: EventStore, tmp_path: Path, spoil: Callable[[Path], object],
    ) -> None:
        load(store, tmp_path, 1, [Item("a", BASE)])
        path = tmp_path / "2.tsv"
        path.write_text(Item("b", BASE).line())
        spoil(path)
        with pytest.raises(SegmentUnreadable, match=r"2\.tsv"):
            store.load(2, path)
        assert store.last_segment() == 1
        assert store.counts(0, BASE + HOUR) == {"file_processed": 1}
        assert load(store, tmp_path / "elsewhere", 3, [Item("b", BASE)]) == Loaded(3, 1, 0, 0)

    def test_a_segment_can_be_set_aside(self, store: EventStore, tmp_path: Path) -> None:
        load(store, tmp_path, 1, [Item("a", BASE)])
        store.set_aside(2, 70, "gone")
        store.set_aside(2, 70, "gone")  # a replay
        assert store.last_segment() == 2
        assert store.status().quarantined == 70
        assert load(store, tmp_path, 3, [Item("b", BASE)]).stored == 1

    def test_forgetting_takes_raw_events_and_leaves_what_was_counted(self, store: EventStore, tmp_path: Path) -> None:
        items = [Item(str(age), BASE - age * DAY, event="auth_success", user=str(age)) for age in range(10)]
        load(store, tmp_path, 1, items)
        assert store.forget(BASE - 4 * DAY) == 5
        assert store.forget(BASE - 4 * DAY) == 0
        store.rest()
        assert store.signed_in(0, BASE + 1) == 5
        assert sum(day["auth_success"] for day in store.days(date(1973, 1, 1), date(2999, 1, 1)).values()) == 10
        assert store.counts(BASE - 20 * DAY, BASE + MINUTE) == {"auth_success": 10}
        assert load(store, tmp_path, 2, [items[0], Item("new", BASE)]) == Loaded(2, 1, 1, 0)
        assert store.status().stored == 11

    def test_single_events_come_as_they_are_stored(self, store: EventStore, tmp_path: Path) -> None:
        load(store, tmp_path, 1, [Item("a", BASE, event="auth_success", user="ann"), Item("b", BASE + 1, user="ann"),
                                  Item("c", BASE + 2, event="scan_completed", properties='{"a":1}')])
        load(store, tmp_path, 2, [Item("a", BASE), Item("d", BASE, event="auth_success", source=2),
                                  Item("e", BASE + 9)])
        assert sorted(row for part in store.raw(BASE, BASE + 9) for row in part) == [
            (1, BASE, "auth_success", "ann"), (1, BASE + 1, "file_processed", None),
            (1, BASE + 2, "scan_completed", '{"a":1}'), (2, BASE, "auth_success", None),
        ]
        assert sorted(row for part in store.messages(BASE, BASE + 1) for row in part) == [
            (1, BASE, "auth_success", 1, "a"), (2, BASE, "auth_success", 2, "d"),
        ]
        assert store.known({(1, "a"), (2, "a"), (2, "d"), (1, "größe")}) == {(1, "a"), (2, "d")}
        assert store.known(()) == set()
        assert list(store.raw(BASE - 9, BASE)) == []

    def test_many_single_events_come_in_parts(self, store: EventStore, tmp_path: Path) -> None:
        load(store, tmp_path, 1, [Item(str(number), BASE + number) for number in range(12_000)])
        parts = [len(part) for part in store.raw(0, BASE + DAY)]
        assert sum(parts) == 12_000
        assert max(parts) < 12_000

    def test_minutes_come_with_the_segment_that_they_know_of(self, store: EventStore, tmp_path: Path) -> None:
        assert store.minutes(0, BASE) == MinuteCounts(0, {})
        load(store, tmp_path, 4, [Item("a", BASE), Item("b", BASE + MINUTE - 1), Item("c", BASE + MINUTE)])
        load(store, tmp_path, 7, [Item("d", BASE, event="e")])
        minute = BASE // MINUTE
        assert store.minutes(BASE, BASE + MINUTE) == MinuteCounts(7, {(minute, "file_processed"): 2, (minute, "e"): 1})
        assert store.minutes(BASE + MINUTE, BASE + DAY).counts == {(minute + 1, "file_processed"): 1}

    def test_how_far_raw_events_go_back(self, store: EventStore, tmp_path: Path) -> None:
        assert store.reach() == Reach(0, None)
        load(store, tmp_path, 1, [Item(str(age), BASE - age * DAY) for age in range(10)])
        assert store.reach() == Reach(0, BASE - 9 * DAY)
        store.forget(BASE - 4 * DAY)
        assert store.reach() == Reach(BASE - 4 * DAY, BASE - 4 * DAY)
        store.forget(BASE - 6 * DAY)
        assert store.reach().forgotten == BASE - 4 * DAY

    @settings(max_examples=15)
    @given(batches=loads, zone=st.sampled_from(ZONES), minutes=st.sets(st.integers(-3, 3)))
    def test_a_repair_counts_what_it_is_told_to_from_the_raw_events(
        self, batches: list[list[Item]], zone: str, minutes: set[int],
    ) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder)
            store, oracle = self.make(path / "events", Days(zone)), Oracle(zone)
            try:
                for number, items in enumerate(batches, 1):
                    oracle.load(number, items)
                    load(store, path, number, items)
                known = {BASE // MINUTE + minute for minute in minutes} | {
                    item.ts // MINUTE for item in list(oracle.kept.values())[:5]
                }
                store.repair(known, list(oracle.days())[:3])
                agree(store, oracle, [(BASE - HOUR, BASE + HOUR)])
                store.repair((), ())
                agree(store, oracle, [])
            finally:
                store.close()

    def test_sign_ins_are_told_of_a_minute_at_the_least(self, store: EventStore, tmp_path: Path) -> None:
        load(store, tmp_path, 1, [Item(str(second), BASE + second * SECOND, event="auth_success", user="ann")
                                  for second in (10, 50)])
        for first, told in ((0, 1), (10, 1), (11, 1), (50, 1), (51, 0)):
            assert store.signed_in(BASE + first * SECOND, BASE + first * SECOND + MINUTE) == told
        for last, told in ((50, 1), (11, 1), (10, 0), (0, 0)):
            assert store.signed_in(BASE + last * SECOND - MINUTE, BASE + last * SECOND) == told
        with pytest.raises(ValueError, match="a minute at the least"):
            store.signed_in(BASE + 20 * SECOND, BASE + 40 * SECOND)

    def test_a_repair_leaves_alone_what_nobody_can_count_any_more(self, store: EventStore, tmp_path: Path) -> None:
        items = [Item(str(age), BASE - age * DAY) for age in range(10)]
        load(store, tmp_path, 1, items)
        store.forget(BASE - 4 * DAY)
        days = Days()
        store.repair([item.ts // MINUTE for item in items], [days.of(item.ts) for item in items])
        assert store.counts(BASE - 20 * DAY, BASE + MINUTE) == {"file_processed": 10}
        assert len(store.days(date(1973, 1, 1), date(2999, 1, 1))) == 10

    def test_a_closed_store_says_so(self, tmp_path: Path) -> None:
        store = self.make(tmp_path / "events", Days())
        load(store, tmp_path, 1, [Item("a", BASE)])
        store.close()
        store.close()
        with pytest.raises(StoreBusy):
            load(store, tmp_path, 2, [Item("b", BASE)])
        with pytest.raises(StoreBusy):
            store.repair([1], [])
        with pytest.raises(StoreError):
            list(store.raw(0, BASE))


def load(store: EventStore, folder: Path, number: int, items: Iterable[Item]) -> Loaded:
    """Writes a segment and has it loaded."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{number}.tsv"
    path.write_text("".join(item.line() for item in items))
    return store.load(number, path)


def agree(store: EventStore, oracle: Oracle, spans: Iterable[tuple[int, int]]) -> None:
    """Every question has the oracle's answer."""
    for since, until in (*spans, (0, BASE + 1_000 * DAY), (BASE, BASE), (BASE + 1, BASE + MINUTE - 1)):
        assert store.counts(since, until) == oracle.counts(since, until)
        if until - since >= MINUTE:
            assert store.signed_in(since, until) == oracle.signed_in(since, until)
    days = oracle.days()
    assert store.days(date(1970, 1, 1), date(3000, 1, 1)) == days
    for day in list(days)[:3]:
        assert store.days(day, day) == {day: days[day]}
    assert store.days_touched(0) == oracle.touched
    status = store.status()
    assert status.stored == len(oracle.kept)
    assert status.bytes > 0


def write(folder: Path, number: int, items: Iterable[Item], *statements: Statement) -> None:
    """Writes a segment with statements."""
    told = (line.encode_statement(statement, line.Head(1, BASE)) for statement in statements)
    (folder / f"{number}.tsv").write_bytes("".join(item.line() for item in items).encode() + b"".join(told))
