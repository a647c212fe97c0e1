"""A real server whose figures a second reader proves, busy and idle."""

from pathlib import Path

from .conftest import Server
from .test_system import serving, system


def proof(server: Server, component: str) -> dict[str, int]:
    told = server.http.get("/api/monitoring/data-quality", params={"component": component}).json()
    return told["accuracyProof"] or {"agreeing": 0, "compared": 0}


def test_system_and_infrastructure_are_compared_with_a_second_reader(server: Server) -> None:
    server.start(USE_REAL_SYSTEM_METRICS="true", USE_REAL_INFRASTRUCTURE_METRICS="true",
                 CROSSFADE_SECOND_READER_INTERVAL_S="1.5")
    for component in ("systemMetrics", "infrastructureMetrics"):
        server.await_that(lambda component=component: proof(server, component)["compared"] >= 2)
        told = server.http.get("/api/monitoring/data-quality", params={"component": component}).json()
        assert told["accuracyProof"]["agreeing"] == told["accuracyProof"]["compared"], told["examples"]
        assert told["accuracy"] == 100


def test_what_stays_made_up_is_not_compared(server: Server) -> None:
    server.start(USE_REAL_SYSTEM_METRICS="true", CROSSFADE_SECOND_READER_INTERVAL_S="1")
    server.await_that(lambda: proof(server, "systemMetrics")["compared"] >= 2)
    assert proof(server, "infrastructureMetrics")["compared"] == 0
    assert proof(server, "historicalData")["compared"] == 0


def test_the_memory_of_the_applications_processes_on_this_host_is_compared(server: Server, tmp_path: Path) -> None:
    server.start(USE_REAL_SYSTEM_METRICS="true", CROSSFADE_SECOND_READER_INTERVAL_S="1")
    with serving("asgi", server, tmp_path / "spool", 1, 10):
        server.await_that(lambda: system(server)["scope"] == "application")
        before = proof(server, "systemMetrics")["compared"]
        server.await_that(lambda: proof(server, "systemMetrics")["compared"] >= before + 3)
        told = proof(server, "systemMetrics")
        assert told["agreeing"] == told["compared"]
