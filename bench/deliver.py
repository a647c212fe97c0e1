"""How many events one process brings to the server, and what memory it takes while the server is away.

    python bench/deliver.py [--events 500000] [--batch 100]
    python bench/deliver.py --outage 600 [--rate 1000]

The server runs on loopback, on the same machine. An event counts when the server has acknowledged it, which is when
it is on its disk.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from row import Row, Size
from served import served

from crossfade.tracking import Tracker

PROPERTIES = {"path": "/a/b/c.txt", "size": 12345, "kind": "image", "ok": True, "ratio": 0.25}


def resident() -> float:
    """MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def spool_size(spool: str) -> float:
    """MB."""
    return sum(path.stat().st_size for path in Path(spool).glob("*/*.seg")) / 1e6


def deliver(events: int, batch: int) -> float:
    """Events a second, delivered."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "data") as server:
        tracker = Tracker(server.url, server.keys.write_key, spool=f"{folder}/spool", batch=batch)
        tracker.track("warm_up")
        tracker.flush()
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(events):
            tracker.track("file_processed", "user-1", PROPERTIES)
        tracked = time.perf_counter() - start
        assert tracker.flush(600).done
        seconds = time.perf_counter() - start
        print(f"{events:,} events, batches from {batch}: {events / seconds:,.0f} a second delivered, "
              f"{events / tracked:,.0f} tracked; {(time.process_time() - cpu) / seconds:.0%} of a core here; "
              f"{resident():.0f} MB resident", file=sys.stderr)
        tracker.shutdown()
        return events / seconds


def rows(size: Size) -> Iterator[Row]:
    found = [deliver(size.events, 100) for _ in range(size.rounds)]
    yield Row("one process's tracker to the server, acknowledged on its disk", "events/s", found, lower=False,
              note="From track() by way of the spool; the server is on the same machine.")


def outage(seconds: float, rate: int) -> None:
    """Events at a steady rate, with nobody on the other side."""
    with tempfile.TemporaryDirectory() as spool:
        tracker = Tracker("http://127.0.0.1:9", "key", spool=spool, exit_timeout=0)
        tracker.track("warm_up")
        tracker.flush(1)
        begun, start, tracked = resident(), time.monotonic(), 0
        shown = start
        while (now := time.monotonic()) < start + seconds:
            while tracked < (now - start) * rate:
                tracker.track("file_processed", "user-1", PROPERTIES)
                tracked += 1
            if now >= shown:
                print(f"{now - start:5.0f} s: {tracked:9,} events wait, {resident():6.1f} MB resident (at first "
                      f"{begun:.1f}), spool {spool_size(spool):7.1f} MB", flush=True)
                shown += seconds / 10
            time.sleep(0.01)
        print(f"{seconds:5.0f} s: {tracked:9,} events wait, {resident():6.1f} MB resident, {tracker.stats()}")
        tracker.shutdown(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--outage", type=float, default=0, help="seconds")
    parser.add_argument("--rate", type=int, default=1000, help="events a second in the outage")
    given = parser.parse_args()
    if given.outage:
        outage(given.outage, given.rate)
    else:
        deliver(given.events, given.batch)


if __name__ == "__main__":
    main()
