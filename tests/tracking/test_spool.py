"""The spool's folder: what is appended is read back in order, across restarts, damage and neighbours."""

import contextlib
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.core.ledger import Account
from crossfade.tracking import spool as module
from crossfade.tracking.frame import pack
from crossfade.tracking.heirs import Heirs
from crossfade.tracking.spool import CURSOR, Batch, Full, Room, Spool

ACCOUNT = Account("01976f4e-0000-7000-8000-000000000001", 1, 1, {}, {})
SMALL = 1 << 15


def made(root, name="one", limit=SMALL, durable=False):
    return Spool.create(root, name, Room(root, limit), durable=durable)


def text(number):
    return b'{"sequence":%d,"pad":"%s"}' % (number, b"x" * 90)


def drain(spool, most=7, most_bytes=300):
    records = []
    while (batch := spool.peek(most, most_bytes)) is not None:
        assert len(batch.records) <= most
        records += batch.records
        spool.commit(batch, ACCOUNT)
    return records


def fill(spool):
    """How many records it took."""
    with contextlib.suppress(Full):
        for count in range(10_000):
            spool.append(text(count))
        pytest.fail("it was never full")
    return count


def segments(root, name="one"):
    return sorted((root / f"{name}.spool").glob("*.seg"))


@pytest.mark.parametrize("durable", [False, True])
def test_records_come_back_in_order_and_their_segments_go(tmp_path, durable):
    spool = made(tmp_path, durable=durable)
    wanted = [text(n) for n in range(150)]
    for record in wanted:
        spool.append(record)
    assert len(segments(tmp_path)) > 2
    assert drain(spool) == wanted
    assert len(segments(tmp_path)) == 1
    spool.retire()
    assert not list(tmp_path.iterdir())


def test_a_dead_ones_records_are_adopted_where_it_stopped(tmp_path):
    spool = made(tmp_path)
    for n in range(150):
        spool.append(text(n))
    delivered = []
    while len(delivered) < 80:
        batch = spool.peek(8, 1 << 20)
        delivered += batch.records
        spool.commit(batch, Account(ACCOUNT.id, 150, 80, {}, {"overflow": 2}))
    assert Spool.adopt(tmp_path / "one.spool") is None  # it lives
    spool.abandon()
    heir = Spool.adopt(tmp_path / "one.spool")
    assert heir.account == Account(ACCOUNT.id, 150, 80, {}, {"overflow": 2})
    assert delivered + drain(heir) == [text(n) for n in range(150)]
    heir.retire()
    assert Spool.adopt(tmp_path / "one.spool") is None


def test_without_its_mark_all_of_it_is_delivered_again(tmp_path):
    spool = made(tmp_path)
    spool.append(text(1))
    spool.commit(spool.peek(1, 100), ACCOUNT)
    spool.append(text(2))
    spool.abandon()
    (tmp_path / "one.spool" / CURSOR).write_bytes(b"\x1e damaged")
    assert drain(Spool.adopt(tmp_path / "one.spool")) == [text(1), text(2)]


@pytest.mark.parametrize("kept", [1, 8, 9, 10, 60])
def test_a_torn_tail_is_cut(tmp_path, kept):
    spool = made(tmp_path)
    spool.append(text(1))
    spool.abandon()
    with segments(tmp_path)[0].open("ab") as file:
        file.write(pack(text(2))[:kept])
    heir = Spool.adopt(tmp_path / "one.spool")
    batch = heir.peek(100, 1 << 20)
    assert batch.records == [text(1)]
    assert batch.lost == []  # nobody was told that it is safe
    heir.commit(batch, ACCOUNT)
    assert heir.peek(100, 1 << 20) is None


def test_damage_in_the_middle_costs_no_other_record(tmp_path):
    spool = made(tmp_path)
    for n in range(9):
        spool.append(text(n))
    spool.abandon()
    path = segments(tmp_path)[0]
    data = bytearray(path.read_bytes())
    data[len(pack(text(0))) * 4 + 30] ^= 0x40
    path.write_bytes(data)
    heir = Spool.adopt(tmp_path / "one.spool")
    batch = heir.peek(100, 1 << 20)
    assert batch.records == [text(n) for n in range(9) if n != 4]
    assert batch.lost == [bytes(data)[len(pack(text(0))) * 4:len(pack(text(0))) * 5]]


