"""The controller upon a real control database, whatever happens in whatever order.

Ticks of two servers, commands, flags set by hand, rollbacks, crashes before and after a step is stored, a database that
is locked, clocks that jump, processes that are silent. What must hold is checked after every one of them.
"""

import asyncio
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import event

from crossfade.controller import LEASE_LENGTH, Controller
from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND, ManualClock
from crossfade.core.decide import decide, overtaken
from crossfade.core.flag import ALL, Flags, FlagValue, default, retreat
from crossfade.core.freeze import Freeze
from crossfade.core.gate import Fact, Gate, When
from crossfade.core.plan import OnFail, Phase, Plan
from crossfade.core.rollout import Action, Command, Facts, Move, State, Status
from crossfade.state import State as Database
from crossfade.state import database as database_module
from crossfade.state.audit import AuditEntry
from crossfade.state.errors import StateError
from crossfade.state.rollouts import Rollout, RolloutError

BUSINESS, SYSTEM, FALLBACK = "use_real_business_metrics", "use_real_system_metrics", "fallback_on_error"
PERCENT, PERCENT_SYSTEM = "percent_business_metrics", "percent_system_metrics"
ERRORS = Gate("live.errors", most=1)
QUALITY = Gate("quality.quality", "businessMetrics", least=95, judged=When.AT_END)
GOOD = {ERRORS.name: Fact(0, 1), QUALITY.name: Fact(99, 1)}
BAD = GOOD | {ERRORS.name: Fact(2, 1, example="GET /orders")}
LOW = GOOD | {QUALITY.name: Fact(50, 1)}
NONE: dict[str, Fact] = {}

RAMPED = Phase("business", {BUSINESS: True}, 2 * MINUTE, 20 * MINUTE, (ERRORS, QUALITY), ramp=(5, 100))
ASKS = Phase("system", {SYSTEM: True}, MINUTE, 10 * MINUTE, (ERRORS,), approval=True)
LAST = Phase("no fallback", {FALLBACK: False}, MINUTE, 10 * MINUTE, (ERRORS,), on_fail=OnFail.REVERT_ALL,
             needs=(BUSINESS,))
PLANS = (
    Plan("all", (RAMPED, ASKS, LAST)),
    Plan("nights", (RAMPED, LAST), freeze=(Freeze(start="12:10", end="12:40"),)),
    Plan("asks", (ASKS, RAMPED)),
    Plan("last", (LAST,)),
)
WAITS = ("approve it", "set it, or abort", "freeze", "may not", "resumed it")
NOON = 20_700 * DAY + 12 * HOUR
SPANS = st.sampled_from([0, SECOND, 10 * SECOND, MINUTE, MINUTE, 5 * MINUTE])
JUMPS = st.sampled_from([-DAY, -HOUR, -20 * SECOND, LEASE_LENGTH, HOUR, DAY])
SILENT = st.sampled_from([(), ("web-2",), tuple(f"web-{number}" for number in range(9))])
FACTS = st.sampled_from([GOOD, GOOD, GOOD, GOOD, BAD, LOW, NONE])


class Crash(BaseException):
    """The process ends here."""


@cache
def empty() -> Path:
    """A control database with its flags, made once."""
    path = Path(tempfile.mkdtemp()) / "state.db"
    database = Database.open(path)
    database.seed_flags({name: default(name) for name in ALL}, at=NOON)
    database.close()
    return path


class Process:
    """A server: its own connections, its own flags in memory, its own controller."""

    def __init__(self, name: str, path: Path, clock: ManualClock, facts: Callable[[], Mapping[str, Fact]],
                 behind: Callable[[int], tuple[str, ...]]) -> None:
        self.name, self.facts = name, facts
        self.database = Database.open(path)
        event.listen(self.database._database._reader, "checkout", _hasty)
        self.behind = behind
        self.meanwhile: Callable[[], object] | None = None
        self.controller = Controller(self.database.rollouts, self.database.refresh, clock, measure=self.measure,
                                     holder=name, behind=self.looked, changed=lambda: None)

    async def measure(self, _plan: Plan, _state: State, _now: int) -> Mapping[str, Fact]:
        return self.facts()

    def looked(self, revision: int) -> tuple[str, ...]:
        """The last that is looked at before it is decided."""
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return self.behind(revision)


