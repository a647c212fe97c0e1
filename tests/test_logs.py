"""The log of a process: whoever says something, it is a line of JSON."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import asyncio, logging, sys, warnings
import structlog
from crossfade.logs import configure_logging
configure_logging(sys.argv[1])
structlog.contextvars.bind_contextvars(request_id="r1")
log = structlog.get_logger("ours")
log.debug("ours, in detail")
log.info("ours", number=1)
logging.getLogger("uvicorn.error").info("a library, in detail: secret")
logging.getLogger("uvicorn.error").warning("a library: %s", "line one\\nline two")
warnings.warn("careful", UserWarning, stacklevel=1)
def fail():
    secret = "hunter2" + str(len(sys.argv))
    raise ValueError("no good")
try:
    fail()
except ValueError:
    log.exception("ours failed")
    logging.getLogger("uvicorn.error").exception("a library failed")
"""


def said(level: str) -> list[dict[str, object]]:
    done = subprocess.run([sys.executable, "-c", SCRIPT, level], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == ""
    assert "hunter22" not in done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_every_voice_is_json_with_level_time_and_request() -> None:
    lines = said("info")
    assert [line["level"] for line in lines] == ["info", "warning", "warning", "error", "error"]
    assert all(line["timestamp"].endswith("Z") and line["request_id"] == "r1" for line in lines)
    ours, library, warned, failed, library_failed = lines
    assert (ours["event"], ours["number"]) == ("ours", 1)
    assert (library["event"], library["logger"]) == ("a library: line one\nline two", "uvicorn.error")
    assert "UserWarning: careful" in warned["event"]
    for line in (failed, library_failed):
        assert line["exception"][0]["exc_type"] == "ValueError"
        assert line["exception"][0]["frames"]


@pytest.mark.parametrize(("level", "ours"), [("debug", ["ours, in detail", "ours"]), ("warning", [])])
def test_the_level_is_for_ours_and_libraries_tell_what_is_wrong_alone(level: str, ours: list[str]) -> None:
    events = [line["event"] for line in said(level)]
    assert [event for event in events if event.startswith("ours") and event != "ours failed"] == ours
    assert not any("secret" in str(event) for event in events)
    assert "a library failed" in events
