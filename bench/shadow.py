"""What a slow shadow source adds to a viewer's wait, beside libraries that are used for this today.

    python bench/shadow.py --peers PATH/TO/PYTHON [--reads 40] [--rounds 5] [--shadow 0.3]

The peers' Python needs launchdarkly-server-sdk and laboratory. Nothing is sent anywhere: their flags are test data.
Every library shows a value that is there at once, and reads another beside it, which takes its time. Each runs in a
process of its own, in turns, and reads some times without the shadow, some times with it, and so on, so that a busy
moment of the machine hits all alike. The pauses between the reads come from a seed, are the same for all, and so long
that every read has a shadow of its own; the shadows are counted. Added is the difference of a round's two medians: the
median of the rounds, with the least and the most. The 95th percentiles are of all rounds' reads.

A read runs in a task of its own, as in a server, and ends when who waits for that task goes on: what a shadow does
before the answer could be sent is the viewer's wait too. CPU is the process's time for a read with its shadow, less
that for one without.

Then what one evaluation of a flag takes: the best of the rounds.
"""

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from pathlib import Path

from row import Row, Size

FIGURES = {f"figure{number}": float(number) for number in range(10)}
PARTS = 4
"""Components that are read in turn, so that several shadows are under way at a time."""
WAYS = ("off", "on")
WARM_UP = 8
IN_A_ROW = 10
"""Reads without the shadow, then as many with it."""


@dataclass
class Library:
    """How to read once, and to have that read in the shadow or not."""

    read: Callable[[], Awaitable[object]]
    switch: Callable[[bool], object]


class Slow:
    """The source in the shadow."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.calls = 0

    def answer(self) -> None:
        self.calls += 1
        time.sleep(self.seconds)

    async def answer_async(self) -> None:
        self.calls += 1
        await asyncio.sleep(self.seconds)


def crossfade(slow: Slow, *, threaded: bool) -> Library:
    """A legacy source is shown. The observer notes and compares, as in the server."""
    observer = import_module("crossfade.observer").Observer(import_module("crossfade.core.clock").SystemClock())
    model = import_module("msgspec").defstruct("Figures", [(name, float) for name in FIGURES], frozen=True)
    fade = import_module("crossfade.fade").Crossfade(max_age=0.001, watch=observer)

    class Part:
        @staticmethod
        async def mock() -> object:
            return model(**FIGURES)

        legacy = mock

        @staticmethod
        async def real() -> object:
            await slow.answer_async()
            return model(**FIGURES)

    class Threaded(Part):
        @staticmethod
        def real() -> object:
            slow.answer()
            return model(**FIGURES)

    for part in range(PARTS):
        fade.component(f"part{part}", model=model)(Threaded if threaded else Part)
    turn = count()
    return Library(lambda: fade.read(f"part{next(turn) % PARTS}"),
                   lambda on: fade.set(**{f"shadow_part{part}": on for part in range(PARTS)}))


def launchdarkly(slow: Slow, order: str) -> Library:
    """The Migrator, in its stages off and shadow."""
    ldclient, migrations = import_module("ldclient"), import_module("ldclient.migrations")
    flags = import_module("ldclient.integrations.test_data").TestData.data_source()
    client = ldclient.LDClient(ldclient.Config("key", update_processor_class=flags, send_events=False))
    viewer = ldclient.Context.create("viewer")

    def new(_: object) -> object:
        slow.answer()
        return ldclient.Result.success(dict(FIGURES))

    migrator = (migrations.MigratorBuilder(client).read_execution_order(migrations.ExecutionOrder(order))
                .read(lambda _: ldclient.Result.success(dict(FIGURES)), new, lambda old, new: old == new)
                .write(new, new).build())

    async def read() -> object:
        return migrator.read("part", viewer, migrations.Stage.OFF)

    return Library(read, lambda on: flags.update(flags.flag("part").variations("off", "shadow")
                                                 .variation_for_all(int(on))))


def laboratory(slow: Slow) -> Library:
    """An Experiment, enabled or not, that compares what it got."""
    enabled = False

    class Experiment(import_module("laboratory").Experiment):
        def enabled(self) -> bool:
            return enabled

        def publish(self, result) -> None:
            assert result.match

    def candidate() -> object:
        slow.answer()
        return dict(FIGURES)

    async def read() -> object:
        experiment = Experiment("part")
        experiment.control(lambda: dict(FIGURES))
        experiment.candidate(candidate)
        return experiment.conduct()

    def switch(on: bool) -> None:
        nonlocal enabled
        enabled = on

    return Library(read, switch)


OURS: dict[str, Callable[[Slow], Library]] = {
    "crossfade, async source": lambda slow: crossfade(slow, threaded=False),
    "crossfade, source in a thread": lambda slow: crossfade(slow, threaded=True),
}
LAUNCHDARKLY, LABORATORY = "launchdarkly-server-sdk", "laboratory"
THEIRS: dict[str, Callable[[Slow], Library]] = {
    f"{LAUNCHDARKLY}, parallel": lambda slow: launchdarkly(slow, "parallel"),
    f"{LAUNCHDARKLY}, serial": lambda slow: launchdarkly(slow, "serial"),
    LABORATORY: laboratory,
}
DIFFERS = """
crossfade: answers first, reads the shadow after that and compares when it is there; reads are served by one
  computation for max_age (1 ms here), at most 4 shadows are under way, and more are shed and counted.
