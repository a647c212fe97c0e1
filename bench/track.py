"""What one track() call costs, beside the clients that applications use today, in one run.

    python bench/track.py --peers PATH/TO/PYTHON [--calls 100000] [--rounds 3]

The peers' Python needs segment-analytics-python, rudder-sdk-python and posthog. They run in memory with their sending
off; ours writes every event to its spool, while its thread tries in vain to reach a server. Each runs in a process
of its own, in turns, so that a busy moment of the machine hits all alike; the best round's median counts, with its
99th percentile. The events have five properties.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from row import Row, Size

PROPERTIES = {"path": "/a/b/c.txt", "size": 12345, "kind": "image", "ok": True, "ratio": 0.25}
NOWHERE = "http://127.0.0.1:9"
Call = Callable[[], object]


def crossfade(spool: str | None, **options: object) -> Call:
    tracker = import_module("crossfade.tracking").Tracker(NOWHERE, "key", spool=spool, exit_timeout=0, limit=1 << 33,
                                                          memory_limit=1 << 33, **options)
    return lambda: tracker.track("file_processed", "user-1", PROPERTIES)


def segment() -> Call:
    client = import_module("segment.analytics.client").Client("key", host=NOWHERE, send=False)
    return lambda: client.track("user-1", "file_processed", PROPERTIES)


def rudder() -> Call:
    client = import_module("rudderstack.analytics.client").Client("key", host=NOWHERE, send=False)
    return lambda: client.track("user-1", "file_processed", PROPERTIES)


def posthog() -> Call:
    client = import_module("posthog").Posthog("key", host=NOWHERE, send=False)
    return lambda: client.capture("file_processed", distinct_id="user-1", properties=PROPERTIES)


def ours(folder: str) -> dict[str, Callable[[], Call]]:
    return {
        "crossfade, spool": lambda: crossfade(folder),
        "crossfade, spool, fsync=never": lambda: crossfade(folder, fsync="never"),
        "crossfade, memory": lambda: crossfade(None),
    }


THEIRS: dict[str, Callable[[], Call]] = {"segment": segment, "rudder": rudder, "posthog": posthog}


def measure(name: str, calls: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        call = (ours(folder) | THEIRS)[name]()
        clock = time.perf_counter_ns
        costs = []
        for _ in range(calls):
            start = clock()
            call()
            costs.append(clock() - start)
    costs.sort()
    return {"median_us": statistics.median(costs) / 1e3, "p99_us": costs[int(calls * 0.99)] / 1e3,
            "mean_us": sum(costs) / calls / 1e3}


def run(python: str, name: str, calls: int) -> dict[str, float]:
    done = subprocess.run([python, __file__, "--one", name, "--calls", str(calls)], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def rows(size: Size) -> Iterator[Row]:
    spool = "crossfade, spool"
    pythons = {spool: sys.executable} | ({} if size.peers is None else dict.fromkeys(THEIRS, str(size.peers)))
    found: dict[str, list[float]] = {name: [] for name in pythons}
    for _ in range(size.rounds):
        for name, python in pythons.items():
            found[name].append(run(python, name, size.calls)["median_us"])
    own = found.pop(spool)
    yield Row("track(), the median call", "µs", own, found or dict.fromkeys(THEIRS, size.no_peers), goal=5,
              note="Ours writes each event to its spool on disk; the others keep theirs in memory.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="a Python that has the peers")
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one, given.calls)))
        return
    pythons = dict.fromkeys(ours(""), sys.executable)
    if given.peers:
        pythons |= dict.fromkeys(THEIRS, str(Path(given.peers).absolute()))
    results: dict[str, list[dict[str, float]]] = {name: [] for name in pythons}
    for _ in range(given.rounds):
        for name, python in pythons.items():
            results[name].append(run(python, name, given.calls))
    print(f"{'one call, in µs':32}{'median':>8}{'p99':>8}{'mean':>8}")
    for name, rounds in results.items():
        best = min(rounds, key=lambda one: one["median_us"])
        print(f"{name:32}{best['median_us']:8.2f}{best['p99_us']:8.1f}{best['mean_us']:8.2f}")


if __name__ == "__main__":
    main()
