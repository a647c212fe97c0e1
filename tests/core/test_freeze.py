"""Freezes: which moments they cover, in the time of their zone."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from crossfade.core.clock import micros
from crossfade.core.freeze import Freeze

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


def test_it_is_told_in_words() -> None:
    assert FRIDAY_NIGHT.words == "fri 22:00 to 06:00 (Europe/Berlin)"
    assert NIGHT.words == "every day 22:00 to 06:00 (UTC)"