launchdarkly-server-sdk: the Migrator calls both on every read and waits for both, whichever the order: parallel, as it
  is shipped, makes two threads a read; serial makes none. Its read is sync: in an event loop all viewers wait.
laboratory: the Experiment calls one after the other, in random order, and returns after both; it is sync too."""


async def time_reads(library: Library, pauses: Sequence[float], settle: float) -> tuple[list[float], float]:
    """What each read took, and the process's time for all of them with what they began; both in µs."""
    clock, costs, cpu = time.perf_counter_ns, [], time.process_time()
    for pause in pauses:
        await asyncio.sleep(pause)
        began = clock()
        await asyncio.create_task(library.read())
        costs.append((clock() - began) / 1e3)
    await asyncio.sleep(settle)
    return costs, (time.process_time() - cpu) * 1e6


async def measure(name: str, reads: int, seconds: float, seed: int) -> dict[str, dict]:
    slow = Slow(seconds)
    library = (OURS | THEIRS)[name](slow)
    random.seed(seed)  # laboratory draws too
    pace = seconds / PARTS * 1.3  # a component's next turn comes after its shadow's end
    pauses = [pace * random.uniform(0.9, 1.1) for _ in range(reads)]  # noqa: S311  no secret
    found = {way: {"costs": [], "cpu": 0.0, "shadows": 0} for way in WAYS}
    library.switch(True)
    await time_reads(library, pauses[:WARM_UP], 2 * seconds)
    for number, some in enumerate(batched(pauses)):
        for way in WAYS if number % 2 else WAYS[::-1]:
            library.switch(way == "on")
            slow.calls = 0
            costs, cpu = await time_reads(library, some, 2 * seconds)
            found[way]["costs"] += costs
            found[way]["cpu"] += cpu / reads
            found[way]["shadows"] += slow.calls
    return found


def batched(pauses: Sequence[float]) -> Iterator[Sequence[float]]:
    return (pauses[start:start + IN_A_ROW] for start in range(0, len(pauses), IN_A_ROW))


