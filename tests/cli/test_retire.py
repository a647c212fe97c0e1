"""``crossfade retire``: what is wrong usage, and the search, which needs no server."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crossfade.cli.leftovers import SHOWN
from crossfade.cli.main import app


def retire(*arguments: str) -> tuple[int, str]:
    done = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, ["retire", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.mark.parametrize("arguments", [
    ("--undo",), ("--dry-run",), ("--reason", "x"), ("--despite", "x"), ("--tests",), ("--component", "orders"),
    ("orders", "--tests"), ("orders", "--component", "orders"), ("orders", "--undo", "--dry-run"),
    ("orders", "--undo", "--despite", "x"), ("orders", "--check", "."), ("--check", ".", "--undo"),
    ("--check", ".", "--reason", "x"), ("--check", ".", "--component", "Use Real"), ("--check", "/no/such/folder"),
    ("--check", "/etc/hostname"),
])
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    status, said = retire(*arguments)
    assert status == 2
    assert "Error" in said


def test_what_is_left_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("\nx = use_real_orders\nmock()  # crossfade: keep\n")
    (tmp_path / "b.ts").write_text("[red]fake")
    (tmp_path / "c.py").write_text("mock (")
    (tmp_path / "test_d.py").write_text("mock")
    status, said = retire("--check", str(tmp_path))
    assert status == 1
    assert said.splitlines() == [
        "a.py:2:5: use_real_orders: a flag of the switch to real data (of orders)",
        "b.ts:1:6: fake: a name of a mock [by token]",
        "c.py: not searched: no Python that can be read: line 1: '(' was never closed",
        "2 files searched: 2 left in 2 files.",
        "JavaScript and TypeScript are searched by token, not by syntax tree: look before you delete.",
        "1 waived by a comment: crossfade: keep.",
        "1 files of tests passed over; --tests searches them too.",
        "1 could not be searched, as named above: something may be left there.",
    ]
    status, said = retire("--check", str(tmp_path), "--json", "--tests", "--component", "orders")
    told = json.loads(said)
    assert status == 1
    assert told["findings"] == [{"file": "a.py", "line": 2, "column": 5, "what": "use_real_orders",
                                 "why": "a flag of the switch to real data", "component": "orders",
                                 "by": "syntax tree"}]
    assert (told["left"], told["others"], told["waived"], told["testsPassedOver"]) == (1, 2, 1, 0)


def test_nothing_left_is_a_good_end(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("use_real_orders = 1  # crossfade: keep")
    assert retire("--check", str(tmp_path)) == (
        0, "1 file searched: nothing is left.\n1 waived by a comment: crossfade: keep.\n")
    assert retire("--check", str(tmp_path / "a.py"), "--component", "orders")[0] == 0


def test_of_many_the_first_are_printed_and_all_counted(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("mock\n" * (SHOWN + 5))
    _, said = retire("--check", str(tmp_path))
    assert "… and 5 more; --json has all" in said
    assert "205 left in 1 file" in said
    assert len(json.loads(retire("--check", str(tmp_path), "--json")[1])["findings"]) == SHOWN + 5
