"""The journal as it is kept: plain, packed, half gone, broken."""

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.archive import Archive
from crossfade.core.clock import DAY, MINUTE
from crossfade.journal import archive_files, segment_path
from crossfade.sources import kept as kept_module
from crossfade.sources.kept import SLACK, TROUBLES, Kept, readable

from .house import BASE, LEAD, line

SINCE = BASE + LEAD + SLACK
"""From here on everything is known, when the first line came at BASE."""


def write(folder, number, *lines):
    segment_path(folder, number).write_text("".join(lines))


def texts(kept, since, until, through):
    return [(number, found) for number, lines in kept.read(since, until, through) for found in lines]


def ids(kept, since, until, through):
    lines = (readable(text) for _, text in texts(kept, since, until, through))
    return [found.message_id for found in lines if since <= found.ts < until]


def scan(kept, through):
    while not kept.scan(through, lambda: None):
        pass


@settings(max_examples=30)
@given(segments=st.lists(st.lists(st.integers(0, 30 * MINUTE), max_size=8), min_size=1, max_size=12),
       packed=st.integers(0, 12), looked=st.integers(0, 12), span=st.tuples(st.integers(0, 30), st.integers(1, 8)))
def test_a_span_is_read_whole_from_plain_and_packed_segments(segments, packed, looked, span):
    with TemporaryDirectory() as name:
        folder = Path(name)
        kept = Kept(folder, LEAD)
        times = {}
        write(folder, 1, line("first", BASE))
        for number, ages in enumerate(segments, 2):
            for place, age in enumerate(ages):
                times[f"{number}/{place}"] = BASE + age
            write(folder, number, *(line(f"{number}/{place}", BASE + age, received=BASE + number)
                                    for place, age in enumerate(ages)))
        last = len(segments) + 1
        scan(kept, min(looked, last))
        Archive(folder).pack(packed)  # perhaps in the middle of the work
        scan(kept, last)
        since = BASE + span[0] * MINUTE
        until = since + span[1] * MINUTE
        expected = [message for message, ts in times.items() if since <= ts < until]
        assert kept.covers(since, last) == (since >= SINCE)
        assert [found for found in ids(kept, since, until, last) if found != "first"] == expected
        half = last // 2
        assert [found for found in ids(kept, since, until, half) if found != "first"] == [
            found for found in expected if int(found.split("/")[0]) <= half
        ]


def test_only_the_segments_that_tell_of_the_span_are_read(tmp_path):
    kept = Kept(tmp_path, LEAD)
    for number in range(1, 8):
        write(tmp_path, number, line(f"m{number}", BASE + number * MINUTE))
    write(tmp_path, 8, line("late", BASE + 3 * MINUTE, received=BASE + 60 * MINUTE))
    scan(kept, 8)
    read = {number for number, _ in texts(kept, BASE + 3 * MINUTE, BASE + 4 * MINUTE, 8)}
    assert read == {3, 8}


def test_nothing_is_covered_before_it_was_looked_at(tmp_path):
    kept = Kept(tmp_path, LEAD)
    assert kept.since() is None
    assert kept.scan(0, lambda: None), "an empty journal is soon known"
    assert not kept.covers(BASE + DAY, 0)
    write(tmp_path, 1, line("a", BASE))
    assert not kept.covers(SINCE, 1)
    scan(kept, 1)
    assert kept.covers(SINCE, 1)
    assert not kept.covers(SINCE - 1, 1)
    assert not kept.covers(SINCE, 2)


def test_what_was_forgotten_is_no_longer_covered(tmp_path):
    kept = Kept(tmp_path, LEAD)
    for number in range(1, 6):
        write(tmp_path, number, line(f"m{number}", BASE + number * MINUTE))
    scan(kept, 5)
    assert kept.knows(1)
    assert kept.since() == SINCE + MINUTE
    segment_path(tmp_path, 1).unlink()
    segment_path(tmp_path, 2).unlink()
    scan(kept, 5)
    assert not kept.knows(2)
    assert kept.knows(3)
    assert kept.since() == SINCE + 3 * MINUTE
    for number in range(3, 6):
        segment_path(tmp_path, number).unlink()
    scan(kept, 5)
    assert kept.since() is None


