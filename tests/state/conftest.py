"""A control database of its own for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crossfade.state import State


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def state(path: Path) -> Iterator[State]:
    opened = State.open(path)
    yield opened
    opened.close()
