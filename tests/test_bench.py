"""The benches, only far enough to see that they work; no figure of theirs is judged here."""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parent.parent
BENCH = ROOT / "bench"


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return _load("row", monkeypatch)


@pytest.fixture
def run(report: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    assert report.__name__ in sys.modules
    monkeypatch.syspath_prepend(BENCH)
    return _load("run", monkeypatch)


@pytest.fixture
def report(row: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    assert row.__name__ in sys.modules
    return _load("report", monkeypatch)


def _load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


EXPECTED = {
    "footprint": ("cold command: *", "server: from its start to ready", "server: idle, resident memory",
                  "server: 20,000 events/s, *", "installed size, *"),
    "track": ("track(), *",),
    "deliver": ("one process's tracker *",),
    "ingest": ("ingest, batches of 1,000, *% duplicates: in the store",
               "ingest, batches of 100, *% duplicates: in the store",
               "ingest, batches of 1,000, at half that load: p99 of an answer"),
    "reads": ("live dashboard, * one client: p50", "live dashboard, * events stored, 100 clients: p95",
              "live dashboard, * events stored, 100 clients, * arriving: p95", "* what arrived meanwhile",
              "business, without cache, * events stored: p95", "infrastructure, without cache, * p50"),
    "growth": ("growth, 2,000 *, history, without cache: p95", "growth, * over HTTP *",
               "growth, * event store on disk"),
    "memory": ("memory_limit = 512 MB, * peak resident memory", "memory_limit = * events acknowledged"),
    "freshness": ("freshness, track() *: p95", "freshness, a single event *: p95"),
    "shadow": ("a shadow of *, added to a viewer's read: async source",),
    "middleware": ("* added to a request: ASGI", "* added to a request: WSGI"),
    "rollback": ("a rollback's call, *",),
    "page": ("the live page: *", "an event to * streams: p95"),
}
"""Names of rows, of every bench."""


@pytest.mark.slow
@pytest.mark.parametrize("bench", EXPECTED)
def test_a_run_gives_rows_as_json_and_as_a_page(tmp_path: Path, bench: str) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("# It\n\n<!-- speed -->\n<!-- /speed -->\n")
    done = subprocess.run(
        [sys.executable, BENCH / "run.py", "--tiny", "--no-peers", "--only", bench, "--json", tmp_path / "figures.json",
         "--page", tmp_path / "speed.md", "--readme", readme],
        capture_output=True, text=True, timeout=300, check=False, env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["absent"] == {}, done.stderr
    for pattern in EXPECTED[bench]:
        assert any(fnmatchcase(one["name"], pattern) for one in figures["rows"]), pattern
    assert all(one["median"] > 0 for one in figures["rows"] if not one["name"].startswith("a shadow"))
    assert figures["rows"][0]["name"] in (tmp_path / "speed.md").read_text()
    assert "make bench" not in readme.read_text()
    assert (tmp_path / "images" / "growth.svg").exists() == (bench == "growth")


def test_every_bench_is_run_here(run: ModuleType) -> None:
    assert set(run.BENCHES) == set(EXPECTED)


def test_every_row_of_the_readme_is_some_benchs(report: ModuleType) -> None:
    assert set(report.CHIEF) <= {pattern for patterns in EXPECTED.values() for pattern in patterns}


def test_the_readme_and_the_page_say_what_was_measured(report: ModuleType) -> None:
    figures = ROOT / "docs" / "speed.json"
    told = report.read(json.loads(figures.read_text())) if figures.exists() else None
    readme = (ROOT / "README.md").read_text()
    assert readme == report.inserted(readme, told), "run make bench"
    page = ROOT / "docs" / "speed.md"
    assert (page.read_text() if page.exists() else None) == (told and report.markdown(told))


def test_a_bench_that_is_not_there_is_wrong_usage() -> None:
    done = subprocess.run([sys.executable, BENCH / "run.py", "--only", "nothing"], capture_output=True, text=True,
                          check=False, env=os.environ | {"PYTHONPATH": str(ROOT / "src")})
    assert done.returncode == 2
    assert "nothing" in done.stderr


def test_a_ratio_is_how_many_times_better_ours_is(row: ModuleType) -> None:
    late = row.Row("wait", "ms", [3, 2, 10], {"slow": [30], "absent": "not installed"})
    assert late.median == 3
    assert late.ratio("slow") == 10
    assert late.ratio("absent") is None
    assert row.Row("added", "µs", [-1], {"slow": [30]}).ratio("slow") is None
    many = row.Row("rate", "events/s", [100], {"slow": [20, 30, 25]}, lower=False)
    assert many.ratio("slow") == 4


@pytest.mark.parametrize(("goal", "times", "met"), [
    (None, {}, None), (90, {}, True), (110, {}, False), (90, {"slow": 4}, True), (90, {"slow": 5}, False),
    (None, {"absent": 2}, None), (90, {"absent": 2}, True),
])
def test_a_goal_is_met_by_the_median_and_beside_the_peers_that_there_are(
    row: ModuleType, goal: float | None, times: dict[str, float], met: bool | None,
) -> None:
    peers = {"slow": [25], "absent": "not installed"}
    assert row.Row("rate", "events/s", [100], peers, goal=goal, times=times, lower=False).met is met


@pytest.fixture
def one_run(row: ModuleType, report: ModuleType) -> object:
    rows = (
        row.Row("wait", "ms", [3, 2, 10], {"slow": [30], "absent": "it does not install"}, goal=1,
                note="They differ."),
        row.Row("track(), the median call", "µs", [4.0], {"far": [40], "near": [8.0]}, goal=5, times={"near": 4}),
        row.Row("growth, 10 events stored, disk", "B/event", [4], place=row.Place("disk: bytes an event", "", 10)),
        row.Row("live dashboard, 10 events stored, 100 clients: p95", "ms", [4], goal=5),
        row.Row("live dashboard, 2,000 events stored, 100 clients: p95", "ms", [6], goal=5),
        row.Row("live dashboard, 300 events stored, 100 clients: p95", "ms", [5], goal=5),
    )
    return report.Run(rows, {"page": "no browser"}, {"cores": "2"}, {"crossfade": "1"}, 0, 90, "3 rounds.")


def test_no_peer_is_left_out_of_the_page(report: ModuleType, one_run: object) -> None:
    page = report.markdown(one_run)
    for expected in ("3.00 ms", "2.00 to 10.0", "slow: 30.0", "10.0 ×", "absent: it does not install", "NOT met",
                     "They differ.", "page: no browser", "crossfade 1", "1970-01-01", "for 2 minutes", "3 rounds.",
                     "images/growth.svg"):
        assert expected in page
    assert "it does not install" in report.table(one_run.rows)


def test_the_page_says_what_was_missed_and_by_how_much(report: ModuleType, one_run: object) -> None:
    page = report.markdown(one_run)
    assert "- wait: 3.00 ms misses ≤ 1 ms by 200%." in page
    assert "- track(), the median call: 4.00 µs misses 4 × near, of which it is 2.00 ×." in page
    assert page.count(" misses ") == 3
    assert "| NOT met: 4 × near |" in page  # its other goal is met


def test_the_readme_shows_the_largest_store_and_the_peer_that_comes_closest(
    report: ModuleType, one_run: object,
) -> None:
    table = report.short(one_run)
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:-2]] == [
        "live dashboard, 2,000 events stored, 100 clients: p95", "track(), the median call"]
    assert "near: 8.00 | 2.00 ×" in table
    assert "far" not in table
    readme = "before\n<!-- speed -->\nold\n<!-- /speed -->\nafter\n"
    assert report.inserted(readme, one_run) == f"before\n<!-- speed -->\n{table}\n<!-- /speed -->\nafter\n"
    with pytest.raises(ValueError, match="README"):
        report.inserted("no place", one_run)


def test_what_is_measured_anew_takes_its_row_and_leaves_the_others(report: ModuleType, one_run: object) -> None:
    old = one_run
    first, *others = old.rows  # type: ignore[attr-defined]
    again, more, other = replace(first, ours=[7.0]), replace(first, name=f"{first.name} 2"), replace(first, name="else")
    new = replace(old, rows=(other, more, again), size="small", absent={})  # type: ignore[type-var]
    made = report.renewed(old, new, ["page"])
    assert made.rows == (again, *others, other, more)
    assert (made.size, made.absent) == (report.SEVERAL, {})
    assert report.renewed(old, old, []).size == old.size
    small, large = (replace(first, name=f"reads, {count} stored") for count in (10, 2_000))
    old = replace(old, rows=(small, *others))  # type: ignore[type-var]
    assert report.renewed(old, replace(old, rows=(large,)), []).rows == (small, large, *others)


def test_a_run_is_the_same_when_it_is_read_again(report: ModuleType, one_run: object) -> None:
    again = report.read(json.loads(json.dumps(report.plain(one_run))))
    assert report.markdown(again) == report.markdown(one_run)
    assert report.short(again) == report.short(one_run)


def test_the_plot_has_a_panel_a_thing_and_a_line_a_part(row: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    plot = _load("plot", monkeypatch)
    assert plot.svg([row.Row("wait", "ms", [3])]) is None
    rows = [row.Row("", "ms", [cost], place=row.Place(panel, line, events))
            for panel, line, events, cost in (("read: ms", "a <b>", 1_000, 2), ("read: ms", "a <b>", 100_000, 4),
                                              ("read: ms", "b", 10_000, 1), ("disk: MB", "", 1_000, 0))]
    root = ElementTree.fromstring(plot.svg(rows))  # noqa: S314  our own
    space = "{http://www.w3.org/2000/svg}"
    lines = [line.get("points", "") for line in root.iter(f"{space}polyline")]
    assert len(lines) == 3
    (low, _), (high, top) = (map(float, point.split(",")) for point in lines[0].split())
    middle, bottom = map(float, lines[1].split(","))
    assert middle == pytest.approx((low + high) / 2, abs=0.1)  # the axis is logarithmic
    assert top < bottom
    texts = [text.text for text in root.iter(f"{space}text")]
    assert {"read: ms", "disk: MB", "a <b>", "1k", "10k", "100k", "events stored", "4"} <= set(texts)