def _hasty(connection: sqlite3.Connection, *_: object) -> None:
    """No power fails here."""
    connection.execute("PRAGMA synchronous = OFF").close()


class Rollouts(RuleBasedStateMachine):
    """Two servers on one database."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(database_module, "BUSY_SECONDS", 0.01)
        self.folder = Path(tempfile.mkdtemp())
        self.path = Path(shutil.copy(empty(), self.folder / "state.db"))
        self.clock = ManualClock(NOON)
        self.facts: Mapping[str, Fact] = GOOD
        self.silent: tuple[str, ...] = ()
        self.processes = [self.process("one"), self.process("two")]
        self.lock = sqlite3.connect(self.path, isolation_level=None)
        self.locked = False
        self.back: set[str] = set()
        """Flags that were taken back, and that nobody has set since."""
        self.meddled: set[str] = set()
        """Of those, what somebody set while a rollout goes back: its next step sets them back once more."""
        self.ended = 0
        self.audit: tuple[AuditEntry, ...] = ()

    def process(self, name: str) -> Process:
        return Process(name, self.path, self.clock, lambda: self.facts, lambda _: self.silent)

    def teardown(self) -> None:
        try:
            self.comes_to_an_end()
        finally:
            self.lock.close()
            for process in self.processes:
                process.database.close()
            shutil.rmtree(self.folder)
            self.patch.undo()

    # What happens

    @initialize(plan=st.sampled_from(PLANS))
    def starts(self, plan: Plan) -> None:
        self.start(plan, 0)

    @rule(plan=st.sampled_from(PLANS), which=st.integers(0, 1))
    def start(self, plan: Plan, which: int) -> None:
        before = set(self.back)
        self.back -= {name for phase in plan.phases for name in phase.flags}
        try:
            asyncio.run(self.processes[which].controller.start(plan, who="ann"))
        except (RolloutError, StateError):
            self.back |= before

    @rule(plan=st.sampled_from(PLANS), flags=st.sets(st.sampled_from([BUSINESS, SYSTEM]), min_size=1))
    def rollback_while_it_starts(self, plan: Plan, flags: set[str]) -> None:
        self.processes[0].meanwhile = lambda: self.rollback(flags, 1)
        self.start(plan, 0)
        self.processes[0].meanwhile = None

    @rule(which=st.sampled_from([0, 0, 0, 1]), after=SPANS, facts=FACTS)
    def tick(self, which: int, after: int, facts: Mapping[str, Fact]) -> None:
        self.clock.advance(after)
        self.facts = facts
        process = self.processes[which]
        before = self.live()
        made = asyncio.run(process.controller.tick())
        assert self.locked or process.controller.trouble is None
        if made is not None and before is not None and before.state.status is Status.REVERTING:
            self.meddled.clear()
            flags = self.stored_flags()
            assert all(flags[name] == value for name, value in before.state.target.items())
        if made is not None and before is not None and facts is BAD and before.state.status is Status.SOAKING:
            self.was_taken_back(before, made)

    @rule(times=st.integers(1, 8), facts=FACTS)
    def ticks(self, times: int, facts: Mapping[str, Fact]) -> None:
        for _ in range(times):
            self.tick(0, MINUTE, facts)

    @rule(which=st.integers(0, 1), action=st.sampled_from(Action), facts=FACTS)
    def command(self, which: int, action: Action, facts: Mapping[str, Fact]) -> None:
        self.facts = facts
        self.tell(which, action)

    def tell(self, which: int, action: Action) -> bool:
        """Whether it was followed."""
        try:
            made = asyncio.run(self.processes[which].controller.command(Command(action, "bob", "why")))
        except (RolloutError, StateError):
            return False
        self.meddled.clear()
        if action is Action.ABORT:
            self.back |= {name for phase in made.plan.phases for name in phase.flags if name.startswith("use_real_")}
        return True

    @rule(which=st.integers(0, 1), action=st.sampled_from([Action.PAUSE, Action.ABORT]))
    def command_while_it_is_decided(self, which: int, action: Action) -> None:
        """Through the other server: it is not lost."""
        followed: list[bool] = []

        def meanwhile() -> None:
            thread = threading.Thread(target=lambda: followed.append(self.tell(1 - which, action)))
            thread.start()
            thread.join()

        self.processes[which].meanwhile = meanwhile
        self.tick(which, MINUTE, GOOD)
        self.processes[which].meanwhile = None
        if followed == [True]:
            state = self.processes[0].database.rollouts.latest(1)[0].state
            assert state.paused is not None or state.status in {Status.REVERTING, Status.REVERTED}

    @rule(flag=st.sampled_from([
        (BUSINESS, True), (BUSINESS, False), (SYSTEM, True), (FALLBACK, True), (PERCENT, 5), (PERCENT, 70)]),
          which=st.integers(0, 1))
    def sets(self, flag: tuple[str, FlagValue], which: int) -> None:
        self.by_hand(*flag, which)

    def by_hand(self, flag: str, value: FlagValue, which: int) -> None:
        try:
            self.processes[which].database.change_flags({flag: value}, who="eve", at=self.clock.now())
        except StateError:
            return
        live = self.live()
        if live is not None and live.state.status is Status.REVERTING and flag in live.state.target:
            self.meddled |= {flag} if value else set()
        else:
            self.back.discard(flag)

    @rule(flags=st.sets(st.sampled_from([BUSINESS, SYSTEM]), min_size=1), which=st.integers(0, 1))
    def rollback(self, flags: set[str], which: int) -> None:
        try:
            self.processes[which].database.rollouts.take_back(
                retreat(flags), who="eve", at=self.clock.now(), reason="smoke")
        except StateError:
            assert self.locked
            return
        self.back |= flags
        self.meddled -= flags
        assert not any(self.processes[which].database.flags()[flag] for flag in flags), "at once, in its own memory"
        live = self.live()
        assert live is None or flags.isdisjoint(name for phase in live.plan.phases for name in phase.flags)

    @rule(flags=st.sets(st.sampled_from([BUSINESS, SYSTEM]), min_size=1), which=st.integers(0, 1), facts=FACTS)
    def rollback_while_it_is_decided(self, flags: set[str], which: int, facts: Mapping[str, Fact]) -> None:
        self.processes[which].meanwhile = lambda: self.rollback(flags, 1 - which)
        self.tick(which, MINUTE, facts)
        self.processes[which].meanwhile = None

    @rule(flag=st.sampled_from([(BUSINESS, False), (PERCENT, 70)]), which=st.integers(0, 1))
    def by_hand_while_it_is_decided(self, flag: tuple[str, FlagValue], which: int) -> None:
        """What the rollout has set, and somebody sets otherwise in that moment, is not overwritten."""
        live = self.live()
        if live is None or self.locked or live.state.paused is not None or live.state.ours.get(flag[0]) in {
                None, flag[1]}:
            return
        self.processes[which].meanwhile = lambda: self.by_hand(*flag, 1 - which)
        self.tick(which, MINUTE, GOOD)
        decided = self.processes[which].meanwhile is None
        self.processes[which].meanwhile = None
        after = self.live()
        if decided and after is not None and after.state.status is Status.SOAKING:
            assert self.stored_flags()[flag[0]] == flag[1]
            assert after.state.paused is not None

    @rule(which=st.integers(0, 1), stored=st.booleans(), facts=FACTS, after=SPANS)
    def crash(self, which: int, stored: bool, facts: Mapping[str, Fact], after: int) -> None:
        """In the middle of a tick, before or after it is stored; a new process takes its place."""
        self.clock.advance(after)
        self.facts = facts
        process = self.processes[which]
        apply = process.database.rollouts.apply

        def crashing(*arguments: object, **named: object) -> None:
            if stored:
                apply(*arguments, **named)  # type: ignore[arg-type]
            raise Crash

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(process.database.rollouts, "apply", crashing)
            try:
                asyncio.run(process.controller.tick())
            except Crash:
                process.database.close()
                self.unlock()
                self.processes[which] = self.process(f"{process.name}'")

    @rule(what=st.sampled_from(["lock", "silence", "jump"]), span=JUMPS, names=SILENT)
    def world(self, what: str, span: int, names: tuple[str, ...]) -> None:
        match what:
            case "lock" if not self.locked:
                self.lock.execute("BEGIN IMMEDIATE")
                self.locked = True
            case "lock":
                self.unlock()
            case "silence":
                self.silent = names
            case _:
                self.clock.advance(span)

    def unlock(self) -> None:
        if self.locked:
            self.lock.execute("ROLLBACK")
            self.locked = False

    # What holds

    @invariant()
    def what_was_taken_back_stays(self) -> None:
        flags = self.stored_flags()
        if self.live() is None:
            self.back -= self.meddled
            self.meddled.clear()
        for rollout in self.over_since():
            if rollout.state.status is Status.REVERTED:
                self.back |= {name for name in rollout.state.target if name.startswith("use_real_")
                              and not flags[name]}
        assert not [name for name in self.back - self.meddled if flags[name]]

    @invariant()
    def every_change_has_its_row_and_no_row_is_lost(self) -> None:
        rows = tuple(reversed(self.processes[0].database.audit(100_000)))
        assert rows[:len(self.audit)] == self.audit
        self.audit = rows
        told: dict[str, str | None] = {}
        for row in rows:
            if row.action.startswith("flag."):
                assert row.old == told.get(row.subject)
                assert row.old != row.new
                told[row.subject] = row.new
        assert told == {name: str(value).lower() for name, value in self.stored_flags().items()}

    @invariant()
    def it_says_how_it_stands_and_who_must_do_what(self) -> None:
        live = self.live()
        if live is None:
            return
        told = " ".join(live.said)
        assert told.strip()
        state = live.state
        if state.paused is not None:
            assert "Resume it" in told or "paused it" in told
        elif state.status is Status.REVERTING and live.turn and "not known to have" in told:
            assert "A rollback ends it" in told
        elif state.status is Status.WAITING and live.turn and "refused" not in told:
            assert any(words in told for words in WAITS), told

    @invariant()
    def one_is_live_at_most(self) -> None:
        assert sum(not one.state.status.over for one in self.processes[0].database.rollouts.latest(1_000)) <= 1

    def comes_to_an_end(self) -> None:
        """In a sound world whoever does as he is told brings it to its end."""
        self.unlock()
        self.silent = ()
        for _ in range(300):
            live = self.live()
            if live is None:
                return
            told = " ".join(live.said)
            if live.state.paused is not None:
                self.command(0, Action.RESUME, GOOD)
            elif "approve it" in told:
                self.command(0, Action.APPROVE, GOOD)
            elif "set it, or abort" in told:
                self.processes[0].database.change_flags({BUSINESS: True, PERCENT: 100}, who="ann", at=self.clock.now())
            self.tick(0, MINUTE, GOOD)
        raise AssertionError(f"it never ends: {self.live()}")

    # Looking

    def was_taken_back(self, before: Rollout, made: Rollout) -> None:
        """A gate that counts throughout has failed at a tick that measured it."""
        if made.id == before.id and made.turn == before.turn + 1:
            assert made.state.status is Status.REVERTING
            flags = self.stored_flags()
            own = before.plan.phases[before.state.phase].flags
            assert not any(flags[name] for name in own if name.startswith("use_real_"))
            assert "live.errors is 2" in " ".join(made.said)
            assert "GET /orders" in self.steps(made.id)

    def steps(self, number: int) -> str:
        return str(self.processes[0].database.rollouts.steps(number)[-1])

    def live(self) -> Rollout | None:
        return self.processes[0].database.rollouts.live()

    def over_since(self) -> list[Rollout]:
        """Rollouts that ended since the last look."""
        found = [one for one in self.processes[0].database.rollouts.latest(1_000)
                 if one.state.status.over and one.id > self.ended]
        self.ended = max([self.ended, *(one.id for one in found)])
        return found

    def stored_flags(self) -> dict[str, FlagValue]:
        return {row.name: row.value for row in self.processes[0].database.flag_rows()}


class Decisions(RuleBasedStateMachine):
    """The decisions alone, with nothing beneath: more of them in the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.flags: dict[str, FlagValue] = {name: default(name) for name in ALL}
        self.plan: Plan = PLANS[0]
        self.state: State | None = None
        self.said: tuple[str, ...] = ("",)
        self.back: set[str] = set()

    @rule(plan=st.sampled_from(PLANS))
    def starts(self, plan: Plan) -> None:
        if self.state is None or self.state.status.over:
            self.plan, self.state = plan, State(self.now)
            self.back -= {name for phase in plan.phases for name in phase.flags}
            self.tick(0, GOOD, (), None, False)

    @rule(after=st.one_of(SPANS, JUMPS), facts=FACTS, silent=SILENT, action=st.sampled_from([None] * 5 + [*Action]),
          restarted=st.booleans())
    def tick(self, after: int, facts: Mapping[str, Fact], silent: tuple[str, ...], action: Action | None,
             restarted: bool) -> None:
        self.now += after
        if self.state is None:
            return
        was = self.state
        command = None if action is None else Command(action, "bob", "why")
        made = decide(self.plan, was, Facts(Flags(dict(self.flags)), facts, silent, 0 if restarted else None), self.now,
                      command)
        self.flags |= made.changes
        self.state, self.said = made.state, made.said
        assert made.state.soaked - was.soaked <= max(0, 0 if restarted else min(after, MINUTE))
        if facts is BAD and was.status is Status.SOAKING:
            assert made.state.status in {Status.REVERTING, Status.REVERTED}
        if made.move in {Move.REVERT, Move.REVERTED}:
            assert all(self.flags[name] == value for name, value in made.state.target.items())
            self.back |= {name for name in made.state.target if name.startswith("use_real_")}

    @rule(flag=st.sampled_from([BUSINESS, SYSTEM, FALLBACK]), value=st.booleans())
    def by_hand(self, flag: str, value: bool) -> None:
        self.flags[flag] = value
        self.back.discard(flag)

    @rule(flags=st.sets(st.sampled_from([BUSINESS, SYSTEM]), min_size=1))
    def rollback(self, flags: set[str]) -> None:
        self.flags |= retreat(flags)
        self.back |= flags
        if self.state is not None:
            ended = overtaken(self.plan, self.state, retreat(flags).keys(), "eve rolled back", self.now)
            self.state = self.state if ended is None else ended

    @invariant()
    def what_was_taken_back_stays(self) -> None:
        assert not [name for name in self.back if self.flags[name]]

    @invariant()
    def it_says_how_it_stands(self) -> None:
        assert all(sentence.strip() for sentence in self.said) or self.state is None
        if self.state is not None and self.state.paused is not None:
            assert "Resume it" in " ".join(self.said) or "paused it" in " ".join(self.said)


Rollouts.TestCase.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
test_whatever_happens_to_a_rollout = Rollouts.TestCase
Decisions.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
test_whatever_is_decided = Decisions.TestCase
