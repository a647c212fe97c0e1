"""The stream as it is written: one that does not read holds up nobody, and one that is gone is noticed."""

import asyncio
from collections.abc import MutableMapping

from crossfade.core.clock import SECOND, ManualClock
from crossfade.core.flag import Flags
from crossfade.core.flagevent import encode
from crossfade.followers import Followers
from crossfade.web.following import push

NOW = 1_790_000_000 * SECOND


class Client:
    """One end of a connection."""

    def __init__(self, followers: Followers, key: str) -> None:
        self.followers, self.key = followers, key
        self.reads = asyncio.Event()
        self.reads.set()
        self.gone = asyncio.Event()
        self.got: list[MutableMapping[str, object]] = []

    async def run(self) -> None:
        with self.followers.joined(self.key, self.key) as follower:
            await push(self.followers, follower, self.receive, self.send)

    async def receive(self) -> dict[str, object]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, object]) -> None:
        self.got.append(message)
        await self.reads.wait()

    @property
    def bodies(self) -> list[object]:
        return [message["body"] for message in self.got if message["type"] == "http.response.body"]


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def house() -> Followers:
    return Followers(lambda: Flags({}), Flags({"use_real_orders": True}, 1), ManualClock(NOW), heartbeat_s=3_600)


def test_one_that_never_reads_holds_up_nobody_and_costs_no_more_with_time() -> None:
    async def run() -> None:
        followers = house()
        slow, quick = Client(followers, "slow"), Client(followers, "quick")
        slow.reads.clear()
        tasks = [asyncio.create_task(client.run()) for client in (slow, quick)]
        await settle()
        for revision in range(2, 50):
            followers.publish(Flags({}, revision))
            await settle()
        assert len(quick.bodies) == 49
        assert len(slow.got) == 1
        slow.reads.set()
        await settle()
        assert slow.bodies == [b"id: 49\nevent: flags\ndata: " + encode(Flags({}, 49)) + b"\n\n"]
        followers.close()
        await asyncio.gather(*tasks)
        assert slow.got[-1] == {"type": "http.response.body", "body": b"", "more_body": False}

    asyncio.run(run())


def test_one_that_is_gone_is_lost() -> None:
    async def run() -> None:
        followers = house()
        client = Client(followers, "web")
        task = asyncio.create_task(client.run())
        await settle()
        assert followers.rows()[0].lost_at is None
        client.gone.set()
        await task
        assert followers.rows()[0].lost_at == NOW

    asyncio.run(run())
