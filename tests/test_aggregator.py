"""The aggregator with a real store and a real state."""

import threading
from datetime import date, timedelta

import pytest
import structlog

from crossfade import aggregator as aggregator_module
from crossfade.aggregator import FOLLOWER, Aggregator, scan_event, scan_events
from crossfade.core.clock import DAY, HOUR, ManualClock, iso
from crossfade.core.days import Days
from crossfade.state import State
from crossfade.store import embedded
from crossfade.store.embedded import EmbeddedStore
from crossfade.store.port import ScanEvent

TODAY = date(2026, 3, 30)
YESTERDAY = TODAY - timedelta(days=1)  # 23 hours long


class House:
    def __init__(self, folder):
        self.folder = folder
        self.days = Days("Europe/Berlin")
        self.clock = ManualClock(self.days.start(TODAY) + 10 * HOUR)
        self.store = EmbeddedStore(folder / "e", self.days)
        self.state = State.open(folder / "s")
        self.aggregator = Aggregator(self.store, self.state, self.days, self.clock)
        self.number = 0

    def load(self, *events):
        """Events as (day or moment, name, properties)."""
        self.number += 1
        lines = []
        for place, (when, name, *properties) in enumerate(events):
            at = self.days.start(when) + HOUR if isinstance(when, date) else when
            lines.append(f"1\t{at}\t0\t{iso(at)}\t{self.number}/{place}\t{name}\t\t\t\t{(*properties, '{}')[0]}\t\t\n")
        path = self.folder / f"{self.number}.tsv"
        path.write_text("".join(lines))
        self.store.load(self.number, path)

    def row(self, day):
        found = self.state.daily_stats(day, day).get(day)
        return found and (found.files, found.duplicates, found.cleanup_actions, found.total_size)

    def close(self):
        self.store.close()
        self.state.close()


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.close()


def test_closed_days_are_counted_and_today_is_not(house):
    house.load((YESTERDAY, "file_processed"), (YESTERDAY, "duplicate_detected"), (YESTERDAY, "cleanup_executed"),
               (YESTERDAY, "other"), (TODAY, "file_processed"))
    house.aggregator.follow()
    assert house.row(YESTERDAY) == (1, 1, 1, None)
    assert house.row(TODAY) is None
    assert house.aggregator.heal() == []


def test_a_late_event_counts_its_day_again_and_no_other(house):
    for back in (1, 2, 3):
        house.load((TODAY - timedelta(days=back), "file_processed"))
    assert len(house.aggregator.heal()) == 3
    house.load((TODAY - timedelta(days=2), "file_processed"), (TODAY, "file_processed"))
    assert [row.day for row in house.aggregator.heal()] == [TODAY - timedelta(days=2)]
    assert house.row(TODAY - timedelta(days=2)) == (2, 0, 0, None)


def test_downtime_heals_at_the_next_start(house):
    house.load((TODAY - timedelta(days=900), "file_processed"), (YESTERDAY, "file_processed"))
    again = Aggregator(house.store, house.state, house.days, house.clock)
    assert {row.day for row in again.heal()} == {TODAY - timedelta(days=900), YESTERDAY}
    assert Aggregator(house.store, house.state, house.days, house.clock).heal() == []


def test_midnight_closes_the_day(house):
    house.load((TODAY, "file_processed"))
    assert house.aggregator.heal() == []
    house.clock.advance(14 * HOUR)
    assert [row.day for row in house.aggregator.heal()] == [TODAY]


def test_a_day_without_events_counts_as_zero_where_a_collector_was_alive_and_is_a_gap_elsewhere(house):
    run = house.state.begin_run(house.days.start(TODAY - timedelta(days=6)) + HOUR)
    house.state.touch_run(run, house.days.start(TODAY - timedelta(days=4)) + HOUR)
    house.load((TODAY - timedelta(days=5), "file_processed"))
    assert {row.day for row in house.aggregator.heal()} == {TODAY - timedelta(days=back) for back in (4, 5, 6)}
    assert house.row(TODAY - timedelta(days=6)) == (0, 0, 0, None)
    assert house.row(TODAY - timedelta(days=3)) is None
    house.load((TODAY - timedelta(days=6), "file_processed"))
    house.aggregator.heal()
    assert house.row(TODAY - timedelta(days=6)) == (1, 0, 0, None)


def test_years_without_a_collector_cost_few_looks(house, monkeypatch):
    house.load((TODAY - timedelta(days=7_000), "file_processed"))
    run = house.state.begin_run(house.days.start(TODAY - timedelta(days=1)))
    house.state.touch_run(run, house.clock.now())
    alive, looks = house.state.alive, []
    monkeypatch.setattr(house.state, "alive", lambda *bounds: looks.append(1) or alive(*bounds))
    assert {row.day for row in house.aggregator.heal()} == {TODAY - timedelta(days=7_000), YESTERDAY}
    assert len(looks) < 40


def test_scans_are_taken_in_and_give_their_day_its_size(house):
    house.load((YESTERDAY, "scan_started", '{"scanId":"a","path":"/x"}'),
               (YESTERDAY, "scan_completed", '{"scanId":"a","totalSize":5,"files":1}'),
               (TODAY, "scan_started", '{"scanId":"b"}'))
    house.aggregator.follow()
    assert house.row(YESTERDAY) == (0, 0, 0, 5)
    assert house.state.running_scans(0) == 1
    assert house.aggregator.record_scans() == 0
    house.load((YESTERDAY, "scan_completed", '{"scanId":"late","totalSize":9}'))
    house.load((house.clock.now(), "scan_completed", '{"scanId":"b","status":"failed"}'))
    house.aggregator.follow()
    assert house.state.running_scans(0) == 0
    assert house.row(YESTERDAY)[3] == 9
    assert house.state.cursor(FOLLOWER) == 3


