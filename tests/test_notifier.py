"""The outbox is delivered: each target for itself, with patience, and to an end."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import structlog

from crossfade.core.alert import AlertKey, Condition, Pace, Severity
from crossfade.core.backoff import Backoff
from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND, ManualClock
from crossfade.core.notice import Message
from crossfade.courier import Courier
from crossfade.notifier import LEASE, TRIES, Notifier
from crossfade.state import Delivery, State, StateError

from .scenario.receivers import Hook, MailServer

LONGEST = Backoff(first=10, longest=HOUR / SECOND, draw=lambda _, most: most)


class Sends:
    """What the notifier sends, and what is answered: an error by address, or a wait for a gate."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.errors: dict[str, str] = {}
        self.gates: dict[str, asyncio.Event] = {}

    async def __call__(self, url: str, message: Message) -> str | None:
        if url in self.gates:
            await self.gates[url].wait()
        self.sent.append((url, message.title))
        return self.errors.get(url)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with closing(State.open(tmp_path / "state.db")) as opened:
        yield opened


def condition(component: str) -> Condition:
    return Condition(AlertKey(component, "errors"), Severity.WARNING, "down", "it is down")


def alert(state: State, clock: ManualClock, *components: str, targets: tuple[str, ...] = ("a", "b")) -> None:
    state.step_alerts(map(condition, components), at=clock.now(), pace=Pace(pending=0, hold=0), targets=targets)


def delivered(state: State, target: str, component: str = "c") -> Delivery:
    return [found for found in state.deliveries([component], since=0) if found.target == target][-1]


def notifier(state: State, clock: ManualClock, sends: Sends, *, cap: int = 50) -> Notifier:
    return Notifier(state, {"a": "url a", "b": "url b"}, sends, clock, cap=cap, backoff=LONGEST)


async def drain(given: Notifier, target: str) -> int:
    count = 0
    while await given.deliver_next(target):
        count += 1
    return count


def test_each_target_gets_each_message_once(state: State) -> None:
    clock, sends = ManualClock(5 * DAY), Sends()
    alert(state, clock, "c", "d")
    given = notifier(state, clock, sends)
    assert asyncio.run(drain(given, "a")) == 2
    assert asyncio.run(drain(given, "a")) == 0
    assert sends.sent == [("url a", "[warning] c: down"), ("url a", "[warning] d: down")]
    assert (delivered(state, "a").status, delivered(state, "b").status) == ("delivered", "waiting")


