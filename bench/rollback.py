"""From the call of a rollback until the last process has the flags, with a hundred processes that follow them.

    python bench/rollback.py [--processes 100] [--rollbacks 60] [--peers DIRECTORY] [--peer-processes 10]

A server of its own, in a folder of its own, and so many processes, each an interpreter with a FlagFollower that keeps
its flags on disk. Before each rollback a component is switched to real, and every process has that. "Call" is the whole
of ``POST /api/rollback`` as its caller sees it; "server" is what the answer says, to the last acknowledgement.

``--peers``: a folder with ``v/bin/python``, which has UnleashClient and openfeature-provider-flagd, and with
``node_modules/unleash-server``; that one needs PostgreSQL's programs (``--postgresql``), which run as the user
``postgres`` when this runs as root. Each of their processes looks at its flag every millisecond and tells when it has
changed; what is measured is from before the change is made to the last of them. They are fewer, since they take long.
All take turns; whose turn it is not is stopped.

Last, what one evaluation of a flag takes here: the best of many rounds.
"""

import argparse
import contextlib
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import rollback_peers
from rollback_peers import Contestant
from row import Row, Size
from served import served

from crossfade import __version__
from crossfade.core.flag import Flags, evaluate

OURS = "ours"
FLAG = "useRealSystemMetrics"
FOLLOWER = """
import sys
from crossfade.tracking import FlagFollower
url, key, keep = sys.argv[1:]
follower = FlagFollower(url, key, name="bench", keep=keep)
follower.wait(60)
print("ready", flush=True)
sys.stdin.read()
follower.close()
"""


@contextlib.contextmanager
def children(commands: Sequence[Sequence[str]], ready: str = "ready") -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that have said that they are ready, and end with their standard input."""
    made = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for command in commands]
    try:
        for child in made:
            assert child.stdout is not None
            line = child.stdout.readline().strip()
            assert line == ready, line
        yield made
    finally:
        for child in made:
            assert child.stdin is not None
            child.stdin.close()
        for child in made:
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()


class Ours:
    """The server's own, with what it tells of each rollback."""

    def __init__(self, http: httpx.Client, processes: int) -> None:
        self._http = http
        self._processes = processes
        self.told: list[float] = []
        self.transactions: list[float] = []

    def once(self) -> float:
        http = self._http
        http.patch("/api/flags", json={FLAG: True}).raise_for_status()
        while len({row["revision"] for row in http.get("/api/flags/followers").json()}) > 1:
            time.sleep(0.05)
        time.sleep(0.2)
        began = time.perf_counter()
        answer = http.post("/api/rollback", json={"timeout": 10}).json()
        took = (time.perf_counter() - began) * 1e3
        assert answer["acknowledged"] == self._processes + 1, answer
        assert not answer["unanswered"], answer
        self.told.append(answer["milliseconds"])
        self.transactions.append(answer["transactionMilliseconds"])
        return took


@contextlib.contextmanager
def crossfade(folder: Path, processes: int) -> Iterator[Ours]:
    with served(folder / "data") as server:
        commands = [[sys.executable, "-c", FOLLOWER, server.url, server.keys.write_key, str(folder / f"keep-{number}")]
                    for number in range(processes)]
        with children(commands), server.admin() as http:
            yield Ours(http, processes)


@contextlib.contextmanager
def theirs(python: Path | None, node: Path | None, programs: Path,
           processes: int) -> Iterator[list[tuple[Contestant, int]]]:
    """Each with how many turns of ours it has one in: those that take long have fewer."""
    with contextlib.ExitStack() as ending:
        found = []
        if python is not None:
            found.append((ending.enter_context(rollback_peers.flagd(python, processes)), 1))
        if node is not None:
            found += [(ending.enter_context(rollback_peers.unleash(node, programs, processes=processes,
                                                                   refresh_s=refresh_s)), every)
                      for refresh_s, every in ((1, 3), (15, 6))]
        yield found


def measure(ours: Ours, peers: Sequence[tuple[Contestant, int]], rollbacks: int) -> dict[str, list[float]]:
    """By name, in turns."""
    found: dict[str, list[float]] = {OURS: []} | {peer.name: [] for peer, _ in peers}
    for number in range(rollbacks):
        found[OURS].append(ours.once())
        for peer, every in peers:
            if number % every == 0:
                found[peer.name].append(peer.once())
    return found


def rows(size: Size) -> Iterator[Row]:
    """The peers have a tenth of the processes, since theirs take long to start; each rollback is a round."""
    few = max(1, size.processes // 10)
    why = rollback_peers.missing(size.node, size.postgresql)
    with tempfile.TemporaryDirectory() as folder, crossfade(Path(folder), size.processes) as ours, \
            theirs(size.peers, None if why else size.node, size.postgresql, few) as peers:
        found = measure(ours, peers, size.rollbacks)
    own = found.pop(OURS)
    absent = ({"flagd, file mode": size.no_peers} if size.peers is None else {}) | ({"Unleash": why} if why else {})
    yield Row(f"a rollback's call, until the last of {size.processes} processes has it", "ms", own, found | absent,
              goal=250, note=f"Ours waits for an acknowledgement of every process; the peers' {few} look at their flag "
                             "every millisecond, and nobody is told that they have it. They are stopped while it is "
                             "another's turn.")


def show(name: str, milliseconds: Sequence[float]) -> None:
    found = sorted(milliseconds)
    p99 = found[min(len(found) - 1, -(-99 * len(found) // 100) - 1)]
    print(f"{name:62} n {len(found):3}  p50 {statistics.median(found):9.1f}  p99 {p99:9.1f}  "
          f"worst {found[-1]:9.1f} ms", flush=True)


def evaluations() -> None:
    flags = Flags({"use_real_off": False, "use_real_on": True, "use_real_ramp": True, "percent_ramp": 50})
    for name in ("off", "on", "ramp"):
        timer = timeit.Timer("e(f, n, v)", globals={"e": evaluate, "f": flags, "n": f"use_real_{name}",
                                                   "v": "viewer-1234567890"})
        print(f"evaluate, {name:4}  {min(timer.repeat(500, 2_000)) / 2_000 * 1e6:6.3f} µs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=100)
    parser.add_argument("--rollbacks", type=int, default=60)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--peer-processes", type=int, default=10)
    parser.add_argument("--postgresql", type=Path, default=Path("/usr/lib/postgresql/15/bin"))
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    peers = None if given.peers is None else given.peers.absolute()
    if peers is not None:
        print(rollback_peers.versions(peers))
    with tempfile.TemporaryDirectory() as folder, crossfade(Path(folder), given.processes) as ours, \
            theirs(peers and peers / "v/bin/python", peers, given.postgresql, given.peer_processes) as others:
        found = measure(ours, others, given.rollbacks)
    show(f"Crossfade {__version__}, {given.processes} processes: call", found.pop(OURS))
    show("server, to the last acknowledgement", ours.told)
    show("server, the transaction", ours.transactions)
    for name, milliseconds in found.items():
        show(f"{name}, {given.peer_processes} processes", milliseconds)
    evaluations()


if __name__ == "__main__":
    main()
