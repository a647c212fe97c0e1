"""Closed days and the 24 hours, compared with a real store and a real state."""

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from crossfade.core.clock import DAY, HOUR, MINUTE
from crossfade.core.recounted import ALL

from .house import BASE, House, line


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path, "Europe/Berlin")
    made.clock.advance(2 * DAY)
    yield made
    made.close()



def at(house, day, hour=12):
    return house.days.start(day) + hour * HOUR


@pytest.fixture
def day(house):
    """A closed day with a bit of everything, counted."""
    day = house.days.of(BASE)
    noon = at(house, day)

    def scan(number, when, size, **more):
        return line(f"scan {number}", when, "scan_completed",
                    properties=json.dumps({"scanId": f"s{number}", "totalSize": size, **more}))

    house.load(
        *(line(f"f{number}", noon + number * MINUTE) for number in range(5)),
        line("d", noon, "duplicate_detected"), line("c", noon, "cleanup_executed"),
        *(line(f"a{number}", noon + number, "auth_success", f"user {number % 3}") for number in range(9)),
        line("nobody", noon, "auth_success"),
        scan(1, noon, 500), scan(2, noon + HOUR, 700), scan(3, noon + 2 * HOUR, 900, status="failed"),
        line("odd", noon + 3 * HOUR, "scan_completed", properties='{"scanId": 5}'),
    )
    house.aggregator.heal()
    return day


def test_a_sound_day_agrees_as_a_whole(house, day):
    examined = house.examiner.closed_days([day])
    assert examined.settled == {day}
    assert all(window.agrees for window in examined.windows)
    told = {(w.kind, w.component, w.field, w.recounted) for w in examined.windows if w.kind != "minute"}
    assert told == {("day", "historicalData", ALL, 21), ("statistics", "historicalData", ALL, 21),
                    ("hour", "businessMetrics", ALL, 3)}
    assert house.state.daily_stats(day, day)[day].total_size == 700
    assert [(row.component, row.source, row.length, row.figures) for row in examined.beside] == [
        ("historicalData", source, DAY, {"files": 5, "duplicates": 1, "cleanupActions": 1, "totalSize": 700})
        for source in ("compared", "recount")]


def test_both_sides_of_each_minute_are_told(house, day):
    house.spoil("UPDATE minute_rollup SET n = n + 1 WHERE event = 'file_processed'")
    start = house.days.start(day)
    examined = house.examiner.minutes(start, start + DAY)
    sides = {source: sum(row.figures["file_processed"] for row in examined.beside
                         if row.source == source and "file_processed" in row.figures)
             for source in ("compared", "recount")}
    minutes = sum("file_processed" in row.figures for row in examined.beside) / 2
    assert (sides["recount"], sides["compared"]) == (5, 5 + minutes)
    assert {row.length for row in examined.beside} == {MINUTE}


@pytest.mark.parametrize(("spoil", "found"), [
    ("UPDATE day_rollup SET n = n + 1 WHERE event = 'file_processed'", ("day", "file_processed", 6, 5)),
    ("DELETE FROM day_rollup WHERE event = 'auth_success'", ("day", "auth_success", 0, 10)),
    ("UPDATE minute_rollup SET n = n + 1 WHERE event = 'cleanup_executed'", ("minute", "cleanup_executed", 2, 1)),
])
def test_a_rollup_that_is_wrong_is_named(house, day, spoil, found):
    house.spoil(spoil)
    kind, field, reported, recounted = found
    component = "businessMetrics" if kind == "minute" else "historicalData"
    assert house.wrong_days(day) == [(kind, component, field, reported, recounted)]


@pytest.mark.parametrize(("change", "found"), [
    ({"files": 6}, ("files", 6, 5)), ({"duplicates": 0}, ("duplicates", 0, 1)),
    ({"cleanup_actions": 9}, ("cleanupActions", 9, 1)), ({"total_size": 701}, ("totalSize", 701, 700)),
    ({"total_size": None}, ("totalSize", None, 700)),
])
def test_a_stored_row_that_is_wrong_is_named(house, day, change, found):
    row = house.state.daily_stats(day, day)[day]
    house.state.put_daily_stats([replace(row, **change)])
    assert house.wrong_days(day) == [("statistics", "historicalData", *found)]


