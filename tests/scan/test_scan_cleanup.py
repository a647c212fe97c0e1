"""Deleting duplicates: one of each set always remains, and nothing is deleted that is not proven equal."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from crossfade.scan import Kind, Progress, Stage


def write(path: Path, content: bytes, age: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (1_000_000_000 - age, 1_000_000_000 - age))


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_one_of_each_set_remains(scanner, tmp_path):
    for name in ("a", "b", "sub/c"):
        write(tmp_path / name, b"small", age=name == "b")
    for name in ("x", "y"):
        write(tmp_path / name, b"z" * 2_500_000)
    cleanup = scanner.clean(scanner.scan(tmp_path))
    assert names(tmp_path) == ["b", "x"]
    assert (cleanup.removed, cleanup.freed, cleanup.errors, cleanup.left) == (3, 2_500_010, (), ())
    assert scanner.of("cleanup_executed") == [
        {"scanId": "scan-1", "path": f"{tmp_path}/{path}", "size": size, "kept": f"{tmp_path}/{kept}"}
        for path, size, kept in (("y", 2_500_000, "x"), ("a", 5, "b"), ("sub/c", 5, "b"))]


def test_a_second_run_has_nothing_to_delete(scanner, tmp_path):
    for name in "abc":
        write(tmp_path / name, b"same")
    result = scanner.scan(tmp_path)
    scanner.clean(result)
    again = scanner.clean(result)
    assert (again.removed, [found.error for found in again.errors]) == (0, [Kind.VANISHED] * 2)
    assert names(tmp_path) == ["a"]


def test_what_frees_nothing_is_left_alone(scanner, tmp_path):
    for name in ("e1", "e2"):
        write(tmp_path / name, b"")
    for name in ("a", "b"):
        write(tmp_path / name, b"same", age=name == "a")
    (tmp_path / "b2").hardlink_to(tmp_path / "b")
    cleanup = scanner.clean(scanner.scan(tmp_path))
    assert (cleanup.removed, cleanup.errors) == (0, ())
    assert [(Path(found.path).name, found.error) for found in cleanup.left] == [
        ("b", Kind.HARD_LINK), ("e2", Kind.EMPTY)]
    assert names(tmp_path) == ["a", "b", "b2", "e1", "e2"]
    assert scanner.of("cleanup_executed") == scanner.of("error_occurred") == []


def test_a_copy_on_another_file_system_is_left_alone(scanner, tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name, b"same")
    result = scanner.scan(tmp_path)
    (found,) = result.sets
    elsewhere = replace(found.kept, stat=replace(found.kept.stat, device=found.kept.stat.device + 1))
    cleanup = scanner.clean(replace(result, sets=(replace(found, kept=elsewhere),)))
    assert [left.error for left in cleanup.left] == [Kind.OTHER_DEVICE]
    assert names(tmp_path) == ["a", "b"]


def swap_content(path: Path) -> None:
    """Other bytes under the same inode, size and time: no look at the file tells."""
    before = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def rewrite(path: Path) -> None:
    path.write_bytes(path.read_bytes())


def recreate(path: Path) -> None:
    before, content = path.stat(), path.read_bytes()
    path.rename(path.with_name("old-" + path.name))
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def link_away(path: Path) -> None:
    path.rename(path.with_name("old-" + path.name))
    path.symlink_to("old-" + path.name)


@pytest.mark.parametrize("which", ["a", "b"])
@pytest.mark.parametrize("act", [swap_content, rewrite, recreate, link_away, Path.unlink])
def test_neither_goes_if_either_changed_since_the_scan(scanner, tmp_path, act: Callable[[Path], None], which):
    content = bytes(range(250)) * 100
    write(tmp_path / "a", content, age=1)
    write(tmp_path / "b", content)
    result = scanner.scan(tmp_path)
    act(tmp_path / which)
    before = names(tmp_path)
    cleanup = scanner.clean(result)
    assert (cleanup.removed, len(cleanup.errors)) == (0, 1)
    assert cleanup.errors[0].path == f"{tmp_path}/b"
    assert cleanup.errors[0].error in {Kind.CHANGED, Kind.VANISHED}
    assert names(tmp_path) == before
    assert len(scanner.of("error_occurred")) == 1


@pytest.mark.parametrize("which", ["a", "b"])
@pytest.mark.parametrize("act", [rewrite, recreate, link_away, Path.unlink])
def test_a_change_while_the_bytes_are_compared_stops_it(scanner, tmp_path, act: Callable[[Path], None], which):
    for name in ("a", "b"):
        write(tmp_path / name, b"x" * 3_000_000, age=name == "a")
    result = scanner.scan(tmp_path)
    acted: list[str] = []

    def watch(progress: Progress) -> None:
        if progress.stage is Stage.DELETING and progress.path and not acted:
            acted.append(progress.path)
            act(tmp_path / which)
    cleanup = scanner.clean(result, watch)
    assert acted == [f"{tmp_path}/b"]
    assert (cleanup.removed, len(cleanup.errors)) == (0, 1)
    assert (tmp_path / ("a" if which == "b" else "b")).read_bytes() == b"x" * 3_000_000


@pytest.mark.parametrize("which", ["a", "b"])
def test_what_was_compared_must_be_what_was_scanned(scanner, tmp_path, which):
    """A file of equal content takes the place of the one scanned, but only while the bytes are compared."""
    for name in ("a", "b"):
        write(tmp_path / name, b"same")
    result = scanner.scan(tmp_path)
    recreate(tmp_path / which)

    def watch(progress: Progress) -> None:
        if progress.path and (tmp_path / f"old-{which}").exists():
            (tmp_path / f"old-{which}").rename(tmp_path / which)
    cleanup = scanner.clean(result, watch)
    assert (cleanup.removed, [wrong.error for wrong in cleanup.errors]) == (0, [Kind.CHANGED])
    assert names(tmp_path) == ["a", "b"]


def test_the_file_to_keep_is_never_deleted_under_another_name(scanner, tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name, b"same")
    result = scanner.scan(tmp_path)
    (found,) = result.sets
    itself = replace(result, sets=(replace(found, copies=(found.kept,)),))
    cleanup = scanner.clean(itself)
    assert (cleanup.removed, [wrong.error for wrong in cleanup.errors]) == (0, [Kind.CHANGED])
    assert names(tmp_path) == ["a", "b"]


def test_a_folder_swapped_for_a_link_is_not_entered(scanner, tmp_path):
    write(tmp_path / "top" / "a", b"same", age=1)
    write(tmp_path / "top" / "sub" / "b", b"same")
    result = scanner.scan(tmp_path / "top")
    (tmp_path / "top" / "sub").rename(tmp_path / "outside")
    (tmp_path / "top" / "sub").symlink_to("../outside")
    cleanup = scanner.clean(result)
    assert (cleanup.removed, [found.error for found in cleanup.errors]) == (0, [Kind.CHANGED])
    assert (tmp_path / "outside" / "b").exists()


def test_progress_of_the_clean_up_ends_at_its_total(scanner, tmp_path):
    for name in "abc":
        write(tmp_path / name, b"same")
    seen: list[Progress] = []
    scanner.clean(scanner.scan(tmp_path), seen.append)
    assert {progress.stage for progress in seen} == {Stage.DELETING}
    assert (seen[-1].files, seen[-1].total_files, seen[-1].bytes, seen[-1].total_bytes) == (2, 2, 8, 8)
