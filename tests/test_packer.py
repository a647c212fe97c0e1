"""The packer's thread, with a real archive."""

import threading
import time

import pytest
from structlog.testing import capture_logs

from crossfade import archive as archive_module
from crossfade.archive import Archive
from crossfade.core.clock import HOUR, ManualClock, SystemClock
from crossfade.journal import archive_files, segment_files, segment_path
from crossfade.packer import Packer

PATIENT = 20.0
"""Seconds that a busy machine may take for what takes milliseconds."""


class House:
    def __init__(self, folder) -> None:
        self.folder = folder
        self.archive = Archive(folder)
        self.clock = ManualClock(SystemClock().now())
        self.loaded = 0
        self.packer = Packer(self.archive, lambda: self.loaded, self.clock)

    def write(self, *numbers: int) -> None:
        for number in numbers:
            segment_path(self.folder, number).write_bytes(b"line\n" * 10)

    def packs(self) -> list[tuple[int, int]]:
        return [(first, last) for first, last, _ in archive_files(self.folder)]


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.packer.close()


def until(true) -> None:
    deadline = time.monotonic() + PATIENT
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_it_packs_what_the_store_has_each_time_it_is_woken(house):
    house.packer.start()
    house.write(1, 2, 3)
    house.loaded = 2
    house.packer.wake()
    until(lambda: house.packs() == [(1, 2)] and [number for number, _ in segment_files(house.folder)] == [3])
    house.write(4)
    house.loaded = 4
    house.packer.wake()
    until(lambda: house.packs() == [(1, 2), (3, 4)] and not segment_files(house.folder))


def test_old_packs_are_forgotten(house):
    house.write(1)
    house.loaded = 1
    house.archive.pack(1)
    house.clock.advance(49 * HOUR)
    house.packer.start()
    house.packer.wake()
    until(lambda: house.packs() == [])


def test_what_fails_is_told_tried_again_and_stops_nothing_else(house, monkeypatch):
    house.write(1)
    house.archive.pack(1)
    house.write(2)
    house.loaded = 2
    house.clock.advance(49 * HOUR)

    def fail(_: object) -> None:
        raise OSError("no space left")

    with capture_logs() as told, monkeypatch.context() as patch:
        patch.setattr(house.archive, "_pack", fail)
        house.packer.start()
        house.packer.wake()
        until(lambda: house.packs() == [])
    assert [(entry["event"], entry["worker"]) for entry in told] == [("worker: a step failed", "packer")]
    house.clock.advance(-49 * HOUR)
    house.packer.wake()
    until(lambda: house.packs() == [(2, 2)])


def test_it_ends_after_the_pack_that_is_being_written(house, monkeypatch):
    monkeypatch.setattr(archive_module, "PACK_SEGMENTS", 1)
    begun, go_on, pack = threading.Event(), threading.Event(), house.archive._pack

    def slow(group) -> None:
        begun.set()
        go_on.wait(PATIENT)
        pack(group)

    monkeypatch.setattr(house.archive, "_pack", slow)
    house.write(1, 2, 3)
    house.loaded = 3
    house.packer.start()
    house.packer.wake()
    assert begun.wait(PATIENT)
    closing = threading.Thread(target=house.packer.close)
    closing.start()
    until(house.packer.ended)
    go_on.set()
    closing.join(PATIENT)
    assert not closing.is_alive()
    assert house.packs() == [(1, 1)]
    assert [number for number, _ in segment_files(house.folder)] == [2, 3]
