"""historicalData: closed days as they were counted, today as it stands, gaps as gaps."""

import asyncio
from datetime import date, timedelta

import pytest

from crossfade.core.clock import DAY, HOUR, iso
from crossfade.core.days import Days
from crossfade.core.payloads import HistoryPoint
from crossfade.sources.component import SourceError
from crossfade.sources.history import LEAST_DAYS, MAX_DAYS, MockHistory, RealHistory, point
from crossfade.state import State
from crossfade.state.scans import ScanEvent
from crossfade.state.stats import DailyStats
from crossfade.store.embedded import EmbeddedStore

DAYS = Days("Europe/Berlin")
TODAY = date(2026, 10, 26)  # the day after one of 25 hours
NOW = DAYS.start(TODAY) + 8 * HOUR


@pytest.fixture
def parts(tmp_path):
    store, state = EmbeddedStore(tmp_path / "e", DAYS), State.open(tmp_path / "s")
    yield store, state
    store.close()
    state.close()


def fetch(store, state, as_of=lambda now: now, now=NOW):
    return asyncio.run(RealHistory(store, state, DAYS, as_of).fetch(now))


def counted(back, **more):
    values = {"files": 1, "total_size": 2, "duplicates": 3, "cleanup_actions": 4, "segment": 5, "aggregated_at": 6}
    return DailyStats(TODAY - timedelta(days=back), **values | more)


def test_a_new_installation_has_a_year_of_gaps_and_today(parts):
    points = fetch(*parts).payload
    assert [shown.date for shown in points] == [
        (TODAY - timedelta(days=back)).isoformat() for back in range(LEAST_DAYS - 1, -1, -1)]
    assert all(shown == HistoryPoint(shown.date, None, None, None, None) for shown in points[:-1])
    assert points[-1] == HistoryPoint("2026-10-26", 0, None, 0, 0)


def test_closed_days_are_shown_as_counted_and_a_day_that_nobody_counted_is_a_gap(parts):
    store, state = parts
    state.put_daily_stats([counted(1), counted(3, files=0, total_size=None)])
    points = fetch(store, state).payload[-4:]
    assert points == (
        HistoryPoint("2026-10-23", 0, None, 3, 4), HistoryPoint("2026-10-24", None, None, None, None),
        HistoryPoint("2026-10-25", 1, 2, 3, 4), HistoryPoint("2026-10-26", 0, None, 0, 0),
    )


def test_it_goes_back_to_the_first_day_that_was_counted_but_not_for_ever(parts):
    store, state = parts
    state.put_daily_stats([counted(1_000)])
    assert len(fetch(store, state).payload) == 1_001
    state.put_daily_stats([counted(MAX_DAYS - 1), counted(MAX_DAYS)])
    points = fetch(store, state).payload
    assert len(points) == MAX_DAYS
    assert points[0].files == 1


def test_today_stands_as_it_is(parts, tmp_path):
    store, state = parts
    start = DAYS.start(TODAY)
    lines = [f"1\t{NOW}\t0\t{iso(at)}\t{place}\t{name}\t\t\t\t{{}}\t\t\n" for place, (at, name) in enumerate([
        (start, "file_processed"), (start - 1, "file_processed"), (NOW, "file_processed"), (NOW, "duplicate_detected"),
        (NOW, "cleanup_executed"), (NOW, "other")])]
    (tmp_path / "1.tsv").write_text("".join(lines))
    store.load(1, tmp_path / "1.tsv")
    state.record_scans([ScanEvent("a", start, "ended", "completed", total_size=77),
                        ScanEvent("b", start - 1, "ended", "completed", total_size=1)], follower="test", segment=1)
    assert fetch(store, state).payload[-1] == HistoryPoint("2026-10-26", 2, 77, 1, 1)


def test_it_is_as_old_as_what_is_loaded(parts):
    assert fetch(*parts, lambda now: now - 3).as_of == NOW - 3
    with pytest.raises(SourceError):
        fetch(*parts, lambda _: None)


def test_a_size_that_nobody_measured_is_unknown_and_a_count_is_not():
    assert point(TODAY, {}, None) == HistoryPoint("2026-10-26", 0, None, 0, 0)
    assert point(TODAY, {"file_processed": 2}, 0) == HistoryPoint("2026-10-26", 2, 0, 0, 0)


def test_the_mock_keeps_its_past():
    def timeline(source, now):
        return asyncio.run(source.fetch(now)).payload

    source = MockHistory(5, DAYS)
    today = timeline(source, NOW)
    assert timeline(source, NOW + HOUR) is today  # made once a day
    assert timeline(MockHistory(5, DAYS), NOW) == today
    assert timeline(source, NOW + DAY)[:-1] == today[1:]
    assert timeline(MockHistory(6, DAYS), NOW) != today
    assert (len(today), today[-1].date) == (MAX_DAYS, TODAY.isoformat())
    assert asyncio.run(source.fetch(NOW)).as_of == NOW
