"""How soon the live page shows something, and something live; and how late 1,000 viewers hear of an event.

    python bench/page.py [--viewers 1000] [--seconds 60] [--loads 10]

A server runs in a process of its own, on a folder of this run. First a browser opens the page some times, each time
anew: first contentful paint is the browser's own figure; a figure is live when the browser has written one that it got
after the page. Then the viewers, in two processes of their own, hold a stream each for the time, while a file is
processed about every second: the delay is from before the event is sent to when a viewer has read the document that
first counts it, and every viewer's every event is one of those that the quantiles are of. Chromium is needed.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
from playwright.sync_api import sync_playwright
from row import Row, Size
from served import Served, served

PROCESSES = 2
NEEDLE = b'"filesProcessed":'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--loads", type=int, default=10)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "data") as server, _client(server) as client:
        for name, found in loads(server.url, told.loads).items():
            print(f"{name:24} median {statistics.median(found):6.0f} ms   worst {max(found):6.0f} ms   of {len(found)}")
        began = psutil.Process(server.pid).cpu_times()
        delays = viewers(client, server.url, told.viewers, told.seconds)
        ended = psutil.Process(server.pid).cpu_times()
        cuts = statistics.quantiles(delays, n=100)
        print(f"event to viewer          median {1000 * cuts[49]:6.0f} ms   p95 {1000 * cuts[94]:6.0f} ms   "
              f"p99 {1000 * cuts[98]:6.0f} ms   worst {1000 * delays[-1]:6.0f} ms")
        print(f"the server's CPU time    {ended.user + ended.system - began.user - began.system:6.1f} s")


def _client(server: Served) -> httpx.Client:
    with server.admin() as admin:
        admin.patch("/api/flags", json={"useRealBusinessMetrics": True}).raise_for_status()
    return httpx.Client(base_url=server.url, auth=(server.keys.write_key, ""))


def rows(size: Size) -> Iterator[Row]:
    """The loads are the rounds of the first two; the third has a server of its own each round."""
    count = 1_000 if size.rounds > 1 else 10
    late = []
    for number in range(size.rounds):
        with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "data") as server, \
                _client(server) as client:
            if not number:
                for name, found in loads(server.url, max(2, 2 * size.rounds)).items():
                    yield Row(f"the live page: {name}", "ms", found)
            delays = viewers(client, server.url, count, max(2, int(size.seconds)))
        late.append(1e3 * statistics.quantiles(delays, n=20)[-1])
    yield Row(f"an event to {count:,} viewers' streams: p95", "ms", late, goal=1_000)


def loads(url: str, count: int) -> dict[str, list[float]]:
    """The paint and the first live figure of some loads, in ms."""
    paints, lives = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for _ in range(count + 1):
            context = browser.new_context()
            page = context.new_page()
            page.add_init_script("""
                new MutationObserver((_, watch) => {
                    if (document.body?.dataset.status !== "live") return;
                    window.liveAt = performance.now();
                    watch.disconnect();
                }).observe(document, { subtree: true, childList: true, attributes: true });""")
            page.goto(url)
            page.wait_for_selector("body[data-status=live]")
            lives.append(page.evaluate("window.liveAt"))
            paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
            context.close()
        browser.close()
    return {"first contentful paint": paints[1:], "first live figure": lives[1:]}  # one warms up


def viewers(client: httpx.Client, url: str, count: int, seconds: int) -> list[float]:
    """How late so many viewers hear of events: seconds, in order."""
    settle = 1 + count * 0.005  # until all are there
    shares = [count // PROCESSES + (number < count % PROCESSES) for number in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES) as pool:
        watching = [pool.submit(watch, url, share, seconds + settle + 3) for share in shares]
        time.sleep(settle)
        sent: dict[int, float] = {}
        end = time.time() + seconds
        number = client.get("/api/dashboard/live?section=business").json()["business"]["filesProcessed"]
        while time.time() < end:
            number += 1
            sent[number] = time.time()
            client.post("/v1/track", json={"event": "file_processed"}).raise_for_status()
            time.sleep(max(0.0, sent[number] + 0.97 - time.time()))  # no multiple of the server's second
        found = [viewer for future in watching for viewer in future.result()]
    delays = sorted(delay for viewer in found for delay in delays_of(viewer, sent))
    held = sum(bool(viewer) and viewer[-1][0] >= number - 2 for viewer in found)
    print(f"{count:,} viewers for {seconds} s: {held:,} heard to the end, {len(delays):,} deliveries", file=sys.stderr)
    return delays


def delays_of(viewer: Sequence[tuple[int, float]], sent: dict[int, float]) -> list[float]:
    """For each event the time until the first document that counts it or a later one."""
    out, place = [], 0
    for number, at in sent.items():
        while place < len(viewer) and viewer[place][0] < number:
            place += 1
        if place < len(viewer):
            out.append(viewer[place][1] - at)
    return out


def watch(url: str, count: int, seconds: float) -> list[list[tuple[int, float]]]:
    """By viewer, the counts as they changed, and when."""
    return asyncio.run(_watch(url, count, seconds))


async def _watch(url: str, count: int, seconds: float) -> list[list[tuple[int, float]]]:
    seen: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    place = urlsplit(url)
    assert place.hostname is not None

    async def one(heard: list[tuple[int, float]], number: int) -> None:
        await asyncio.sleep(number / 200)  # not all at once
        reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=1 << 20)
        writer.write(f"GET /api/dashboard/stream HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
        async for line in reader:
            start = line.find(NEEDLE)
            if start >= 0:
                value = json.JSONDecoder().raw_decode(line[start + len(NEEDLE):start + 40].decode())[0]
                if not heard or heard[-1][0] != value:
                    heard.append((value, time.time()))

    tasks = [asyncio.create_task(one(heard, number)) for number, heard in enumerate(seen)]
    await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return seen


if __name__ == "__main__":
    main()
