"""Every bench, its figures beside its peers' of the same run: ``make bench``, ``make bench-full``.

    python bench/run.py [--full | --tiny] [--only ingest,reads] [--store FOLDER] [--json FILE] [--page docs/speed.md]

Prints a table; writes the same as JSON, and as a page, with a plot of what growth costs. A bench or a peer that cannot
be had on this machine is named with the reason. The figures are medians of the rounds, in which the contestants take
turns.
"""

import argparse
import json
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import peers
import plot
from report import PLOT, Run, inserted, markdown, plain, read, renewed, table
from row import FULL, TINY, USUAL, Row, Size

ROOT = Path(__file__).parent.parent
BENCHES = ("footprint", "track", "deliver", "ingest", "reads", "growth", "memory",
           "freshness", "shadow", "middleware", "rollback", "page")
WHOLE_SEED = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="all of it: hours")
    size.add_argument("--tiny", action="store_true", help="only to see that it works")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(BENCHES),
                        help=f"some of: {','.join(BENCHES)}")
    parser.add_argument("--peers", type=Path, default=ROOT / ".bench", help="the folder of the peers' Python")
    parser.add_argument("--no-peers", action="store_true", help="ours alone")
    parser.add_argument("--unleash", type=Path, help="a folder for Unleash: see rollback.py")
    parser.add_argument("--stored", type=int, action="append", help="events in the store for reads; may be repeated")
    parser.add_argument("--grown", type=int, action="append", help="the same for growth")
    parser.add_argument("--soak", type=float, help="seconds for which the memory is held to its bound")
    parser.add_argument("--store", type=Path, help="a folder that keeps filled stores for the next run")
    parser.add_argument("--json", type=Path,
                        help="where to write the figures; with --only, what is there and not measured now stays")
    parser.add_argument("--page", type=Path, help="where to write them as Markdown")
    parser.add_argument("--readme", type=Path, help="a file whose table of the chief rows is to be written anew")
    given = parser.parse_args()
    unknown = sorted(set(given.only) - set(BENCHES))
    if unknown:
        parser.error(f"there is no bench {unknown[0]!r}: they are {', '.join(BENCHES)}")
    chosen = replace(FULL if given.full else TINY if given.tiny else USUAL, node=given.unleash)
    chosen = replace(chosen, stored=given.stored or chosen.stored, grown=given.grown or chosen.grown,
                     soak_s=given.soak or chosen.soak_s)
    if given.no_peers:
        chosen = replace(chosen, no_peers="--no-peers was given")
    else:
        python, why = peers.python(given.peers.absolute())
        chosen = replace(chosen, peers=python, no_peers=why)
    with _folder(given.store) as store:
        run = measure(given.only, replace(chosen, store=store))
    if given.json and given.json.exists() and set(given.only) != set(BENCHES):
        run = renewed(read(json.loads(given.json.read_text())), run, given.only)
    print("\n" + table(run.rows))
    for name, reason in run.absent.items():
        print(f"{name}: not measured, {reason}")
    if given.json:
        given.json.write_text(json.dumps(plain(run), indent=1) + "\n")
    if given.page:
        given.page.write_text(markdown(run))
        picture = plot.svg(run.rows)
        if picture is not None:
            (given.page.parent / PLOT).parent.mkdir(exist_ok=True)
            (given.page.parent / PLOT).write_text(picture)
    if given.readme:
        given.readme.write_text(inserted(given.readme.read_text(), run))
    if any(row.met is False for row in run.rows):
        print("\nNot every goal is met.")


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.absolute()
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def measure(names: list[str], size: Size) -> Run:
    random.seed(WHOLE_SEED)
    began, rows, absent = time.time(), [], {}
    load = os.getloadavg()[0]
    for name in names:
        print(f"bench: {name} …", file=sys.stderr, flush=True)
        begun = time.time()
        try:
            for row in _rows(name)(size):
                print(table([row]).splitlines()[1], file=sys.stderr, flush=True)
                rows.append(row)
        except Exception as error:  # noqa: BLE001  one bench that fails must not cost the others' hour
            absent[name] = f"{type(error).__name__}: {error}"
        print(f"bench: {name} took {time.time() - begun:.0f} s", file=sys.stderr, flush=True)
    return Run(tuple(rows), absent, _machine(load), _versions(size), int(began), round(time.time() - began), str(size))


def _rows(name: str) -> Callable[[Size], Iterator[Row]]:
    found: Callable[[Size], Iterator[Row]] = import_module(name).rows
    return found


def _machine(load: float) -> dict[str, str]:
    cpu = next((line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
               platform.processor())
    memory = next((int(line.split()[1]) / 1e6 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0.0)
    return {"processor": f"{cpu}, {os.cpu_count()} cores", "memory": f"{memory:.1f} GB",
            "system": f"{platform.system()} {platform.release()}", "load before it began": f"{load:.1f}"}


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _versions(size: Size) -> dict[str, str]:
    own = {name: version(name) for name in ("duckdb", "litestar", "msgspec", "uvicorn", "sqlalchemy")}
    crossfade: str = import_module("crossfade").__version__
    theirs = {} if size.peers is None else peers.versions(size.peers)
    wanted = (line.partition("==")[0] for line in peers.REQUIREMENTS.read_text().splitlines() if "==" in line)
    return {"crossfade": crossfade, "Python": platform.python_version(), **own,
            **{f"{name} (a peer's)": theirs[name] for name in wanted if name in theirs and name in NAMED}}


NAMED = {"segment-analytics-python", "rudder-sdk-python", "posthog", "launchdarkly-server-sdk", "laboratory",
         "unleashclient", "openfeature-provider-flagd", "psycopg", "arro3-core", "duckdb"}
"""Peers' packages; the others are what they need."""


if __name__ == "__main__":
    main()
