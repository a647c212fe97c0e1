"""From ``track()`` until a viewer's stream shows it, at 20,000 events a second from one process.

Every event counts: the n-th one's delay ends with the first document of the stream that counts n or more. Two seconds
warm up, whose events are not counted.
"""

import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from row import Row, Size
from served import Served, served

from crossfade.tracking import Tracker

RATE = 20_000
WARM_UP_S = 2.0
NEEDLE = b'"filesProcessed":'


def rows(size: Size) -> Iterator[Row]:
    rate = RATE if size.seconds > 5 else RATE // 20
    found = [measure(size.seconds, rate) for _ in range(size.rounds)]
    late = [statistics.quantiles(delays, n=20)[-1] for delays in found]
    yield Row(f"freshness, track() to a viewer at {rate:,} events/s: p95", "s", late,
              {"the guide's way": "by its design 5 s to send and 120 s of cache: up to 125 s, not measured"}, goal=1.0)


def measure(seconds: float, rate: int) -> list[float]:
    """Seconds, an event each."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "data") as server, server.admin() as http:
        http.patch("/api/flags", json={"useRealBusinessMetrics": True}).raise_for_status()
        seen: list[tuple[int, float]] = []
        with http.stream("GET", "/api/dashboard/stream", timeout=None) as stream:
            watching = threading.Thread(target=_watch, args=(stream, seen), daemon=True)
            watching.start()
            tracked = _track(server, folder, seconds + WARM_UP_S, rate)
            deadline = time.monotonic() + 30
            while (not seen or seen[-1][0] < len(tracked)) and time.monotonic() < deadline:
                time.sleep(0.05)
        assert seen
        assert seen[-1][0] == len(tracked), "not all came"
    return delays(tracked, seen, after=tracked[0] + WARM_UP_S)


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


def _watch(stream: object, seen: list[tuple[int, float]]) -> None:
    rest = b""
    try:
        for part in stream.iter_raw():  # type: ignore[attr-defined]
            rest += part
            while NEEDLE in rest and b"\n" in rest[rest.index(NEEDLE):]:
                line, _, rest = rest[rest.index(NEEDLE) + len(NEEDLE):].partition(b"\n")
                value = json.JSONDecoder().raw_decode(line[:40].decode())[0]
                if not seen or seen[-1][0] != value:
                    seen.append((value, time.monotonic()))
    except Exception:  # noqa: BLE001  the stream was closed, by us
        return
