"""The loader with a real journal, store and archive."""

import threading
import time
from pathlib import Path

import pytest

from crossfade import journal as journal_module
from crossfade import loader as loader_module
from crossfade.archive import Archive
from crossfade.core.clock import DAY, SECOND, ManualClock, SystemClock, iso
from crossfade.core.days import Days
from crossfade.journal import Journal
from crossfade.loader import Loader
from crossfade.store.embedded import EmbeddedStore
from crossfade.store.port import SegmentUnreadable, StoreBusy

NOW = 1_790_000_000 * SECOND
PATIENT = 20.0
"""Seconds that a busy machine may take for what takes milliseconds."""


class House:
    """A data folder with everything around the loader; opened as often as need be."""

    def __init__(self, folder: Path, **settings: int) -> None:
        self.folder = folder
        self.settings = settings
        self.clock: ManualClock | SystemClock = ManualClock(NOW)
        self.count = 0
        self.open()

    def open(self) -> None:
        self.store = EmbeddedStore(self.folder / "e", Days())
        self.journal = Journal(self.folder / "journal", loaded_through=self.store.last_segment())
        self.archive = Archive(self.folder / "journal")
        self.loader = Loader(self.journal, self.store, self.clock, pack=self.pack, **self.settings)

    def close(self) -> None:
        self.loader.close()
        self.journal.close()
        self.store.close()

    def pack(self) -> None:
        """As the packer does, but at once."""
        self.archive.pack(self.store.last_segment())

    def append(self, count: int = 1, *, at: int = NOW) -> None:
        """Events that are acknowledged when it returns."""
        first, self.count = self.count, self.count + count
        lines = "".join(f"1\t{at}\t0\t{iso(at)}\tm{number}\te\tu\t\t\t{{}}\t\t\n"
                        for number in range(first, self.count))
        self.journal.append(lines.encode(), count, at).result(PATIENT)

    def stored(self) -> int:
        return sum(self.store.counts(0, NOW + 400 * DAY).values())


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.close()


