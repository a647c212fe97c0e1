"""The stream: one computation at a time, for any number of listeners."""

import asyncio
import contextlib

from crossfade.web.stream import HEARTBEAT, LEAST_S, Stream, framed


class Compute:
    """Counts; waits for its gate when it has one."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: BaseException | None = None
        self.gate: asyncio.Event | None = None

    async def __call__(self, _: str | None) -> bytes:
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return str(self.calls).encode()


async def take(stream, count):
    async with contextlib.aclosing(stream.listen()) as results:
        return [await anext(results) for _ in range(count)]


def test_all_listeners_share_one_computation():
    async def run():
        compute = Compute()
        stream = Stream(compute, 0.001)
        compute.gate = asyncio.Event()
        listeners = [asyncio.create_task(take(stream, 3)) for _ in range(100)]
        await asyncio.sleep(0.01)
        assert compute.calls == 1
        compute.gate.set()
        found = await asyncio.gather(*listeners)
        assert all(results[0] == b"1" for results in found)
        assert all(sorted(set(results), key=int) == results for results in found)  # in order, none twice
    asyncio.run(run())


def test_nothing_is_computed_when_nobody_listens():
    async def run():
        compute = Compute()
        stream = Stream(compute, 0)
        await asyncio.sleep(0.01)
        assert compute.calls == 0
        await take(stream, 2)
        await asyncio.sleep(0)
        calls = compute.calls
        await asyncio.sleep(0.01)
        assert compute.calls == calls
    asyncio.run(run())


def test_who_comes_later_gets_nothing_old():
    async def run():
        stream = Stream(Compute(), 0)
        last = int((await take(stream, 3))[-1])
        assert int((await take(stream, 1))[0]) > last
    asyncio.run(run())


def test_a_slow_listener_misses_what_lies_between_and_not_the_last():
    async def run():
        compute = Compute()
        stream = Stream(compute, 0.001)
        async with contextlib.aclosing(stream.listen()) as slow:
            first = await anext(slow)
            await take(stream, 5)
            latest = int(await anext(slow))
            assert int(first) == 1
            assert latest >= 5
    asyncio.run(run())


def test_a_computation_that_fails_is_followed_by_the_next():
    async def run():
        for error in (RuntimeError("defect"), asyncio.CancelledError()):
            compute = Compute()
            compute.error = error
            assert await take(Stream(compute, 0), 1) == [b"2"]
    asyncio.run(run())


def test_a_listener_that_is_cancelled_leaves_the_others():
    async def run():
        compute = Compute()
        stream = Stream(compute, 0.001)
        compute.gate = asyncio.Event()
        gone, stays = (asyncio.create_task(take(stream, 1)) for _ in range(2))
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        compute.gate.set()
        assert await stays == [b"1"]
        assert await take(stream, 1)  # and it starts again
    asyncio.run(run())


def test_the_last_listener_stops_a_computation_that_is_under_way():
    async def run():
        compute = Compute()
        stream = Stream(compute, 0)
        compute.gate = asyncio.Event()
        only = asyncio.create_task(take(stream, 1))
        await asyncio.sleep(0.01)
        only.cancel()
        await asyncio.gather(only, return_exceptions=True)
        await asyncio.sleep(0)
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "stream"]
    asyncio.run(run())


def test_closing_ends_every_listeners_stream():
    async def run():
        compute = Compute()
        stream = Stream(compute, 0.001)
        compute.gate = asyncio.Event()

        async def all_results():
            return [result async for result in stream.listen()]

        listeners = [asyncio.create_task(all_results()) for _ in range(3)]
        await asyncio.sleep(0.01)
        await stream.close()
        assert await asyncio.gather(*listeners) == [[], [], []]
        assert await all_results() == []  # nor does a new one begin
    asyncio.run(run())


def test_each_variant_is_computed_once_and_each_viewer_gets_his():
    async def run():
        asked: list[str | None] = []

        async def compute(viewer: str | None) -> bytes:
            asked.append(viewer)
            return b"real" if variant(viewer) else b"mock"

        def variant(viewer: str | None) -> bool:
            return viewer is not None and int(viewer) < limit[0]

        limit = [3]
        stream = Stream(compute, 0.001, variant)

        async def first(viewer: str) -> bytes:
            async with contextlib.aclosing(stream.listen(viewer)) as results:
                return await anext(results)

        viewers = [str(number) for number in range(10)]
        assert await asyncio.gather(*map(first, viewers)) == [b"real"] * 3 + [b"mock"] * 7
        assert len(asked) == 2
        limit[0] = 10
        assert set(await asyncio.gather(*map(first, viewers))) == {b"real"}
        assert len(asked) == 3
    asyncio.run(run())


def test_who_comes_back_gets_what_it_missed_at_once():
    async def run():
        stream = Stream(Compute(), 0.001, frame=lambda number, document: b"%d:%b" % (number, document))
        async with contextlib.aclosing(stream.listen("ada")) as first:
            assert await anext(first) == b"1:1"
            compute_gate = stream._compute.gate = asyncio.Event()
            await asyncio.sleep(0.01)
            async with contextlib.aclosing(stream.listen("ada", after=0)) as again:
                assert await anext(again) == b"1:1"
            waits = asyncio.create_task(take_after(stream, 1))  # has it already
            await asyncio.sleep(0.01)
            assert not waits.done()
            compute_gate.set()
            assert await waits != b"1:1"
        async with contextlib.aclosing(stream.listen("ada", after=0)) as later:  # nobody listened meanwhile
            assert await anext(later) != b"1:1"
    asyncio.run(run())


async def take_after(stream, number):
    async with contextlib.aclosing(stream.listen("ada", after=number)) as results:
        return await anext(results)


def test_silence_is_broken_by_a_heartbeat():
    async def run():
        compute = Compute()
        compute.gate = asyncio.Event()
        stream = Stream(compute, 0.001, heartbeat=0.01)
        async with contextlib.aclosing(stream.listen()) as results:
            assert [await anext(results) for _ in range(3)] == [HEARTBEAT] * 3
            compute.gate.set()
            while (found := await anext(results)) == HEARTBEAT:
                pass
            assert found == b"1"
    asyncio.run(run())


def test_a_variant_is_framed_once_for_all_its_viewers():
    async def run():
        frames: list[int] = []

        def frame(number: int, document: bytes) -> bytes:
            frames.append(number)
            return framed(number, document)

        compute = Compute()
        compute.gate = asyncio.Event()
        stream = Stream(compute, 60, frame=frame)
        listeners = [asyncio.create_task(take(stream, 1)) for _ in range(50)]
        await asyncio.sleep(0.01)
        compute.gate.set()
        found = await asyncio.gather(*listeners)
        assert {id(result) for (result,) in found} == {id(found[0][0])}
        assert found[0] == [b"id: 1\nevent: live\ndata: 1\n\n"]
        assert frames == [1]
    asyncio.run(run())


def test_news_are_computed_at_once_and_never_twice_in_a_moment():
    async def run():
        renewed: list[int] = []
        compute = Compute()
        stream = Stream(compute, 60, renew=lambda: renewed.append(compute.calls))
        stream.hurry()  # nobody listens
        async with contextlib.aclosing(stream.listen()) as results:
            assert await anext(results) == b"1"
            started = asyncio.get_running_loop().time()
            for _ in range(5):
                await asyncio.to_thread(stream.hurry)
            assert await anext(results) == b"2"
            assert LEAST_S - 0.05 <= asyncio.get_running_loop().time() - started < 30
            assert renewed == [1]
        await stream.close()
        stream.hurry()
    asyncio.run(run())
