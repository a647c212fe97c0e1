"""What the layer that reports costs a request, in microseconds: the best of several rounds, with and without it.

    python bench/middleware.py [--calls 20000] [--rounds 9]

The application answers at once, so nothing hides the layer; the tracker writes to its memory.
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Iterator

from row import Row, Size

from crossfade.tracking import TrackedASGI, TrackedWSGI, Tracker

HEADERS = [(b"content-length", b"5"), (b"content-type", b"application/json"), (b"x-request-id", b"1")]
START = {"type": "http.response.start", "status": 200, "headers": HEADERS}
BODY = {"type": "http.response.body", "body": b"hello"}


async def asgi(_scope, receive, send) -> None:
    await receive()
    await send(START)
    await send(BODY)


def wsgi(_environ, start_response):
    start_response("200 OK", [("content-type", "text/plain"), ("content-length", "5")])
    return [b"hello"]


async def receive() -> dict[str, object]:
    return {"type": "http.request"}


async def send(_: object) -> None:
    return


def time_asgi(app, calls: int) -> float:
    async def run() -> float:
        began = time.perf_counter()
        for _ in range(calls):
            await app({"type": "http"}, receive, send)
        return (time.perf_counter() - began) / calls * 1e6

    return asyncio.run(run())


def time_wsgi(app, calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        answer = app({}, lambda *_: None)
        for _chunk in answer:
            pass
        if hasattr(answer, "close"):
            answer.close()
    return (time.perf_counter() - began) / calls * 1e6


def rows(size: Size) -> Iterator[Row]:
    """A round is one pass without the layer, and one with it."""
    tracker = Tracker("http://127.0.0.1:9", "key", exit_timeout=0)
    for name, measure, bare, tracked in (("ASGI", time_asgi, asgi, TrackedASGI(asgi, tracker)),
                                         ("WSGI", time_wsgi, wsgi, TrackedWSGI(wsgi, tracker))):
        measure(tracked, size.calls // 10 + 1)  # warms up
        costs = []
        for _ in range(size.rounds):
            without = measure(bare, size.calls)
            costs.append(measure(tracked, size.calls) - without)
        yield Row(f"the layer that reports, added to a request: {name}", "µs", costs,
                  note="The application answers at once; the tracker writes to its memory. There is no peer: what "
                       "others' middleware reports is of another kind.")
    tracker.shutdown(0)


def compare(name: str, measure: Callable[[object, int], float], bare: object, tracked: object, given) -> None:
    rounds = [(measure(bare, given.calls), measure(tracked, given.calls)) for _ in range(given.rounds)]
    without, with_it = (min(column) for column in zip(*rounds, strict=True))
    print(f"{name:8}{without:10.2f}{with_it:10.2f}{with_it - without:10.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    tracker = Tracker("http://127.0.0.1:9", "key", exit_timeout=0)
    print(f"{'µs':8}{'bare':>10}{'tracked':>10}{'cost':>10}")
    compare("ASGI", time_asgi, asgi, TrackedASGI(asgi, tracker), given)
    compare("WSGI", time_wsgi, wsgi, TrackedWSGI(wsgi, tracker), given)


if __name__ == "__main__":
    main()
