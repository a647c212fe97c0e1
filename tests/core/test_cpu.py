"""How busy a machine is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.cpu import CpuTimes, busy_percent

SECONDS = st.floats(0, 1e9)


@pytest.mark.parametrize(("before", "after", "percent"), [
    (CpuTimes(100, 50), CpuTimes(110, 55), 50.0),
    (CpuTimes(100, 50), CpuTimes(110, 50), 0.0),
    (CpuTimes(100, 50), CpuTimes(110, 60), 100.0),
    (CpuTimes(100, 50), CpuTimes(110, 49), 0.0),
    (CpuTimes(100, 50), CpuTimes(110, 62), 100.0),
    (CpuTimes(100, 50), CpuTimes(100, 50), None),
    (CpuTimes(100, 50), CpuTimes(90, 40), None),
])
def test_cpu_is_the_busy_share_of_the_time(before: CpuTimes, after: CpuTimes, percent: float | None) -> None:
    assert busy_percent(before, after) == percent


@given(SECONDS, SECONDS, SECONDS, SECONDS)
def test_cpu_is_a_percentage_whatever_the_counters_say(a: float, b: float, c: float, d: float) -> None:
    percent = busy_percent(CpuTimes(a, b), CpuTimes(c, d))
    assert percent is None or 0 <= percent <= 100
