"""The journal: what it acknowledged is on disk, once, whole, and in order, whatever happens."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest

from crossfade import journal as journals
from crossfade.datafolder import DataFolderError
from crossfade.journal import (
    SEGMENT_EVENTS,
    Journal,
    JournalFailed,
    JournalFull,
    Segment,
    archive_files,
    segment_files,
    segment_path,
)

SOON = 30.0
"""Seconds in which anything here is done, on the slowest machine."""


@contextmanager
def opened(folder: Path, **options: int) -> Iterator[Journal]:
    journal = Journal(folder, **options)
    try:
        yield journal
    finally:
        journal.close()


def lines_in(folder: Path) -> list[str]:
    """Every line of the plain segments, in order; each must be whole."""
    content = b"".join(path.read_bytes() for _, path in segment_files(folder))
    assert not content or content.endswith(b"\n")
    return content.decode().split("\n")[:-1]


def append(journal: Journal, *lines: str, received: int = 1) -> "Future[None]":
    return journal.append("".join(f"{line}\n" for line in lines).encode(), len(lines), received)


def write(folder: Path, number: int, content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    path = segment_path(folder, number)
    path.write_bytes(content)
    return path


# Appending


def test_what_is_acknowledged_is_in_the_file(tmp_path: Path) -> None:
    with opened(tmp_path / "journal") as journal:
        for number in range(3):
            append(journal, f"line {number}").result(SOON)
            assert lines_in(journal.folder) == [f"line {count}" for count in range(number + 1)]
        assert (journal.pending_events, journal.pending_bytes) == (3, 21)
    (_, path), = segment_files(journal.folder)
    assert path.stat().st_mode & 0o777 == 0o600


def test_appends_from_many_threads_are_each_in_once_and_each_threads_in_order(tmp_path: Path) -> None:
    promised: list[Future[None]] = []

    def produce(name: int) -> None:
        promised.extend(append(journal, f"{name} {count} a", f"{name} {count} b") for count in range(200))

    with opened(tmp_path) as journal:
        threads = [threading.Thread(target=produce, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for future in promised:
            assert future.result(SOON) is None
    assert len(promised) == 1600
    assert len(set(map(id, promised))) < 1600, "appends share a sync"
    found = lines_in(tmp_path)
    for name in range(8):
        own = [line for line in found if line.startswith(f"{name} ")]
        assert own == [f"{name} {count} {part}" for count in range(200) for part in "ab"]


def test_nobody_can_cancel_a_sync_that_others_wait_for(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        first, second = append(journal, "a"), append(journal, "b")
        assert not first.cancel()
        assert first.result(SOON) is second.result(SOON) is None
        append(journal, "c").result(SOON)


def test_the_journal_is_full_when_the_disk_is_behind(tmp_path: Path) -> None:
    with opened(tmp_path, max_unsynced=5) as journal:
        with journal._files:  # as while the disk is syncing
            first = append(journal, "123456")
            with pytest.raises(JournalFull, match="disk"):
                append(journal, "more")
        first.result(SOON)
        append(journal, "again").result(SOON)
    assert lines_in(tmp_path) == ["123456", "again"]


def test_the_journal_is_full_when_the_loader_is_behind(tmp_path: Path) -> None:
    with opened(tmp_path, max_pending=10) as journal:
        append(journal, "1234567890").result(SOON)
        with pytest.raises(JournalFull, match="store"):
            append(journal, "more")
        segment = journal.seal()
        assert segment is not None
        with pytest.raises(JournalFull):
            append(journal, "more")
        journal.loaded(segment)
        append(journal, "more").result(SOON)
    with opened(tmp_path, max_pending=10) as journal, pytest.raises(JournalFull):
        append(journal, "found at the start, and still waiting")


def test_what_cannot_be_written_fails_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        append(journal, "before").result(SOON)
        bad = journal.append("text, no bytes", 1, 1)  # type: ignore[arg-type]
        with pytest.raises(JournalFailed, match="bytes"):
            bad.result(SOON)
        append(journal, "after").result(SOON)
    assert lines_in(tmp_path) == ["before", "after"]


def test_a_journal_whose_folder_is_gone_fails_until_it_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    with opened(folder) as journal:
        folder.rmdir()
        with pytest.raises(JournalFailed, match="No such file"):
            append(journal, "a").result(SOON)
        folder.mkdir()
        append(journal, "b").result(SOON)
        assert lines_in(folder) == ["b"]


# Closing


def test_closing_keeps_what_was_taken_and_refuses_the_rest(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    taken: list[tuple[str, Future[None]]] = []
    refused = threading.Barrier(5)

    def produce(name: int) -> None:
        for count in range(100_000):
            try:
                taken.append((f"{name} {count}", append(journal, f"{name} {count}")))
            except JournalFailed:
                break
        refused.wait(SOON)

    threads = [threading.Thread(target=produce, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    while not journal.pending_events:
        pass
    journal.close()
    refused.wait(SOON)
    for thread in threads:
        thread.join()
    for _, future in taken:
        assert future.done()
        assert future.exception() is None
    assert sorted(lines_in(tmp_path)) == sorted(line for line, _ in taken)
    journal.close()


def test_a_journal_without_an_event_leaves_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        assert journal.seal() is None
        assert (journal.pending_events, journal.pending_bytes, journal.oldest_pending()) == (0, 0, None)
    assert list(tmp_path.iterdir()) == []


# Segments


def test_segments_come_to_the_loader_in_order_and_once(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        append(journal, "a", "b", received=5).result(SOON)
        first = journal.seal()
        assert first == Segment(1, segment_path(tmp_path, 1), 2, 4, 5)
        append(journal, "c", received=6).result(SOON)
        assert journal.seal() == first, "until it is loaded"
        assert journal.pending_events == 3
        journal.loaded(first)
        second = journal.seal()
        assert second is not None
        assert (second.number, second.events, second.received) == (2, 1, 6)
        journal.loaded(second)
        assert journal.seal() is None
        assert (journal.pending_events, journal.pending_bytes) == (0, 0)


def test_while_the_loader_is_stuck_segments_do_not_multiply(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        for count in range(20):
            append(journal, str(count)).result(SOON)
            journal.seal()
        assert len(segment_files(tmp_path)) == 2


def test_a_large_segment_is_sealed_by_itself(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        journal.append(b"x\n" * SEGMENT_EVENTS, SEGMENT_EVENTS, 1).result(SOON)
        append(journal, "next").result(SOON)
        assert [path.stat().st_size for _, path in segment_files(tmp_path)] == [2 * SEGMENT_EVENTS, 5]


def test_a_segment_of_many_bytes_is_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "SEGMENT_BYTES", 6)
    with opened(tmp_path) as journal:
        for text in ("ab", "cd", "ef"):
            append(journal, text).result(SOON)
        assert [path.stat().st_size for _, path in segment_files(tmp_path)] == [6, 3]


def test_it_tells_how_far_the_segment_is_that_comes_next(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        assert journal.filling == 0
        append(journal, "a", "b").result(SOON)
        assert journal.filling == 2
        segment = journal.seal()
        assert segment is not None
        append(journal, "c").result(SOON)
        assert journal.filling == 0, "a sealed one comes first"
        journal.loaded(segment)
        assert journal.filling == 1


def test_the_oldest_pending_event_is_known_on_its_whole_way(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        for received in range(1, 50):
            told: list[int | None] = []
            with journal._files:  # as while the disk is syncing
                asking = threading.Thread(target=lambda told=told: told.append(journal.oldest_pending()))
                asking.start()
                future = append(journal, "a", received=received)
                while journal._writing is None:
                    pass
                append(journal, "b", received=received + 1)
            asking.join(SOON)
            assert told == [received], "whether it was written by then or not"
            future.result(SOON)
            assert journal.oldest_pending() == received
            while (segment := journal.seal()) is not None or journal._group.blocks or journal._writing:
                if segment is not None:
                    journal.loaded(segment)
            assert journal.oldest_pending() is None
        append(journal, "c").result(SOON)
    with opened(tmp_path) as journal:
        assert journal.oldest_pending() == 0, "nobody remembers"


def test_asking_for_the_oldest_does_not_keep_others_from_appending(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        with journal._files:  # as while the disk is syncing
            asking = threading.Thread(target=journal.oldest_pending)
            asking.start()
            asking.join(0.05)
            assert asking.is_alive()
            future = append(journal, "a")
        future.result(SOON)
        asking.join(SOON)


# After a restart


def test_what_was_not_loaded_waits_after_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        for text in "abc":
            append(journal, text).result(SOON)
            segment = journal.seal()
            assert segment is not None
            journal.loaded(segment)
    with opened(tmp_path, loaded_through=1) as journal:
        assert (journal.pending_events, journal.pending_bytes) == (2, 4)
        found = []
        while (segment := journal.seal()) is not None:
            found.append((segment.number, segment.path.read_text(), segment.received))
            journal.loaded(segment)
        assert found == [(2, "b\n", None), (3, "c\n", None)]


@pytest.mark.parametrize(("content", "kept", "events"), [
    (b"a\nb\nto", b"a\nb\n", 2), (b"torn", None, 0), (b"", None, 0), (b"a\n", b"a\n", 1), (b"a\n\x00\x00", b"a\n", 1),
    (b"x" * 3_000_000, None, 0), (b"a\n" + b"x" * 3_000_000, b"a\n", 1),
    (b"x" * (1 << 20) + b"\n" + b"y", b"x" * (1 << 20) + b"\n", 1),
    (b"x" * ((1 << 20) - 1) + b"\n" + b"y", b"x" * ((1 << 20) - 1) + b"\n", 1),
])
def test_a_torn_tail_is_cut(tmp_path: Path, content: bytes, kept: bytes | None, events: int) -> None:
    path = write(tmp_path, 4, content)
    with opened(tmp_path) as journal:
        assert journal.pending_events == events
        assert (path.read_bytes() if path.exists() else None) == kept
        append(journal, "next").result(SOON)
        assert segment_files(tmp_path)[-1][0] in ((5,) if kept else (1, 5))


def test_numbers_are_never_given_twice(tmp_path: Path) -> None:
    def next_number(folder: Path, loaded_through: int = 0) -> int:
        with opened(folder, loaded_through=loaded_through) as journal:
            append(journal, "x").result(SOON)
        return segment_files(folder)[-1][0]

    assert next_number(tmp_path / "empty") == 1
    assert next_number(tmp_path / "loaded", 41) == 42
    assert [next_number(tmp_path / "again") for _ in range(3)] == [1, 2, 3]
    packed = tmp_path / "packed"
    packed.mkdir()
    (packed / "000000000003-000000000009.tsv.gz").touch()
    assert next_number(packed, 5) == 10
    write(tmp_path / "plain", 7, b"loaded\n")
    assert next_number(tmp_path / "plain", 7) == 8


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    for name in ("notes.tsv", "²³.tsv", "-1.tsv", "a-b.tsv.gz", "1-².tsv.gz", "5.tsv.part", "lost+found"):
        (tmp_path / name).write_text("mine")
    with opened(tmp_path) as journal:
        append(journal, "x").result(SOON)
        assert [number for number, _ in segment_files(tmp_path)] == [1]
    assert archive_files(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 8


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    segment_path(tmp_path, 1).mkdir()
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/crossfade"), tmp_path):
        with pytest.raises(DataFolderError, match=r"cannot be read and written .*: .* --data$"):
            Journal(folder)


# A full disk


class SmallDisk:
    """A disk that can be filled: a mounted one where that is allowed, else a limit to the size of this process's
    files. Both are the kernel's own refusal in the middle of a write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"
        self._mounted = shutil.which("mount") is not None and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False,
        ).returncode == 0

    def fill(self, leave: int) -> None:
        if not self._mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (leave, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
            return
        free = shutil.disk_usage(self.folder).free
        self._filler.write_bytes(bytes(free - leave))

    def make_room(self) -> None:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        self._filler.unlink(missing_ok=True)

    def close(self) -> None:
        self.make_room()
        if self._mounted:
            subprocess.run(["umount", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    made = SmallDisk(folder)
    yield made
    made.close()


def test_a_full_disk_acknowledges_nothing_and_keeps_nothing_half(disk: SmallDisk) -> None:
    folder = disk.folder / "journal"
    with opened(folder) as journal:
        append(journal, "before").result(SOON)
        disk.fill(leave=64 << 10)
        for attempt in range(3):
            big = append(journal, *(f"{attempt} {count} " + "x" * 1000 for count in range(300)))
            with pytest.raises(JournalFailed, match="the journal cannot be written: "):
                big.result(SOON)
            assert lines_in(folder) == ["before"]
        assert journal.pending_events == 1
        disk.make_room()
        append(journal, "after").result(SOON)
        assert lines_in(folder) == ["before", "after"]
        assert journal.pending_events == 2
    with opened(folder) as journal:
        assert journal.pending_events == 2
    assert lines_in(folder) == ["before", "after"]


def test_a_failed_write_takes_nothing_with_it_that_was_acknowledged_in_the_same_segment(disk: SmallDisk) -> None:
    with opened(disk.folder) as journal:
        acknowledged = []
        disk.fill(leave=200 << 10)
        for count in range(1000):
            line = f"{count} " + "y" * 997
            try:
                append(journal, line).result(SOON)
            except JournalFailed:
                break
            acknowledged.append(line)
        assert 100 < len(acknowledged) < 250
        assert lines_in(disk.folder) == acknowledged


# A crash

CHILD = """
import os, sys, threading
from pathlib import Path
from crossfade.journal import Journal

journal = Journal(Path(sys.argv[1]))
def produce(name):
    for count in range(1_000_000):
        ids = [f"{sys.argv[2]}-{name}-{count}-{part}" for part in range(5)]
        journal.append("".join(f"{one}\\t{'x' * 3000}\\n" for one in ids).encode(), len(ids), 1).result()
        os.write(1, "".join(f"{one}\\n" for one in ids).encode())
for name in range(3):
    threading.Thread(target=produce, args=(name,)).start()
"""


def test_whatever_was_acknowledged_before_a_kill_is_there_after_it(tmp_path: Path) -> None:
    chance = random.Random(5)
    acknowledged: set[str] = set()
    for number in range(20):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), str(number)], stdout=subprocess.PIPE,
                                 env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
        assert child.stdout is not None
        told = b""
        for _ in range(chance.randint(1, 60)):
            told += child.stdout.read1(256)
        child.send_signal(signal.SIGKILL)
        told += child.stdout.read()
        child.stdout.close()
        assert child.wait(SOON) == -signal.SIGKILL
        acknowledged |= set(told.decode().split("\n")[:-1])
        torn = [path for _, path in segment_files(tmp_path) if path.stat().st_size and path.read_bytes()[-1:] != b"\n"]
        assert len(torn) <= 1
        with opened(tmp_path) as journal:
            found = lines_in(tmp_path)
            assert journal.pending_events == len(found)
            assert journal.pending_bytes == sum(path.stat().st_size for _, path in segment_files(tmp_path))
        known = [line.partition("\t")[0] for line in found]
        assert len(known) == len(set(known))
        assert acknowledged <= set(known)
        assert all(line.endswith("\t" + "x" * 3000) for line in found)
    assert len(acknowledged) > 100


def test_the_suffix_is_what_the_loader_reads() -> None:
    assert segment_path(Path("j"), 7) == Path("j/000000000007.tsv")
    assert segment_path(Path("j"), 7).suffix == journals.SUFFIX
