"""Rehearsals: each fault with its end, the same twice, and an end with a reason whatever is asked."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND, micros, read_iso
from crossfade.core.fault import FAULTS, place
from crossfade.core.flag import ALL, default
from crossfade.core.freeze import Freeze
from crossfade.core.gate import Fact, Gate, NoData, When
from crossfade.core.plan import OnFail, Phase, Plan
from crossfade.core.planfile import DEFAULT, parse
from crossfade.core.rollout import State
from crossfade.rehearsal import Ended, Rehearsal, Rehearsed, undisturbed
from crossfade.state.errors import StateError
from crossfade.state.rollouts import RolloutError

FLAGS = {name: default(name) for name in ALL}
START = micros(read_iso("2026-11-23T09:00Z"))
NAME = "businessMetrics"
GATES = (
    Gate("quality.quality", NAME, least=95, judged=When.AT_END),
    Gate("quality.error_rate", NAME, most=5),
    Gate("quality.latency_p95", NAME, most=250),
    Gate("quality.freshness", NAME, most=300),
    Gate("quality.leaks", NAME, most=0),
    Gate("quality.clock_errors", NAME, most=0),
    Gate("ledger.missing", most=0),
    Gate("alerts.critical", most=0),
)
PLAN = Plan("move", (
    Phase("first", {"use_real_business_metrics": True}, 3 * MINUTE, 20 * MINUTE, GATES, ramp=(25, 100)),
    Phase("second", {"use_real_system_metrics": True}, 3 * MINUTE, 20 * MINUTE,
          (Gate("live.system.errorRate", most=1),), approval=True, on_fail=OnFail.REVERT_ALL),
))


def rehearse(*faults: str, plan: Plan = PLAN, start: int = START, **more: object) -> Rehearsed:
    placed = [place(fault, plan) for fault in faults]
    return Rehearsal(plan, undisturbed, start=start, flags=FLAGS, faults=placed, **more).run()


def moves(found: Rehearsed, *without: str) -> list[str]:
    return [entry.move for entry in found.timeline if entry.move not in {"hold", "fault", *without}]


def test_without_a_fault_it_completes_and_says_what_it_took() -> None:
    found = rehearse()
    assert (found.ended, found.why) == (Ended.COMPLETED, "second passed. move is done.")
    assert moves(found) == ["begin", "step", "pass", "begin", "done"]
    assert 9 * MINUTE <= found.ended_at - START <= 11 * MINUTE
    decided = [entry for entry in found.timeline if entry.move in {"step", "pass"}]
    assert all(len(entry.verdicts) == len(GATES) for entry in decided)
    assert all(verdict.evidence.figure is not None for entry in decided for verdict in entry.verdicts)
    assert found.notes == ("second was approved by the rehearsal: in earnest somebody must.",)
    assert "second: approved by somebody." in found.wanted


COMPLETED, REVERTED, STUCK = Ended.COMPLETED, Ended.REVERTED, Ended.STUCK


@pytest.mark.parametrize(("fault", "ended", "why"), [
    ("bad-accuracy", REVERTED, "alerts.critical is 1"),
    ("missing-events", REVERTED, "ledger.missing is 10000"),
    ("slow-source", REVERTED, "quality.latency_p95 is 10000"),
    ("source-down", REVERTED, "quality.error_rate is 100"),
    ("source-down@second", REVERTED, "live.system.errorRate is unknown"),
    ("error-rate@second", REVERTED, "live.system.errorRate is 10"),
    ("flapping", REVERTED, "quality.error_rate is 50"),
    ("mock-leak", REVERTED, "the real source gives what the mock made up"),
    ("stale-data", REVERTED, "quality.quality is 50"),
    ("invalid-values", REVERTED, "alerts.critical is 1"),
    ("clock-wrong", REVERTED, "quality.clock_errors is"),
    ("no-traffic", REVERTED, "first has not passed within 20 min"),
    ("alert@+2min", REVERTED, "For example, a component: a critical alert opens"),
    ("storage-full", COMPLETED, "move is done"),
    ("hand-changed-flag", STUCK, "Paused: somebody else set use_real_business_metrics = false"),
    ("hand-rollback@second", REVERTED, "somebody rolled back"),
    ("pause", STUCK, "somebody paused it"),
    ("abort@+1min", REVERTED, "somebody aborted it"),
    ("clock-jump", COMPLETED, "move is done"),
    ("clock-back", COMPLETED, "move is done"),
    ("process-silent@second", STUCK, "Goes back; not known to have the flags yet: a silent process"),
    ("double-controller", COMPLETED, "move is done"),
    ("crash", COMPLETED, "move is done"),
    ("crash@second", COMPLETED, "move is done"),
    ("approval-missing", STUCK, "second waits: somebody must approve it"),
    ("freeze@+1min", COMPLETED, "move is done"),
])
def test_each_fault_has_its_end(fault: str, ended: Ended, why: str) -> None:
    found = rehearse(fault)
    assert found.ended is ended
    assert why in found.why
    assert any(entry.move == "fault" and entry.words.startswith(fault.partition("@")[0]) for entry in found.timeline)


def test_every_fault_is_in_the_table() -> None:
    table = test_each_fault_has_its_end.pytestmark[0].args[1]
    assert {row[0].partition("@")[0] for row in table} == FAULTS.keys()


@pytest.mark.parametrize("fault", ["clock-jump", "clock-back", "double-controller", "crash", "storage-full"])
def test_what_is_survived_takes_each_step_once(fault: str) -> None:
    assert moves(rehearse(fault), "trouble") == moves(rehearse())


def test_what_happens_is_told() -> None:
    assert any("Nobody watched for" in entry.words for entry in rehearse("clock-jump").timeline)
    assert any("The clock went back by" in entry.words for entry in rehearse("clock-back").timeline)
    full = [entry for entry in rehearse("storage-full").timeline if entry.move == "trouble"]
    assert "the disk is full" in full[0].words
    assert any("what it was about to store is not stored" in entry.words for entry in rehearse("crash").timeline)


def test_the_second_server_really_does_it_while_the_first_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    from crossfade.controller import Controller  # noqa: PLC0415

    did: list[str] = []
    tick = Controller.tick

    async def watched(self: Controller) -> object:
        made = await tick(self)
        if made is not None:
            did.append(self._holder)
        return made

    monkeypatch.setattr(Controller, "tick", watched)
    rehearse("double-controller")
    assert {"the first server", "the second server"} == set(did)


def test_a_freeze_is_waited_out() -> None:
    found = rehearse("freeze@+1min")
    waits = next(entry for entry in found.timeline if "a freeze" in entry.words)
    goes_on = next(entry for entry in found.timeline if entry.move == "step")
    assert waits.after < 30 * MINUTE
    assert goes_on.at == START + MINUTE + DAY


def test_a_plan_frozen_for_ever_is_stuck() -> None:
    frozen = Plan("never", PLAN.phases, (Freeze(),))
    found = rehearse(plan=frozen)
    assert found.ended is STUCK
    assert "nothing begins during a freeze" in found.why
    assert found.looks < 10


def test_what_no_gate_looks_at_is_said() -> None:
    plan = parse(DEFAULT)
    assert isinstance(plan, Plan)
    found = rehearse("slow-source", "approval-missing", "crash@+30d", plan=plan)
    assert found.ended is COMPLETED
    assert found.notes == (
        "slow-source went unnoticed: no gate that was in effect looks at what it changes.",
        "approval-missing changes nothing: no phase of the plan asks for approval.",
        "crash did not come about: the rollout ended before it got there.",
    )


def test_what_the_gates_let_pass_is_said() -> None:
    plan = Plan("p", (Phase("a", {"use_real_business_metrics": True}, MINUTE, HOUR,
                            (Gate("quality.error_rate", NAME, most=30),)),))
    assert rehearse("error-rate", plan=plan).notes == (
        "error-rate was measured, but the gates that look at it let it pass.",)


def test_the_same_is_told_twice() -> None:
    faults = ("crash", "flapping@second", "clock-jump@+2min", "double-controller@second")
    assert rehearse(*faults) == rehearse(*faults)


def test_a_soak_of_a_year_is_rehearsed_in_some_hundred_looks() -> None:
    plan = Plan("year", (Phase("a", {"use_real_business_metrics": True}, 365 * DAY - HOUR, 365 * DAY,
                               (Gate("quality.errors", NAME, most=0),)),))
    found = rehearse(plan=plan)
    assert found.ended is COMPLETED
    assert found.looks < 600
    assert found.ended_at - START >= 365 * DAY - HOUR
    assert not any("Nobody watched" in entry.words for entry in found.timeline)


def test_it_ends_where_what_is_known_ends_or_when_it_took_long_enough() -> None:
    found = rehearse(until=START + 2 * MINUTE)
    assert (found.ended, found.ended_at) == (Ended.UNFINISHED, START + 2 * MINUTE)
    assert "what is recorded ends here; until then: first holds" in found.why
    assert "takes no longer" in rehearse(enough=lambda: True).why


def test_it_begins_with_the_flags_as_they_are() -> None:
    plan = Plan("p", (Phase("a", {"use_real_business_metrics": True}, MINUTE, HOUR, (Gate("live.a.b", most=1),),
                            needs=("use_real_system_metrics",)),))
    assert "a waits: use_real_system_metrics must be on for every viewer" in rehearse(plan=plan).why
    flags = FLAGS | {"use_real_system_metrics": True}
    assert Rehearsal(plan, undisturbed, start=START, flags=flags).run().ended is COMPLETED


def test_what_cannot_be_measured_is_told_as_trouble() -> None:
    async def broken(_plan: Plan, _state: State, _now: int) -> Mapping[str, Fact]:
        raise StateError("the record cannot be read")

    found = Rehearsal(PLAN, broken, start=START, flags=FLAGS).run()
    assert found.ended is STUCK
    assert "the record cannot be read" in found.why


def test_its_folder_is_gone_afterwards_and_nothing_else_was_written(tmp_path: Path,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rehearse("crash", "double-controller")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    with pytest.raises((OSError, RolloutError)):
        rehearse()


GATE = st.sampled_from([*GATES, Gate("live.system.errorRate", most=1), Gate("quality.calls", NAME, least=30),
                        Gate("quality.error_rate", NAME, most=0, no_data=NoData.PASS),
                        Gate("quality.errors", NAME, most=0, window=MINUTE, no_data=NoData.FAIL)])


def phases(names: Sequence[str]) -> st.SearchStrategy[tuple[Phase, ...]]:
    sets = [{"use_real_business_metrics": True}, {"use_real_system_metrics": True}, {"fallback_on_error": False}]
    return st.tuples(*(st.builds(
        lambda soak, more, gates, steps, approval, on_fail, name=name, flags=flags: Phase(
            name, flags, soak, (soak + more) * len(steps or "1"), gates, steps, approval, on_fail),
        st.sampled_from([5 * SECOND, 5 * MINUTE, 2 * DAY]), st.sampled_from([SECOND, HOUR]),
        st.lists(GATE, min_size=1, max_size=3, unique_by=lambda gate: gate.name).map(tuple),
        st.sampled_from([(), (), (5, 100)]) if any(flag.startswith("use") for flag in flags) else st.just(()),
        st.booleans(), st.sampled_from(OnFail)) for name, flags in zip(names, sets, strict=True)))


PLANS = st.builds(Plan, st.just("any"), phases("abc"), st.sampled_from([(), (), (Freeze(start="10:00", end="11:30"),)]))
PLACES = st.sampled_from(["", "@a", "@b", "@c", "@+0s", "@+7min", "@+3h"])


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(PLANS, st.lists(st.builds("".join, st.tuples(st.sampled_from(sorted(FAULTS)), PLACES)), max_size=3))
def test_whatever_is_asked_it_ends_and_says_why(plan: Plan, faults: list[str]) -> None:
    found = rehearse(*faults, plan=plan)
    assert found.ended is not Ended.UNFINISHED
    assert found.why
    assert found.timeline
    assert all(entry.said and entry.until >= entry.after for entry in found.timeline)
    afters = [entry.after for entry in found.timeline]
    assert afters == sorted(afters)
    told = " ".join([*(entry.words for entry in found.timeline), *found.notes])
    assert all(fault.partition("@")[0] in told for fault in faults)
