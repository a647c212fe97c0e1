"""An application that follows the flags: by a follower, a tracker or as a library. It tells what it has when asked.

Each line on standard input is a question, answered by one of JSON. At the end of the input it ends as it should.
"""

import asyncio
import json
import sys

from msgspec import Struct

from crossfade.core.flag import Flags
from crossfade.fade import Crossfade
from crossfade.tracking import Backoff, FlagFollower, Tracker

QUICK = Backoff(0.05, 0.2)


class Figure(Struct, frozen=True):
    value: int


def say(flags: Flags, **more: object) -> None:
    print(json.dumps({"revision": flags.revision, "system": flags["use_real_system_metrics"], **more}), flush=True)


def follower(url: str, key: str, keep: str) -> None:
    with_flags = FlagFollower(url, key, name="app", keep=keep or None, backoff=QUICK)
    with_flags.wait(0.5 if keep else 20)
    for _ in sys.stdin:
        say(with_flags.flags, connected=with_flags.connected)
    with_flags.close()


def tracker(url: str, key: str, spool: str) -> None:
    with Tracker(url, key, spool=spool, flags=True) as tracked:
        for _ in sys.stdin:
            say(tracked.flags)


def library(url: str, key: str, keep: str) -> None:
    fade = Crossfade(follow=url, key=key, keep=keep, max_age=0)
    sources = type("Sources", (), {"mock": staticmethod(lambda: Figure(1)), "real": staticmethod(lambda: Figure(2))})
    fade.component("systemMetrics", model=Figure)(sources)

    async def run() -> None:
        while await asyncio.to_thread(sys.stdin.readline):
            say(fade.flags, source=(await fade.read("systemMetrics")).provenance.source.value)
        await fade.close()

    asyncio.run(run())


if __name__ == "__main__":
    {"follower": follower, "tracker": tracker, "library": library}[sys.argv[1]](*sys.argv[2:])
