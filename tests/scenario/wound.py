"""A real server in this process whose clock the test winds: real HTTP, events, stores and journal, and nobody waits.

Its own loops rest after their first turn; what they would do in ten seconds, a turn of the test does.
"""

import asyncio
import shutil
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec
import pytest

from crossfade import alerts, controller, loader, monitor, observer
from crossfade.app import App
from crossfade.cli.serve import Announcing, address, listen
from crossfade.core.clock import DAY, MINUTE, SECOND, ManualClock, iso
from crossfade.core.cpu import CpuTimes
from crossfade.core.rollout import Move
from crossfade.settings import Settings
from crossfade.sources import second
from crossfade.state.errors import StateError
from crossfade.state.rollouts import Rollout, Step
from crossfade.store.port import StoreError
from crossfade.web.server import Server

PATIENT = 20.0
NEVER = 86_400.0
ROUND, GAP = 15 * SECOND, 1_100_000
"""Between two rounds of the second reader; and from its first reading to its second."""
TICKS = 100
"""The machine's counters go by hundredths of a second."""
TRACKER = "0190a7c6-0000-7000-8000-000000000001"

Json = dict[str, object]
_T = TypeVar("_T")


def rest(patch: pytest.MonkeyPatch) -> None:
    """Servers made from now on do nothing by themselves but load events; their machine goes by their clock."""
    for module, name in ((controller, "TICK_S"), (monitor, "PERIOD_S"), (observer, "FLUSH_S"), (alerts, "EVERY_S")):
        patch.setattr(module, name, NEVER)
    patch.setattr(loader, "PERIOD", 0.005)
    look = second.MachineReader.look

    def wound(self: second.MachineReader) -> second.MachineLook:
        ticks = self._clock.now() * TICKS // SECOND
        return replace(look(self), boot_s=self._clock.now() / SECOND, total=2 * ticks, busy=ticks // 2)

    patch.setattr(second.MachineReader, "look", wound)


class Wound:
    """One server on a folder, and what a test does with it."""

    def __init__(self, folder: Path, now: int, **settings: object) -> None:
        self.folder = folder
        self.clock = ManualClock(now)
        chosen = Settings(data=folder, port=0, audit_cpu_share=0, probe_interval_s=NEVER,  # type: ignore[arg-type]
                          second_reader_interval_s=NEVER, alert_pending_s=0, **settings)
        self.bound = listen(chosen)
        self.app = App(chosen, self.clock, {})
        self.app._system._source._cpu._times = lambda: CpuTimes(2 * self._seconds(), self._seconds() / 2)
        self.sequence = 0
        self.ready = threading.Event()
        self.running = Announcing(Server(self.app), self._announce)
        self.thread = threading.Thread(target=self.running.run, kwargs={"sockets": [self.bound]}, daemon=True)
        self.thread.start()
        assert self.ready.wait(PATIENT), "the server does not start"
        self.http = httpx.Client(base_url=address(chosen, self.bound), trust_env=False, timeout=PATIENT,
                                 headers={"Authorization": f"Bearer {self.app.keys.admin_token}"})
        self.state = self.app.state

    def close(self) -> None:
        self.http.close()
        self.running.should_exit = True
        self.thread.join(PATIENT)
        assert not self.thread.is_alive(), "the server does not stop"

    # Time

    def turn(self, *, after: int = MINUTE) -> Rollout | None:
        """Winds the clock, with the second reader's rounds meanwhile, and has done what the server would have done."""
        return self.run(self._turn(after))

    def turns(self, times: int, *, after: int = MINUTE) -> Rollout | None:
        made = None
        for _ in range(times):
            made = self.turn(after=after)
        return made

    def until(self, move: Move, *, most: int = 200, after: int = MINUTE, each: Callable[[], object] | None = None,
              ) -> Step:
        """Turns until the rollout has made the move; the step in which it did."""
        seen = self.steps()[-1].id
        for _ in range(most):
            if each is not None:
                each()
            self.turn(after=after)
            new = self.steps(after=seen)
            for step in new:
                if step.move is move:
                    return step
            if self.rollout().state.status.over:
                break
        raise AssertionError(f"no {move}: {self.rollout().said}")

    async def _turn(self, after: int) -> Rollout | None:
        for _ in range(after // ROUND):
            self.clock.advance(ROUND - GAP)
            await self._round()
        self.clock.advance(after - after // ROUND * ROUND)
        await self.app.prober.probe_all()
        with suppress(StateError, StoreError):  # as it goes on when it runs by itself
            self.app.monitor.view = await asyncio.to_thread(self.app.monitor.look)
        with suppress(StateError):
            await asyncio.to_thread(self.app.alerts.consider, self.app.conditions())
        return await self.app.controller.tick()

    async def _round(self) -> None:
        with pytest.MonkeyPatch.context() as patch:  # its own loop sleeps on
            patch.setattr(self.app.second_reader, "_pause", self._wind)
            await self.app.second_reader.round()

    async def _wind(self, seconds: float) -> None:
        self.clock.advance(round(seconds * SECOND))

    def _seconds(self) -> float:
        return self.clock.now() / SECOND

    # Events

    def post(self, events: Sequence[Json], *, status: int = 200, **envelope: object) -> None:
        """To the server, and until they are in the store."""
        answer = self.http.post("/v1/batch", content=msgspec.json.encode({"batch": events, **envelope}),
                                auth=(self.app.keys.write_key, ""))
        assert answer.status_code == status, answer.text
        self.await_that(lambda: not self.app.journal.pending_events)

    def traffic(self, *, lost: int = 0, ahead: int = 0) -> None:
        """What an application's tracker sends in a moment; so many of its events are lost on the way, or its clock is
        ahead so far that none is taken.
        """
        self.sequence += lost
        names = ("auth_attempt", "auth_success", "file_processed", "duplicate_detected")
        made = [event(name, self.clock.now() + ahead, f"{self.sequence + place}", sequence=self.sequence + place)
                for place, name in enumerate(names, 1)]
        self.sequence += len(made)
        self.post(made, status=400 if ahead else 200, tracker={
            "id": TRACKER, "sequence": self.sequence, "delivered": 0, "rejected": {}, "dropped": {}})

    def audit(self) -> None:
        """The auditor does all that is to do now."""
        self.app.aggregator.heal()
        while self.app.auditor.step():
            pass

    def recount(self, *, repair: bool = False) -> None:
        """As `crossfade audit` asks for it: everything, once more."""
        asked = self.app.auditor.ask(0, repair=repair, who="ann")
        assert asked is not None
        self.await_that(lambda: (run := self.app.auditor.standing().run) is not None and run.ended_at is not None)

    def await_that(self, condition: Callable[[], bool]) -> None:
        pause = threading.Event()
        for _ in range(int(PATIENT / 0.002)):
            if condition():
                return
            pause.wait(0.002)
        raise AssertionError("it did not come true")

    # Over HTTP

    def live(self, viewer: str = "ann") -> Json:
        answer = self.http.get("/api/dashboard/live", params={"viewer": viewer})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def sources(self, viewer: str = "ann") -> dict[str, str]:
        """By component, what a viewer is shown, with its reason where that is not the flag."""
        told = self.live(viewer)["meta"]["sources"]  # type: ignore[index]
        for name, source in told.items():
            assert source["synthetic"] is (source["source"] == "mock"), name
        return {name: source["source"] if source["reason"] == "flag" else f"{source['source']} by {source['reason']}"
                for name, source in told.items()}

    def start(self, plan: str | None = None, at: str | None = None) -> Json:
        answer = self.http.post("/api/rollouts", json={"plan": plan, "at": at, "despite": "a drill on a busy machine"})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def tell(self, action: str, reason: str = "", *, status: int = 200) -> Json:
        answer = self.http.post("/api/rollouts/latest/commands", json={"action": action, "reason": reason})
        assert answer.status_code == status, answer.text
        return answer.json()

    def document(self) -> Json:
        return self.http.get("/api/rollouts/latest").json()

    def set_flags(self, **flags: bool | int) -> None:
        answer = self.http.patch("/api/flags", json=flags)
        assert answer.status_code == 200, answer.text

    def rollback(self, *components: str, status: int = 200) -> Json:
        asked = {"components": list(components)} if components else {}
        answer = self.http.post("/api/rollback", json={**asked, "reason": "by hand"})
        assert answer.status_code == status, answer.text
        return answer.json()

    # What is stored

    def rollout(self) -> Rollout:
        return self.state.rollouts.latest(1)[0]

    def steps(self, *, after: int = 0) -> tuple[Step, ...]:
        return self.state.rollouts.steps(self.rollout().id, after=after)

    @property
    def flags(self) -> Mapping[str, bool | int]:
        return self.state.refresh().values

    # Inside

    def run(self, work: Coroutine[object, object, _T]) -> _T:
        """On the server's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENT)

    def snapshot(self, folder: Path) -> Path:
        """The data folder as a power failure at this moment would leave it."""
        self.app.loader.between(lambda: shutil.copytree(self.folder, folder)).result(PATIENT)
        return folder

    def _announce(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.ready.set()


@contextmanager
def wound(folder: Path, now: int, **settings: object) -> Iterator[Wound]:
    made = Wound(folder, now, **settings)
    try:
        yield made
    finally:
        made.close()


def event(name: str, at: int, number: str, **more: object) -> Json:
    return {"event": name, "messageId": number, "timestamp": iso(at), "userId": f"user {hash(number) % 7}", **more}


def past(today: int, days: int) -> list[Json]:
    """A minute of an application's events a few minutes ago, and one on each of the days before."""
    names = ("auth_attempt", "auth_success", "file_processed", "file_processed", "duplicate_detected",
             "cleanup_executed")
    return [event(name, today - 10 * MINUTE - day * DAY + place * SECOND, f"{day}/{place}")
            for day in range(days + 1) for place, name in enumerate(names)]
