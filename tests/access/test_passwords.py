"""Passwords: what matches, what does not, and how many at a time."""

import asyncio
import time

import pytest
from argon2 import extract_parameters
from argon2.low_level import Type

from crossfade.access import Busy, Passwords, passwords


def run(work):
    return asyncio.run(work)


def test_a_password_matches_its_hash_alone() -> None:
    async def steps() -> None:
        ours = Passwords()
        kept = await ours.hash("correct horse")
        assert kept != await ours.hash("correct horse")
        found = extract_parameters(kept)
        assert (found.type, found.memory_cost >= 65_536, found.time_cost >= 3) == (Type.ID, True, True)
        assert await ours.matches(kept, "correct horse")
        assert not await ours.matches(kept, "Correct horse")
        assert not await ours.matches(kept, "")
        assert not await ours.matches(kept, "x" * 100_000)
        assert not await ours.matches(kept, "\ud800")
        assert not await ours.matches("no hash", "correct horse")

    run(steps())


@pytest.mark.parametrize("password", ["", "anything at all", "x" * 2_000])
def test_without_a_password_none_matches_and_it_takes_as_long(password: str) -> None:
    async def steps() -> None:
        ours = Passwords()
        assert not await ours.matches(None, password)
        kept = await ours.hash("correct horse")
        began = time.process_time()
        await ours.matches(kept, "another")
        known, began = time.process_time() - began, time.process_time()
        assert not await ours.matches(None, password)
        assert time.process_time() - began > known / 4  # an answer at once would be a hundredth of it

    run(steps())


def test_few_are_compared_at_a_time_and_more_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = most = 0

    def slow(_: str | None, __: str) -> bool:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.01)
        at_once -= 1
        return True

    monkeypatch.setattr(passwords, "_matches", slow)

    async def steps() -> None:
        ours = Passwords(at_once=2, waiting=5)
        found = await asyncio.gather(*(ours.matches(None, "") for _ in range(20)), return_exceptions=True)
        assert [type(one) for one in found] == [bool] * 7 + [Busy] * 13
        assert await ours.matches(None, "")  # there is room again

    run(steps())
    assert most == 2
