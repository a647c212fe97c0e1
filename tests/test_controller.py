"""The controller upon a real control database, on a clock that the test winds, with facts that it sets."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from crossfade.controller import LEASE_LENGTH, Controller
from crossfade.core.clock import HOUR, MINUTE, SECOND, ManualClock
from crossfade.core.flag import ALL, default
from crossfade.core.gate import Fact, Gate
from crossfade.core.plan import Phase, Plan
from crossfade.core.rollout import Action, Command, State, Status
from crossfade.state import State as Database
from crossfade.state.errors import StateError
from crossfade.state.rollouts import RolloutError

BUSINESS, SYSTEM = "use_real_business_metrics", "use_real_system_metrics"
ERRORS = Gate("live.errors", most=1)
PLAN = Plan("move", (
    Phase("business", {BUSINESS: True}, 5 * MINUTE, HOUR, (ERRORS,), ramp=(5, 100)),
    Phase("system", {SYSTEM: True}, MINUTE, 10 * MINUTE, (ERRORS,), approval=True),
))


class House:
    """One control database and any number of servers on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = ManualClock(10**15)
        self.facts: dict[str, Fact] = {ERRORS.name: Fact(0, 1)}
        self.behind: list[str] = []
        self.changed = 0
        self.database = Database.open(path)
        self.database.seed_flags({name: default(name) for name in ALL}, at=self.clock.now())
        self.controller = self.server("one")

    def server(self, name: str, database: Database | None = None) -> Controller:
        base = database or self.database
        return Controller(base.rollouts, base.refresh, self.clock, measure=self.measure, holder=name,
                          behind=lambda _: self.behind, changed=self.note)

    async def measure(self, _plan: Plan, _state: State, _now: int) -> Mapping[str, Fact]:
        return self.facts

    def note(self) -> None:
        self.changed += 1

    def tick(self, times: int = 1, *, by: Controller | None = None, after: int = 10 * SECOND) -> Status | None:
        made = None
        for _ in range(times):
            self.clock.advance(after)
            made = asyncio.run((by or self.controller).tick())
        return None if made is None else made.state.status

    def start(self, plan: Plan = PLAN, at: str | None = None) -> None:
        asyncio.run(self.controller.start(plan, who="ann", at=at))

    def tell(self, action: Action, reason: str = "") -> None:
        asyncio.run(self.controller.command(Command(action, "ann", reason)))

    @property
    def flags(self) -> Mapping[str, bool | int]:
        return self.database.refresh().values

    @property
    def actions(self) -> list[str]:
        return [entry.action for entry in reversed(self.database.audit(1_000)) if entry.action != "flag.seed"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "state.db")
    with closing(made.database):
        yield made


def test_a_plan_is_carried_out_with_its_flags_audit_and_steps(house: House) -> None:
    house.start()
    assert house.flags[BUSINESS] is True
    assert house.flags["percent_business_metrics"] == 5
    assert house.changed
    house.tick(31)
    assert house.flags["percent_business_metrics"] == 100
    house.tick(32)
    assert "system waits: somebody must approve it" in house.database.rollouts.latest()[0].said[-1]
    house.tell(Action.APPROVE)
    assert house.flags[SYSTEM] is True
    house.tick(10)
    done = house.database.rollouts.latest()[0]
    assert done.state.status is Status.DONE
    assert house.database.rollouts.live() is None
    assert [step.move.value for step in house.database.rollouts.steps(done.id) if step.move != "hold"] == [
        "begin", "step", "pass", "begin", "done"]
    assert {"rollout.start", "rollout.begin", "rollout.step", "rollout.done", "flag.change"} <= set(house.actions)


