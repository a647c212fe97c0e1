"""Alerts, silences and the outbox, as they are kept."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.core.alert import (
    AlertError,
    AlertKey,
    Change,
    Condition,
    Evidence,
    Pace,
    Severity,
    Silence,
    Status,
    Transitions,
)
from crossfade.core.clock import DAY
from crossfade.state import State, StateError

PACE = Pace(pending=10, hold=20, longest_hold=100, reopen_within=200)
ERRORS = Condition(AlertKey("business", "errors"), Severity.WARNING, "down", "many errors", Evidence(6, 5, 100, "'x'"))
FALLBACK = Condition(AlertKey("business", "fallback"), Severity.CRITICAL, "down", "many fallbacks")
ROWS = Condition(AlertKey("history", "rows"), Severity.INFO, "late", "a day is missing")


def look(state: State, at: int, *conditions: Condition, pace: Pace = PACE,
         targets: tuple[str, ...] = ("mail", "hook")) -> Transitions:
    return state.step_alerts(conditions, at=at, pace=pace, targets=targets)


def opened(state: State, *conditions: Condition, at: int = 0) -> None:
    look(state, at, *(conditions or (ERRORS,)), pace=Pace(pending=0, hold=20, reopen_within=200))


def take(state: State, target: str, now: int, cap: int = 50):
    return state.take_delivery(target, now=now, lease=100, cap=cap)


def test_an_alert_is_kept_from_its_pending_to_its_closing(state: State, path: Path) -> None:
    assert [made.change for made in look(state, 0, ERRORS).changes] == [Change.BEGAN]
    assert state.live_alerts() == ()
    assert [alert.status for alert in state.alerts()] == [Status.PENDING]
    made = look(state, 10, ERRORS)
    alert, = state.live_alerts()
    assert made.alerts == (alert,)
    assert [told.id for told in made.notices[0].alerts] == [alert.id]
    assert (alert.id, alert.status, alert.told, alert.evidence) == (1, Status.OPEN, Severity.WARNING, ERRORS.evidence)
    with closing(State.open(path)) as again:
        assert again.live_alerts() == (alert,)
        look(again, 20)
        look(again, 40)
    assert state.live_alerts() == ()
    closed, = state.alerts()
    assert (closed.id, closed.status, closed.closed_at) == (1, Status.CLOSED, 40)


def test_what_never_opened_leaves_no_row(state: State) -> None:
    look(state, 0, ERRORS)
    assert [made.change for made in look(state, 5).changes] == [Change.WITHDRAWN]
    assert state.alerts() == ()


def test_history_is_kept_and_read_page_by_page(state: State) -> None:
    for number in range(5):
        opened(state, at=number * 1_000)
        look(state, number * 1_000 + 100)
        look(state, number * 1_000 + 120)
    everything = state.alerts()
    assert [alert.id for alert in everything] == [5, 4, 3, 2, 1]
    first = state.alerts(limit=2)
    assert first + state.alerts(before_id=first[-1].id) == everything


def test_a_condition_that_returns_soon_has_the_same_row(state: State) -> None:
    opened(state)
    look(state, 10)
    look(state, 30)
    look(state, 100, ERRORS)
    look(state, 110, ERRORS)
    alert, = state.alerts()
    assert (alert.id, alert.flaps, alert.status) == (1, 1, Status.OPEN)


def test_there_are_no_two_live_alerts_of_one_key(state: State, path: Path) -> None:
    opened(state)
    with closing(sqlite3.connect(path)) as other, pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        other.execute("INSERT INTO alerts (component, check_name, severity, cause, message, evidence, status, since, "
                      "flaps) SELECT component, check_name, severity, cause, message, evidence, status, since, flaps "
                      "FROM alerts")


def test_a_step_and_its_deliveries_are_one(state: State, path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TRIGGER full BEFORE INSERT ON deliveries BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(StateError, match="full"):
        opened(state)
    assert state.alerts() == ()


def test_a_notice_goes_to_every_target_with_the_number_of_its_alert(state: State) -> None:
    opened(state, ERRORS, FALLBACK, ROWS)
    found = state.deliveries(["business", "history"], since=0)
    assert [(delivery.target, delivery.component) for delivery in found] == [
        ("mail", "business"), ("hook", "business"), ("mail", "history"), ("hook", "history")]
    worst = found[0]
    assert state.live_alerts()[1].key == FALLBACK.key
    assert worst.alert_id == state.live_alerts()[1].id
    assert f"alert {worst.alert_id}" in worst.message.body
    assert (worst.status, worst.attempts, worst.next_try) == ("waiting", 0, 0)


def test_without_targets_nothing_is_put_out(state: State) -> None:
    look(state, 0, ERRORS, pace=Pace(pending=0), targets=())
    assert state.deliveries(["business"], since=0) == ()
    assert state.live_alerts()


def test_acknowledging_is_kept_and_audited(state: State) -> None:
    opened(state)
    made = state.acknowledge_alert(1, who="ann", at=7, note="on it")
    assert state.live_alerts() == (made,)
    assert (made.status, made.acknowledged_at, made.acknowledged_by, made.note) == (
        Status.ACKNOWLEDGED, 7, "ann", "on it")
    entry, = state.audit()
    assert (entry.at, entry.who, entry.action, entry.subject, entry.old, entry.new, entry.reason) == (
        7, "ann", "alert.acknowledge", "alert 1: business/errors", "open", "acknowledged", "on it")


def test_what_is_not_open_cannot_be_acknowledged(state: State) -> None:
    look(state, 0, ERRORS)
    for number in (1, 2):
        with pytest.raises(AlertError, match=f"alert {number}"):
            state.acknowledge_alert(number, who="ann", at=7)
    assert state.audit() == ()


def test_a_silence_is_kept_audited_ended_and_expires(state: State) -> None:
    made = state.add_silence(Silence("business", "*", 100, "upgrade", "ann", 5))
    assert state.silences(99) == (made,)
    assert state.silences(100) == ()
    other = state.add_silence(Silence("history", "rows", 50, "known", "bob", 6))
    assert state.silences(10) == (other, made)
    assert state.end_silence(made.id, who="eve", at=20) == made
    assert state.silences(10) == (other,)
    told = [(entry.who, entry.action, entry.subject, entry.reason) for entry in state.audit()]
    assert told == [("eve", "alert.unsilence", "silence: business/*", None),
                    ("bob", "alert.silence", "silence: history/rows", "known"),
                    ("ann", "alert.silence", "silence: business/*", "upgrade")]


@pytest.mark.parametrize(("number", "at"), [(1, 100), (2, 10)])
def test_a_silence_that_is_over_cannot_be_ended(state: State, number: int, at: int) -> None:
    state.add_silence(Silence("business", "*", 100, "upgrade", "ann", 5))
    with pytest.raises(AlertError, match=f"no silence {number}"):
        state.end_silence(number, who="ann", at=at)


def test_what_is_silenced_is_recorded_and_told_when_the_silence_is_over(state: State) -> None:
    silence = state.add_silence(Silence("business", "*", 100, "upgrade", "ann", 0))
    opened(state)
    assert state.live_alerts()
    assert state.deliveries(["business"], since=0) == ()
    state.end_silence(silence.id, who="ann", at=20)
    look(state, 21, ERRORS)
    assert len(state.deliveries(["business"], since=0)) == 2


# The outbox

def test_a_delivery_is_taken_once_and_again_when_its_lease_is_over(state: State, path: Path) -> None:
    opened(state)
    found = take(state, "mail", 5)
    assert (found.status, found.attempts, found.next_try) == ("waiting", 1, 105)
    with closing(State.open(path)) as other:
        assert take(other, "mail", 6) is None
        assert take(other, "hook", 6) is not None
        again = take(other, "mail", 105)
    assert again.id == found.id
    state.finish_delivery(found.id, status="delivered", at=106)
    assert take(state, "mail", 10**6) is None
    done = {delivery.target: delivery for delivery in state.deliveries(["business"], since=0)}["mail"]
    assert (done.status, done.attempts, done.done_at) == ("delivered", 2, 106)


def test_many_takers_get_each_delivery_once(state: State, path: Path) -> None:
    for number in range(20):
        opened(state, Condition(AlertKey(f"c{number}", "x"), Severity.INFO, "y", "z"))
    with closing(State.open(path)) as other, ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda number: take((state, other)[number % 2], "mail", 5), range(40)))
    ids = [found.id for found in taken if found is not None]
    assert len(ids) == len(set(ids)) == 20


def test_what_failed_is_due_later_and_the_rest_before(state: State) -> None:
    opened(state)
    opened(state, ERRORS, ROWS, at=1)
    first = take(state, "mail", 2)
    state.retry_delivery(first.id, at=500, error="refused")
    second = take(state, "mail", 3)
    assert second.component == "history"
    state.finish_delivery(second.id, status="failed", at=4, error="refused")
    assert state.next_delivery("mail") == 500
    assert take(state, "mail", 499) is None
    assert take(state, "mail", 500).id == first.id
    assert state.next_delivery("nobody") is None


def test_messages_about_one_thing_stay_in_order(state: State) -> None:
    opened(state)
    look(state, 10)
    look(state, 30)
    first = take(state, "mail", 40)
    assert first.message.title.startswith("[warning]")
    state.retry_delivery(first.id, at=1_000, error="refused")
    assert take(state, "mail", 900) is None, "the resolution waits for the opening"
    assert state.next_delivery("mail") == 1_000, "so that nobody looks in vain"
    assert take(state, "mail", 1_000).id == first.id
    state.finish_delivery(first.id, status="delivered", at=1_001)
    assert take(state, "mail", 1_002).message.title.startswith("[resolved]")


def test_what_is_beyond_the_cap_of_a_day_is_withheld_and_shown(state: State) -> None:
    for number in range(4):
        opened(state, Condition(AlertKey(f"c{number}", "x"), Severity.INFO, "y", "z"), at=number)
    for _ in range(2):
        found = take(state, "mail", 10, cap=2)
        state.finish_delivery(found.id, status="delivered", at=10)
    assert take(state, "mail", 11, cap=2) is None
    withheld = [delivery for delivery in state.deliveries([f"c{number}" for number in range(4)], since=0)
                if delivery.status == "withheld"]
    assert [(delivery.target, delivery.last_error) for delivery in withheld] == [
        ("mail", "more than 2 messages in a day")] * 2
    assert take(state, "hook", 12, cap=2) is not None, "each target has a cap of its own"
    opened(state, ROWS, at=11 + DAY)
    assert take(state, "mail", 11 + DAY, cap=2) is not None


def test_what_waits_for_a_target_that_is_gone_is_given_up(state: State) -> None:
    opened(state)
    assert state.give_up_deliveries(["hook"], at=9) == 1
    assert state.give_up_deliveries(["hook"], at=9) == 0
    gone = {delivery.target: delivery for delivery in state.deliveries(["business"], since=0)}
    assert (gone["mail"].status, gone["mail"].done_at) == ("failed", 9)
    assert "no longer name" in gone["mail"].last_error
    assert gone["hook"].status == "waiting"
    assert state.give_up_deliveries([], at=10) == 1


looks = st.lists(st.tuples(st.integers(0, 60), st.sets(st.sampled_from([ERRORS, FALLBACK, ROWS]))), max_size=12)


@settings(max_examples=30)
@given(looks=looks)
def test_what_is_stored_is_what_the_steps_say(
    tmp_path_factory: pytest.TempPathFactory, looks: list[tuple[int, set[Condition]]],
) -> None:
    with closing(State.open(tmp_path_factory.mktemp("alerts") / "state.db")) as state:
        now, notices = 0, 0
        for pause, held in looks:
            now += pause
            made = look(state, now, *held, targets=("mail",))
            notices += len(made.notices)
            stored = {alert.id: alert for alert in state.alerts(limit=1_000)}
            assert all(stored[alert.id] == alert for alert in made.alerts)
            assert set(state.live_alerts()) == {alert for alert in made.alerts if alert.live}
        assert len(state.deliveries(["business", "history"], since=0)) == notices


def test_alerts_that_were_open_in_a_span(state: State) -> None:
    opened(state, ERRORS, at=100)
    look(state, 150, pace=Pace(pending=0, hold=20, reopen_within=200))
    look(state, 200, pace=Pace(pending=0, hold=20, reopen_within=200))
    opened(state, ROWS, at=500)

    def found(since: int, until: int, limit: int = 10) -> list[str]:
        return [alert.key.check for alert in state.alerts_between(since, until, limit)]

    assert found(0, 99) == []
    assert found(0, 100) == found(150, 160) == ["errors"]
    assert found(200, 499) == []
    assert found(0, 500) == ["rows", "errors"]
    assert found(0, 500, 1) == found(600, 700) == ["rows"]
