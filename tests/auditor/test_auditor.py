"""The auditor with a real store, a real state and a real journal, on a clock that the test winds."""

import threading
import time
from datetime import timedelta

import pytest
import structlog
from msgspec.structs import replace

from crossfade.aggregator import Aggregator
from crossfade.archive import Archive
from crossfade.auditor import Auditor
from crossfade.auditor import thread as thread_module
from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND, ManualClock, iso
from crossfade.core.days import Days
from crossfade.core.line import COLUMNS
from crossfade.core.recounted import ALL
from crossfade.journal import segment_path
from crossfade.state import State
from crossfade.store.embedded import EmbeddedStore
from crossfade.store.port import StoreBusy

TODAY = 20_700
"""Days since the epoch."""
NOON = TODAY * DAY + 12 * HOUR
PATIENT = 20.0


class House:
    def __init__(self, folder):
        self.folder = folder
        self.journal = folder / "journal"
        self.journal.mkdir()
        self.days = Days()
        self.clock = ManualClock(NOON + 90 * SECOND)
        self.store = EmbeddedStore(folder / "e", self.days)
        self.state = State.open(folder / "s")
        self.aggregator = Aggregator(self.store, self.state, self.days, self.clock)
        self.number = 0
        self.told = []
        self.repair = self.store.repair
        self.spent = 0.0
        self.open()

    def open(self, share=1.0):
        """As after a restart."""
        self.auditor = Auditor(
            self.store, self.state, self.days, self.clock, self.journal, lead=5 * MINUTE, share=share,
            repair=self.mend, count_days=self.aggregator.mend,
            emit=self.told.extend, spent=lambda: self.spent,
        )

    def mend(self, minutes, days):
        self.repair(minutes, days)

    def load(self, *events):
        """Events as (time, name), received when they happened."""
        self.number += 1
        path = segment_path(self.journal, self.number)
        more = "\t" * (len(COLUMNS) - 10)
        path.write_text("".join(
            f"1\t{at}\t0\t{iso(at)}\t{self.number}/{place}\t{name}\tu\t\t\t{{}}{more}\n"
            for place, (at, name) in enumerate(events)
        ))
        self.store.load(self.number, path)
        self.aggregator.heal()

    def spoil(self, statement, *parameters):
        self.store._connections.loader.execute(statement, parameters)

    def work(self):
        """Everything that is to do now; gives what was told, without the whole days' and hours' windows."""
        before = len(self.told)
        while self.auditor.step():
            pass
        return [(w.kind, (w.start - NOON) // MINUTE, w.field, w.reported, w.recounted) for w in self.told[before:]
                if w.kind == "minute" or not w.agrees]

    def run(self, *, repair=False, since=0):
        asked = self.auditor.ask(since, repair=repair, who="ada")
        assert asked is not None
        self.auditor.work_through()
        return self.auditor.standing().run

    def close(self):
        self.auditor.close()
        self.store.close()
        self.state.close()


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.close()


def until(condition):
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < PATIENT, "it never came"
        threading.Event().wait(0.005)


def test_newest_minutes_first_then_the_day_then_the_past_and_each_once(house):
    house.load((NOON - 2 * DAY, "e"), (NOON - DAY, "e"), (NOON - 6 * HOUR, "e"), (NOON - HOUR // 2, "e"),
               (NOON - 3 * MINUTE, "e"), (NOON - MINUTE, "e"), (NOON, "e"))
    told = house.work()
    assert [start for _, start, *_ in told][:4] == [-3, -1, -30, -360]
    assert {start for _, start, *_ in told[4:]} == {-DAY // MINUTE, -2 * DAY // MINUTE}
    assert {(reported, recounted) for *_, reported, recounted in told} == {(1, 1)}
    assert len(told) == 6, "the minute that is not closed yet is not among them"
    assert house.work() == []
    assert house.auditor.standing().days_done == 2


def test_a_minute_is_compared_when_it_has_closed(house):
    house.load((NOON, "e"))
    assert house.work() == []
    house.clock.advance(MINUTE)
    assert house.work() == [("minute", 0, ALL, 1, 1)]
    house.clock.advance(MINUTE)
    assert house.work() == []


def test_a_restart_goes_on(house):
    house.load((NOON - 2 * DAY, "e"), (NOON - 5 * HOUR, "e"), (NOON - MINUTE, "e"))
    assert len(house.work()) == 3
    house.open()
    house.clock.advance(10 * MINUTE)
    assert house.work() == []
    house.load((NOON + 3 * MINUTE, "e"))
    house.clock.advance(MINUTE)
    house.open()
    assert house.work() == [], "what came late is counted when its day has closed"


def test_what_is_wrong_is_named_kept_and_mended(house):
    house.load((NOON - 3 * DAY, "e"), (NOON - 2 * MINUTE, "e"))
    house.spoil("UPDATE minute_rollup SET n = n + 1 WHERE minute < ?", (NOON - DAY) // MINUTE)
    with structlog.testing.capture_logs() as logs:
        assert ("minute", -3 * DAY // MINUTE, "e", 2, 1) in house.work()
    (entry,) = [entry for entry in logs if entry["log_level"] == "error"]
    assert (entry["reported"], entry["recounted"], entry["field"]) == (2, 1, "e")
    (found,) = house.auditor.mismatches()
    assert (found.start, found.reported, found.recounted, found.witness) == (NOON - 3 * DAY, 2, 1, "raw events")
    assert house.run().disagreeing == 1
    done = house.run(repair=True)
    assert (done.status, done.disagreeing, done.repaired) == ("done", 0, 1)
    assert house.auditor.mismatches() == ()
    (entry,) = house.state.audit()
    assert (entry.who, entry.action, entry.old, entry.new) == ("ada", "recount.repair", "e=2", "e=1")
    assert entry.subject == f"minute {house.days.of(NOON - 3 * DAY)}T12:00:00Z"


def test_a_late_event_opens_its_day_again(house):
    house.load((NOON - 2 * DAY, "e"), (NOON - DAY, "e"))
    house.work()
    house.spoil("UPDATE minute_rollup SET n = n + 1")
    house.load((NOON - 2 * DAY + HOUR, "e"))
    house.clock.advance(2 * HOUR)
    wrong = {told for told in house.work() if told[0] == "minute"}
    assert wrong == {("minute", -2 * DAY // MINUTE, "e", 2, 1)}, "and no other day; nor is told again what agrees"


def test_todays_late_events_are_counted_when_the_day_has_closed(house):
    house.load((NOON - 10 * MINUTE, "e"))
    house.work()
    house.load((NOON - 10 * MINUTE, "e"))
    house.spoil("UPDATE minute_rollup SET n = 7")
    assert house.work() == []
    house.clock.advance(DAY)
    house.aggregator.heal()
    assert ("minute", -10, "e", 7, 2) in house.work()


def test_after_a_long_gap_the_newest_comes_first_and_the_rest_later(house):
    house.load((NOON - 2 * MINUTE, "e"))
    house.work()
    house.load(*((NOON + age * MINUTE, "e") for age in (10, 100, 295)))
    house.clock.advance(5 * HOUR)
    starts = [start for kind, start, *_ in house.work() if kind == "minute"]
    assert starts[:2] == [295, 100]
    assert set(starts[2:]) == {10, -2}


def test_the_figures_of_the_dashboard_are_compared_every_hour(house):
    house.load((NOON - 3 * HOUR, "e"))
    house.work()
    figures = [w for w in house.told if w.kind == "figures"]
    assert [(w.field, w.recounted) for w in figures] == [(ALL, 1)]
    house.spoil("UPDATE minute_rollup SET n = n + 1")
    assert house.work() == []
    house.clock.advance(HOUR)
    assert [told[0] for told in house.work()] == ["figures"]
    house.spoil("UPDATE minute_rollup SET n = n - 1")
    house.clock.advance(HOUR)
    assert house.work() == []
    assert house.auditor.mismatches() == ()


def test_too_many_events_for_the_figures_leave_them_to_a_run(house, monkeypatch):
    monkeypatch.setattr(thread_module, "FIGURES_EVENTS", 0)
    house.load((NOON - 3 * HOUR, "e"))
    house.work()
    assert not [w for w in house.told if w.kind == "figures"]
    house.run()
    assert [w for w in house.told if w.kind == "figures"]


def test_events_that_were_forgotten_are_nobodys_mistake(house):
    house.load(*((NOON - age * DAY, "e") for age in range(1, 6)))
    house.store.forget(NOON - 3 * DAY + HOUR)
    assert {start for _, start, *_ in house.work()} == {-DAY // MINUTE, -2 * DAY // MINUTE}
    done = house.run(repair=True)
    assert (done.disagreeing, done.repaired) == (0, 0)
    assert sum(house.store.counts(0, NOON).values()) == 5


def test_events_that_are_forgotten_while_they_are_counted_are_nobodys_mistake(house):
    house.load(*((NOON - age * DAY, "e") for age in range(1, 6)))
    real = house.store.minutes

    def minutes(*span):
        found = real(*span)
        if span[1] <= TODAY * DAY:
            house.store.forget(NOON - 3 * DAY + HOUR)
        return found

    house.store.minutes = minutes
    assert [told for told in house.work() if told[3] != told[4]] == []
    assert house.auditor.mismatches() == ()
    house.clock.advance(2 * MINUTE)
    house.work()
    assert house.auditor.standing().days_done == 2


def test_a_rollup_without_a_trace_of_a_day_is_found(house):
    house.load((NOON - 4 * DAY, "e"), (NOON - DAY, "e"))
    house.spoil("DELETE FROM minute_rollup WHERE minute < ?", (NOON - 2 * DAY) // MINUTE)
    house.spoil("DELETE FROM day_rollup WHERE day < ?", house.days.of(NOON - 2 * DAY))
    wrong = {told for told in house.work() if told[3] != told[4]}
    assert {(told[0], *told[3:]) for told in wrong} == {("minute", 0, 1), ("day", 0, 1)}
    assert house.run(repair=True).disagreeing == 0


def test_a_run_counts_everything_or_since_a_day(house):
    house.load(*((NOON - age * DAY, "e") for age in range(9)), (NOON - HOUR, "e"))
    done = house.run()
    assert (done.events, done.total, done.disagreeing, done.waiting) == (9, 10, 0, 0)
    part = house.run(since=NOON - 2 * DAY)
    assert part.events == 3
    assert part.since == house.days.start(house.days.of(NOON - 2 * DAY))
    assert house.run(since=NOON - 30 * MINUTE).events == 0
    assert house.run(since=NOON - HOUR).events == 1


def test_a_run_repairs_minutes_days_and_statistics(house):
    house.load(*((NOON - age * DAY, "file_processed") for age in range(1, 4)), (NOON - HOUR, "file_processed"))
    house.spoil("UPDATE minute_rollup SET n = n + 1")
    house.spoil("UPDATE day_rollup SET n = n + 2")
    house.aggregator.heal(all_days=True)
    house.aggregator.mend([house.days.of(NOON - age * DAY) for age in (1, 2, 3)])
    assert house.run().disagreeing == 4 + 3 + 3 + 1, "minutes, days, statistics, and the last 24 hours"
    done = house.run(repair=True)
    assert (done.disagreeing, done.repaired) == (0, 10), "the 24 hours follow from the minutes"
    assert house.run().disagreeing == 0
    assert house.state.daily_stats(house.days.of(NOON - DAY), house.days.of(NOON - DAY)).popitem()[1].files == 1


def test_a_run_repairs_who_signed_in(house):
    """Of a closed day by its hours, of today as the dashboard would show the last hour."""
    house.load((NOON - DAY, "auth_success"), (NOON - HOUR // 2, "auth_success"))
    house.spoil("INSERT INTO sign_ins SELECT minute, 'ghost', first, last FROM sign_ins")
    assert house.run().disagreeing == 2
    done = house.run(repair=True)
    assert (done.disagreeing, done.repaired) == (0, 2)
    assert [entry.old for entry in house.state.audit()] == ["activeUsers=2"] * 2
    assert house.store.signed_in(0, NOON) == 1


def test_a_repair_that_cannot_be_done_ends_the_run_with_the_reason(house):
    house.load((NOON - DAY, "e"))
    house.spoil("UPDATE minute_rollup SET n = n + 1")

    def repair(_minutes, _days):
        raise StoreBusy("the disk is full")

    house.repair = repair
    done = house.run(repair=True)
    assert (done.status, done.error) == ("failed", "the disk is full")
    assert house.run().status == "done"


def test_what_a_repair_cannot_mend_is_still_told(house):
    """The journal knows an event that the store lost: counting the store's events anew mends nothing."""
    house.load((NOON - 3 * HOUR, "begin"))
    house.load((NOON - HOUR, "e"), (NOON - HOUR, "e"))
    house.spoil("DELETE FROM events WHERE rowid IN (SELECT max(rowid) FROM events WHERE event = 'e')")
    house.spoil("UPDATE minute_rollup SET n = 1")
    done = house.run(repair=True)
    assert done.disagreeing > 0
    (found,) = house.auditor.mismatches()
    assert (found.field, found.reported, found.recounted, found.witness) == ("e", 1, 2, "journal")


def test_one_run_at_a_time(house):
    assert house.auditor.ask(0, repair=False, who="ada") is not None
    assert house.auditor.ask(0, repair=True, who="bob") is None
    house.auditor.work_through()
    asked = house.auditor.ask(0, repair=True, who="bob")
    assert asked is not None
    assert asked.number == 2


def test_the_thread_does_what_is_asked_before_its_own_work(house):
    house.load((NOON - DAY, "e"))
    house.open(share=0.0)
    house.auditor.start()
    house.auditor.ask(0, repair=False, who="ada")
    until(lambda: house.auditor.standing().run.status == "done")
    assert house.auditor.standing().run.events == 1
    house.auditor.ask(0, repair=False, who="ada")
    until(lambda: house.auditor.standing().run.number == 2 and house.auditor.standing().run.status == "done")


def test_the_thread_works_by_itself_and_can_be_stopped_in_the_middle(house):
    house.load(*((NOON - age * DAY, "e") for age in range(1, 50)))
    real = house.store.raw
    reached = threading.Event()

    def raw(*span):
        for part in real(*span):
            house.spent += 1_000  # which is to be slept off for hours
            reached.set()
            yield part

    house.store.raw = raw
    house.open(share=0.01)
    house.auditor.start()
    assert reached.wait(PATIENT)
    start = time.monotonic()
    house.auditor.close()
    assert time.monotonic() - start < PATIENT / 2
    house.open()
    house.store.raw = real
    house.work()
    assert house.auditor.standing().days_done == 49


def test_a_store_that_does_not_answer_ends_nothing(house):
    house.load((NOON - DAY, "e"))
    real, failures = house.store.minutes, []

    def minutes(*span):
        if not failures:
            failures.append(span)
            raise StoreBusy("not now")
        return real(*span)

    house.store.minutes = minutes
    with pytest.MonkeyPatch.context() as patch, structlog.testing.capture_logs():
        patch.setattr(thread_module, "IDLE", 0.01)
        house.auditor.start()
        until(lambda: house.auditor.standing().days_done == 1)
        house.auditor.close()
    assert failures


def test_packs_are_read_as_well(house):
    house.load((NOON - HOUR, "begin"))
    house.load((NOON - 2 * MINUTE, "e"))
    Archive(house.journal).pack(2)
    house.work()
    (found,) = [w for w in house.told if w.kind == "minute" and w.start == NOON - 2 * MINUTE]
    assert (found.field, found.witness) == (ALL, "journal")


def test_yesterday_is_told_by_the_journal_and_the_days_before_by_the_events(house):
    house.load((NOON - 2 * DAY, "begin"))
    house.load(*((NOON - age * DAY, "e") for age in (1, 2, 3)))
    for _ in range(2):
        house.run()
        known = house.state.recounted_days()
        days = {age: known[house.days.of(NOON - age * DAY)].witness for age in (1, 2, 3)}
        assert days == {1: "journal", 2: "raw events", 3: "raw events"}


def test_a_window_is_told_once_however_often_it_is_looked_at(house):
    house.load((NOON - 3 * DAY, "e"), (NOON - 2 * DAY, "e"), (NOON - 2 * MINUTE, "e"))
    house.work()
    assert len(house.told) == len({(w.kind, w.start, w.end) for w in house.told}) > 0
    house.told.clear()
    for _ in range(3):
        house.run()
    assert [w for w in house.told if w.kind != "figures"] == []


def test_what_disagrees_is_told_when_it_begins_to(house):
    house.load((NOON - 3 * DAY, "e"))
    house.run()
    house.told.clear()
    house.spoil("UPDATE minute_rollup SET n = n + 1")
    for _ in range(3):
        house.run()
    assert [(w.kind, w.reported, w.recounted) for w in house.told] == [("minute", 2, 1)]
    house.run(repair=True)
    assert len(house.told) == 1, "mended is no other window"
    house.spoil("UPDATE minute_rollup SET n = n + 1")
    house.run()
    assert len(house.told) == 2


def test_one_event_too_many_is_found_by_either_witness(house):
    house.load((NOON - HOUR, "begin"))
    house.load((NOON - 3 * DAY, "e"), (NOON - 2 * MINUTE, "e"))
    house.spoil("UPDATE minute_rollup SET n = n + 1 WHERE event = 'e'")
    house.work()
    found = {w.start: (w.field, w.reported, w.recounted, w.witness) for w in house.auditor.mismatches()
             if w.kind == "minute"}
    assert found == {NOON - 3 * DAY: ("e", 2, 1, "raw events"), NOON - 2 * MINUTE: ("e", 2, 1, "journal")}
    assert house.run(repair=True).repaired == 2
    assert [w for w in house.auditor.mismatches() if w.kind == "minute"] == []


def test_a_day_whose_statistics_are_missing_is_tried_again(house):
    house.load((NOON - DAY, "e"))
    day = house.days.of(NOON - DAY)
    house.aggregator.heal()
    row = house.state.daily_stats(day, day)[day]
    house.state.put_daily_stats([replace(row, segment=0)])
    house.work()
    assert house.auditor.standing().days_done == 0
    assert house.run().waiting == 1
    house.state.put_daily_stats([row])
    house.clock.advance(15 * MINUTE)
    house.work()
    assert house.auditor.standing().days_done == 1
    assert house.days.of(NOON) - day == timedelta(days=1)
