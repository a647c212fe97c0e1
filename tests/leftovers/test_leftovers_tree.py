"""The search of a whole tree: what is passed over, what cannot be read and is told, and what never stops it."""

import os
from pathlib import Path

import pytest

from crossfade.leftovers import LARGEST, Problem, Report, SearchError, files, search


def put(root: Path, **contents: str) -> None:
    """Files by their paths, with ``__`` for a slash and ``_DOT_`` for a dot."""
    for name, content in contents.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def searched(root: Path, component: str | None = None, *, tests: bool = False) -> Report:
    return search(files(root, tests=tests), component=component)


def places(report: Report) -> list[str]:
    return [f"{file}:{found.line}" for file, found in report.findings]


def test_a_tree_is_searched_in_the_order_of_its_names(tmp_path: Path) -> None:
    put(tmp_path, b_DOT_py="\nmock", a__c_DOT_ts="fake", z_DOT_py="fine = 1", readme_DOT_md="mock")
    report = searched(tmp_path)
    assert places(report) == ["a/c.ts:1", "b.py:2"]
    assert (report.searched, report.problems) == (3, ())


def test_a_single_file(tmp_path: Path) -> None:
    put(tmp_path, mocks__b_DOT_py="mock")
    assert places(searched(tmp_path / "mocks" / "b.py")) == ["b.py:1"]


@pytest.mark.parametrize("name", ["none", "notes.md", "a\0b"])
def test_what_is_nothing_to_search(tmp_path: Path, name: str) -> None:
    put(tmp_path, notes_DOT_md="mock")
    with pytest.raises(SearchError):
        files(tmp_path / name)


def test_a_file_of_mocks_is_one_by_its_name(tmp_path: Path) -> None:
    put(tmp_path, lib__mock_db_DOT_ts="rows", fakes__history_DOT_py="rows", lib__hammock_DOT_py="rows")
    report = searched(tmp_path)
    assert [(file, found.what, found.component) for file, found in report.findings] == [
        ("fakes/history.py", "fakes/history.py", "historicalData"), ("lib/mock_db.ts", "lib/mock_db.ts", None)]


def test_tests_and_others_code_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path, tests__a_DOT_py="mock", src____tests____b_DOT_ts="mock", test_c_DOT_py="mock", d_test_DOT_py="mock",
        conftest_DOT_py="mock", e_DOT_spec_DOT_tsx="mock", node_modules__f_DOT_js="mock", _DOT_git__g_DOT_py="mock",
        env__pyvenv_DOT_cfg="", env__h_DOT_py="mock", contest_DOT_py="mock", latest_DOT_py="mock")
    (tmp_path / "src" / "__tests__").mkdir(parents=True)
    (tmp_path / "src" / "__tests__" / "b.ts").write_text("mock")
    report = searched(tmp_path)
    assert places(report) == ["contest.py:1", "latest.py:1"]
    assert report.tests >= 6
    everything = searched(tmp_path, tests=True)
    assert everything.tests == 0
    assert len(everything.findings) == report.tests + 2
    assert not any("node_modules" in place or ".git" in place or "env" in place for place in places(everything))


def test_one_component_alone_and_how_much_there_is_of_others(tmp_path: Path) -> None:
    put(tmp_path, a_DOT_py="use_real_orders\nuse_real_sales\nmock\nMockOrders\npercent_orders")
    report = searched(tmp_path, "orders")
    assert places(report) == ["a.py:1", "a.py:4", "a.py:5"]
    assert report.others == 2


def test_what_cannot_be_read_is_told_and_the_rest_is_searched(tmp_path: Path) -> None:
    put(tmp_path, a_DOT_py="def mock(", b_DOT_py="mock", c_DOT_py="mock " * LARGEST, d_DOT_py="mock\0", z_DOT_ts="mock")
    (tmp_path / "e.js").write_bytes(b"mock \xff")
    os.mkfifo(tmp_path / "f.py")
    (tmp_path / "g.py").symlink_to("gone.py")
    (tmp_path / "h.md").symlink_to("gone.md")
    report = searched(tmp_path)
    assert places(report) == ["b.py:1", "z.ts:1"]
    assert {problem.file: problem.why for problem in report.problems} == {
        "a.py": "not searched: no Python that can be read: line 1: '(' was never closed",
        "c.py": f"not searched: larger than {LARGEST:,} bytes", "d.py": "not searched: binary",
        "e.js": "not searched: no utf-8 text: byte 5", "f.py": "not searched: no plain file",
        "g.py": "not searched: cannot be read: No such file or directory"}
    assert all(problem.missed for problem in report.problems)


def test_a_folder_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, closed__a_DOT_py="mock", open__b_DOT_py="mock")
    scandir = os.scandir

    def refusing(path: Path):
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    report = searched(tmp_path)
    assert places(report) == ["open/b.py:1"]
    assert report.problems == (Problem("closed", "not searched: cannot be read: Permission denied"),)


def test_links_are_followed_once_and_never_in_a_circle(tmp_path: Path) -> None:
    root, outside = tmp_path / "app", tmp_path / "outside"
    put(root, lib__a_DOT_py="mock")
    put(outside, b_DOT_py="mock")
    (root / "lib" / "up").symlink_to("..")
    (root / "itself").symlink_to("itself")
    (root / "again").symlink_to("lib")
    (root / "twin.py").symlink_to("lib/a.py")
    (root / "out").symlink_to(outside)
    (outside / "back").symlink_to(root)
    report = searched(root)
    assert places(report) == ["lib/a.py:1", "out/b.py:1"]
    told = {problem.file: problem for problem in report.problems}
    assert told.keys() == {"itself", "lib/up", "out/back"}
    assert "leads back" in told["lib/up"].why
    assert not told["lib/up"].missed, "it is searched where it lies"
    assert "symbolic links" in told["itself"].why


def test_a_name_of_any_bytes_can_be_told(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"a\xff.py")).write_text("mock")
    (tmp_path / "new\nline.py").write_text("mock")
    report = searched(tmp_path)
    assert len(report.findings) == 2
    assert all(file.isprintable() for file, _ in report.findings)


def test_progress_counts_up_to_the_last(tmp_path: Path) -> None:
    put(tmp_path, a_DOT_py="", b_DOT_py="(", c_DOT_ts="")
    seen: list[int] = []
    search(files(tmp_path), progress=seen.append)
    assert seen == [1, 2, 3]