def test_a_flag_changed_between_look_and_store_is_never_overwritten(house: House) -> None:
    house.start()
    told = 0

    async def meddling(_plan: Plan, _state: State, now: int) -> Mapping[str, Fact]:
        nonlocal told
        told += 1
        if told == 1:
            house.database.rollouts.take_back({BUSINESS: False}, who="bob", at=now, reason="wrong figures")
        return house.facts

    house.controller._measure = meddling
    house.tick(40)
    assert house.flags[BUSINESS] is False
    ended = house.database.rollouts.latest()[0]
    assert ended.state.status is Status.REVERTED
    assert ended.state.why == "bob rolled back: wrong figures"
    assert house.database.rollouts.steps(ended.id)[-1].changes == {BUSINESS: False}


def test_of_its_steps_those_that_only_held_can_be_left_out(house: House) -> None:
    house.start()
    house.tick(13)
    house.tell(Action.SKIP, "enough")
    house.tell(Action.PAUSE)
    with pytest.raises(RolloutError):
        house.tell(Action.PAUSE)
    book = house.database.rollouts
    everything, done = book.steps(1), book.steps(1, holds=False)
    assert {step.who for step in everything if step not in done} == {"rollout 1"}
    assert [(step.who, step.move.value) for step in done] == [
        ("rollout 1", "begin"), ("ann", "step"), ("ann", "pause"), ("ann", "hold")]
    assert book.steps(1, after=done[0].id, limit=1, holds=False) == done[1:2]


def test_of_two_servers_one_carries_it_out_and_the_other_takes_over(house: House, tmp_path: Path) -> None:
    house.start()
    assert house.tick() is Status.SOAKING
    with closing(Database.open(tmp_path / "state.db")) as database:
        other = house.server("two", database)
        assert house.tick(by=other) is None
        house.clock.advance(LEASE_LENGTH)
        assert house.tick(by=other) is Status.SOAKING
        assert house.tick() is None


def test_a_failing_gate_takes_the_phase_back_with_its_evidence(house: House) -> None:
    house.start()
    house.tick(3)
    house.facts = {ERRORS.name: Fact(7, 1, example="GET /orders")}
    house.tick(2)
    assert house.flags[BUSINESS] is False
    ended = house.database.rollouts.latest()[0]
    assert ended.state.status is Status.REVERTED
    failed = next(step for step in house.database.rollouts.steps(ended.id) if step.move == "revert")
    assert failed.verdicts[0].evidence.figure == 7
    assert failed.verdicts[0].evidence.example == "GET /orders"
    assert [condition.key.check for condition in house.controller.conditions()] == ["reverted"]


def test_only_one_rollout_at_a_time_and_commands_need_one(house: House) -> None:
    with pytest.raises(RolloutError, match="no rollout"):
        house.tell(Action.PAUSE)
    house.start()
    with pytest.raises(RolloutError, match="not over"):
        house.start()
    with pytest.raises(RolloutError, match="not paused"):
        house.tell(Action.RESUME)
    assert house.actions[-1] == "rollout.refused"


def test_two_servers_whose_clocks_differ_make_no_time_between_them(house: House, tmp_path: Path) -> None:
    """Each finds the other's lease impossible or over, and so both carry it out."""
    house.start()
    ahead = ManualClock(house.clock.now() + 45 * SECOND)
    with closing(Database.open(tmp_path / "state.db")) as database:
        other = Controller(database.rollouts, database.refresh, ahead, measure=house.measure, holder="two",
                           behind=lambda _: house.behind, changed=house.note)
        began = house.clock.now()
        for _ in range(60):
            ahead.advance(SECOND)
            house.tick(by=other, after=0)
            house.tick(after=SECOND)
        soaked = house.database.rollouts.latest()[0].state.soaked
        assert 0 < soaked <= house.clock.now() - began


def test_a_rollout_whose_first_step_cannot_be_stored_is_under_way_all_the_same(
        house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise StateError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(house.database.rollouts, "apply", full)
        begun = asyncio.run(house.controller.start(PLAN, who="ann"))
        assert begun.state.status is Status.WAITING
        assert house.tick() is None
        assert "database or disk is full" in (house.controller.trouble or "")
    assert house.tick() is Status.SOAKING
    assert house.flags[BUSINESS] is True
