"""A worker's thread."""

import threading
import time

import pytest
from structlog.testing import capture_logs

from crossfade.worker import Worker

PATIENT = 20.0
"""Seconds that a busy machine may take for what takes milliseconds."""


class Step:
    """Counts its turns; each takes until it may go on."""

    def __init__(self) -> None:
        self.turns = 0
        self.go_on = threading.Semaphore(0)

    def __call__(self) -> None:
        self.turns += 1
        assert self.go_on.acquire(timeout=PATIENT)


@pytest.fixture
def step():
    return Step()


@pytest.fixture
def worker(step):
    made = Worker("worker", step)
    made.start()
    yield made
    step.go_on.release(100)
    made.close()


def until(true) -> None:
    deadline = time.monotonic() + PATIENT
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_it_does_nothing_before_it_is_woken(worker, step):
    assert step.turns == 0
    worker.wake()
    until(lambda: step.turns == 1)


def test_who_wakes_it_does_not_wait_and_it_has_one_more_turn_for_all_who_did_meanwhile(worker, step):
    worker.wake()
    until(lambda: step.turns == 1)
    for _ in range(3):
        worker.wake()
    step.go_on.release(2)
    until(lambda: step.turns == 2)
    after = []
    worker.steps.append(lambda: after.append(step.turns))
    worker.wake()
    step.go_on.release()
    until(lambda: after == [3])


def test_a_step_that_fails_is_told_and_keeps_no_other_from_its_turn():
    seen = []

    def wrong() -> None:
        seen.append("wrong")
        raise RuntimeError("no")

    worker = Worker("packer", wrong, lambda: seen.append("right"))
    with capture_logs() as told:
        worker.start()
        worker.wake()
        until(lambda: seen == ["wrong", "right"])
        worker.wake()
        until(lambda: seen == ["wrong", "right"] * 2)
        worker.close()
    assert [(entry["event"], entry["worker"]) for entry in told] == [("worker: a step failed", "packer")] * 2


def test_it_ends_after_the_step_that_is_being_taken(worker, step):
    after = []
    worker.steps.append(lambda: after.append(1))
    worker.wake()
    until(lambda: step.turns == 1)
    closing = threading.Thread(target=worker.close)
    closing.start()
    until(worker.ended)
    assert closing.is_alive()
    step.go_on.release()
    closing.join(PATIENT)
    assert not closing.is_alive()
    assert not after


def test_one_that_was_never_started_can_be_closed():
    worker = Worker("worker", lambda: None)
    worker.wake()
    worker.close()
    assert worker.ended()