STEPS = st.one_of(st.integers(1, 700), st.sampled_from(["deliver", "peek", "crash", "renew"]))


@settings(max_examples=40)
@given(steps=st.lists(STEPS, max_size=60))
def test_any_course_of_things_loses_nothing(tmp_path_factory, steps):
    """Against a list: what was appended is delivered in order; a crash repeats nothing that was committed."""
    root = tmp_path_factory.mktemp("spool")
    heirs, generation, spool = [], 0, made(root, "0", 1 << 20)
    appended, delivered, number = [], [], 0
    for step in steps:
        if isinstance(step, int):
            number += 1
            record = b"%d:" % number + b"y" * step
            spool.append(record)
            appended.append(record)
        elif step == "deliver" and not heirs:
            batch = spool.peek(3, 1000)
            if batch is not None:
                delivered += batch.records
                spool.commit(batch, ACCOUNT)
        elif step == "peek":
            spool.peek(2, 500)
        elif step == "renew":
            spool.renew()
        elif step == "crash":
            spool.abandon()
            heirs.append(str(generation))
            generation += 1
            spool = made(root, str(generation), 1 << 20)
    for name in heirs:
        delivered += drain(Spool.adopt(root / f"{name}.spool"))
    delivered += drain(spool)
    spool.abandon()
    assert delivered == appended


def test_the_limit_holds_and_room_comes_back(tmp_path):
    spool = made(tmp_path)
    count = fill(spool)
    assert module.size_of(tmp_path / "one.spool") <= SMALL
    assert count * len(text(0)) > SMALL * 0.7
    assert len(drain(spool)) == count
    spool.append(text(0))


def test_neighbours_share_the_limit(tmp_path):
    one, other = made(tmp_path), made(tmp_path, "other")
    assert fill(one) > fill(other)
    assert module.size_of(tmp_path / "one.spool") + module.size_of(tmp_path / "other.spool") <= SMALL * 1.25


def test_a_record_longer_than_a_look_is_read(tmp_path):
    spool = made(tmp_path, limit=1 << 24)
    long = b"z" * 100_000
    spool.append(b"a")
    spool.append(long)
    spool.append(b"b")
    assert drain(spool, most_bytes=50) == [b"a", long, b"b"]


def test_a_segment_that_somebody_removed_holds_up_nothing(tmp_path):
    spool = made(tmp_path)
    for n in range(100):
        spool.append(text(n))
    segments(tmp_path)[0].unlink()
    last = drain(spool)
    assert last[-1] == text(99)
    assert len(last) < 100


def test_a_full_disk_leaves_no_half_record(tmp_path, monkeypatch):
    spool = made(tmp_path)
    spool.append(text(1))
    write = os.write
    monkeypatch.setattr(module.os, "write", lambda file, data: write(file, data[:20]))
    with pytest.raises(OSError, match="full"):
        spool.append(text(2))
    monkeypatch.undo()
    spool.append(text(3))
    assert drain(spool) == [text(1), text(3)]


def test_an_empty_folder_of_a_process_that_died_early_goes(tmp_path):
    (tmp_path / "early.spool").mkdir()
    (tmp_path / "mine").mkdir()
    assert Heirs(tmp_path).next() is None
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]  # what is not a spool is none of ours


def test_what_is_not_ours_stays(tmp_path):
    spool = made(tmp_path)
    (tmp_path / "one.spool" / "notes.txt").write_text("mine")
    spool.retire()
    assert [path.name for path in (tmp_path / "one.spool").iterdir()] == ["notes.txt"]
    assert Spool.adopt(tmp_path / "one.spool") is None


def test_nobody_else_may_read_it(tmp_path):
    made(tmp_path)
    assert (tmp_path / "one.spool").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "one.spool").iterdir())


def test_a_batch_in_memory_is_told_apart():
    assert Batch([b"x"], 1, in_memory=True).lost == []


def test_an_orphan_that_cannot_be_opened_is_passed_over(tmp_path, caplog):
    (tmp_path / "0.spool" / CURSOR).mkdir(parents=True)  # what a root user sees of "permission denied"
    spool = made(tmp_path, "1")
    spool.append(text(1))
    spool.abandon()
    heirs = Heirs(tmp_path)
    heir = heirs.next()
    assert drain(heir) == [text(1)]
    assert heirs.next() is None
    assert caplog.text.count("cannot be delivered") == 1
