"""Scans: the same table whatever order their events come in, and however often."""

from collections.abc import Sequence
from contextlib import closing
from datetime import date
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import create_engine, select

from crossfade.state import ScanEvent, State
from crossfade.state.scans import Scan, merge, observed
from crossfade.state.tables import scans


def started(scan_id: str, at: int, path: str | None = "/home") -> ScanEvent:
    return ScanEvent(scan_id, at, "started", path=path)


def completed(scan_id: str, at: int, size: int | None = 100) -> ScanEvent:
    return ScanEvent(scan_id, at, "ended", "completed", "/home", 3, size, 40)


def stored(path: Path) -> set[Scan]:
    """The table itself, as another reader sees it."""
    engine = create_engine(f"sqlite:///{path}")
    columns = [scans.c[name] for name in Scan.__struct_fields__]
    try:
        with engine.connect() as connection:
            return {Scan(*row) for row in connection.execute(select(*columns))}
    finally:
        engine.dispose()


def record(state: State, *events: ScanEvent, segment: int = 1) -> None:
    state.record_scans(events, follower="scans", segment=segment)


def test_a_scan_runs_from_its_start_to_its_end(state: State, path: Path) -> None:
    record(state, started("a", 10))
    assert stored(path) == {Scan("a", "running", 10, path="/home")}
    assert state.running_scans(0) == 1
    record(state, completed("a", 30), segment=2)
    assert stored(path) == {Scan("a", "completed", 10, 30, 3, 100, 40, "/home")}
    assert state.running_scans(0) == 0


def test_an_end_before_its_start_stays_an_end(state: State, path: Path) -> None:
    record(state, completed("a", 30))
    record(state, started("a", 10), segment=2)
    assert stored(path) == {Scan("a", "completed", 10, 30, 3, 100, 40, "/home")}


def test_an_end_whose_start_came_later_by_its_clock_stays_an_end(state: State) -> None:
    record(state, completed("a", 30), started("a", 31))
    assert state.running_scans(0) == 0


def test_only_scans_that_started_lately_count_as_running(state: State) -> None:
    record(state, started("old", 9), started("edge", 10), started("new", 11),
           ScanEvent("failed", 12, "ended", "failed"), ScanEvent("stopped", 12, "ended", "cancelled"))
    assert state.running_scans(10) == 2
    assert state.running_scans(12) == 0


def test_the_cursor_moves_with_the_scans_and_never_back(state: State) -> None:
    assert state.cursor("scans") == 0
    record(state, started("a", 1), segment=7)
    assert state.cursor("scans") == 7
    record(state, started("b", 1), segment=5)
    assert state.cursor("scans") == 7
    state.record_scans([], follower="scans", segment=8)
    assert state.cursor("scans") == 8
    assert state.cursor("another") == 0


def test_many_scans_at_once(state: State) -> None:
    many = [started(f"scan-{number}", 5) for number in range(1201)]
    record(state, *many, *many[::-1])
    assert state.running_scans(0) == 1201


@pytest.mark.parametrize("arguments", [
    ("a", 1, "started", "completed"),
    ("a", 1, "ended", "running"),
    ("a", 1, "ended", "exploded"),
    ("a", 1, "paused", "running"),
    ("a", -1, "started", "running"),
    ("a", 2**63, "started", "running"),
    ("a\0b", 1, "started", "running"),
    ("\ud800", 1, "started", "running"),
    ("a", 1, "started", "running", "\udcff"),
    ("a", 1, "ended", "completed", None, -1),
    ("a", 1, "ended", "completed", None, 1, 2**63),
    ("a", 1, "ended", "completed", None, 1, 1, -5),
])
def test_an_event_that_cannot_be_stored_is_refused_alone(arguments: tuple[str | int | None, ...]) -> None:
    with pytest.raises(ValueError, match=r"scan|range|zero|surrogates"):
        ScanEvent(*arguments)  # type: ignore[arg-type]  # what a caller without a type checker may say


