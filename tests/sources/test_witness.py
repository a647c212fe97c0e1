"""The journal as the witness, and what it makes of repeats, losses and ghosts; with a real store."""

from collections import Counter

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.core.clock import DAY, MINUTE, SECOND
from crossfade.core.recounted import ALL
from crossfade.journal import archive_files, segment_path
from crossfade.sources import witness as witness_module
from crossfade.sources.recount import per_minute

from .house import BASE, LEAD, House, M, line


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.close()


def test_the_journal_is_asked_while_it_is_kept_and_the_events_after_that(house):
    house.load(line("old", BASE - 3 * DAY, received=BASE - 60 * MINUTE))
    house.load(line("a", BASE), line("b", BASE + MINUTE))
    assert house.tell().witness == "journal"
    assert house.tell(BASE - 4 * DAY, BASE).witness == "raw events"
    assert house.tell(BASE - 60 * MINUTE + LEAD, BASE).witness == "raw events", "some may have come before"
    house.archive.pack(2)
    house.anew()
    assert house.tell().witness == "journal"
    for _, _, pack in archive_files(house.journal):
        pack.unlink()
    assert house.tell().witness == "raw events"
    assert house.tell().minutes == {(M, "file_processed"): 1, (M + 1, "file_processed"): 1}


@pytest.mark.parametrize("packed", [False, True])
def test_what_agrees_is_told_minute_by_minute(house, packed):
    house.begin()
    house.load(line("a", BASE), line("b", BASE + 1, "x"), line("c", BASE + MINUTE))
    house.load(line("late", BASE + 2))
    if packed:
        house.archive.pack(3)
    examined = house.examiner.minutes(BASE - 5 * MINUTE, BASE + 5 * MINUTE)
    assert examined.told.witness == "journal"
    assert examined.segment == 3
    assert [(w.start // MINUTE - M, w.field, w.reported, w.recounted) for w in examined.windows] == [
        (0, ALL, 3, 3), (1, ALL, 1, 1),
    ]
    assert house.paces > 0


def test_a_rollup_that_is_wrong_is_found_by_either_witness(house):
    house.begin()
    house.load(line("a", BASE), line("b", BASE))
    house.spoil("UPDATE minute_rollup SET n = n + 1 WHERE minute = ?", M)
    assert house.wrong() == [(0, "file_processed", 3, 2)]
    (_, told), = [(w.kind, w.witness) for w in house.examiner.minutes(BASE, BASE + MINUTE).windows]
    assert told == "journal"
    segment_path(house.journal, 1).unlink()
    segment_path(house.journal, 2).unlink()
    assert house.wrong() == [(0, "file_processed", 3, 2)]
    house.spoil("DELETE FROM minute_rollup WHERE minute = ?", M)
    assert house.wrong() == [(0, "file_processed", 0, 2)]
    house.spoil("INSERT INTO minute_rollup VALUES (?, 'file_processed', 2), (?, 'ghost', 5)", M, M + 1)
    assert house.wrong() == [(1, "ghost", 5, 0)]


def test_an_event_that_the_store_lost_is_missed_by_the_journal(house):
    house.begin()
    house.load(line("a", BASE), line("b", BASE))
    house.spoil("DELETE FROM events WHERE message_id = 'b'")
    house.spoil("UPDATE minute_rollup SET n = 1 WHERE minute = ?", M)
    assert house.wrong() == [(0, "file_processed", 1, 2)]


def test_an_event_that_was_stored_twice_is_counted_once(house):
    house.begin()
    house.load(line("a", BASE))
    house.spoil("INSERT INTO events SELECT * FROM events WHERE message_id = 'a'")
    house.spoil("UPDATE minute_rollup SET n = 2 WHERE minute = ?", M)
    assert house.wrong() == [(0, "file_processed", 2, 1)]


def test_an_event_that_nobody_sent_is_a_ghost(house):
    house.begin()
    house.load(line("a", BASE))
    house.spoil("INSERT INTO events SELECT * REPLACE ('ghost' AS message_id, 'x' AS event) FROM events "
                "WHERE message_id = 'a'")
    house.spoil("INSERT INTO minute_rollup VALUES (?, 'x', 1)", M)
    assert house.wrong() == [(0, "x", 1, 0)]


def test_a_repeat_of_what_a_forgotten_segment_brought_is_nothing_missing(house):
    house.load(line("a", BASE - 300 * DAY))
    segment_path(house.journal, 1).unlink()
    house.begin()
    house.load(line("a", BASE), line("b", BASE))  # the sender wrote a new time
    assert house.store.status().duplicates == 1
    assert house.tell().witness == "journal"
    assert house.wrong() == []


def test_a_repeat_that_another_clock_moved_into_the_next_minute_is_nothing_missing(house):
    house.begin()
    house.load(line("a", BASE - 1))
    house.load(line("a", BASE + 1, offset=2))
    assert house.store.status().duplicates == 1
    assert house.wrong(BASE, BASE + MINUTE) == []
    assert house.wrong() == []


def test_an_event_that_came_before_the_kept_journal_is_no_ghost(house):
    house.load(line("early", BASE))  # from the future, when it came
    segment_path(house.journal, 1).unlink()
    house.begin()
    house.load(line("b", BASE))
    assert house.tell().witness == "journal"
    assert house.wrong() == []


def test_a_line_that_the_store_refused_is_nothing_missing(house):
    house.begin()
    house.load(line("a", BASE), line("b", BASE, properties="{}\x01"), line("c" * 10, BASE).replace("c" * 10, ""))
    assert house.store.status().quarantined > 0
    assert house.wrong() == []


def test_what_waits_to_be_loaded_changes_nothing(house):
    house.begin()
    house.load(line("a", BASE))
    house.write(line("b", BASE))
    assert house.wrong() == []
    assert house.tell().minutes == {(M, "file_processed"): 1}


def test_a_file_that_cannot_be_read_leaves_it_to_the_events(house):
    house.begin()
    house.load(line("a", BASE))
    house.archive.pack(2)
    (_, _, pack), = archive_files(house.journal)
    pack.write_bytes(b"garbage")
    with structlog.testing.capture_logs() as logs:
        assert house.tell().witness == "raw events"
    assert [entry["event"] for entry in logs] == ["recount: a file of the journal cannot be read"]


def test_a_file_that_breaks_while_it_is_used_leaves_it_to_the_events(house):
    house.begin()
    house.load(line("a", BASE))
    house.archive.pack(2)
    assert house.tell().witness == "journal"
    (_, _, pack), = archive_files(house.journal)
    pack.write_bytes(pack.read_bytes()[:-9])
    with structlog.testing.capture_logs() as logs:
        assert house.tell().witness == "raw events"
    assert len(logs) == 1


moments = st.one_of(
    st.integers(-3, 3).map(lambda n: BASE + n * MINUTE), st.integers(BASE - 4 * MINUTE, BASE + 4 * MINUTE),
    st.integers(BASE - 400 * DAY, BASE),
)
messages = st.tuples(st.integers(0, 25), moments, st.sampled_from(("e", "auth_success", "größe 😀")),
                     st.sampled_from((0, 0, 0, 1, -MINUTE)))
batches = st.lists(st.lists(messages, max_size=15), min_size=1, max_size=6)


@settings(max_examples=25)
@given(batches=batches, forgotten=st.integers(0, 6), packed=st.integers(0, 6), at_once=st.sampled_from((1, 3, 1000)))
def test_whatever_is_repeated_late_or_forgotten_a_sound_store_agrees(tmp_path_factory, batches, forgotten, packed,
                                                                    at_once):
    house = House(tmp_path_factory.mktemp("house"))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(witness_module, "AT_ONCE", at_once)
            first = {}
            for number, batch in enumerate(batches):
                if number == forgotten:
                    house.begin()
                house.load(*(line(f"m{name}", ts + offset, event, offset=offset, received=BASE + number)
                             for name, ts, event, offset in batch))
                for name, ts, event, offset in batch:
                    first.setdefault(name, (ts + offset, event))
            for number in range(1, min(forgotten, len(batches)) + 1):
                segment_path(house.journal, number).unlink()
            house.archive.pack(packed)
            since, until = BASE - 10 * MINUTE, BASE + 10 * MINUTE
            busiest = max(per_minute(house.store.minutes(BASE - 500 * DAY, BASE + DAY).counts).values(), default=0)
            patch.setattr(witness_module, "NAMES_AT_ONCE", max(at_once, busiest))
            told = house.tell(since, until)
            assert told.minutes == Counter(
                (ts // MINUTE, event) for ts, event in first.values() if since <= ts < until
            )
            assert told.witness == ("journal" if forgotten < len(batches) else "raw events")
            assert house.wrong(BASE - 500 * DAY, BASE + DAY) == []
    finally:
        house.close()


def test_what_a_minute_is_full_of_is_asked_for_bit_by_bit(house, monkeypatch):
    """An answer that is read slowly keeps the store from tidying up."""
    house.load(*(line(f"m{number}", BASE + number * SECOND) for number in range(60)))
    monkeypatch.setattr(witness_module, "AT_ONCE", 10)
    asked, raw = [], house.store.raw
    monkeypatch.setattr(house.store, "raw", lambda since, until: asked.append((since, until)) or raw(since, until))
    assert house.tell().minutes == {(M, "file_processed"): 60}
    assert [until - BASE for _, until in asked] == [10 * MINUTE, *(SECOND * ten for ten in range(60, 0, -10))]


def test_a_minute_with_too_many_events_for_the_journal_is_told_by_the_stored_ones(house, monkeypatch):
    house.begin()
    house.load(line("a", BASE), line("b", BASE + 1), line("c", BASE + MINUTE))
    assert house.tell().witness == "journal"
    monkeypatch.setattr(witness_module, "NAMES_AT_ONCE", 1)
    assert house.tell().witness == "raw events"
    assert house.tell(BASE + MINUTE, BASE + 2 * MINUTE).witness == "journal"
