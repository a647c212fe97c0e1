"""From the call of a rollback until the last process has the flags, with a hundred processes that follow them.

    python bench/rollback.py [--processes 100] [--rollbacks 60] [--peers DIRECTORY] [--peer-processes 10]

A server of its own, in a folder of its own, and so many processes, each an interpreter with a FlagFollower that keeps
its flags on disk. Before each rollback a component is switched to real, and every process has that. "Call" is the whole
of ``POST /api/rollback`` as its caller sees it; "server" is what the answer says, to the last acknowledgement.

``--peers``: a folder with ``v/bin/python``, which has UnleashClient and openfeature-provider-flagd, and with
``node_modules/unleash-server``; that one needs PostgreSQL's programs (``--postgresql``), which run as the user
``postgres`` when this runs as root. Each of their processes looks at its flag every millisecond and tells when it has
changed; what is measured is from before the change is made to the last of them. They are fewer, since they take long.

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
from row import Row, Size
from served import served

from crossfade import __version__
from crossfade.core.flag import Flags, evaluate

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


def crossfade(folder: Path, processes: int, rollbacks: int, show: rollback_peers.Show) -> None:
    with served(folder / "data") as server:
        commands = [[sys.executable, "-c", FOLLOWER, server.url, server.keys.write_key, str(folder / f"keep-{number}")]
                    for number in range(processes)]
        with children(commands), server.admin() as http:
            _roll_back(http, processes, rollbacks, show)


def _roll_back(http: httpx.Client, processes: int, rollbacks: int, show: rollback_peers.Show) -> None:
    calls, told, transactions = [], [], []
    for _ in range(rollbacks):
        http.patch("/api/flags", json={FLAG: True}).raise_for_status()
        while len({row["revision"] for row in http.get("/api/flags/followers").json()}) > 1:
            time.sleep(0.05)
        time.sleep(0.2)
        began = time.perf_counter()
        answer = http.post("/api/rollback", json={"timeout": 10}).json()
        calls.append((time.perf_counter() - began) * 1e3)
        assert answer["acknowledged"] == processes + 1, answer
        assert not answer["unanswered"], answer
        told.append(answer["milliseconds"])
        transactions.append(answer["transactionMilliseconds"])
    name = f"Crossfade {__version__}, {processes} processes"
    show(f"{name}: call", calls)
    show(f"{name}: server, to the last acknowledgement", told)
    show(f"{name}: server, the transaction", transactions)


def rows(size: Size) -> Iterator[Row]:
    """The peers have a tenth of the processes, since theirs take long to start; each rollback is a round."""
    own: dict[str, Sequence[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        crossfade(Path(folder), size.processes, size.rollbacks, own.__setitem__)
    few = max(1, size.processes // 10)
    theirs: dict[str, Sequence[float] | str] = {}
    if size.peers is None:
        theirs |= {"flagd, file mode": size.no_peers}
    else:
        rollback_peers.flagd(size.peers, few, size.rollbacks, theirs.__setitem__)
    why = rollback_peers.missing(size.node, size.postgresql)
    if why is not None:
        theirs["Unleash"] = why
    else:
        assert size.node is not None
        for refresh_s, rollbacks in ((1, size.rollbacks // 3), (15, max(3, size.rollbacks // 12))):
            rollback_peers.unleash(size.node, size.postgresql, theirs.__setitem__, processes=few,
                                   rollbacks=max(1, rollbacks), refresh_s=refresh_s)
    yield Row(f"a rollback's call, until the last of {size.processes} processes has it", "ms", next(iter(own.values())),
              theirs, goal=250, note=f"Ours waits for an acknowledgement of every process; the peers' {few} look "
                                     "at their flag every millisecond, and nobody is told that they have it.")


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
    with tempfile.TemporaryDirectory() as folder:
        crossfade(Path(folder), given.processes, given.rollbacks, show)
    if given.peers is not None:
        peers, processes = given.peers.absolute(), given.peer_processes
        print(rollback_peers.versions(peers))
        rollback_peers.flagd(peers / "v/bin/python", processes, given.rollbacks, show)
        rollback_peers.unleash(peers, given.postgresql, show, processes=processes, rollbacks=given.rollbacks // 3,
                               refresh_s=1)
        rollback_peers.unleash(peers, given.postgresql, show, processes=processes, refresh_s=15,
                               rollbacks=max(3, given.rollbacks // 12))
    evaluations()


if __name__ == "__main__":
    main()
