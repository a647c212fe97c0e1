"""The memory of the whole server process, held to what its settings allow, under all that two clients can bring.

Two processes bring events as fast as the server takes them, and a hundred clients read the dashboard, for 30 seconds
(in a full run for ten minutes). The peak is the kernel's own high-water mark of resident memory, start included.
"""

from collections.abc import Iterator

import filled
from arrive import arriving
from ask import Asked, ask, quantile
from row import Row, Size
from served import served

LIMITS_MB = (1_000, 512)
"""The setting as it is shipped, and half of it."""
CLIENTS = 100
NOTE = ("One long round, on the largest store of the reads. The peak is of the whole process, by the kernel. A server "
        "that has no room answers 503 for a while, and the client sends again.")


def rows(size: Size) -> Iterator[Row]:
    stored = max(size.stored)
    for limit in LIMITS_MB:
        with filled.copied(size, stored) as data, served(data, memory_limit=f"{limit}MB") as server:
            with arriving(server) as first, arriving(server) as second:
                late = quantile(ask(Asked(server.port, size.soak_s, CLIENTS)), "p95")
            peak = server.peak_mb()
        what = f"memory_limit = {limit} MB, {size.soak_s:g} s at full load"
        yield Row(f"{what}: peak resident memory", "MB", [peak], goal=limit, note=NOTE)
        yield Row(f"{what}: events acknowledged", "events/s", [first.rate + second.rate], lower=False, note=NOTE)
        yield Row(f"{what}: live dashboard, {CLIENTS} clients: p95", "ms", [late], note=NOTE)
