"""The counting itself, against the shortest code that can be read."""

import itertools
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND
from crossfade.core.recounted import ALL
from crossfade.sources import recount
from crossfade.sources.recount import (
    Count,
    by_day,
    day_size,
    detail,
    differing,
    minute_values,
    minute_windows,
    spans,
    window,
)
from crossfade.state import ScanEvent

BASE = 1_790_000_040 * SECOND
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu")
M = BASE // MINUTE

facts = st.lists(st.tuples(
    st.integers(1, 4), st.integers(BASE - 3 * HOUR, BASE + 3 * HOUR) | st.integers(BASE - 400 * DAY, BASE),
    st.sampled_from(("auth_success", "file_processed", "größe")), st.sampled_from((None, "ann", "bob")),
), max_size=60)


@given(told=facts, through=st.integers(0, 5), cut=st.integers(0, 60))
def test_what_is_counted_is_what_was_told(told, through, cut):
    told = [(segment, ts, event, who if event == "auth_success" else None) for segment, ts, event, who in told]
    count = Count()
    count.take(told[:cut], through)
    count.take(told[cut:], through)
    kept = [(ts, event, who) for segment, ts, event, who in told if segment <= through]
    assert count.facts == len(kept)
    assert count.minutes == Counter((ts // MINUTE, event) for ts, event, _ in kept)
    for hour in {ts // HOUR for ts, _, _ in kept}:
        assert count.users.get(hour, set()) == {who for ts, _, who in kept if who is not None and ts // HOUR == hour}


def test_too_many_users_are_given_up_and_nothing_else(monkeypatch):
    monkeypatch.setattr(recount, "MOST_DETAILS", 3)
    count = Count()
    count.take([(1, BASE, "auth_success", f"u{number % 3}") for number in range(9)], 1)
    assert count.detailed
    assert len(count.users[BASE // HOUR]) == 3
    count.take([(1, BASE, "auth_success", "u4"), (1, BASE, "auth_success", "u5")], 1)
    assert not count.detailed
    assert not count.users
    assert count.minutes[M, "auth_success"] == 11


def test_the_detail_of_an_event():
    assert detail("auth_success", "ann", "{}") == "ann"
    assert detail("auth_success", "", "{}") is None
    assert detail("scan_completed", "ann", '{"a":1}') == '{"a":1}'
    assert detail("file_processed", "ann", "{}") is None


@given(told=facts, zone=st.sampled_from(ZONES))
def test_days_are_those_of_the_calendar(told, zone):
    minutes = Counter((ts // MINUTE, event) for _, ts, event, _ in told)
    expected: dict[date, Counter[str]] = {}
    for _, ts, event, _ in told:
        day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ts)).astimezone(ZoneInfo(zone)).date()
        expected.setdefault(day, Counter())[event] += 1
    assert by_day(minutes, ZoneInfo(zone)) == expected


@given(totals=st.dictionaries(st.integers(0, 50), st.integers(1, 90)), most=st.integers(1, 20), late=st.booleans())
def test_spans_cover_everything_once_and_none_is_too_much(totals, most, late):
    minutes = {(M + minute, "e"): n for minute, n in totals.items()}
    since, until = M * MINUTE + 7, (M + 51) * MINUTE + (9 if late else 0)
    found = list(spans(minutes, since, until, most))
    assert found[0][1] == until
    assert found[-1][0] == since
    assert all(earlier[1] == later[0] for later, earlier in itertools.pairwise(found))
    for begin, end in found:
        assert sum(held(n, minute * MINUTE, begin, end) for (minute, _), n in minutes.items()) <= most + 1e-6


def held(n, start, begin, end):
    """How many of a minute's events lie in the span, if they are spread evenly."""
    return n * max(0, min(end, start + MINUTE) - max(begin, start)) / MINUTE


def test_a_minute_that_agrees_is_one_window_and_one_that_does_not_is_named():
    reported = {(1, "a"): 2, (1, "b"): 1, (2, "a"): 5, (3, "c"): 1}
    recounted = {(1, "a"): 2, (1, "b"): 1, (2, "a"): 4, (2, "d"): 1, (4, "e"): 7}
    found = minute_windows(reported, recounted, "journal", 99)
    assert [(w.start // MINUTE, w.end // MINUTE, w.field, w.reported, w.recounted, w.agrees) for w in found] == [
        (1, 2, ALL, 3, 3, True), (2, 3, "a", 5, 4, False), (2, 3, "d", 0, 1, False), (3, 4, "c", 1, 0, False),
        (4, 5, "e", 0, 7, False),
    ]
    assert {(w.component, w.kind, w.witness, w.at) for w in found} == {("businessMetrics", "minute", "journal", 99)}


@given(one=st.dictionaries(st.tuples(st.integers(0, 5), st.sampled_from("ab")), st.integers(1, 3)),
       other=st.dictionaries(st.tuples(st.integers(0, 5), st.sampled_from("ab")), st.integers(1, 3)))
def test_any_difference_is_found_and_only_those(one, other):
    assert differing(one, one) == set()
    assert differing(one, other) == differing(other, one) == {
        key for key in {*one, *other} if one.get(key) != other.get(key)
    }


def test_both_sides_of_a_minute_are_told_for_what_counts_and_what_differs():
    reported = {(3, "file_processed"): 2, (3, "page_view"): 4, (4, "odd"): 1}
    recounted = {(3, "file_processed"): 2, (3, "page_view"): 4, (4, "even"): 5}
    assert minute_values(reported, recounted) == {
        3: ({"events": 6, "file_processed": 2}, {"events": 6, "file_processed": 2}),
        4: ({"events": 1, "even": 0, "odd": 1}, {"events": 5, "even": 5, "odd": 0}),
    }
    assert minute_values({}, {}) == {}


def test_a_window_of_fields():
    def told(reported, recounted, total=5):
        found = window((0, 1), reported, recounted, component="c", kind="day", total=total, witness="journal", at=1)
        return [(w.field, w.reported, w.recounted) for w in found]

    assert told({"a": 5}, {"a": 5}) == [(ALL, 5, 5)]
    assert told({}, {}, 0) == [], "where nothing happened nothing is proved"
    assert told({"a": 1, "b": 2}, {"a": 1, "c": 3}) == [("b", 2, 0), ("c", 0, 3)]
    assert told({"size": None}, {"size": 7}) == [("size", None, 7)]
    assert told({"size": 0}, {"size": None}) == [("size", 0, None)]


def end(scan, at, status="completed", size=1):
    return ScanEvent(scan, at, "ended", status, total_size=size)


@pytest.mark.parametrize(("ends", "size"), [
    ([], None), ([end("a", 1, size=5)], 5), ([end("a", 1, size=5), end("b", 2, size=6)], 6),
    ([end("b", 2, size=6), end("a", 1, size=5)], 6), ([end("a", 1, size=5), end("b", 2, "failed", 6)], 5),
    ([end("a", 1, size=5), end("a", 2, "cancelled")], None), ([end("a", 1), end("b", 1, size=None)], None),
    ([end("a", 3, size=5), end("b", 3, size=6)], 6),
])
def test_a_days_size_is_its_last_completed_scans(ends, size):
    assert day_size(ends) == size
