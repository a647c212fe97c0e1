"""From ``track()`` until a viewer's stream shows it, at 20,000 events a second from one process.

Every event counts: the n-th one's delay ends with the first document of the stream that counts n or more. Two seconds
warm up, whose events are not counted. And the same of single events over HTTP, about three a second, while 100,000 a
second of other kinds arrive beside them.
"""

import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
from arrive import arriving
from row import Row, Size
from served import Served, served

from crossfade.tracking import Tracker

RATE, BESIDE = 20_000, 100_000
WARM_UP_S = 2.0
TRACKED, SINGLE = b'"filesProcessed":', b'"cleanupActionsExecuted":'
EVERY_S = 0.31
"""No part of a second, so that every phase of the server's own second is met."""


def rows(size: Size) -> Iterator[Row]:
    rate = RATE if size.seconds > 5 else RATE // 20
    found = [measure(size.seconds, rate) for _ in range(size.rounds)]
    late = [statistics.quantiles(delays, n=20)[-1] for delays in found]
    yield Row(f"freshness, track() to a viewer at {rate:,} events/s: p95", "s", late,
              {"the guide's way": "by its design 5 s to send and 120 s of cache: up to 125 s, not measured"}, goal=1.0)
    beside = BESIDE if size.seconds > 5 else BESIDE // 20
    single = [visible(size.seconds, beside) for _ in range(size.rounds)]
    arrived = statistics.median(rate for _, rate in single)
    yield Row(f"freshness, a single event to a viewer while {beside:,} events/s arrive: p95", "s",
              [statistics.quantiles(delays, n=20)[-1] for delays, _ in single], goal=1.0,
              note=f"Of those beside it {arrived:,.0f} a second did arrive.")


def measure(seconds: float, rate: int) -> list[float]:
    """Seconds, an event each."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "data") as server, server.admin() as http:
        http.patch("/api/flags", json={"useRealBusinessMetrics": True}).raise_for_status()
        with watched(http, TRACKED) as seen:
            tracked = _track(server, folder, seconds + WARM_UP_S, rate)
            _await(seen, len(tracked))
    return delays(tracked, seen, after=tracked[0] + WARM_UP_S)


def visible(seconds: float, rate: float) -> tuple[list[float], float]:
    """Seconds, a single event each; and how many a second arrived beside them."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "data") as server, server.admin() as http:
        http.patch("/api/flags", json={"useRealBusinessMetrics": True}).raise_for_status()
        with arriving(server, rate) as told, watched(http, SINGLE) as seen, \
                httpx.Client(base_url=server.url, auth=(server.keys.write_key, "")) as client:
            sent: list[float] = []
            end = time.monotonic() + seconds + WARM_UP_S
            while time.monotonic() < end:
                sent.append(time.monotonic())
                client.post("/v1/track", json={"event": "cleanup_executed", "userId": "u"}).raise_for_status()
                time.sleep(EVERY_S)
            _await(seen, len(sent))
    return delays(sent, seen, after=sent[0] + WARM_UP_S), told.rate


@contextmanager
def watched(http: httpx.Client, needle: bytes) -> Iterator[list[tuple[int, float]]]:
    """A figure's values on the stream as they change, and when."""
    seen: list[tuple[int, float]] = []
    with http.stream("GET", "/api/dashboard/stream", timeout=None) as stream:
        threading.Thread(target=_watch, args=(stream, needle, seen), daemon=True).start()
        yield seen


def _await(seen: Sequence[tuple[int, float]], count: int) -> None:
    deadline = time.monotonic() + 30
    while (not seen or seen[-1][0] < count) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert seen, "nothing came"
    assert seen[-1][0] == count, "not all came"


def delays(tracked: Sequence[float], seen: Sequence[tuple[int, float]], after: float) -> list[float]:
    """Of those that were tracked later than ``after``; ``seen``: counts, and when."""
    out, place = [], 0
    for number, at in enumerate(tracked, 1):
        while seen[place][0] < number:
            place += 1
        if at >= after:
            out.append(seen[place][1] - at)
    return out


def _track(server: Served, folder: str, seconds: float, rate: int) -> list[float]:
    """When each event was tracked."""
    tracker = Tracker(server.url, server.keys.write_key, spool=f"{folder}/spool")
    tracked: list[float] = []
    began = time.monotonic()
    while (now := time.monotonic()) < began + seconds:
        while len(tracked) < (now - began) * rate:
            tracked.append(time.monotonic())
            tracker.track("file_processed", "user-1", {"path": "/a/b/c.txt", "size": 12345, "ok": True})
        time.sleep(0.002)
    assert tracker.flush(60).done
    tracker.shutdown()
    return tracked


def _watch(stream: object, needle: bytes, seen: list[tuple[int, float]]) -> None:
    rest = b""
    try:
        for part in stream.iter_raw():  # type: ignore[attr-defined]
            rest += part
            while needle in rest and b"\n" in rest[rest.index(needle):]:
                line, _, rest = rest[rest.index(needle) + len(needle):].partition(b"\n")
                value = json.JSONDecoder().raw_decode(line[:40].decode())[0]
                if not seen or seen[-1][0] != value:
                    seen.append((value, time.monotonic()))
    except Exception:  # noqa: BLE001  the stream was closed, by us
        return
