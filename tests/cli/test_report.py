"""A report is written whole, or not at all."""

import os
import stat
import threading
from pathlib import Path

import pytest

from crossfade.cli.errors import CommandError
from crossfade.cli.report import _format_of, write


def test_a_file_is_replaced_in_one_step_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    write(path, "new – ✔")
    assert path.read_text(encoding="utf-8") == "new – ✔"
    assert [one.name for one in tmp_path.iterdir()] == ["report.json"]
    umask = os.umask(0o022)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_what_cannot_be_written_says_so_and_leaves_the_old(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        write(tmp_path / "nowhere" / "report.json", "x")
    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write(path, "\ud800")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["report.json"]


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=write, args=(path, "x" * 10))
    writer.start()
    assert path.read_text() == "x" * 10
    writer.join()
    assert stat.S_ISFIFO(path.stat().st_mode)


@pytest.mark.parametrize(("name", "found"), [
    (None, "json"), ("r.json", "json"), ("r", "json"), ("r.html", "html"), ("R.HTM", "html"), ("html", "json")])
def test_the_files_name_says_the_form(name: str | None, found: str) -> None:
    assert _format_of(None if name is None else Path(name)) == found
