"""Freezes: which moments they cover, in the time of their zone."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from crossfade.core.clock import micros
from crossfade.core.freeze import WEEK, Freeze, endless

FRIDAY = Freeze(days=("fri",))
NIGHT = Freeze(start="22:00", end="06:00")
FRIDAY_NIGHT = Freeze(days=("fri",), start="22:00", end="06:00", zone="Europe/Berlin")
LUNCH = Freeze(start="12:00", end="13:00")


@pytest.mark.parametrize(("freeze", "moment", "covers"), [
    (FRIDAY, "2026-11-20T00:00Z", True), (FRIDAY, "2026-11-20T23:59Z", True), (FRIDAY, "2026-11-21T00:00Z", False),
    (FRIDAY, "2026-11-19T23:59Z", False), (NIGHT, "2026-11-19T21:59Z", False), (NIGHT, "2026-11-19T22:00Z", True),
    (NIGHT, "2026-11-20T05:59Z", True), (NIGHT, "2026-11-20T06:00Z", False), (LUNCH, "2026-11-20T12:00Z", True),
    (LUNCH, "2026-11-20T13:00Z", False), (FRIDAY_NIGHT, "2026-11-20T20:59Z", False),
    (FRIDAY_NIGHT, "2026-11-20T21:00Z", True), (FRIDAY_NIGHT, "2026-11-21T04:59Z", True),
    (FRIDAY_NIGHT, "2026-11-21T05:00Z", False), (FRIDAY_NIGHT, "2026-11-20T03:00Z", False),
    (FRIDAY_NIGHT, "2026-07-24T20:00Z", True),
])
def test_the_table(freeze: Freeze, moment: str, covers: bool) -> None:
    assert freeze.covers(micros(datetime.fromisoformat(moment))) is covers


def test_an_hour_that_comes_twice_is_covered_twice() -> None:
    freeze, zone = Freeze(start="02:00", end="03:00", zone="Europe/Berlin"), ZoneInfo("Europe/Berlin")
    for fold in (0, 1):
        assert freeze.covers(micros(datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=fold)))


@pytest.mark.parametrize("wrong", [{"days": ("friday",)}, {"days": ()}, {"start": "24:00"}, {"end": "6:00"},
                                   {"zone": "Mars"}, {"zone": "../etc"}, {"zone": ""}])
def test_what_is_no_window_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="is no"):
        Freeze(**wrong)


@pytest.mark.parametrize(("freezes", "expected"), [
    ((), False), ((Freeze(),), True), ((Freeze(start="08:00", end="08:00"),), True), ((FRIDAY, NIGHT), False),
    ((NIGHT, Freeze(start="06:00", end="22:00")), True), ((NIGHT, Freeze(start="06:00", end="21:59")), False),
    ((FRIDAY, Freeze(days=tuple(day for day in WEEK if day != "fri"))), True),
    ((Freeze(start="00:00", end="12:00", zone="Asia/Tokyo"), Freeze(start="03:00", end="15:00")), True),
    # Berlin's noon is 11:00 UTC in winter and 10:00 in summer, so that an hour is free in one of them.
    ((Freeze(start="12:00", end="00:00", zone="Europe/Berlin"), Freeze(start="23:00", end="11:00")), False),
    ((Freeze(start="12:00", end="00:00", zone="Europe/Berlin"), Freeze(start="22:00", end="11:00")), True),
])
def test_together_they_may_leave_no_moment(freezes: tuple[Freeze, ...], expected: bool) -> None:
    assert endless(freezes) is expected


def test_it_is_told_in_words() -> None:
    assert FRIDAY_NIGHT.words == "fri 22:00 to 06:00 (Europe/Berlin)"
    assert NIGHT.words == "every day 22:00 to 06:00 (UTC)"
