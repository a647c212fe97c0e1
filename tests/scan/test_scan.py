"""The scan of a local folder: what is counted, what is equal, and what is wrong with the rest."""

import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from crossfade.core.clock import SECOND, ManualClock
from crossfade.scan import Issue, Kind, Progress, ScanError, ScanResult, Stage, report, scan
from crossfade.scan.local import LocalFile


def sets(result: ScanResult) -> list[tuple[str, list[str]]]:
    """The duplicate sets, as paths: the kept one and its copies."""
    return [(found.kept.path, [copy.path for copy in found.copies]) for found in result.sets]


def kinds(issues: tuple[Issue, ...]) -> dict[str, str]:
    return {Path(found.path).name: found.error.value for found in issues}


def write(path: Path, content: bytes, age: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (1_000_000_000 - age, 1_000_000_000 - age))
    return path


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The working folder: a socket's path must be short, so it is a relative one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def unprivileged() -> Iterator[Path]:
    """A folder that all may enter, while this process is not root."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        root = os.geteuid() == 0
        try:
            yield Path(folder)
        finally:
            if root:
                os.seteuid(0)


def drop_root() -> None:
    if os.geteuid() == 0:
        os.seteuid(65534)


def test_an_empty_folder_has_nothing(scanner, tmp_path):
    result = scanner.scan(tmp_path)
    assert (result.files, result.total_size, result.sets, result.errors) == (0, 0, (), ())
    assert [name for name, _ in scanner.events] == ["scan_started", "scan_completed"]


def test_events_tell_the_whole_scan(scanner, tmp_path):
    write(tmp_path / "a", b"same", age=2)
    write(tmp_path / "deep" / "b", b"same", age=1)
    write(tmp_path / "c", b"other size")
    (tmp_path / "l").symlink_to("a")
    scanner.scan(tmp_path)
    assert scanner.of("scan_started") == [{"scanId": "scan-1", "path": str(tmp_path)}]
    assert sorted((e["path"], e["size"]) for e in scanner.of("file_processed")) == [
        (f"{tmp_path}/a", 4), (f"{tmp_path}/c", 10), (f"{tmp_path}/deep/b", 4)]
    (duplicate,) = scanner.of("duplicate_detected")
    assert len(str(duplicate.pop("hash"))) == 64
    assert duplicate == {"scanId": "scan-1", "path": f"{tmp_path}/deep/b", "original": f"{tmp_path}/a", "size": 4}
    assert scanner.of("error_occurred") == [
        {"scanId": "scan-1", "path": f"{tmp_path}/l", "error": "link", "message": "a symbolic link; not followed"}]
    (end,) = scanner.of("scan_completed")
    assert end.pop("seconds") > 0
    assert end == {"scanId": "scan-1", "path": str(tmp_path), "status": "completed", "files": 3, "totalSize": 18,
                   "duplicates": 1, "duplicateBytes": 4, "errors": 1}
    assert scanner.events[-1][0] == "scan_completed"


@pytest.mark.parametrize(("ages", "kept"), [
    ({"b": 1, "long/a": 2}, "long/a"),
    ({"b": 1, "long/a": 1}, "b"),
    ({"c": 1, "b": 1}, "b"),
])
def test_the_original_is_the_oldest_then_the_shortest_then_the_first(scanner, tmp_path, ages, kept):
    for name, age in ages.items():
        write(tmp_path / name, b"same", age)
    assert [original for original, _ in sets(scanner.scan(tmp_path))] == [kept]


def test_sets_are_ordered_by_size_then_path(scanner, tmp_path):
    for name, content in {"x1": b"1", "x2": b"1", "b1": b"22", "b2": b"22", "a1": b"33", "a2": b"33"}.items():
        write(tmp_path / name, content)
    assert sets(scanner.scan(tmp_path)) == [("a1", ["a2"]), ("b1", ["b2"]), ("x1", ["x2"])]


@pytest.mark.parametrize("size", [4096, 8192, 8193, 1 << 20, (1 << 20) + 1, 3 << 20])
@pytest.mark.parametrize("where", [0.0, 0.5, 1.0])
def test_one_byte_makes_a_difference_wherever_it_is(scanner, tmp_path, size, where):
    content = bytes(size)
    at = min(int(size * where), size - 1)
    write(tmp_path / "a", content)
    write(tmp_path / "b", content)
    write(tmp_path / "c", content[:at] + b"!" + content[at + 1:])
    assert sets(scanner.scan(tmp_path)) == [("a", ["b"])]


def test_files_that_differ_at_their_ends_are_not_hashed_whole(scanner, tmp_path):
    for name, content in {"a": b"x" * 9_000, "b": b"x" * 8_999 + b"!", "c": b"!" + b"x" * 8_999}.items():
        write(tmp_path / name, content)
    seen: list[Progress] = []
    scanner.scan(tmp_path, seen.append)
    assert [told.total_files for told in seen if told.stage is Stage.HASHING] == [0, 0]


def test_empty_files_are_equal(scanner, tmp_path):
    for name in "abc":
        write(tmp_path / name, b"")
    result = scanner.scan(tmp_path)
    assert sets(result) == [("a", ["b", "c"])]
    assert (result.duplicates, result.duplicate_bytes) == (2, 0)


@pytest.mark.parametrize("size", [3, 10_000])
def test_names_of_one_inode_count_as_files_but_not_as_duplicates(scanner, tmp_path, size):
    write(tmp_path / "long-name", b"x" * size)
    (tmp_path / "b").hardlink_to(tmp_path / "long-name")
    result = scanner.scan(tmp_path)
    assert (result.files, result.total_size, result.sets) == (2, 2 * size, ())
    write(tmp_path / "copy", b"x" * size, age=-1)
    result = scanner.scan(tmp_path)
    assert sets(result) == [("b", ["copy"])]
    assert result.duplicate_bytes == size


def test_sparse_files_are_counted_by_their_apparent_size(scanner, tmp_path):
    size = 8 << 20
    for name in "abc":
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
        os.utime(tmp_path / name, (0, 0))
    with (tmp_path / "c").open("r+b") as file:
        file.seek(size // 2)
        file.write(b"!")
    result = scanner.scan(tmp_path)
    assert result.total_size == 3 * size
    assert sets(result) == [("a", ["b"])]


def test_nothing_but_files_is_opened_or_counted(scanner, here):
    write(here / "file", b"x")
    os.mkfifo(here / "fifo")
    (here / "loop").symlink_to(".")
    (here / "dangling").symlink_to("nowhere")
    (here / "link").symlink_to("file")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        result = scanner.scan(here)
    assert (result.files, result.errors, result.links) == (1, (), 3)
    assert kinds(result.irregular) == {"dangling": "link", "fifo": "not a regular file", "link": "link",
                                       "loop": "link", "socket": "not a regular file"}
    assert scanner.of("scan_completed")[0]["errors"] == len(scanner.of("error_occurred")) == 5


def test_the_folder_itself_may_be_given_through_a_link(scanner, tmp_path):
    write(tmp_path / "real" / "a", b"x")
    (tmp_path / "link").symlink_to("real")
    result = scanner.scan(tmp_path / "link")
    assert (result.files, result.root) == (1, f"{tmp_path}/real")


def test_what_may_not_be_read_is_an_error_and_the_rest_goes_on(scanner):
    with unprivileged() as folder:
        for name in ("a", "b", "secret", "closed/a"):
            write(folder / name, b"same")
        write(folder / "alone", b"no other has this size")
        (folder / "secret").chmod(0)
        (folder / "alone").chmod(0)
        (folder / "closed").chmod(0)
        drop_root()
        result = scanner.scan(folder)
    assert (result.files, result.total_size) == (4, 3 * 4 + 22)
    assert sets(result) == [("a", ["b"])]
    assert len(result.errors) == 3
    assert kinds(result.errors) == {"alone": "permission", "closed": "permission", "secret": "permission"}


def test_a_name_that_is_not_utf8_is_shown_with_a_replacement(scanner, tmp_path):
    raw = os.fsencode(tmp_path) + b"/caf\xe9"
    Path(os.fsdecode(raw)).write_bytes(b"same")
    write(tmp_path / "copy", b"same")
    result = scanner.scan(tmp_path)
    shown = f"{tmp_path}/caf\N{REPLACEMENT CHARACTER}"
    assert shown in [e["path"] for e in scanner.of("file_processed")]
    assert len(sets(result)) == 1
    assert shown in json.dumps([scanner.events, report(result)], ensure_ascii=False).encode().decode()


def test_a_path_longer_than_the_system_opens_at_once(scanner, tmp_path):
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=fd)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    for name in ("a", "b"):
        file = os.open(name, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=fd)
        os.write(file, b"deep")
        os.utime(file, (0, 0))
        os.close(file)
    os.close(fd)
    result = scanner.scan(tmp_path)
    assert (result.files, result.errors, result.duplicates) == (2, (), 1)
    assert scanner.clean(result).removed == 1
    assert scanner.scan(tmp_path).files == 1
    shutil.rmtree(tmp_path)


def test_a_folder_that_contains_itself_is_an_error(scanner, tmp_path, monkeypatch):
    """As a bind mount makes it, which a test may not: every folder seems to be the same."""
    write(tmp_path / "below" / "a", b"x")
    write(tmp_path / "b", b"x")
    monkeypatch.setattr("crossfade.scan.local._identity", lambda _: (1, 1))
    result = scanner.scan(tmp_path)
    assert result.files == 1
    assert kinds(result.errors) == {"below": "loop"}


def test_skipped_folders_are_left_out_by_whatever_path(scanner, tmp_path):
    write(tmp_path / "data" / "journal" / "x", b"x")
    write(tmp_path / "a", b"x")
    (tmp_path / "alias").symlink_to("data")
    result = scanner.scan(tmp_path, skip=(f"{tmp_path}/alias", f"{tmp_path}/missing"))
    assert (result.files, result.skipped, result.errors) == (1, 1, ())
    inside = scanner.scan(tmp_path / "data" / "journal", skip=(f"{tmp_path}/data",))
    assert (inside.files, inside.skipped) == (0, 1)


@pytest.mark.parametrize("where", ["missing", "file", "a\0b", "loop", "nosuchscheme://x", "zip://::{}/missing.zip",
                                   "memory://missing-folder"])
def test_what_cannot_be_scanned_at_all_is_refused_before_any_event(scanner, tmp_path, where):
    write(tmp_path / "file", b"x")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ScanError, match="cannot scan"):
        scanner.scan(where.format(tmp_path) if "://" in where else f"{tmp_path}/{where}")
    assert scanner.events == []


def test_a_password_in_a_url_is_not_repeated(scanner):
    with pytest.raises(ScanError) as refused:
        scanner.scan("ftp://me:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in str(refused.value)


# What changes underneath: the watcher of the progress does it, at a stage's beginning.

def at(stage: Stage, act: Callable[[], object]) -> Callable[[Progress], None]:
    done: list[bool] = []

    def watch(progress: Progress) -> None:
        if progress.stage is stage and not done:
            done.append(True)
            act()
    return watch


def replace(path: Path, by: Callable[[Path], object]) -> None:
    path.unlink()
    by(path)


def bind_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))


@pytest.mark.parametrize(("act", "error"), [
    (Path.unlink, Kind.VANISHED),
    (lambda path: path.write_bytes(b"longer than before" * 1000), Kind.CHANGED),
    (lambda path: path.write_bytes(b""), Kind.CHANGED),
    (lambda path: replace(path, os.mkfifo), Kind.CHANGED),
    (lambda path: replace(path, Path.mkdir), Kind.CHANGED),
    (lambda path: replace(path, lambda gone: gone.symlink_to("a")), Kind.CHANGED),
    (lambda path: replace(path, bind_socket), Kind.CHANGED),
], ids=["unlinked", "grown", "emptied", "fifo", "folder", "symlink", "socket"])
@pytest.mark.parametrize("stage", [Stage.HEADS, Stage.HASHING])
def test_a_file_that_changes_underneath_is_an_error(scanner, here, act, error, stage):
    for name in ("a", "b", "victim"):
        write(here / name, b"x" * 10_000)
    result = scanner.scan(here, at(stage, lambda: act(here / "victim")))
    assert sets(result) == [("a", ["b"])]
    assert kinds(result.errors) == {"victim": error.value}
    assert scanner.of("scan_completed")[0]["status"] == "completed"


def test_a_file_touched_while_it_is_hashed_is_an_error(scanner, tmp_path):
    for name in ("a", "b", "victim"):
        write(tmp_path / name, b"x" * (3 << 20))

    def watch(progress: Progress) -> None:
        if progress.stage is Stage.HASHING and progress.path.endswith("victim"):
            os.utime(tmp_path / "victim", (5, 5))
    result = scanner.scan(tmp_path, watch)
    assert sets(result) == [("a", ["b"])]
    assert kinds(result.errors) == {"victim": "changed"}


def test_a_small_file_touched_while_it_is_read_is_an_error(scanner, tmp_path, monkeypatch):
    for name in ("a", "b", "victim"):
        write(tmp_path / name, b"same")
    read = LocalFile.read

    def meddle(file: LocalFile, offset: int, size: int) -> bytes:
        content = read(file, offset, size)
        if file.stat().inode == (tmp_path / "victim").stat().st_ino:
            os.utime(tmp_path / "victim", (5, 5))
        return content
    monkeypatch.setattr(LocalFile, "read", meddle)
    result = scanner.scan(tmp_path)
    assert sets(result) == [("a", ["b"])]
    assert kinds(result.errors) == {"victim": "changed"}


def test_a_folder_that_vanishes_is_an_error(scanner, tmp_path):
    for name in ("one", "two"):
        write(tmp_path / name / "f", b"x")

    def watch(progress: Progress) -> None:
        for folder in tmp_path.iterdir():
            if progress.path and str(folder) not in progress.path:
                shutil.rmtree(folder)
    result = scanner.scan(tmp_path, watch)
    assert result.files == 1
    assert list(kinds(result.errors).values()) == ["vanished"]


def test_files_that_vanish_after_they_were_listed_are_errors(scanner, tmp_path):
    for name in "abcde":
        write(tmp_path / name, b"x")

    def watch(progress: Progress) -> None:
        for file in tmp_path.iterdir():
            if progress.path not in {"", str(file)}:
                file.unlink()
    result = scanner.scan(tmp_path, watch)
    assert result.files == 1
    assert list(kinds(result.errors).values()) == ["vanished"] * 4


@pytest.mark.parametrize(("failure", "status"), [(KeyboardInterrupt(), "cancelled"), (MemoryError(), "failed"),
                                                 (OSError("broken terminal"), "failed")])
@pytest.mark.parametrize("stage", [Stage.WALKING, Stage.HEADS, Stage.HASHING])
def test_an_interrupted_scan_says_so_and_goes_on_failing(scanner, tmp_path, failure, status, stage):
    for name in "ab":
        write(tmp_path / name, b"x" * 10_000)

    def watch(progress: Progress) -> None:
        if progress.stage is stage and progress.path:
            raise failure
    with pytest.raises(RuntimeError if isinstance(failure, OSError) else type(failure)):
        scanner.scan(tmp_path, watch)
    assert [e["status"] for e in scanner.of("scan_completed")] == [status]
    assert scanner.of("error_occurred") == []


def test_progress_ends_every_stage_at_its_total(scanner, tmp_path):
    for name in "abc":
        write(tmp_path / name, b"x" * (2 << 20))
    write(tmp_path / "alone", b"x")
    seen: list[Progress] = []
    scanner.scan(tmp_path, seen.append)
    last = {progress.stage: progress for progress in seen}
    assert list(last) == [Stage.WALKING, Stage.HEADS, Stage.HASHING]
    assert (last[Stage.WALKING].files, last[Stage.WALKING].bytes) == (4, (6 << 20) + 1)
    assert last[Stage.WALKING].total_files is None
    for stage in (Stage.HEADS, Stage.HASHING):
        assert last[stage].files == last[stage].total_files == 3
        assert last[stage].bytes == last[stage].total_bytes == 6 << 20
    for before, after in pairwise(seen):
        assert after.stage != before.stage or after.bytes >= before.bytes


def test_progress_is_told_ten_times_a_second_at_most(tmp_path):
    for number in range(200):
        write(tmp_path / str(number), b"x")
    clock = ManualClock(SECOND)
    seen: list[Progress] = []

    def emit(event: str, _: object) -> None:
        if event == "file_processed":
            clock.advance(SECOND // 100)
    scan(str(tmp_path), scan_id="s", clock=clock, emit=emit, progress=seen.append)
    assert len([told for told in seen if told.stage is Stage.WALKING and told.path]) == 20


def test_progress_goes_on_when_the_clock_is_set_back(tmp_path):
    for number in range(5):
        write(tmp_path / str(number), b"x")
    clock = ManualClock(1_000 * SECOND)
    seen: list[Progress] = []
    scan(str(tmp_path), scan_id="s", clock=clock, emit=lambda _, __: clock.advance(-SECOND), progress=seen.append)
    assert len([told for told in seen if told.stage is Stage.WALKING and told.path]) == 5
