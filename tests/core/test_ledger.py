"""The ledger: every number of a tracker is accounted for, whatever comes, in whatever order, however often."""

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import SECOND
from crossfade.core.ledger import (
    NOTHING,
    Account,
    Arrivals,
    Entry,
    Heard,
    Liveness,
    Standing,
    Statement,
    add,
    completeness,
    enter,
    fold,
    gaps,
    is_settled,
    later,
    liveness,
    size,
    spans_of,
    stand,
    union,
)

ID = "01976f4e-0000-7000-8000-000000000001"
numbers = st.sets(st.integers(1, 40))


def account(sequence: int, delivered: int = 0, *, closed: bool = False, rejected: dict[str, int] | None = None,
            **dropped: int) -> Account:
    return Account(ID, sequence, delivered, rejected or {}, dropped, closed=closed)


def heard(told: Account | None, at: int = 5, **rejected: Sequence[int]) -> Heard:
    return Heard(1, at, Statement(told, {reason: spans_of(which) for reason, which in rejected.items()}))


def came(*which: int, stored: int | None = None, at: int = 5) -> Arrivals:
    return Arrivals(1, at, len(which), len(which) if stored is None else stored, spans_of(which))


def entry(told: Account, arrived: Sequence[int] = (), **rejected: Sequence[int]) -> Entry:
    return enter(None, came(*arrived) if arrived else None, [heard(told, **rejected)], ID)


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 5))))
def test_spans_hold_the_same_numbers_joined(parts: list[tuple[int, int]]) -> None:
    spans = union((first, first + more) for first, more in parts)
    held = [number for first, last in spans for number in range(first, last + 1)]
    assert held == sorted({number for first, more in parts for number in range(first, first + more + 1)})
    assert size(spans) == len(held)
    assert all(last + 1 < first for (_, last), (first, _) in pairwise(spans))
    lacking = [number for first, last in gaps(spans) for number in range(first, last + 1)]
    assert sorted(held + lacking) == list(range(1, max(held, default=0) + 1))


@given(numbers, st.integers(1, 6))
def test_folding_keeps_the_highest_and_counts_what_it_hides(which: set[int], most: int) -> None:
    spans = spans_of(which)
    folded, hidden = fold(spans, most)
    assert len(folded) <= most
    assert size(folded) - hidden == len(which)
    assert [last for _, last in folded[-1:]] == [last for _, last in spans[-1:]]


TABLE = {
    "all came": (entry(account(3), [1, 2, 3]), {"sent": 3, "arrived": 3}),
    "the last are on their way": (entry(account(5), [1, 2, 3]), {"sent": 5, "arrived": 3, "waiting": 2}),
    "one is missing": (entry(account(4), [1, 2, 4]), {"sent": 4, "arrived": 3, "missing": 1}),
    "the first is missing": (entry(account(2), [2]), {"sent": 2, "arrived": 1, "missing": 1}),
    "one was rejected": (entry(account(3), [1, 3], too_old=[2]), {"sent": 3, "arrived": 2, "rejected": 1}),
    "the tracker alone knows of a rejection": (
        entry(account(3, rejected={"malformed": 1}), [1, 3]), {"sent": 3, "arrived": 2, "rejected": 1}),
    "one was dropped": (entry(account(3, overflow=1), [1, 3]), {"sent": 3, "arrived": 2, "dropped": 1}),
    "the last were dropped": (entry(account(5, overflow=2), [1, 2, 3]), {"sent": 5, "arrived": 3, "dropped": 2}),
    "sampled ones have no number": (entry(account(2, sampled=7), [1, 2]), {"sent": 2, "arrived": 2}),
    "one dropped, one missing": (
        entry(account(4, corrupt=1), [2, 4]), {"sent": 4, "arrived": 2, "dropped": 1, "missing": 1}),
    "nothing came yet": (entry(account(4)), {"sent": 4, "waiting": 4}),
    "more came than was told": (entry(account(1), [1, 2, 3]), {"sent": 3, "arrived": 3}),
}


