"""The application's own system metrics: two of its processes under real servers, and a real server that they tell."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from crossfade.core.latency import RELATIVE_ERROR

from .conftest import Server, environment

APP = Path(__file__).with_name("served_app.py")


class Served:
    """A process of the application."""

    def __init__(self, kind: str, server: Server, spool: Path, first: int, last: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(APP), kind, server.url, server.keys.write_key, str(spool), str(first), str(last)],
            env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def ask(self, path: str) -> int | None:
        """The status; None when it does not even answer."""
        try:
            return httpx.get(self.url + path, timeout=30, trust_env=False).status_code
        except httpx.TransportError:
            return None

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(30)


@contextmanager
def serving(*arguments: object) -> Iterator[Served]:
    made = Served(*arguments)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.communicate()


def system(server: Server) -> dict[str, object]:
    return server.live("system")["system"]


def await_figures(server: Server, requests: int, statuses: dict[str, str]) -> dict[str, object]:
    """The first that say so."""
    shown: dict[str, object] = {}

    def arrived() -> bool:
        shown.update(system(server))
        told = {one["service"]: one["status"] for one in shown["processes"]}
        return (shown["requests"], told) == (requests, statuses)

    server.await_that(arrived)
    return shown


def test_the_dashboard_shows_the_application_and_says_when_it_is_gone(server: Server, tmp_path: Path) -> None:
    server.start(USE_REAL_SYSTEM_METRICS="true")
    own = system(server)
    assert (own["scope"], own["processes"]) == ("server", [])
    with serving("asgi", server, tmp_path / "spool", 1, 600) as web, \
         serving("wsgi", server, tmp_path / "spool", 601, 1000) as api:
        shown = await_figures(server, 1000, {"web": "up", "api": "up"})
        assert shown["scope"] == "application"
        for name, exact in (("responseTime", 500), ("responseTimeP95", 950), ("responseTimeP99", 990)):
            assert shown[name] == pytest.approx(exact, rel=RELATIVE_ERROR + 1e-3)
        by_service = {one["service"]: one for one in shown["processes"]}
        assert by_service["web"]["responseTime"] == pytest.approx(300, rel=RELATIVE_ERROR + 1e-3)
        assert by_service["api"]["responseTime"] == pytest.approx(800, rel=RELATIVE_ERROR + 1e-3)
        assert {one["pid"] for one in shown["processes"]} == {web.process.pid, api.process.pid}
        assert shown["errorRate"] == 10.0
        assert shown["processMemory"] == sum(one["memory"] for one in shown["processes"]) > 10_000_000
        assert 0 < shown["memoryUsage"] <= 100
        assert 0 < shown["uptime"] < 300

        for process in (web, api):
            assert [process.ask("/") for _ in range(10)] == [200] * 10
            assert process.ask("/fail") == 503
            assert process.ask("/raise") in {500, None}
        shown = await_figures(server, 1024, {"web": "up", "api": "up"})
        assert shown["errorRate"] == pytest.approx(100 * (100 + 4) / 1024)
        assert "crossfade_system_processes_up" in server.http.get(
            "/api/dashboard/live", params={"section": "system", "format": "prometheus"}).text

        assert web.ask("/") == 200
        web.end(signal.SIGTERM)
        await_figures(server, 1025, {"web": "ended", "api": "up"})

        api.end(signal.SIGKILL)
        server.await_that(lambda: server.live("system")["meta"]["sources"]["systemMetrics"]["reason"] == "stale")
    source = server.live("system")["meta"]["sources"]["systemMetrics"]
    assert "no process of the application reports any more" in source["error"]
    assert any(f"pid {process.process.pid})" in source["error"] for process in (web, api))
    server.set_flags(fallbackOnError=False)
    assert system(server) is None

    server.stop()
    server.start()  # what was reported before is known from the store
    assert system(server) is None
    assert "pid" in server.live("system")["meta"]["sources"]["systemMetrics"]["error"]
