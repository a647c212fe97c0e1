"""Retirements: flags go into the archive and come back as they were, whole or not at all, with their audit rows."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.core.clock import DAY
from crossfade.core.flag import FlagError, own
from crossfade.core.retirement import KEPT, RetiredError, RetirementError
from crossfade.state import State, StateError

ORDERS, SALES = "use_real_orders", "use_real_sales"
NOW = 1_790_000_000_000_000
WEEK = 7 * DAY
FLAGS = {ORDERS: True, "percent_orders": 100, "shadow_orders": True, SALES: False, "percent_sales": 30,
         "shadow_sales": False, "fallback_on_error": False, "log_data_sources": False}


def seeded(state: State, **values: bool | int) -> None:
    assert state.seed_flags(FLAGS | values, at=NOW - WEEK)


def retire(state: State, at: int = NOW, **more: str | int | None) -> None:
    state.retire("orders", ORDERS, **{"who": "ann", "at": at, "wait": WEEK, **more})  # type: ignore[arg-type]


def told(state: State, limit: int = 10) -> list[tuple[str, str, str | None, str | None]]:
    return [(row.action, row.subject, row.old, row.new) for row in state.audit(limit)]


def test_it_takes_the_flags_away_and_keeps_them_in_the_archive(state: State) -> None:
    seeded(state)
    retire(state, reason="done")
    assert state.flags().values == {name: value for name, value in FLAGS.items() if not name.endswith("_orders")}
    assert state.flags().retired == {ORDERS}
    assert state.flags().revision == state.audit(1)[0].id
    assert state.refresh() == state.flags()
    found, = state.retirements()
    assert (found.component, found.at, found.who, found.reason, found.since) == (
        "orders", NOW, "ann", "done", NOW - WEEK)
    assert [(flag.name, flag.value, flag.changed_at, flag.changed_by) for flag in found.flags] == [
        (ORDERS, True, NOW - WEEK, "environment"), ("percent_orders", 100, NOW - WEEK, "environment"),
        ("shadow_orders", True, NOW - WEEK, "environment")]
    assert told(state, 4) == [
        ("retire", "orders", "real only since 2026-09-14T14:13:20Z", "retired"),
        ("flag.archive", "shadow_orders", "true", None), ("flag.archive", "percent_orders", "100", None),
        ("flag.archive", ORDERS, "true", None)]
    assert {(row.who, row.at, row.reason) for row in state.audit(4)} == {("ann", NOW, "done")}


def test_undone_everything_is_as_it_was(state: State) -> None:
    seeded(state)
    before, rows = state.flags(), state.flag_rows()
    retire(state)
    state.undo_retirement("orders", who="bob", at=NOW + KEPT - 1, reason="too early")
    assert (state.flags().values, state.flags().retired, state.flag_rows()) == (before.values, frozenset(), rows)
    assert state.flags().revision > before.revision
    assert state.retirements() == ()
    assert told(state, 4) == [
        ("flag.restore", "shadow_orders", None, "true"), ("flag.restore", "percent_orders", None, "100"),
        ("flag.restore", ORDERS, None, "true"),
        ("retire.undo", "orders", "retired since 2026-09-21T14:13:20Z", "real only")]
    retire(state, at=NOW + KEPT)
    assert state.flags().retired == {ORDERS}


@given(shadow=st.booleans(), changed=st.integers(0, NOW - WEEK), who=st.text(max_size=20), other=st.integers(0, 100))
@settings(max_examples=25)
def test_undoing_restores_exactly(tmp_path_factory: pytest.TempPathFactory, shadow: bool, changed: int, who: str,
                                  other: int) -> None:
    with closing(State.open(tmp_path_factory.mktemp("state") / "state.db")) as state:
        state.seed_flags(FLAGS | {ORDERS: False, "percent_sales": other}, at=0)
        state.change_flags({ORDERS: True, "shadow_orders": shadow}, who=who, at=changed)
        before, rows, audit = state.flags(), state.flag_rows(), len(state.audit(1_000))
        retire(state)
        assert state.flags()[ORDERS] is True
        assert not set(own(ORDERS)) & {row.name for row in state.flag_rows()}
        state.undo_retirement("orders", who="bob", at=NOW + 1)
        assert (state.flags().values, state.flags().retired, state.flag_rows()) == (before.values, frozenset(), rows)
        assert state.flags().revision > before.revision
        assert len(state.audit(1_000)) == audit + 8


@pytest.mark.parametrize(("values", "more", "lacking"), [
    ({ORDERS: False}, {}, ["use_real_orders is off"]),
    ({"percent_orders": 99}, {}, ["percent_orders is 99 %"]),
    ({"fallback_on_error": True}, {}, ["fallback_on_error is on"]),
    ({ORDERS: False, "percent_orders": 1, "fallback_on_error": True}, {}, [
        "use_real_orders is off", "percent_orders is 1 %", "fallback_on_error is on", "real only for 7 d"]),
    ({ORDERS: False, "fallback_on_error": True}, {"despite": "hurry"}, ["use_real_orders is off", "fallback_on_error"]),
    ({}, {"wait": WEEK + 1}, ["it must be for 7 d"]),
    ({}, {"at": NOW - WEEK - DAY}, ["in the future"]),
])
def test_a_refusal_names_all_that_is_lacking_and_changes_nothing(
    state: State, values: dict[str, bool | int], more: dict[str, str | int], lacking: list[str],
) -> None:
    seeded(state, **values)
    before = state.flags(), state.flag_rows(), told(state, 100)
    with pytest.raises(RetirementError) as raised:
        retire(state, **more)  # type: ignore[arg-type]
    assert all(words in str(raised.value) for words in lacking), raised.value
    assert (state.flags(), state.flag_rows(), told(state, 100), state.retirements()) == (*before, ())


def test_the_time_can_be_waived_with_a_reason_that_is_kept(state: State) -> None:
    seeded(state)
    retire(state, at=NOW - DAY, despite="the release is today")
    reason = state.audit(4)[3].reason
    assert reason is not None
    assert reason.startswith("despite that it has been real only for 6 d, since")
    assert reason.endswith(": the release is today")


def test_the_time_counts_anew_when_a_flag_has_been_another_way(state: State) -> None:
    seeded(state)
    state.change_flags({"fallback_on_error": True}, who="ann", at=NOW - 3)
    state.change_flags({"fallback_on_error": False}, who="ann", at=NOW - 2)
    state.change_flags({"shadow_orders": False}, who="ann", at=NOW - 1)
    ahead, = state.prospects([ORDERS], at=NOW, wait=WEEK)
    assert ahead.since == NOW - 2
    with pytest.raises(RetirementError, match="less than a minute"):
        retire(state)


def test_twice_is_refused(state: State) -> None:
    seeded(state)
    retire(state)
    with pytest.raises(RetirementError, match="was retired already, on 2026-09-21"):
        retire(state)
    with pytest.raises(RetirementError, match="sales is not retired"):
        state.undo_retirement("sales", who="ann", at=NOW)


@pytest.mark.parametrize("name", own(ORDERS))
def test_a_flag_of_it_cannot_be_set(state: State, name: str) -> None:
    seeded(state)
    retire(state)
    with pytest.raises(RetiredError, match=r"retired on 2026-09-21T14:13:20Z, undo with `crossfade retire --undo"):
        state.change_flags({name: 50 if "percent" in name else False, SALES: True}, who="ann", at=NOW)
    assert not state.flags()[SALES]
    with pytest.raises(FlagError, match="there is no flag 'magic'"):
        state.change_flags({"magic": True}, who="ann", at=NOW)


def test_neither_a_seed_nor_a_new_start_brings_the_flags_back(state: State, path: Path) -> None:
    seeded(state)
    retire(state)
    state.close()
    with closing(State.open(path)) as again:
        assert not again.seed_flags(FLAGS, at=NOW)
        assert again.ensure_flags([*FLAGS, "use_real_new"], NOW) == ("use_real_new",)
        assert again.flags().retired == {ORDERS}
        assert not set(own(ORDERS)) & {row.name for row in again.flag_rows()}


def test_after_thirty_days_the_archive_is_purged_and_the_retirement_stays(state: State) -> None:
    seeded(state)
    retire(state)
    assert state.purge_retired(NOW + KEPT - 1) == ()
    purged, = state.purge_retired(NOW + KEPT)
    assert purged.component == "orders"
    assert told(state, 1) == [
        ("retire.purge", "orders", "use_real_orders=true, percent_orders=100, shadow_orders=true", None)]
    assert state.purge_retired(NOW + KEPT) == (), "once"
    found, = state.retirements()
    assert (found.purged_at, found.flags) == (NOW + KEPT, ())
    assert state.flags().retired == {ORDERS}
    with pytest.raises(RetirementError, match=r"purged on 2026-10-21T14:13:20Z.*Mend its real source"):
        state.undo_retirement("orders", who="ann", at=NOW)
    with pytest.raises(RetiredError, match="real for good"):
        state.change_flags({ORDERS: False}, who="ann", at=NOW + KEPT)


def test_too_late_is_refused_though_nobody_purged(state: State) -> None:
    seeded(state)
    retire(state)
    with pytest.raises(RetirementError, match="kept no longer"):
        state.undo_retirement("orders", who="ann", at=NOW + KEPT)
    assert len(state.retirements()[0].flags) == 3


@pytest.mark.parametrize("table", ["archived_flags", "audit", "retirements"])
def test_what_fails_half_way_leaves_no_trace(state: State, path: Path, table: str) -> None:
    seeded(state)
    before = state.flags(), state.flag_rows()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TRIGGER stop BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'full'); END")
        connection.commit()
        with pytest.raises(StateError, match="full"):
            retire(state)
        connection.execute("DROP TRIGGER stop")
        connection.commit()
    assert (state.refresh(), state.flag_rows(), state.retirements()) == (*before, ())
    retire(state)


def test_an_undo_that_fails_half_way_leaves_it_retired(state: State, path: Path) -> None:
    seeded(state)
    retire(state)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TRIGGER stop BEFORE INSERT ON flags WHEN NEW.name = 'shadow_orders' "
                           "BEGIN SELECT RAISE(ABORT, 'full'); END")
        connection.commit()
    with pytest.raises(StateError, match="full"):
        state.undo_retirement("orders", who="ann", at=NOW)
    assert state.refresh().retired == {ORDERS}
    assert len(state.retirements()[0].flags) == 3
