"""Settings for all tests."""

import os
import signal

import hypothesis
import pytest

# A busy machine is slow now and then: no deadline. In CI every run draws the same examples.
hypothesis.settings.register_profile("crossfade", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("crossfade")


# Whoever starts the tests in the background has the shell ignore Ctrl-C for them, and a program started from here
# would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """In CI nothing is skipped: a missing program there is a missing install step."""
    report = yield
    if report.skipped and "CI" in os.environ and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {item.nodeid}: {report.longrepr}"
    return report