def until(condition, seconds=PATIENT):
    """Waits for another thread; gives how long that took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "it never came"
        threading.Event().wait(0.005)
    return time.monotonic() - start


def test_what_is_acknowledged_is_loaded_once(house):
    house.append(3)
    house.append(2)
    assert house.loader.load_pending() == 1
    assert house.loader.load_pending() == 0
    house.append(1)
    assert house.loader.load_pending() == 1
    assert house.stored() == house.store.status().stored == 6
    assert house.journal.pending_events == 0


def test_it_is_visible_within_a_second_of_its_acknowledgement(house):
    house.clock = SystemClock()
    house.close()
    house.open()
    house.loader.start()
    took = []
    for number in range(1, 6):
        house.append(10)
        took.append(until(lambda wanted=number * 10: house.stored() == wanted))
    assert sorted(took)[2] < 1.0


def test_where_very_many_come_it_waits_a_little_for_more(house, monkeypatch):
    monkeypatch.setattr(loader_module, "MANY", 3)
    house.append(2)
    assert house.loader._load_burst(), "few: at once"
    house.append(4)
    assert not house.loader._load_burst()
    house.clock.advance(int(loader_module.GATHER * SECOND) - 1)
    house.append(1, at=house.clock.now())
    assert not house.loader._load_burst()
    house.clock.advance(1)
    assert house.loader._load_burst()
    assert house.stored() == 7


def test_when_no_more_come_it_waits_no_longer(house, monkeypatch):
    monkeypatch.setattr(loader_module, "MANY", 3)
    house.append(4)
    assert not house.loader._load_burst()
    house.clock.advance(int(loader_module.LULL * SECOND))
    assert house.loader._load_burst()


def test_a_clock_that_is_set_back_keeps_nobody_waiting(house, monkeypatch):
    monkeypatch.setattr(loader_module, "MANY", 3)
    house.append(4, at=NOW + DAY)
    assert house.loader._load_burst()


def test_what_is_full_is_loaded_at_once(house, monkeypatch):
    monkeypatch.setattr(loader_module, "MANY", 3)
    monkeypatch.setattr(journal_module, "SEGMENT_EVENTS", 4)
    house.append(4)
    assert house.loader._load_burst()


def test_as_of_is_when_the_oldest_waiting_event_came(house):
    assert house.loader.as_of(NOW) == NOW
    house.append(at=NOW - 3)
    house.append(at=NOW - 1)
    assert house.loader.as_of(NOW) == NOW - 3
    assert house.loader.as_of(NOW - 5) == NOW - 5  # never in the future
    house.loader.load_pending()
    assert house.loader.as_of(NOW) == NOW


def test_a_restart_loads_what_waited_and_knows_not_how_old_it_is(house):
    house.append(4)
    house.close()
    house.open()
    assert house.journal.pending_events == 4
    assert house.loader.as_of(NOW) is None
    assert house.loader.load_pending() == 1
    assert house.loader.as_of(NOW) == NOW
    assert house.stored() == 4


def test_a_crash_between_the_store_and_the_journal_doubles_nothing(house):
    house.append(4)
    segment = house.journal.seal()
    assert segment is not None
    house.store.load(segment.number, segment.path)  # and then the power fails
    house.close()
    house.open()
    house.append(1)
    house.loader.load_pending()
    assert house.stored() == 5


def test_a_follower_that_fails_stops_nobody(house):
    seen = []

    def wrong() -> None:
        seen.append("wrong")
        raise RuntimeError("follower")

    house.loader.follow(wrong)
    house.loader.follow(lambda: seen.append("right"))
    house.loader.start()
    house.append()
    until(lambda: house.stored() == 1)
    house.append()
    until(lambda: house.stored() == 2 and seen.count("right") >= 2)
    assert seen[:2] == ["wrong", "right"]


def test_events_do_not_wait_for_a_follower(house):
    begun, go_on = threading.Event(), threading.Event()
    house.loader.follow(lambda: begun.set() or go_on.wait(PATIENT))
    house.loader.start()
    house.append()
    assert begun.wait(PATIENT)
    house.append(3)
    until(lambda: house.stored() == 4)
    go_on.set()


def test_followers_are_called_when_nothing_comes(house, monkeypatch):
    monkeypatch.setattr(loader_module, "HEARTBEAT", 0.01)
    monkeypatch.setattr(loader_module, "PERIOD", 0.01)
    called = []
    house.loader.follow(lambda: called.append(1))
    house.loader.start()
    until(lambda: len(called) > 3)


def test_followers_have_their_turn_while_events_never_cease(house, monkeypatch):
    monkeypatch.setattr(loader_module, "BURST", 0.05)
    house.clock = SystemClock()
    house.close()
    house.open()
    stop = threading.Event()
    called = []
    house.loader.follow(lambda: called.append(house.journal.pending_events))

    def send() -> None:
        while not stop.is_set():
            house.append(20)

    sender = threading.Thread(target=send)
    sender.start()
    house.loader.start()
    try:
        until(lambda: len(called) > 3)
    finally:
        stop.set()
        sender.join()
    until(lambda: house.stored() == house.count)


def test_close_while_loading_stops_after_the_segment(house, monkeypatch):
    loading, go_on = threading.Event(), threading.Event()
    load = house.store.load

    def slow(number: int, path: Path):
        loading.set()
        assert go_on.wait(PATIENT)
        return load(number, path)

    monkeypatch.setattr(house.store, "load", slow)
    house.append(5)
    house.loader.start()
    assert loading.wait(PATIENT)
    house.append(5)
    closing = threading.Thread(target=house.loader.close)
    closing.start()
    go_on.set()
    closing.join(PATIENT)
    assert not closing.is_alive()
    assert house.stored() == 5
    house.close()
    house.open()
    house.loader.load_pending()
    assert house.stored() == 10


@pytest.mark.parametrize("error", [StoreBusy("no room"), RuntimeError("a defect")])
def test_trouble_is_told_while_it_lasts_and_costs_nothing(house, monkeypatch, error):
    monkeypatch.setattr(loader_module, "RETRY", 0.01)
    monkeypatch.setattr(loader_module, "PERIOD", 0.01)
    load = house.store.load
    failing = True

    def busy(number: int, path: Path):
        if failing:
            raise error
        return load(number, path)

    monkeypatch.setattr(house.store, "load", busy)
    called = []
    house.loader.follow(lambda: called.append(1))
    house.append(3)
    house.loader.start()
    until(lambda: house.loader.trouble == str(error) and called)
    assert house.stored() == 0
    failing = False
    until(lambda: house.stored() == 3 and house.loader.trouble is None)


def test_a_file_that_is_gone_is_set_aside_after_some_tries(house, monkeypatch):
    monkeypatch.setattr(loader_module, "PATIENCE", 3)
    house.append(7)
    segment = house.journal.seal()
    assert segment is not None
    segment.path.unlink()
    for _ in range(2):
        with pytest.raises(SegmentUnreadable, match=segment.path.name):
            house.loader.load_pending()
    assert house.loader.as_of(NOW) == NOW  # it waits still
    assert house.journal.pending_events == 7
    assert house.loader.load_pending() == 1
    assert house.journal.pending_events == 0
    assert house.store.status().quarantined == 7
    house.append(2)
    house.loader.load_pending()
    assert house.stored() == 2


def test_a_file_that_was_set_aside_stays_and_comes_back_under_a_new_number(house, monkeypatch):
    monkeypatch.setattr(loader_module, "PATIENCE", 1)
    house.append(2)
    segment = house.journal.seal()
    assert segment is not None
    content = segment.path.read_bytes()
    segment.path.unlink()
    segment.path.mkdir()  # whatever has happened to it
    house.loader.load_pending()
    house.append(1)
    house.loader.load_pending()
    aside = segment.path.with_suffix(loader_module.ASIDE)
    aside.rmdir()
    house.close()
    (house.folder / "journal" / "000000000090.tsv").write_bytes(content)
    house.open()
    house.loader.load_pending()
    assert house.stored() == 3


def test_bad_lines_do_not_stop_the_good_ones(house):
    house.append(2)
    house.journal.append(b"no event\n", 1, NOW).result(PATIENT)
    house.append(2)
    house.loader.load_pending()
    assert house.stored() == 4
    assert house.store.status().quarantined == 1


def test_a_pack_is_made_as_soon_as_it_is_full_however_busy_it_is(house, monkeypatch):
    monkeypatch.setattr(loader_module, "QUIET", 3600)
    monkeypatch.setattr(loader_module, "UPKEEP_EVERY", 3600)
    line = len(f"1\t{NOW}\t0\t{iso(NOW)}\tm0\te\tu\t\t\t{{}}\t\t\n")
    monkeypatch.setattr(loader_module, "PACK_BYTES", 2 * line)
    kept = []
    monkeypatch.setattr(house.store, "rest", lambda: kept.append("rested"))
    monkeypatch.setattr(house.archive, "pack", kept.append)
    for segment in (1, 2, 3):
        house.append()
        house.loader.load_pending()
        house.loader._keep()
        assert kept == ([] if segment == 1 else [2])


def test_upkeep_has_what_is_loaded_packed_rests_and_forgets(tmp_path, monkeypatch):
    monkeypatch.setattr(loader_module, "QUIET", 0.0)
    monkeypatch.setattr(loader_module, "PERIOD", 0.01)
    house = House(tmp_path, raw_keep_days=30)
    rested = []
    monkeypatch.setattr(house.store, "rest", lambda: rested.append(1))
    house.append(1, at=NOW - 31 * DAY - 1)
    house.append(1, at=NOW - 31 * DAY)
    house.append(1)
    house.loader.load_pending()
    house.loader.start()
    until(lambda: list((tmp_path / "journal").glob("*.gz")) and rested)
    until(lambda: not list(house.store.raw(0, NOW - 31 * DAY)))
    assert sum(len(part) for part in house.store.raw(NOW - 31 * DAY, NOW)) == 1
    assert house.store.status().stored == 3
    assert not list((tmp_path / "journal").glob("*.tsv"))
    house.close()


def test_upkeep_comes_though_it_is_never_quiet_and_one_failure_stops_no_other(house, monkeypatch):
    monkeypatch.setattr(loader_module, "QUIET", 1e9)
    monkeypatch.setattr(loader_module, "UPKEEP_EVERY", 0.0)
    monkeypatch.setattr(loader_module, "PERIOD", 0.01)
    done = []

    def fail(*_: int) -> None:
        done.append("fail")
        raise OSError("upkeep")

    monkeypatch.setattr(house.store, "rest", fail)
    monkeypatch.setattr(house.archive, "pack", fail)
    monkeypatch.setattr(house.store, "settle", lambda _: done.append("settle"))
    house.loader.start()
    until(lambda: "settle" in done)
    assert done[:3] == ["fail", "fail", "settle"]


def test_a_loader_that_was_never_started_can_be_closed(house):
    house.loader.close()
    house.append()
    assert house.loader.load_pending() == 0


def test_work_is_done_by_the_loaders_thread_between_two_segments(house):
    house.loader.start()
    names = [house.loader.between(lambda: threading.current_thread().name).result(PATIENT) for _ in range(3)]
    assert names == ["loader"] * 3

    def wrong():
        raise StoreBusy("no room")

    with pytest.raises(StoreBusy, match="no room"):
        house.loader.between(wrong).result(PATIENT)
    house.append(3)
    until(lambda: house.stored() == 3)


def test_work_that_the_loader_no_longer_does_is_cancelled(house):
    before = house.loader.between(lambda: 1)
    house.loader.close()
    after = house.loader.between(lambda: 1)
    assert before.cancelled()
    assert after.cancelled()