def test_a_broken_pack_is_told_once_and_passed_over(tmp_path):
    for number in range(1, 4):
        write(tmp_path, number, line(f"m{number}", BASE + number * MINUTE))
    Archive(tmp_path).pack(3)
    (_, _, pack), = archive_files(tmp_path)
    pack.write_bytes(pack.read_bytes()[:-9])
    write(tmp_path, 4, line("m4", BASE + 4 * MINUTE))
    kept = Kept(tmp_path, LEAD)
    with pytest.raises(EOFError, match=pack.name):
        kept.scan(4, lambda: None)
    scan(kept, 4)
    assert kept.knows(4)
    assert not kept.knows(3)
    assert kept.since() == SINCE + 4 * MINUTE


def test_a_pack_that_breaks_later_is_told_when_it_is_read(tmp_path):
    write(tmp_path, 1, line("m1", BASE), line("m2", SINCE))
    Archive(tmp_path).pack(1)
    kept = Kept(tmp_path, LEAD)
    scan(kept, 1)
    (_, _, pack), = archive_files(tmp_path)
    pack.write_bytes(b"no gzip at all")
    with pytest.raises(TROUBLES):
        texts(kept, SINCE, SINCE + MINUTE, 1)


def test_where_too_much_waits_the_oldest_is_passed_over(tmp_path, monkeypatch):
    for number in range(1, 7):
        write(tmp_path, number, line(f"m{number}", BASE + number * MINUTE))
    size = segment_path(tmp_path, 1).stat().st_size
    monkeypatch.setattr(kept_module, "MOST_BYTES", 2 * size)
    kept = Kept(tmp_path, LEAD)
    scan(kept, 6)
    assert not kept.knows(4)
    assert kept.knows(5)
    assert kept.since() == SINCE + 5 * MINUTE


def test_it_looks_at_a_part_at_a_time_and_can_be_interrupted(tmp_path, monkeypatch):
    for number in range(1, 5):
        write(tmp_path, number, line(f"m{number}", BASE + number * MINUTE))
    monkeypatch.setattr(kept_module, "AT_ONCE", 2)
    kept = Kept(tmp_path, LEAD)
    assert not kept.scan(4, lambda: None)
    assert kept.scanned == 2

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept.scan(4, interrupt)
    assert kept.scanned == 2
    assert kept.scan(4, lambda: None)
    assert ids(kept, BASE + MINUTE, BASE + 5 * MINUTE, 4) == ["m1", "m2", "m3", "m4"]


def test_what_is_no_event_is_passed_over(tmp_path):
    good = line("a", SINCE, "größe \u2028 ")
    segment_path(tmp_path, 1).write_bytes(line("first", BASE).encode() + b"\xff\xfe\nshort\n\n" + good.encode()
                                          + line("", SINCE).encode())
    kept = Kept(tmp_path, LEAD)
    scan(kept, 1)
    found = [readable(text) for _, text in texts(kept, SINCE, SINCE + MINUTE, 1)]
    assert [told.event for told in found if told is not None] == ["file_processed", "größe \u2028 "]


def test_long_lines_and_many_members_come_whole(tmp_path):
    with (tmp_path / "000000000001-000000000002.tsv.gz").open("wb") as file:
        for number in (1, 2):
            with gzip.GzipFile("", "wb", 1, file) as member:
                for place in range(500):
                    text = line(f"{number}/{place}", SINCE, properties='{"a":"' + "é" * 900 + '"}', received=BASE)
                    member.write(text.encode())
    kept = Kept(tmp_path, LEAD)
    scan(kept, 2)
    assert ids(kept, SINCE, SINCE + MINUTE, 2) == [f"{n}/{place}" for n in (1, 2) for place in range(500)]
