"""What a corked transport hands on, and when."""

import asyncio

import pytest

from crossfade.web.protocol import Corked


class Recorder(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.done: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def close(self) -> None:
        self.done.append("close")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def test_what_is_written_in_one_turn_leaves_in_one_write(recorder: Recorder) -> None:
    async def scene() -> None:
        corked = Corked(recorder, asyncio.get_running_loop())
        corked.write(b"head ")
        corked.write(b"body")
        assert recorder.done == []
        await asyncio.sleep(0)
        corked.write(b"next")
        await asyncio.sleep(0)

    asyncio.run(scene())
    assert recorder.done == [b"head body", b"next"]


def test_closing_loses_nothing_and_writes_nothing_twice(recorder: Recorder) -> None:
    async def scene() -> None:
        corked = Corked(recorder, asyncio.get_running_loop())
        corked.write(b"last words")
        corked.close()
        await asyncio.sleep(0)

    asyncio.run(scene())
    assert recorder.done == [b"last words", "close"]


def test_the_rest_is_the_transports(recorder: Recorder) -> None:
    loop = asyncio.new_event_loop()
    assert Corked(recorder, loop).get_extra_info("peername") == ("127.0.0.1", 1)
    loop.close()
