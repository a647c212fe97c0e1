"""Who reads: clients of the server, in a process of their own, which tell how long each answer took.

One client asks again and again; of several each asks once a second, as a page does, over a connection of its own, and
its wait counts from when it was due, if the answer before came later than that. What is asked in the first second warms
up, and is not counted.
"""

import asyncio
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass

EVERY_S = WARM_UP_S = 1.0
MOST_WARM_UP = 0.5
"""Of the time, at the most."""
QUANTILES = {"p50": 49, "p95": 94, "p99": 98}


@dataclass(frozen=True)
class Asked:
    """What the clients are told."""

    port: int
    seconds: float
    clients: int = 1
    section: str = "all"


def ask(asked: Asked) -> list[float]:
    """Seconds, an answer each."""
    done = subprocess.run([sys.executable, __file__, json.dumps(astuple(asked))], capture_output=True, text=True,
                          check=True)
    found: list[float] = json.loads(done.stdout)
    assert len(found) > 1, "too few answers"
    return found


def quantile(seconds: Sequence[float], name: str) -> float:
    """Milliseconds."""
    return statistics.quantiles(seconds, n=100)[QUANTILES[name]] * 1e3


async def _ask(asked: Asked) -> list[float]:
    took: list[float] = []
    request = (f"GET /api/dashboard/live?section={asked.section} HTTP/1.1\r\n"
               f"Host: 127.0.0.1:{asked.port}\r\n\r\n").encode()
    counted = time.perf_counter() + min(WARM_UP_S, MOST_WARM_UP * asked.seconds)
    end = counted + asked.seconds

    async def client(late: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", asked.port, limit=1 << 22)
        began = time.perf_counter() + late
        while began < end:
            if (ahead := began - time.perf_counter()) > 0:
                await asyncio.sleep(ahead)
                began = time.perf_counter()  # that a client wakes up a millisecond late is no wait for the server
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert b" 200 " in head[:20], head
            await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
            now = time.perf_counter()
            if began >= counted:
                took.append(now - began)
            began = began + EVERY_S if asked.clients > 1 else now
        writer.close()

    draw = random.Random(asked.clients)  # noqa: S311  no secret
    await asyncio.gather(*(client(draw.random() * EVERY_S if asked.clients > 1 else 0.0)
                           for _ in range(asked.clients)))
    return took


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_ask(Asked(*json.loads(sys.argv[1]))))))