def test_what_fails_is_tried_again_ever_later_and_arrives(state: State) -> None:
    clock, sends = ManualClock(5 * DAY), Sends()
    alert(state, clock, "c")
    sends.errors["url a"] = "the connection was refused"
    given = notifier(state, clock, sends)
    pauses = []
    for _ in range(4):
        assert asyncio.run(drain(given, "a")) == 1
        waiting = delivered(state, "a")
        assert (waiting.status, waiting.last_error) == ("waiting", "the connection was refused")
        pauses.append((waiting.next_try - clock.now()) // SECOND)
        clock.advance(waiting.next_try - clock.now())
    assert pauses == [10, 20, 40, 80]
    sends.errors.clear()
    assert asyncio.run(drain(given, "a")) == 1
    done = delivered(state, "a")
    assert (done.status, done.attempts, done.last_error) == ("delivered", 5, None)


def test_what_never_arrives_is_given_up_and_shown(state: State) -> None:
    clock, sends = ManualClock(5 * DAY), Sends()
    alert(state, clock, "c")
    sends.errors["url a"] = "the connection was refused"
    given = notifier(state, clock, sends)
    began = clock.now()
    while delivered(state, "a").status == "waiting":
        asyncio.run(drain(given, "a"))
        clock.advance(max(0, delivered(state, "a").next_try - clock.now()))
    failed = delivered(state, "a")
    assert (failed.status, failed.attempts, failed.last_error) == ("failed", TRIES, "the connection was refused")
    assert len(sends.sent) == TRIES
    assert HOUR < failed.done_at - began < 5 * HOUR


def test_a_late_message_says_so(state: State) -> None:
    clock = ManualClock(5 * DAY)
    bodies: list[str] = []

    async def send(_url: str, message: Message) -> None:
        bodies.append(message.body)

    alert(state, clock, "c", targets=("a",))
    clock.advance(119 * SECOND)
    alert(state, clock, "c", "d", targets=("a",))
    clock.advance(90 * MINUTE)
    asyncio.run(drain(Notifier(state, {"a": "x"}, send, clock), "a"))
    assert [body.splitlines()[-1] for body in bodies] == ["Delivered 91 minutes late.", "Delivered 90 minutes late."]


def test_beyond_its_cap_a_target_gets_nothing(state: State) -> None:
    clock, sends = ManualClock(5 * DAY), Sends()
    alert(state, clock, "c", "d", "e")
    assert asyncio.run(drain(notifier(state, clock, sends, cap=2), "a")) == 2
    assert delivered(state, "a", "e").status == "withheld"


def test_a_crash_while_sending_sends_again(state: State) -> None:
    clock, sends = ManualClock(5 * DAY), Sends()
    alert(state, clock, "c")

    class Crash(BaseException):
        """The end of the process."""

    async def crash(_url: str, _message: Message) -> None:
        raise Crash

    with pytest.raises(Crash):
        asyncio.run(Notifier(state, {"a": "url a"}, crash, clock).deliver_next("a"))
    given = notifier(state, clock, sends)
    assert asyncio.run(drain(given, "a")) == 0, "the other may still be sending"
    clock.advance(LEASE)
    assert asyncio.run(drain(given, "a")) == 1


def running(given: Notifier, during) -> None:
    """What happens while the notifier runs; then it is stopped in order."""
    async def run() -> None:
        task = asyncio.create_task(given.run())
        try:
            async with asyncio.timeout(20):
                await during()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    asyncio.run(run())


async def until(condition) -> None:
    while not condition():  # noqa: ASYNC110 - it looks at what is not asynchronous
        await asyncio.sleep(0.01)


def test_a_slow_target_delays_no_other_and_the_outbox_is_looked_at_when_it_is_told_to(state: State) -> None:
    clock, sends = ManualClock(5 * DAY), Sends()

    async def during() -> None:
        sends.gates["url a"] = asyncio.Event()
        alert(state, clock, "c")
        given.wake()
        await until(lambda: sends.sent == [("url b", "[warning] c: down")])
        alert(state, clock, "c", "d")
        given.wake()
        await until(lambda: sends.sent[1:] == [("url b", "[warning] d: down")])
        sends.gates["url a"].set()
        await until(lambda: len(sends.sent) == 4)

    given = notifier(state, clock, sends)
    running(given, during)


def test_what_waits_from_before_is_delivered_at_the_start(state: State) -> None:
    clock, sends = ManualClock(5 * DAY), Sends()
    alert(state, clock, "c", targets=("a", "b", "gone"))
    running(notifier(state, clock, sends), lambda: until(lambda: len(sends.sent) == 2))
    assert (delivered(state, "a").status, delivered(state, "gone").status) == ("delivered", "failed")


def test_an_orderly_stop_lets_what_is_under_way_finish_so_that_nothing_is_sent_twice(state: State) -> None:
    clock, sends = ManualClock(5 * DAY), Sends()
    started = asyncio.Event()

    async def slow(url: str, message: Message) -> str | None:
        started.set()
        await asyncio.sleep(0.2)
        return await sends(url, message)

    alert(state, clock, "c", targets=("a",))
    running(Notifier(state, {"a": "url a"}, slow, clock), started.wait)
    assert len(sends.sent) == 1
    assert delivered(state, "a").status == "delivered"


def test_a_stop_does_not_wait_for_a_target_that_hangs(state: State) -> None:
    clock, started = ManualClock(5 * DAY), asyncio.Event()

    async def hang(_url: str, _message: Message) -> None:
        started.set()
        await asyncio.Event().wait()

    alert(state, clock, "c", targets=("a",))
    running(Notifier(state, {"a": "url a"}, hang, clock, grace_s=0.05), started.wait)
    assert delivered(state, "a").status == "waiting"


def test_a_state_that_fails_is_logged_and_no_end(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, sends = ManualClock(5 * DAY), Sends()
    given, take, failed = notifier(state, clock, sends), state.take_delivery, set()

    def fail_once(target: str, **options: int) -> Delivery | None:
        if target not in failed:
            failed.add(target)
            raise StateError("locked")
        return take(target, **options)

    async def during() -> None:
        await until(lambda: len(logs) == 2)
        given.wake()
        await until(lambda: len(sends.sent) == 2)

    alert(state, clock, "c")
    monkeypatch.setattr(state, "take_delivery", fail_once)
    with structlog.testing.capture_logs() as logs:
        running(given, during)
    assert [entry["log_level"] for entry in logs] == ["error", "error", "info", "info"]


def test_without_targets_there_is_nothing_to_do(state: State) -> None:
    running(Notifier(state, {}, Sends(), ManualClock()), lambda: asyncio.sleep(0))


def test_real_receivers_get_what_they_missed_when_they_are_back(state: State) -> None:
    """A hook that is away and a mail server that is there: the mail comes at once, the call when the hook is back."""
    clock, hook = ManualClock(5 * DAY), Hook()
    with hook.serving():
        pass
    with MailServer() as mail, structlog.testing.capture_logs() as logs:
        targets = {"a": hook.url("hunter2"), "b": mail.url()}
        given = Notifier(state, targets, Courier().send, clock, backoff=LONGEST)
        alert(state, clock, "c")
        asyncio.run(drain(given, "b"))
        asyncio.run(drain(given, "a"))
        assert [message["subject"] for message in mail.mails] == ["[warning] c: down"]
        assert delivered(state, "a").last_error == "the connection was refused"
        with hook.serving():
            clock.advance(10 * SECOND)
            assert asyncio.run(given.test("a")) is None
            asyncio.run(drain(given, "a"))
        assert hook.titles == ["[test] Crossfade", "[warning] c: down"]
        assert (delivered(state, "a").status, delivered(state, "a").attempts) == ("delivered", 2)
    assert [entry["event"] for entry in logs] == [
        "notifier: delivered", "notifier: not delivered", "notifier: delivered"]
    assert "hunter2" not in str(logs)
    assert "hunter2" not in str(state.deliveries(["c"], since=0))
