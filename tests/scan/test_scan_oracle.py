"""The scan against others who count the same tree: a naive oracle, ``find`` and ``fdupes`` (Debian's)."""

import os
import random
import shutil
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.core.clock import ManualClock
from crossfade.scan import ScanResult, delete_duplicates, scan

CONTENTS = [
    b"", b"a", b"b", b"ab", b"x" * 8192, b"x" * 8193, b"x" * 4096 + b"y" + b"x" * 4096,
    b"x" * 4097 + b"z" + b"x" * 4095, b"x" * 20_000, b"x" * 10_000 + b"y" + b"x" * 9_999,
]

Inode = tuple[int, int]

names = st.lists(st.sampled_from(["a", "b", "é", "sp ace"]), min_size=1, max_size=3)
trees = st.dictionaries(
    names.map(lambda parts: "/".join(parts) + ".f"),
    st.tuples(st.sampled_from(CONTENTS), st.integers(0, 3), st.sampled_from(["file", "file", "file", "hard", "soft"])),
    max_size=14,
)


def inode(path: str | Path) -> Inode:
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def plant(folder: Path, tree: dict[str, tuple[bytes, int, str]]) -> None:
    planted: list[Path] = []
    for name, (content, age, kind) in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "file" or not planted:
            path.write_bytes(content)
            os.utime(path, (1_000 - age, 1_000 - age))
            planted.append(path)
        elif kind == "hard":
            path.hardlink_to(planted[0])
        else:
            path.symlink_to(planted[-1])


def found_sets(result: ScanResult) -> set[frozenset[Inode]]:
    return {frozenset((file.stat.device, file.stat.inode) for file in (found.kept, *found.copies))
            for found in result.sets}


def quiet_scan(folder: Path) -> ScanResult:
    return scan(str(folder), scan_id="s", clock=ManualClock(), emit=lambda _, __: None)


def contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


@settings(max_examples=80, deadline=None)
@given(trees)
def test_any_tree_is_counted_as_a_naive_reader_counts_it(tree):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plant(folder, tree)
        files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        by_content: defaultdict[bytes, set[Inode]] = defaultdict(set)
        for path in files:
            by_content[path.read_bytes()].add(inode(path))
        expected = {frozenset(inodes) for inodes in by_content.values() if len(inodes) > 1}

        result = quiet_scan(folder)
        assert (result.files, result.total_size) == (len(files), sum(len(path.read_bytes()) for path in files))
        assert found_sets(result) == expected
        for found in result.sets:
            assert all(found.kept.stat.mtime_ns <= copy.stat.mtime_ns for copy in found.copies)


@settings(max_examples=40, deadline=None)
@given(trees)
def test_cleaning_any_tree_loses_no_content(tree):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plant(folder, tree)
        before = contents(folder)
        result = quiet_scan(folder)
        cleanup = delete_duplicates(result, clock=ManualClock(), emit=lambda _, __: None)
        after = contents(folder)
        assert set(after) == set(before)
        assert len(after) == len(before) - cleanup.removed
        assert sum(map(len, before)) - sum(map(len, after)) == cleanup.freed
        assert cleanup.errors == ()
        assert cleanup.removed + len(cleanup.left) == result.duplicates


def hard_tree(folder: Path) -> None:
    """Some 1,500 files: copies, near copies, hard links, links, sparse files, odd names, a fifo."""
    dice = random.Random(5)
    folders = [folder]
    for number in range(60):
        below = dice.choice(folders) / f"d{number} é"
        below.mkdir()
        folders.append(below)
    pool = [dice.randbytes(dice.choice([0, 1, 100, 4096, 8192, 8193, 50_000])) for _ in range(150)]
    for number in range(1_500):
        content = dice.choice(pool)
        if len(content) > 8192 and dice.random() < 0.3:
            content = content[:5000] + b"\0" + content[5001:]
        path = dice.choice(folders) / f"f{number}"
        path.write_bytes(content)
        if dice.random() < 0.05:
            path.with_suffix(".hard").hardlink_to(path)
        if dice.random() < 0.05:
            path.with_suffix(".soft").symlink_to(path)
    for name in ("s1", "s2", "s3"):
        with (folder / name).open("wb") as file:
            file.truncate(5_000_000)
    with (folder / "s3").open("r+b") as file:
        file.seek(2_500_000)
        file.write(b"!")
    Path(os.fsdecode(os.fsencode(folder) + b"/latin\xe9")).write_bytes(b"only one of these")
    os.mkfifo(folder / "fifo")
    (folder / "loop").symlink_to(".")


def fdupes_sets(folder: Path) -> set[frozenset[Inode]]:
    listed = subprocess.run(["fdupes", "-r", "-q", folder], check=True, capture_output=True).stdout
    groups = listed.strip(b"\n").split(b"\n\n")
    return {frozenset(inode(os.fsdecode(line)) for line in group.split(b"\n")) for group in groups if group}


def test_it_agrees_with_find_and_fdupes(tmp_path):
    assert shutil.which("fdupes"), "this test compares with fdupes: install it (Debian's package fdupes)"
    hard_tree(tmp_path)
    sizes = subprocess.run(["find", tmp_path, "-type", "f", "-printf", "%s\n"], check=True, capture_output=True)
    result = quiet_scan(tmp_path)
    assert result.files > 1_500
    assert result.files == len(sizes.stdout.split())
    assert result.total_size == sum(map(int, sizes.stdout.split()))
    theirs = fdupes_sets(tmp_path)
    assert len(theirs) > 100
    assert found_sets(result) == theirs