@pytest.mark.parametrize("case", TABLE)
def test_every_number_is_somewhere(case: str) -> None:
    found, expected = TABLE[case]
    standing = stand(found)
    numbered = sum(count for reason, count in standing.dropped.items() if reason != "sampled")
    parts = {"sent": standing.sent, "arrived": standing.arrived, "rejected": sum(standing.rejected.values()),
             "dropped": numbered, "waiting": standing.waiting, "missing": standing.missing}
    assert parts == dict.fromkeys(parts, 0) | expected
    assert parts.pop("sent") == sum(parts.values())


@given(st.lists(st.tuples(numbers, numbers), max_size=6), st.randoms(), st.integers(0, 45))
def test_order_and_repetition_change_nothing_but_the_lines(
        segments: list[tuple[set[int], set[int]]], random: "object", told: int) -> None:
    def build(order: Sequence[tuple[set[int], set[int]]]) -> Standing:
        known = enter(None, None, [heard(account(told))], ID)
        for arrived, refused in order:
            known = enter(known, came(*arrived, stored=0), [heard(account(told), bad=refused - arrived)], ID)
        return stand(known)

    shuffled = list(segments)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, again = build(segments), build([*shuffled, *segments])
    assert first == msgspec.structs.replace(again, deduplicated=first.deduplicated)
    arrived = set().union(*(one for one, _ in segments))
    assert first.arrived == len(arrived)
    assert first.sent == max([told, *arrived, *(set().union(*(other - one for one, other in segments)))])
    assert first.sent >= first.arrived + first.waiting + first.missing


def test_deduplicated_are_the_lines_that_were_not_stored() -> None:
    known = enter(entry(account(3), [1, 2]), came(2, 3, stored=1), [], ID)
    standing = stand(known)
    assert (standing.stored, standing.deduplicated, standing.arrived) == (3, 1, 3)


def test_the_later_account_counts_whichever_comes_first() -> None:
    before, after = account(5, 2), account(5, 5, closed=True)
    assert later(before, after) == later(after, before) == after
    assert later(account(9, 9), after) == account(9, 9, closed=True)


@pytest.mark.parametrize(("told", "quiet", "expected"), [
    (account(1), 149, Liveness.LIVE), (account(1), 151, Liveness.SILENT), (account(1, closed=True), 10**6,
                                                                           Liveness.CLOSED),
])
def test_a_tracker_that_misses_its_heartbeats_is_silent(told: Account, quiet: int, expected: Liveness) -> None:
    known = entry(told, [1])
    now = known.last_seen + quiet * SECOND
    assert liveness(known, now, 0) is expected
    if expected is Liveness.SILENT:
        assert liveness(known, now, now - SECOND) is Liveness.LIVE, "nobody listened until a moment ago"


def test_it_is_settled_when_it_is_closed_and_all_is_explained() -> None:
    assert is_settled(entry(account(3, closed=True), [1, 2], bad=[3]))
    assert not is_settled(entry(account(3), [1, 2, 3]))
    assert not is_settled(entry(account(4, closed=True), [1, 2, 4]))
    assert not is_settled(entry(account(4, closed=True), [1, 2, 3]))


def test_many_gaps_are_bounded_and_stay_missing() -> None:
    known = entry(account(10_000), range(1, 10_001, 2))
    standing = stand(known)
    assert len(known.arrived) <= 1_000
    assert (standing.arrived, standing.missing) == (5_000, 4_999)
    assert len(msgspec.json.encode(known)) < 20_000


def test_standings_add_up() -> None:
    one, other = (stand(TABLE[case][0]) for case in ("one was rejected", "one dropped, one missing"))
    both = add(add(NOTHING, one), other)
    assert (both.sent, both.arrived, both.missing) == (7, 4, 1)
    assert (both.rejected, both.dropped) == ({"too_old": 1}, {"corrupt": 1})


def test_completeness_is_of_what_should_have_come() -> None:
    assert completeness(stand(TABLE["the last are on their way"][0])) == 100
    assert completeness(stand(TABLE["one is missing"][0])) == 75
    assert completeness(stand(TABLE["nothing came yet"][0])) is None


def test_an_entry_survives_being_written() -> None:
    for found, _ in TABLE.values():
        assert msgspec.json.decode(msgspec.json.encode(found), type=Entry) == found