def test_a_long_history_of_scans_is_taken_in_part_by_part(house, monkeypatch):
    monkeypatch.setattr(embedded, "SCANS_AT_ONCE", 2)
    for number in range(5):
        house.load(*((TODAY, "scan_started", f'{{"scanId":"{number}/{place}"}}') for place in range(3)))
    house.load((TODAY, "other"))
    assert house.aggregator.record_scans() == 15
    assert house.state.running_scans(0) == 15
    assert house.state.cursor(FOLLOWER) == 6


@pytest.mark.parametrize("properties", [
    "", "{", "null", "[]", "{}", '{"scanId":7}', '{"scanId":""}', '{"scanId":null}', '{"scanId":"a\\u0000"}',
    '{"scanId":"a","files":-1}', '{"scanId":"a","totalSize":1e300}', '{"scanId":"a","totalSize":9223372036854775808}',
    '{"scanId":"a","status":"running"}', '{"scanId":"\\ud800"}', '{"scanId":"a","files":"many"}',
    '{"scanId":"a","path":' + "[" * 5_000,
])
def test_a_scan_that_cannot_be_understood_is_passed_over_alone(properties):
    found = [ScanEvent(3, 5, "scan_completed", properties), ScanEvent(3, 7, "scan_completed", '{"scanId":"good"}')]
    with structlog.testing.capture_logs() as logs:
        assert [event.scan_id for event in scan_events(found)] == ["good"]
    assert [(entry["log_level"], entry["events"]) for entry in logs] == [("warning", 1)]


def test_a_moment_that_cannot_be_kept_is_passed_over():
    assert scan_events([ScanEvent(1, -5, "scan_started", '{"scanId":"a"}')]) == []


def test_a_beginning_needs_no_status():
    event = scan_event(ScanEvent(1, 5, "scan_started", '{"scanId":"a","status":"running","files":"?"}'))
    assert (event.kind, event.status, event.at, event.files) == ("started", "running", 5, None)


def test_what_is_loaded_while_days_are_counted_is_counted_later(house, monkeypatch):
    """The size comes from a scan that was stored, but not yet taken in, when its day was counted."""
    house.load((YESTERDAY, "file_processed"))
    touched = house.store.days_touched

    def interrupted(after):
        monkeypatch.setattr(house.store, "days_touched", touched)
        house.load((YESTERDAY, "scan_completed", '{"scanId":"a","totalSize":5}'))
        return touched(after)

    monkeypatch.setattr(house.store, "days_touched", interrupted)
    house.aggregator.heal()
    house.aggregator.follow()
    assert house.row(YESTERDAY) == (1, 0, 0, 5)


def test_by_hand_and_by_the_loader_at_the_same_time(house):
    wrong: list[BaseException] = []

    def by_hand():
        try:
            for _ in range(10):
                house.aggregator.record_scans()
                house.aggregator.heal(all_days=True)
        except BaseException as error:
            wrong.append(error)
            raise

    thread = threading.Thread(target=by_hand)
    thread.start()
    for number in range(10):
        house.load((YESTERDAY, "file_processed"), (YESTERDAY, "scan_completed",
                                                   f'{{"scanId":"{number}","totalSize":{number}}}'))
        house.aggregator.follow()
    thread.join()
    house.aggregator.follow()
    assert not wrong
    assert house.row(YESTERDAY)[0] == 10
    assert house.row(YESTERDAY)[3] == 9


def test_a_state_that_fails_is_tried_again(house, monkeypatch):
    house.load((YESTERDAY, "file_processed"))
    put = house.state.put_daily_stats

    def fail(_rows):
        monkeypatch.setattr(house.state, "put_daily_stats", put)
        raise RuntimeError("full")

    monkeypatch.setattr(house.state, "put_daily_stats", fail)
    with pytest.raises(RuntimeError):
        house.aggregator.follow()
    house.aggregator.follow()
    assert house.row(YESTERDAY) == (1, 0, 0, None)


def test_days_have_the_length_that_their_zone_gives_them(house):
    start, end = house.days.bounds(YESTERDAY)
    assert end - start == DAY - HOUR
    house.load((start, "file_processed"), (end - 1, "file_processed"), (start - 1, "file_processed"),
               (end, "file_processed"))
    house.aggregator.heal()
    assert house.row(YESTERDAY) == (2, 0, 0, None)
    assert aggregator_module.QUIET_DAYS >= 30


def test_what_lacks_is_named_in_order_and_nothing_is_counted_by_asking(house):
    before = YESTERDAY - timedelta(days=1)
    house.load((YESTERDAY, "file_processed"), (before, "file_processed"), (TODAY, "file_processed"))
    assert house.aggregator.lacking() == [before, YESTERDAY]
    assert house.row(YESTERDAY) is None
    house.aggregator.heal()
    assert house.aggregator.lacking() == []
    house.load((before, "file_processed"))
    assert house.aggregator.lacking() == [before]
