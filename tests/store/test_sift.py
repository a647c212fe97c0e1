"""A line is fit when DuckDB takes it, and only then is the whole segment taken."""

import pytest

from crossfade.core import line
from crossfade.core.clock import MINUTE
from crossfade.core.days import Days
from crossfade.core.event import Event, Limits
from crossfade.store.sift import EARLIEST, LATEST, MAX_LINE, fault, sift

from .conformance import BASE, Item

ALL_ZONES = ("Africa/Monrovia", "Europe/Amsterdam", "Asia/Kathmandu", "America/Guyana", "Pacific/Kiritimati",
             "Antarctica/Troll", "Australia/Lord_Howe", "America/St_Johns", "Europe/Berlin", "UTC")


def test_what_the_journal_writes_is_fit():
    events = [Event("é \x7f", "m", session_id="s", user_id="u"), Event("e", "m2")]
    for text in line.encode(events, line.Head(65535, BASE, -5), Limits()).splitlines():
        assert fault(text) is None


@pytest.mark.parametrize(("text", "told"), [
    (b"", "1 columns"),
    (b"a\tb", "2 columns"),
    (b"1\t2\t3\t\tm\te\t\t\t\t{}\t\t\t", "13 columns"),
    (b"-1\t2\t3\t\tm\te\t\t\t\t{}\t\t", "source is no USMALLINT"),
    (b"65536\t2\t3\t\tm\te\t\t\t\t{}\t\t", "source is no USMALLINT"),
    (b"1\t9223372036854775808\t3\t\tm\te\t\t\t\t{}\t\t", "received is no BIGINT"),
    ("1\t٣\t3\t\tm\te\t\t\t\t{}\t\t".encode(), "received is no BIGINT"),
    (b"1\t2\t\t\tm\te\t\t\t\t{}\t\t", "clock_offset is empty"),
    *((f"1\t2\t3\t{time}\tm\te\t\t\t\t{{}}\t\t".encode(), "raw_ts is no time") for time in (
        "4", "1795446000000000", "2026-11-22", "2026-11-22T12:00:00", "2026-11-22 12:00:00Z", "2026-13-22T12:00:00Z",
        "2026-02-30T12:00:00Z", "2026-11-22T12:00:60Z", "2026-11-22T12:00:00.5Z", "2026-11-22T12:00:00+25:00",
        "infinity", "٢026-11-22T12:00:00Z", "2026-11-22T12:00:00.0000000Z")),
    (b"1\t2\t3\t\t\te\t\t\t\t{}\t\t", "message_id is empty"),
    (b"1\t2\t3\t\tm\t\t\t\t\t{}\t\t", "event is empty"),
    (b"1\t%d\t0\t\t\t\t\t\t\t[]\t\t" % BASE, "is no statement"),
    (b"1\t2\t3\t\tm\te\t\t\t\t{}\tmine\t1", "tracker is no UUID"),
    (b"1\t2\t3\t\tm\te\t\t\t\t{}\t\tx", "sequence is no BIGINT"),
    (b"1\t2\t3\t\tm\te\t\t\t\t\t\t", "properties is empty"),
    (b"1\t2\t3\t\tm\te\t\t\t\t{}\t\t\r", "control character"),
    (b"\xc3", "not UTF-8"),
    (b"1\t2\t3\t\tm\te\t\t\t\t{}\t\t", "before 1973"),
    (b"1\t2\t9223372036854775807\t2026-11-22T12:00:00Z\tm\te\t\t\t\t{}\t\t", "before 1973 or after 3000"),
    (b"x" * MAX_LINE, "33,554,432 bytes"),
])
def test_what_is_wrong_is_said(text, told):
    assert told in (fault(text) or "")


def test_numbers_count_from_one_and_the_good_lines_stay_as_they_are(tmp_path):
    good = Item("a", BASE).line()
    source, fit = tmp_path / "1.tsv", tmp_path / "fit"
    source.write_text(f"{good}bad\n{good}worse")
    assert [(refused.line, refused.text) for refused in sift(source, fit)] == [(2, "bad"), (4, "worse")]
    assert fit.read_text() == good * 2


@pytest.mark.parametrize("zone", ALL_ZONES)
def test_minutes_add_up_to_days_in_every_zone(zone):
    days = Days(zone)
    assert all(days.start(day) % MINUTE == 0 for day in days.between(days.of(EARLIEST), days.of(BASE)))
    assert days.start(days.of(LATEST - 1)) % MINUTE == 0
