"""The archive: the journal's lines, compressed, for as long as they are to be kept, and never twice."""

import gzip
import os
from pathlib import Path

import pytest

from crossfade import archive as archives
from crossfade.archive import Archive
from crossfade.core.clock import HOUR, SECOND
from crossfade.datafolder import DataFolderError
from crossfade.journal import archive_files, segment_files, segment_path

NOW = 1_790_000_000 * SECOND


def segments(folder: Path, *numbers: int, size: int = 3) -> dict[int, bytes]:
    written = {number: (f"{number}\t" + "x" * size + "\n").encode() * 2 for number in numbers}
    for number, content in written.items():
        segment_path(folder, number).write_bytes(content)
    return written


def packs(folder: Path) -> list[tuple[int, int]]:
    return [(first, last) for first, last, _ in archive_files(folder)]


def content(folder: Path) -> bytes:
    """Every line there is, packed or plain."""
    packed = {first: gzip.decompress(path.read_bytes()) for first, _, path in archive_files(folder)}
    plain = {number: path.read_bytes() for number, path in segment_files(folder)}
    assert not packed.keys() & plain.keys()
    return b"".join(text for _, text in sorted({**packed, **plain}.items()))


def test_loaded_segments_become_a_pack_that_gzip_reads(tmp_path: Path) -> None:
    written = segments(tmp_path, 1, 2, 3, 4)
    assert Archive(tmp_path).pack(3) == 3
    assert packs(tmp_path) == [(1, 3)]
    assert [number for number, _ in segment_files(tmp_path)] == [4]
    _, _, path = archive_files(tmp_path)[0]
    assert gzip.decompress(path.read_bytes()) == written[1] + written[2] + written[3]
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "000000000001-000000000003.tsv.gz", "000000000004.tsv"]


def test_there_may_be_nothing_to_pack(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "not yet made")
    assert archive.pack(10) == archive.forget(NOW) == 0
    archive = Archive(tmp_path)
    segments(tmp_path, 5)
    assert archive.pack(4) == 0
    assert packs(tmp_path) == []


def test_each_time_only_what_is_new_is_packed(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    written = {}
    for first in (1, 3, 5):
        written |= segments(tmp_path, first, first + 1)
        assert archive.pack(first + 1) == 2
    assert packs(tmp_path) == [(1, 2), (3, 4), (5, 6)]
    assert content(tmp_path) == b"".join(written.values())


def test_a_pack_holds_consecutive_segments_and_is_not_too_large(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "PACK_BYTES", 1000)
    monkeypatch.setattr(archives, "PACK_SEGMENTS", 3)
    written = segments(tmp_path, 1, 2, 5, 6, 7, 8) | segments(tmp_path, 9, 10, size=400)
    written |= segments(tmp_path, 11, size=5000) | segments(tmp_path, 12)
    Archive(tmp_path).pack(12)
    assert packs(tmp_path) == [(1, 2), (5, 7), (8, 9), (10, 10), (11, 11), (12, 12)]
    assert content(tmp_path) == b"".join(written.values())


def test_after_a_crash_before_the_rename_the_segments_are_packed_again(tmp_path: Path) -> None:
    written = segments(tmp_path, 1, 2)
    (tmp_path / "000000000001-000000000002.tsv.part").write_bytes(b"\x1f\x8bhalf")
    archive = Archive(tmp_path)
    assert not list(tmp_path.glob("*.part"))
    assert archive.pack(2) == 2
    assert content(tmp_path) == written[1] + written[2]


@pytest.mark.parametrize("gone", [(), (1,), (1, 2)])
def test_after_a_crash_between_the_rename_and_the_end_no_line_is_there_twice(
        tmp_path: Path, gone: tuple[int, ...]) -> None:
    written = segments(tmp_path, 1, 2, 3)
    Archive(tmp_path).pack(2)
    segments(tmp_path, *({1, 2} - set(gone)))
    archive = Archive(tmp_path)
    assert [number for number, _ in segment_files(tmp_path)] == [3]
    assert archive.pack(3) == 1
    assert content(tmp_path) == b"".join(written.values())


def test_a_pack_that_cannot_be_written_leaves_the_segments_and_no_half(tmp_path: Path) -> None:
    written = segments(tmp_path, 1)
    segment_path(tmp_path, 2).mkdir()  # what cannot be read as a file
    archive = Archive(tmp_path)
    with pytest.raises(OSError, match="directory"):
        archive.pack(2)
    assert segment_path(tmp_path, 1).read_bytes() == written[1]
    assert not list(tmp_path.glob("*.part"))
    segment_path(tmp_path, 2).rmdir()
    assert archive.pack(2) == 1


def age(path: Path, hours: float) -> None:
    at = (NOW - int(hours * HOUR)) * 1000
    os.utime(path, ns=(at, at))


def test_packs_are_forgotten_by_the_time_of_their_newest_line(tmp_path: Path) -> None:
    archive = Archive(tmp_path, keep_hours=2)
    for number, hours in ((1, 2.1), (2, 1.9), (4, 2.1), (6, 0)):
        segments(tmp_path, number)
        age(segment_path(tmp_path, number), hours)
    archive.pack(6)
    assert packs(tmp_path) == [(1, 2), (4, 4), (6, 6)]
    assert archive.forget(NOW) == 1
    assert packs(tmp_path) == [(1, 2), (6, 6)]
    assert archive.forget(NOW + HOUR) == 1
    assert archive.forget(NOW + HOUR) == 0
    assert archive.forget(NOW + 3 * HOUR) == 1


def test_the_limit_of_the_age_is_exact(tmp_path: Path) -> None:
    archive = Archive(tmp_path, keep_hours=1)
    segments(tmp_path, 1)
    age(segment_path(tmp_path, 1), 1)
    archive.pack(1)
    assert archive.forget(NOW) == 0
    assert archive.forget(NOW + 1) == 1


def test_plain_segments_are_never_forgotten(tmp_path: Path) -> None:
    archive = Archive(tmp_path, keep_hours=0)
    written = segments(tmp_path, 1)
    assert archive.forget(NOW * 2) == 0
    assert content(tmp_path) == written[1]


def test_a_folder_that_cannot_be_tidied_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.part").mkdir()
    with pytest.raises(DataFolderError, match="make it writable"):
        Archive(tmp_path)
