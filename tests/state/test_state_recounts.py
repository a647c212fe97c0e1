"""What was recounted, and what did not agree."""

from datetime import date

import pytest

from crossfade.core.recounted import Recounted
from crossfade.state import State
from crossfade.state import recounts as recounts_module
from crossfade.state.recounts import RecountedDay, Replaced

DAY = date(2026, 3, 29)


def row(day: date = DAY, **changes: object) -> RecountedDay:
    fields = {"since": 1, "until": 2, "segment": None, "windows": 3, "witness": "journal", "at": 9}
    return RecountedDay(day, **(fields | changes))


def wrong(start: int, field: str = "e", kind: str = "minute", **changes: object) -> Recounted:
    fields = {"reported": 2, "recounted": 1, "witness": "raw events", "at": 9}
    return Recounted("businessMetrics", kind, start, start + 60, field, **(fields | changes))


def test_days_are_remembered_and_replaced(state: State) -> None:
    assert state.recounted_days() == {}
    nothing = Replaced((), 0, 0)
    state.put_recount([row(), row(date(1973, 1, 1), segment=7)], nothing, ())
    state.put_recount([row(segment=5, witness="raw events")], nothing, ())
    assert state.recounted_days() == {
        DAY: row(segment=5, witness="raw events"), date(1973, 1, 1): row(date(1973, 1, 1), segment=7),
    }


def test_a_disagreement_stays_until_its_window_is_counted_again(state: State) -> None:
    minutes = Replaced(("minute",), 0, 1_000)
    state.put_recount((), minutes, [wrong(100), wrong(100, "größe"), wrong(300, reported=None, recounted=2**62)])
    state.put_recount((), Replaced(("day", "hour"), 0, 1_000), [wrong(0, "x", "day")])
    assert state.mismatches() == (
        wrong(300, reported=None, recounted=2**62), wrong(100), wrong(100, "größe"), wrong(0, "x", "day"),
    )
    state.put_recount((), Replaced(("minute",), 100, 300), [wrong(100)])
    assert [(found.start, found.field) for found in state.mismatches()] == [(300, "e"), (100, "e"), (0, "x")]
    assert len(state.mismatches(limit=1)) == 1
    state.put_recount((), Replaced(("minute", "day", "hour"), 0, 301), ())
    assert state.mismatches() == ()


def test_only_the_newest_are_kept(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recounts_module, "MOST", 10)
    state.put_recount((), Replaced(("minute",), 0, 1_000), [wrong(number) for number in range(8)])
    assert len(state.mismatches()) == 8
    state.put_recount((), Replaced(("minute",), 1_000, 2_000), [wrong(1_000 + number) for number in range(30)])
    assert [found.start for found in state.mismatches()] == [1_029 - number for number in range(10)]


def test_a_repair_is_in_the_audit_log(state: State) -> None:
    state.record_repair(at=5, who="ada", subject="minute 1", old="e=2", new="e=1", reason="why")
    (entry,) = state.audit()
    assert (entry.who, entry.action, entry.subject, entry.old, entry.new, entry.reason) == (
        "ada", "recount.repair", "minute 1", "e=2", "e=1", "why",
    )