def test_users_are_told_apart_by_the_store_as_by_the_recount(house, day):
    house.spoil("UPDATE events SET user_id = 'user 0' WHERE user_id = 'user 1' AND rowid IN (SELECT min(rowid) FROM "
                "events WHERE user_id = 'user 1')")
    assert house.wrong_days(day) == []
    house.spoil("DELETE FROM sign_ins WHERE user_id = 'user 1'")
    house.spoil("INSERT INTO sign_ins SELECT minute + 60, 'ghost', first + ?, last + ? FROM sign_ins LIMIT 1",
                HOUR, HOUR)
    assert house.wrong_days(day) == [("hour", "businessMetrics", "activeUsers", 2, 3),
                                     ("hour", "businessMetrics", "activeUsers", 1, 0)]


def test_statistics_that_are_not_counted_yet_are_waited_for(house, day):
    house.load(line("late", at(house, day)))
    examined = house.examiner.closed_days([day])
    assert examined.settled == frozenset()
    assert all(window.agrees for window in examined.windows)
    assert "statistics" not in {window.kind for window in examined.windows}
    house.aggregator.heal()
    assert house.examiner.closed_days([day]).settled == {day}


def test_a_day_that_changes_meanwhile_is_not_judged(house, day):
    told = house.witnesses.tell
    late = line("late", at(house, day))

    def tell(*arguments):
        house.load(late)
        return told(*arguments)

    house.witnesses.tell = tell
    examined = house.examiner.closed_days([day])
    assert examined.settled == frozenset()
    assert {window.kind for window in examined.windows} == {"minute"}
    assert all(window.agrees for window in examined.windows)


def test_a_scan_that_ended_again_on_a_later_day_is_that_days(house, day):
    """And both days' sizes are as the aggregator has them, in whatever order it heard of them."""
    later = day + timedelta(days=1)
    again = json.dumps({"scanId": "s2", "totalSize": 800})
    house.load(line("again", at(house, later), "scan_completed", properties=again))
    house.aggregator.heal()
    assert house.wrong_days(day, later) == []
    house.aggregator.mend([day])
    assert house.state.daily_stats(day, day)[day].total_size == 500
    assert house.wrong_days(day, later) == []


def test_days_without_an_event_prove_nothing_and_are_settled(house, day):
    days = [day + timedelta(days=age) for age in range(-3, 1)]
    examined = house.examiner.closed_days(days)
    assert examined.settled == frozenset(days)
    assert {house.days.of(window.start) for window in examined.windows} == {day}


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia"])
def test_a_year_of_days_agrees_in_every_zone(tmp_path, zone):
    house = House(tmp_path, zone)
    try:
        house.clock.advance(400 * DAY)
        house.load(*(line(f"m{number}", BASE + number * 5 * HOUR + 1) for number in range(1600)))
        house.aggregator.heal()
        first = house.days.of(BASE)
        days = [first + timedelta(days=age) for age in range(330)]
        assert house.wrong_days(*days) == []
        examined = house.examiner.closed_days(days)
        assert examined.settled == frozenset(days)
        assert sum(window.kind == "day" for window in examined.windows) == 330
    finally:
        house.close()


def test_the_figures_of_a_closed_moment(house):
    now = BASE + 17_000_001
    house.load(line("edge", now - DAY), line("out", now - DAY - 1), line("a", now - 2 * DAY),
               line("in", now - 1), line("after", now), line("u1", now - HOUR, "auth_success", "ann"),
               line("u2", now - HOUR - 1, "auth_success", "bob"), line("u3", now - 1, "auth_success", "ann"))
    assert [(w.start, w.end, w.field, w.recounted, w.agrees) for w in house.examiner.figures(now)] == [
        (now - DAY, now, ALL, 5, True), (now - HOUR, now, ALL, 1, True),
    ]
    minute = (now - HOUR) // MINUTE
    house.spoil("UPDATE minute_rollup SET n = n + 1 WHERE event = 'auth_success' AND minute = ?", minute)
    (wrong,) = (w for w in house.examiner.figures(now) if not w.agrees)
    assert (wrong.kind, wrong.field, wrong.reported, wrong.recounted) == ("figures", "auth_success", 4, 3)


def test_figures_that_change_whenever_they_are_read_are_not_judged(house):
    count = house.store.counts

    def counts(*span):
        house.load(line(f"more {house.number}", BASE))
        return count(*span)

    house.store.counts = counts
    assert house.examiner.figures(BASE + MINUTE) == []
