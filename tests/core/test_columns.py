"""The compiled reader of segments by itself; what it gives is compared with DuckDB's own in store/test_lines.py."""

from pathlib import Path

import pytest

from . import sanitized

_columns = pytest.importorskip("crossfade.core._columns", reason="there was no C compiler")


def test_a_path_is_bytes() -> None:
    with pytest.raises(TypeError, match="a path is bytes"):
        _columns.stream("1.tsv")


def test_a_stream_that_nobody_takes_is_let_go() -> None:
    for _ in range(1_000):
        _columns.stream(b"/nowhere")


def test_it_stays_within_the_memory_that_is_its_own(tmp_path: Path) -> None:
    told = sanitized.run("columns", tmp_path).split()
    assert told[0] == "read"
    assert int(told[1]) > 500
