"""Days: every moment belongs to one, and one ends where the next begins."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import HOUR, micros
from crossfade.core.days import Days

# Without zones that have left a whole day out, and without those that were set back over a midnight.
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/Havana", "Africa/Cairo",
         "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Kiritimati", "Asia/Beirut"]
FIRST, LAST = date(1996, 1, 1), date(2037, 12, 30)

zones = st.sampled_from(ZONES).map(Days)
dates = st.dates(FIRST, LAST)


@pytest.mark.parametrize(("zone", "day", "start", "hours"), [
    ("UTC", date(2026, 3, 29), "2026-03-29T00:00:00+00:00", 24),
    ("Europe/Berlin", date(2026, 3, 28), "2026-03-27T23:00:00+00:00", 24),
    ("Europe/Berlin", date(2026, 3, 29), "2026-03-28T23:00:00+00:00", 23),
    ("Europe/Berlin", date(2026, 10, 25), "2026-10-24T22:00:00+00:00", 25),
    ("America/New_York", date(2026, 3, 8), "2026-03-08T05:00:00+00:00", 23),
    ("America/New_York", date(2026, 11, 1), "2026-11-01T04:00:00+00:00", 25),
    ("Asia/Kathmandu", date(2026, 1, 1), "2025-12-31T18:15:00+00:00", 24),
    ("Australia/Lord_Howe", date(2026, 4, 5), "2026-04-04T13:00:00+00:00", 24.5),
    # Midnight itself is left out: the day begins at one o'clock.
    ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T03:00:00+00:00", 23),
    # Midnight comes twice: the day begins at the first.
    ("America/Havana", date(2025, 11, 2), "2025-11-02T04:00:00+00:00", 25),
])
def test_where_a_day_begins_and_how_long_it_is(zone: str, day: date, start: str, hours: float) -> None:
    days = Days(zone)
    assert days.start(day) == micros(datetime.fromisoformat(start))
    first, end = days.bounds(day)
    assert end - first == hours * HOUR


def test_a_day_that_the_zone_left_out_has_no_moment() -> None:
    days = Days("Pacific/Apia")
    start, end = days.bounds(date(2011, 12, 30))
    assert start == end
    assert days.of(start - 1) == date(2011, 12, 29)
    assert days.of(start) == date(2011, 12, 31)


@pytest.mark.parametrize(("moment", "day"), [
    (-1, date(1969, 12, 31)), (0, date(1970, 1, 1)), (24 * HOUR - 1, date(1970, 1, 1)), (24 * HOUR, date(1970, 1, 2)),
])
def test_a_day_begins_with_its_midnight(moment: int, day: date) -> None:
    assert Days().of(moment) == day


def test_a_moment_falls_on_different_days_in_different_zones() -> None:
    moment = micros(datetime(2026, 1, 1, 11, tzinfo=UTC))
    assert Days("Pacific/Kiritimati").of(moment) == date(2026, 1, 2)
    assert Days("Pacific/Pago_Pago").of(moment) == date(2026, 1, 1)


@given(days=zones, day=dates)
def test_a_day_holds_its_start_and_its_last_moment(days: Days, day: date) -> None:
    start, end = days.bounds(day)
    assert days.of(start) == day
    assert days.of(start - 1) == day - timedelta(1)
    assert days.of(end - 1) == day
    assert days.of(end) == day + timedelta(1)


@given(days=zones, day=dates)
def test_days_follow_each_other_without_a_gap(days: Days, day: date) -> None:
    start, end = days.bounds(day)
    assert end == days.start(day + timedelta(1))
    assert 22 * HOUR < end - start < 26 * HOUR


@given(days=zones, moment=st.datetimes(datetime(1996, 1, 2), datetime(2037, 12, 29)))  # noqa: DTZ001  in UTC below
def test_a_moment_lies_within_its_day(days: Days, moment: datetime) -> None:
    at = micros(moment.replace(tzinfo=UTC))
    start, end = days.bounds(days.of(at))
    assert start <= at < end
    assert days.of(at) == datetime.fromtimestamp(at // 1_000_000, ZoneInfo(days.zone)).date()


@given(first=dates, length=st.integers(-3, 40))
def test_between_is_every_day_both_ends_included(first: date, length: int) -> None:
    last = first + timedelta(length)
    found = list(Days().between(first, last))
    assert len(found) == max(0, length + 1)
    assert found == sorted(set(found))
    assert found[:1] + found[-1:] == ([first, last] if found else [])


def test_a_zone_that_is_none_is_an_error() -> None:
    with pytest.raises(KeyError):
        Days("Mars/Olympus")