def run(python: str, *arguments: object) -> dict[str, dict]:
    done = subprocess.run([python, __file__, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def show(name: str, rounds: list[dict[str, dict]]) -> None:
    medians = {way: [statistics.median(one[way]["costs"]) for one in rounds] for way in WAYS}
    late = {way: statistics.quantiles([cost for one in rounds for cost in one[way]["costs"]], n=20)[-1]
            for way in WAYS}
    added = sorted(on - off for off, on in zip(medians["off"], medians["on"], strict=True))
    cpu = statistics.median(one["on"]["cpu"] - one["off"]["cpu"] for one in rounds)
    shadows = sum(one["on"]["shadows"] for one in rounds)
    reads = sum(len(one["on"]["costs"]) for one in rounds)
    off, on = (statistics.median(medians[way]) for way in WAYS)
    print(f"{name:34}{off:9,.0f}{late['off']:9,.0f}{on:10,.0f}{late['on']:10,.0f}{statistics.median(added):11,.1f}"
          f"{f'{added[0]:,.0f} to {added[-1]:,.0f}':>20}{cpu:9,.0f}{shadows:>7} of {reads}")


def time_flags(rounds: int, passes: int) -> None:
    flag = import_module("crossfade.core.flag")
    viewers = [f"viewer {number}" for number in range(1_000)]  # few: a viewer's name has just come in
    cases = {"off": {}, "on": {"use_real_part": True}, "on for 25 %": {"use_real_part": True, "percent_part": 25}}
    for name, values in cases.items():
        flags, evaluate, best = flag.Flags(values), flag.evaluate, []
        for _ in range(rounds):
            began = time.perf_counter_ns()
            for _again in range(passes):
                for viewer in viewers:
                    evaluate(flags, "use_real_part", viewer)
            best.append((time.perf_counter_ns() - began) / passes / len(viewers))
        print(f"one evaluation of a flag that is {name:12}{min(best):8,.0f} ns, the loop included")


def versions() -> dict[str, str]:
    """Of the peers that this Python has."""
    found = {}
    for package in (LAUNCHDARKLY, LABORATORY):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def present(python: str | None) -> dict[str, str]:
    """The peers' versions; says which are absent."""
    found: dict[str, str] = run(python, "--versions") if python else {}
    for package in (LAUNCHDARKLY, LABORATORY):
        print(f"{package} {found[package]}" if package in found else
              f"{package} is ABSENT: install it in a Python of its own, and give that as --peers")
    return found


def rows(size: Size) -> Iterator[Row]:
    seconds, reads = (0.1, IN_A_ROW * (1 if size.rounds <= 5 else 4)) if size.rounds > 1 else (0.05, 2)
    pythons = dict.fromkeys(OURS, sys.executable) | ({} if size.peers is None else
                                                     dict.fromkeys(THEIRS, str(size.peers)))
    found: dict[str, list[float]] = {name: [] for name in pythons}
    for number in range(size.rounds):
        for name, python in pythons.items():
            one = run(python, "--one", name, "--reads", reads, "--shadow", seconds, "--seed", number + 1)
            found[name].append(statistics.median(one["on"]["costs"]) - statistics.median(one["off"]["costs"]))
    own = [found.pop(name) for name in OURS]
    for name, figures in zip(OURS, own, strict=True):
        yield Row(f"a shadow of {seconds * 1e3:.0f} ms, added to a viewer's read: {name.partition(', ')[2]}", "µs",
                  figures, found or dict.fromkeys(THEIRS, size.no_peers), goal=50, note=" ".join(DIFFERS.split()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="a Python that has the peers")
    parser.add_argument("--reads", type=int, default=40, help="in a round, without the shadow and with it each")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shadow", type=float, default=0.3, help="seconds that the source in the shadow takes")
    parser.add_argument("--passes", type=int, default=100, help="of a thousand evaluations, in a round")
    parser.add_argument("--seed", type=int, default=1, help="of the first round's pauses")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--versions", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.versions:
        print(json.dumps(versions()))
        return
    if given.one:
        print(json.dumps(asyncio.run(measure(given.one, given.reads, given.shadow, given.seed))))
        return
    print(f"Python {sys.version.split()[0]}")
    peers = str(Path(given.peers).absolute()) if given.peers else None
    found = present(peers)
    pythons = dict.fromkeys(OURS, sys.executable)
    pythons |= {name: peers for name in THEIRS if name.split(",")[0] in found}
    results: dict[str, list] = {name: [] for name in pythons}
    for number in range(given.rounds):
        for name, python in pythons.items():
            results[name].append(run(python, "--one", name, "--reads", given.reads, "--shadow", given.shadow,
                                     "--seed", given.seed + number))
    print(f"\n{'one read, in µs; the shadow':34}{'off':>9}{'p95':>9}{'on':>10}{'p95':>10}{'added':>11}"
          f"{'in the rounds':>20}{'CPU':>9}{'shadows':>10}")
    for name, rounds in results.items():
        show(name, rounds)
    print(DIFFERS + "\n")
    time_flags(given.rounds, given.passes)


if __name__ == "__main__":
    main()
