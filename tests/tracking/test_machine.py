"""What the machine tells: the kernel's own files against psutil, and neither."""

import builtins
import os
import time
from pathlib import Path

import psutil
import pytest

from crossfade.core.cpu import CpuTimes
from crossfade.tracking import machine
from crossfade.tracking.machine import ProcMachine, PsutilMachine

STAT = "cpu  400 10 90 1000 200 0 0 0 300 20\ncpu0 1 2 3\nbtime 1700000000\n"
MEMINFO = "MemTotal:       1000 kB\nMemFree:  1 kB\nMemAvailable:    250 kB\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    own = tmp_path / "self"
    own.mkdir()
    (tmp_path / "stat").write_text(STAT)
    (tmp_path / "meminfo").write_text(MEMINFO)
    (own / "statm").write_text("900 30 20 1 0 5 0\n")
    behind = " ".join(["S", *(str(n) for n in range(4, 22)), "12345", "99"])
    (own / "stat").write_bytes(b"77 (a) b\xff (c) " + behind.encode())
    return tmp_path


def test_the_kernels_files_are_read_as_proc_5_has_them(proc: Path) -> None:
    found = machine.find(proc)
    assert isinstance(found, ProcMachine)
    hertz = os.sysconf("SC_CLK_TCK")
    assert found.started_at() == 1_700_000_000_000_000 + 12345 * 1_000_000 // hertz
    assert found.resident() == 30 * os.sysconf("SC_PAGE_SIZE")
    assert found.memory_percent() == 75.0
    assert found.cpu() == CpuTimes(1700 / hertz, 500 / hertz)  # waiting is no work, a guest is counted once


def test_here_the_two_agree() -> None:
    own, other = ProcMachine(), PsutilMachine()
    assert own.started_at() == pytest.approx(other.started_at(), abs=1_100_000)
    assert own.started_at() <= time.time_ns() // 1000
    assert own.resident() == pytest.approx(other.resident(), rel=0.2)
    assert own.memory_percent() == pytest.approx(other.memory_percent(), abs=5)
    before, counters = own.cpu(), psutil.cpu_times()
    waited = getattr(counters, "iowait", 0.0)
    assert before.busy == pytest.approx(other.cpu().busy - waited, rel=0.05, abs=2)


def test_where_there_is_no_proc_psutil_tells(tmp_path: Path) -> None:
    assert isinstance(machine.find(tmp_path), PsutilMachine)


def test_without_either_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_psutil(name: str, *rest: object, **more: object) -> object:
        if name == "psutil":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_psutil)
    assert machine.find(tmp_path) is None


@pytest.mark.parametrize("meminfo", ["", "MemTotal: 5 kB\n"])
def test_a_kernel_that_does_not_say_is_an_error(proc: Path, meminfo: str) -> None:
    (proc / "meminfo").write_text(meminfo)
    with pytest.raises(LookupError):
        ProcMachine(proc).memory_percent()
