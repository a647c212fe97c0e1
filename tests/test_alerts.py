"""Alerts as the server keeps them."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import structlog

from crossfade.alerts import LONGEST_SILENCE, Alerts, service_conditions
from crossfade.core.alert import AlertError, AlertKey, Condition, Pace, Severity, Status
from crossfade.core.clock import DAY, SECOND, ManualClock
from crossfade.core.payloads import Service
from crossfade.state import State, StateError

ERRORS = Condition(AlertKey("business", "errors"), Severity.CRITICAL, "down", "many errors")
ROWS = Condition(AlertKey("history", "rows"), Severity.INFO, "late", "a day is missing")


class House:
    """Alerts upon a state of their own, with a clock that is told to move."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.clock = ManualClock(5 * DAY)
        self.alerts = Alerts(state, self.clock, targets=("mail",), pace=Pace(pending=0, hold=10 * SECOND))

    def later(self, seconds: float, *conditions: Condition) -> list[str]:
        self.clock.advance(int(seconds * SECOND))
        return [notice.kind.value for notice in self.alerts.consider(conditions).notices]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with closing(State.open(tmp_path / "state.db")) as state:
        yield House(state)


def test_the_live_alerts_are_in_memory_and_there_after_a_restart(house: House) -> None:
    house.later(1, ERRORS)
    live = house.alerts.live()
    assert [alert.key for alert in live] == [ERRORS.key]
    assert Alerts(house.state, house.clock).live() == live
    house.later(1)
    assert house.later(10) == ["resolved"]
    assert house.alerts.live() == ()


def test_acknowledging_is_seen_at_once(house: House) -> None:
    house.later(1, ERRORS)
    made = house.alerts.acknowledge(1, who="ann", note="on\nit" + "x" * 1_000)
    assert house.alerts.live() == (made,)
    assert made.status is Status.ACKNOWLEDGED
    assert made.note.startswith("on it")
    assert len(made.note) == 500
    with pytest.raises(AlertError):
        house.alerts.acknowledge(2, who="ann")


def test_a_silence_quiets_until_it_expires(house: House) -> None:
    house.alerts.silence("business", seconds=60, reason="upgrade", who="ann")
    assert house.later(1, ERRORS) == []
    shown, = house.alerts.shown()
    assert shown.silence.reason == "upgrade"
    assert shown.deliveries == ()
    assert house.later(58, ERRORS) == []
    assert house.later(1, ERRORS) == ["opened"]
    shown, = house.alerts.shown()
    assert shown.silence is None
    assert [delivery.target for delivery in shown.deliveries] == ["mail"]


def test_a_silence_that_is_ended_quiets_no_more(house: House) -> None:
    made = house.alerts.silence("*", seconds=60, reason="upgrade", who="ann")
    house.later(1, ERRORS)
    assert house.alerts.unsilence(made.id, who="ann") == made
    assert house.alerts.silences() == ()
    assert house.later(1, ERRORS) == ["opened"]


@pytest.mark.parametrize(("component", "check", "seconds", "reason"), [
    ("", "*", 60, "x"), (" ", "*", 60, "x"), ("a", "", 60, "x"), ("a", "*", 60, " \n"), ("a", "*", 0, "x"),
    ("a", "*", -5, "x"), ("a", "*", LONGEST_SILENCE / SECOND + 1, "x"),
])
def test_a_silence_that_cannot_be_meant_is_refused(
        house: House, component: str, check: str, seconds: float, reason: str) -> None:
    with pytest.raises(AlertError, match="a silence"):
        house.alerts.silence(component, check, seconds=seconds, reason=reason, who="ann")
    assert house.alerts.silences() == ()


def test_every_member_of_a_group_shows_the_deliveries_of_its_group(house: House) -> None:
    fallback = Condition(AlertKey("business", "fallback"), Severity.WARNING, "down", "many")
    house.later(1, ERRORS, ROWS)
    house.later(1, ERRORS, ROWS, fallback)
    shown = {found.alert.key.check: [delivery.component for delivery in found.deliveries]
             for found in house.alerts.shown()}
    assert shown == {"errors": ["business"], "rows": ["history"], "fallback": ["business"]}
    house.later(1)
    house.later(10)
    shown = {found.alert.key.check: [delivery.message.title for delivery in found.deliveries]
             for found in house.alerts.shown(everything=True)}
    assert shown["errors"] == ["[critical] business: down", "[resolved] business: down"]
    assert shown["fallback"] == ["[resolved] business: down"]
    assert house.alerts.shown() == ()
    assert len(house.alerts.shown(everything=True, limit=2)) == 2
    assert [found.alert.id for found in house.alerts.shown(everything=True, before_id=2)] == [1]


def test_the_loop_considers_says_when_there_is_news_and_survives_a_failing_state(
        house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossfade.alerts.EVERY_S", 0)
    step, woken, looks = house.state.step_alerts, [], []

    def conditions() -> tuple[Condition, ...]:
        looks.append(1)
        return (ERRORS,)

    def fail_once(*args: object, **options: object) -> object:
        if len(looks) == 1:
            raise StateError("locked")
        return step(*args, **options)

    async def run() -> None:
        task = asyncio.create_task(house.alerts.run(conditions, lambda: woken.append(1)))
        async with asyncio.timeout(20):
            while len(looks) < 4:  # noqa: ASYNC110 - another thread looks
                await asyncio.sleep(0.01)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    monkeypatch.setattr(house.state, "step_alerts", fail_once)
    with structlog.testing.capture_logs() as logs:
        asyncio.run(run())
    assert woken == [1]
    assert [(entry["log_level"], entry.get("change")) for entry in logs] == [("error", None), ("info", "opened")]


@pytest.mark.parametrize(("status", "severity"), [
    ("down", Severity.CRITICAL), ("degraded", Severity.WARNING), ("up", None), ("unknown", None),
])
def test_a_part_that_does_not_answer_is_a_condition(status: str, severity: Severity | None) -> None:
    found = list(service_conditions([Service("cache", status, None, 95.0, 20, "connection refused")]))
    assert [condition.severity for condition in found] == ([severity] if severity else [])
    for condition in found:
        assert condition.key == AlertKey("infrastructureMetrics", "service cache")
        assert condition.message == f"cache is {status}: connection refused"
        assert (condition.evidence.figure, condition.evidence.n) == (95.0, 20)
