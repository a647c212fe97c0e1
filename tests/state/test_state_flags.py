"""Flags: every change is whole, kept, and told in the audit log."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.core.flag import BUILT_IN, FlagError, Flags
from crossfade.state import AuditEntry, FlagChange, FlagRow, State, StateError

BUSINESS, SYSTEM, HISTORY = BUILT_IN[:3]


def seeded(state: State, **values: bool) -> None:
    assert state.seed_flags({BUSINESS: False, SYSTEM: False, "fallback_on_error": True} | values, at=1)


def test_a_fresh_state_has_the_defaults_and_no_rows(state: State) -> None:
    assert state.flag_rows() == ()
    assert not state.flags()[BUSINESS]
    assert state.flags().fallback_on_error


def test_a_seed_is_stored_with_its_audit_rows(state: State) -> None:
    assert state.seed_flags({SYSTEM: True, BUSINESS: False}, at=7)
    assert state.flags() == Flags({SYSTEM: True, BUSINESS: False}, 2)
    assert state.flag_rows() == (
        FlagRow(BUSINESS, False, 7, "environment"), FlagRow(SYSTEM, True, 7, "environment"))
    assert state.audit() == (
        AuditEntry(2, 7, "environment", "flag.seed", BUSINESS, None, "false", None),
        AuditEntry(1, 7, "environment", "flag.seed", SYSTEM, None, "true", None))


def test_only_the_first_seed_counts(state: State) -> None:
    seeded(state)
    assert not state.seed_flags({BUSINESS: True, HISTORY: True}, at=9)
    assert not state.flags()[BUSINESS]
    assert len(state.audit()) == 3


def test_an_empty_seed_leaves_room_for_another(state: State) -> None:
    assert not state.seed_flags({}, at=1)
    seeded(state)


def test_ensure_adds_what_is_missing_at_its_default_and_leaves_the_rest(state: State) -> None:
    state.seed_flags({BUSINESS: True}, at=1)
    assert state.ensure_flags([BUSINESS, "use_real_orders", "fallback_on_error"], 5) == (
        "use_real_orders", "fallback_on_error")
    assert state.flags() == Flags({BUSINESS: True, "use_real_orders": False, "fallback_on_error": True}, 3)
    assert [(entry.action, entry.subject, entry.new) for entry in state.audit()[:2]] == [
        ("flag.add", "fallback_on_error", "true"), ("flag.add", "use_real_orders", "false")]
    assert state.ensure_flags(["use_real_orders"], 6) == ()
    assert len(state.audit()) == 3


def test_a_change_is_returned_audited_and_seen(state: State) -> None:
    seeded(state)
    before = state.flags()
    made = state.change_flags({BUSINESS: True, SYSTEM: False}, who="ann", at=20, reason="phase 5A")
    assert made == (FlagChange(BUSINESS, False, True),)
    assert state.flags()[BUSINESS]
    assert not before[BUSINESS], "what somebody holds of the flags does not change under them"
    assert state.audit(limit=1) == (
        AuditEntry(4, 20, "ann", "flag.change", BUSINESS, "false", "true", "phase 5A"),)
    rows = {row.name: row for row in state.flag_rows()}
    assert rows[BUSINESS] == FlagRow(BUSINESS, True, 20, "ann")
    assert rows[SYSTEM] == FlagRow(SYSTEM, False, 1, "environment")


def test_a_change_to_what_is_already_so_leaves_no_trace(state: State) -> None:
    seeded(state)
    assert state.change_flags({BUSINESS: False, "fallback_on_error": True}, who="ann", at=20) == ()
    assert state.change_flags({}, who="ann", at=20) == ()
    assert len(state.audit()) == 3
    assert {row.changed_at for row in state.flag_rows()} == {1}


def test_an_unknown_flag_stops_the_whole_change(state: State) -> None:
    seeded(state)
    with pytest.raises(FlagError, match=f"no flag 'use_reel'.*{BUSINESS}"):
        state.change_flags({BUSINESS: True, "use_reel": True}, who="ann", at=20)
    assert not state.flags()[BUSINESS]
    assert len(state.audit()) == 3


def test_without_its_audit_row_a_change_is_not_made(state: State, path: Path) -> None:
    seeded(state)
    with closing(sqlite3.connect(path)) as other:
        other.execute(
            f"CREATE TRIGGER full BEFORE INSERT ON audit WHEN NEW.subject = '{SYSTEM}' "
            "BEGIN SELECT RAISE(ABORT, 'the log is full'); END")
    before = state.flag_rows()
    with pytest.raises(StateError, match=r"state\.db failed: the log is full"):
        state.change_flags({BUSINESS: True, SYSTEM: True}, who="ann", at=20)
    assert state.flag_rows() == before
    assert not state.flags()[BUSINESS]
    assert not state.refresh()[BUSINESS]
    assert len(state.audit()) == 3
    assert state.change_flags({BUSINESS: True}, who="ann", at=21), "the connection is good for the next change"


def test_who_and_why_that_cannot_be_stored_are_an_error(state: State) -> None:
    seeded(state)
    with pytest.raises(StateError, match="cannot hold this value"):
        state.change_flags({BUSINESS: True}, who="\ud800", at=20)
    with pytest.raises(StateError, match="cannot hold this value"):
        state.change_flags({BUSINESS: True}, who="ann", at=2**63)
    assert not state.refresh()[BUSINESS]


def test_the_revision_is_the_audit_row_of_the_last_change(state: State, path: Path) -> None:
    assert state.flags().revision == 0
    seeded(state)
    assert state.flags().revision == 3
    state.change_flags({BUSINESS: True, SYSTEM: True}, who="ann", at=20)
    assert state.flags().revision == 5 == state.audit(limit=1)[0].id
    state.change_flags({BUSINESS: True}, who="ann", at=21)
    state.record_repair(at=22, who="ann", subject="x", old="1", new="2", reason="no flag")
    assert state.refresh().revision == 5, "what changes no flag leaves the revision"
    with closing(State.open(path)) as other:
        other.change_flags({SYSTEM: False}, who="bob", at=30)
        assert state.refresh() == other.flags()
        assert state.flags().revision == 7


def test_words_are_stored_as_they_are(state: State) -> None:
    seeded(state)
    reason = "'); DROP TABLE flags; -- 100 % 🙂 :name ?"
    state.change_flags({BUSINESS: True}, who='"ann"', at=20, reason=reason)
    entry, = state.audit(limit=1)
    assert (entry.who, entry.reason) == ('"ann"', reason)


def test_flags_outlive_the_process(state: State, path: Path) -> None:
    seeded(state)
    state.change_flags({BUSINESS: True}, who="ann", at=20)
    with closing(State.open(path)) as later:
        assert later.flags() == state.flags()
        assert later.audit() == state.audit()


def test_another_process_change_is_seen_after_a_refresh(state: State, path: Path) -> None:
    seeded(state)
    with closing(State.open(path)) as other:
        other.change_flags({BUSINESS: True}, who="bob", at=30)
        assert not state.flags()[BUSINESS]
        assert state.refresh()[BUSINESS]
        assert state.flags()[BUSINESS]
        other.change_flags({BUSINESS: False}, who="bob", at=31)
        # A change starts from what is stored, not from what this process remembers.
        assert state.change_flags({BUSINESS: False, SYSTEM: True}, who="ann", at=32) == (
            FlagChange(SYSTEM, False, True),)
        assert not state.flags()[BUSINESS]


def test_the_audit_log_is_read_page_by_page_and_by_subject(state: State) -> None:
    seeded(state)
    for at in range(10, 20):
        state.change_flags({BUSINESS: at % 2 == 0}, who="ann", at=at)
    everything = state.audit()
    assert [entry.id for entry in everything] == list(range(13, 0, -1))
    first = state.audit(limit=5)
    assert first + state.audit(before_id=first[-1].id) == everything
    assert {entry.subject for entry in state.audit(subject=SYSTEM)} == {SYSTEM}
    assert len(state.audit(subject=BUSINESS, limit=3, before_id=10)) == 3
    assert state.audit(subject="nobody") == ()


def test_an_audit_number_is_never_given_twice(state: State, path: Path) -> None:
    seeded(state)
    with closing(sqlite3.connect(path)) as other:
        other.execute("DELETE FROM audit")
        other.commit()
    state.change_flags({BUSINESS: True}, who="ann", at=20)
    assert [entry.id for entry in state.audit()] == [4]


def test_threads_change_flags_one_after_the_other(state: State, path: Path) -> None:
    names = ("a", "b", "c")
    state.seed_flags(dict.fromkeys(names, False), at=0)
    with closing(State.open(path)) as other, ThreadPoolExecutor(8) as pool:
        def flip(number: int) -> int:
            who = (state, other)[number % 2]
            return len(who.change_flags({names[number % 3]: number % 4 < 2}, who=str(number), at=number))

        made = sum(pool.map(flip, range(60)))
        assert state.refresh() == other.refresh()
    for name in names:
        entries = state.audit(1000, subject=name)[::-1]
        values = [entry.new for entry in entries]
        assert [entry.old for entry in entries] == [None, *values[:-1]], "no change was lost under another"
        assert values[-1] == str(state.flags()[name]).lower()
    assert len(state.audit(1000)) == made + 3


def test_reading_a_flag_costs_no_query(state: State) -> None:
    seeded(state)
    state.close()
    reads = 20_000
    best = min(_timed(state, reads) for _ in range(5))
    assert best / reads < 1e-6


def _timed(state: State, reads: int) -> float:
    began = time.perf_counter()
    for _ in range(reads):
        state.flags()
    return time.perf_counter() - began


changes = st.dictionaries(st.sampled_from("abcd"), st.booleans())


@settings(deadline=None, max_examples=50)
@given(first=st.fixed_dictionaries(dict.fromkeys("abcd", st.booleans())), steps=st.lists(changes, max_size=4))
def test_the_audit_log_replayed_gives_the_flags(
    tmp_path_factory: pytest.TempPathFactory, first: dict[str, bool], steps: list[dict[str, bool]],
) -> None:
    with closing(State.open(tmp_path_factory.mktemp("replay") / "state.db")) as state:
        state.seed_flags(first, at=0)
        expected = dict(first)
        for at, step in enumerate(steps, 1):
            made = state.change_flags(step, who="ann", at=at)
            assert {change.flag: change.new for change in made} == {
                name: value for name, value in step.items() if expected[name] != value}
            expected |= step
        replayed = {entry.subject: entry.new == "true" for entry in reversed(state.audit())}
        assert replayed == expected == state.flags().values == state.refresh().values


def test_the_audit_log_of_a_span_in_its_order_and_what_somebody_signs(state: State) -> None:
    for at in (10, 20, 30):
        state.sign("checklist: documentation", who="ann", at=at, reason=f"page {at}")
    assert [entry.at for entry in state.audit_between(10, 20, 10)] == [10, 20]
    assert [entry.reason for entry in state.audit_between(0, 100, 2)] == ["page 10", "page 20"]
    assert state.audit_between(31, 40, 10) == ()
    newest, = state.audit(1, subject="checklist: documentation")
    assert (newest.action, newest.who, newest.reason) == ("checklist.sign", "ann", "page 30")