def test_the_largest_numbers_can_be_stored(state: State, path: Path) -> None:
    most = 2**63 - 1
    record(state, ScanEvent("a", most, "ended", "completed", None, most, most, most))
    assert stored(path) == {Scan("a", "completed", None, most, most, most, most)}


MONDAY, TUESDAY, WEDNESDAY = (date(2026, 3, day) for day in (2, 3, 4))
BOUNDS = [(MONDAY, 100, 200), (TUESDAY, 200, 300), (WEDNESDAY, 300, 400)]


@pytest.mark.parametrize(("events", "sizes"), [
    ([], {}),
    ([completed("a", 100, 1)], {MONDAY: 1}),
    ([completed("a", 199, 1)], {MONDAY: 1}),
    ([completed("a", 200, 1)], {TUESDAY: 1}),
    ([completed("a", 99, 1), completed("b", 400, 1)], {}),
    ([completed("a", 150, 1), completed("b", 120, 2)], {MONDAY: 1}),
    ([completed("a", 150, 1), completed("b", 150, 2)], {MONDAY: 2}),
    ([completed("a", 150, 0)], {MONDAY: 0}),
    ([completed("a", 110, 5), completed("b", 150, None)], {}),
    ([completed("a", 150, 1), ScanEvent("b", 160, "ended", "failed", None, 1, 9)], {MONDAY: 1}),
    ([started("a", 150)], {}),
    ([completed("a", 150, 1), completed("b", 250, 2), completed("c", 350, 3)],
     {MONDAY: 1, TUESDAY: 2, WEDNESDAY: 3}),
])
def test_a_day_has_the_size_of_its_last_completed_scan(
    state: State, events: list[ScanEvent], sizes: dict[date, int],
) -> None:
    record(state, *events)
    assert state.latest_sizes(BOUNDS) == sizes


moments = st.integers(0, 5)
numbers = st.none() | st.integers(0, 3)
ids = st.sampled_from(["a", "b"])
paths = st.sampled_from([None, "/x", "/y"])
scan_events = st.builds(ScanEvent, ids, moments, st.just("started"), st.just("running"), paths) | st.builds(
    ScanEvent, ids, moments, st.just("ended"), st.sampled_from(["completed", "cancelled", "failed"]), paths,
    numbers, numbers, numbers)


@given(a=scan_events, b=scan_events, c=scan_events)
def test_merging_does_not_care_for_order_grouping_or_repetition(a: ScanEvent, b: ScanEvent, c: ScanEvent) -> None:
    one, two, three = (observed(replace(event, scan_id="s")) for event in (a, b, c))
    assert merge(one, two) == merge(two, one)
    assert merge(one, merge(two, three)) == merge(merge(one, two), three)
    assert merge(one, one) == one


@settings(deadline=None, max_examples=50)
@given(data=st.data(), events=st.lists(scan_events, max_size=6))
def test_any_order_batching_and_repetition_give_the_same_table(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, events: list[ScanEvent],
) -> None:
    repeated = data.draw(st.lists(st.sampled_from(events), max_size=4)) if events else []
    shuffled = data.draw(st.permutations(events + repeated))
    cut = data.draw(st.integers(0, len(shuffled)))
    path = tmp_path_factory.mktemp("scans") / "state.db"
    with closing(State.open(path)) as state:
        record(state, *shuffled[:cut])
        record(state, *shuffled[cut:], segment=2)
    assert stored(path) == set(folded(events).values())


def folded(events: Sequence[ScanEvent]) -> dict[str, Scan]:
    by_scan: dict[str, list[Scan]] = {}
    for event in events:
        by_scan.setdefault(event.scan_id, []).append(observed(event))
    return {scan_id: reduce(merge, told) for scan_id, told in by_scan.items()}


@given(events=st.lists(scan_events, min_size=1))
def test_an_end_is_never_lost_and_never_made_up(events: list[ScanEvent]) -> None:
    for scan_id, scan in folded(events).items():
        ends = {event.status for event in events if event.scan_id == scan_id and event.kind == "ended"}
        assert scan.status in ends if ends else scan.status == "running"
        assert (scan.ended_at is not None) == bool(ends)
