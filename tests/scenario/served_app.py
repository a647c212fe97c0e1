"""An application of its own, under a real server, in the layer that reports how it does.

It first records latencies of 1 ms, 2 ms … up to those it is told, so that their quantiles are known.
"""

import socket
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

import uvicorn

from crossfade.tracking import Backoff, TrackedASGI, TrackedWSGI, Tracker


async def asgi(scope, _receive, send) -> None:
    if scope["type"] != "http":
        return
    if scope["path"] == "/raise":
        raise LookupError("as asked")
    status = 503 if scope["path"] == "/fail" else 200
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def wsgi(environ, start_response):
    if environ["PATH_INFO"] == "/raise":
        raise LookupError("as asked")
    start_response("503 Later" if environ["PATH_INFO"] == "/fail" else "200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        return


def announce(port: int) -> None:
    print(port, flush=True)


def serve_asgi(tracker: Tracker, first: int, last: int) -> None:
    app = TrackedASGI(asgi, tracker, service="web", report_every=1)
    feed(app, first, last)
    listening = socket.create_server(("127.0.0.1", 0))
    announce(listening.getsockname()[1])
    uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off")).run(sockets=[listening])


def serve_wsgi(tracker: Tracker, first: int, last: int) -> None:
    app = TrackedWSGI(wsgi, tracker, service="api", report_every=1)
    feed(app, first, last)
    server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
    announce(server.server_port)
    server.serve_forever()


def feed(app: TrackedASGI | TrackedWSGI, first: int, last: int) -> None:
    for milliseconds in range(first, last + 1):
        app._reporter.record(500 if milliseconds % 10 == 0 else 200, milliseconds / 1000)
    app._reporter.start()


def main() -> None:
    kind, url, key, spool, first, last = sys.argv[1:]
    tracker = Tracker(url, key, spool, interval=0.2, backoff=Backoff(0.02, 0.2))
    {"asgi": serve_asgi, "wsgi": serve_wsgi}[kind](tracker, int(first), int(last))


if __name__ == "__main__":
    main()
