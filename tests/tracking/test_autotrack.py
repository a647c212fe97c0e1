"""Sign-ins: an attempt for each, a success for those that end well."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossfade.core.event import BUILT_IN
from crossfade.tracking import SpoolFull, Tracker, autotrack
from crossfade.tracking.frame import unpack


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[Tracker]:
    made = Tracker("http://127.0.0.1:9", "key", tmp_path, exit_timeout=0)
    yield made
    made.shutdown(0)


def told(folder: Path) -> list[tuple[object, ...]]:
    records = [json.loads(record) for file in sorted(folder.glob("*/*.seg"))
               for record in unpack(file.read_bytes(), most=1 << 30, final=True).records]
    return [(one["event"], one.get("userId"), one["properties"], one.get("sessionId")) for one in records]


def test_a_login_that_succeeds_is_an_attempt_and_a_success(tracker: Tracker, tmp_path: Path) -> None:
    with autotrack.login(tracker, method="password", session_id="s1") as login:
        assert [one[0] for one in told(tmp_path)] == ["auth_attempt"]
        login.succeeded("ada")
    assert told(tmp_path) == [("auth_attempt", None, {"method": "password"}, "s1"),
                              ("auth_success", "ada", {"method": "password"}, "s1")]
    assert {one[0] for one in told(tmp_path)} <= set(BUILT_IN)


def test_a_login_that_fails_is_an_attempt(tracker: Tracker, tmp_path: Path) -> None:
    with autotrack.login(tracker):
        pass
    assert told(tmp_path) == [("auth_attempt", None, {}, None)]


def test_a_login_that_raises_is_an_attempt_and_the_exception_goes_on(tracker: Tracker, tmp_path: Path) -> None:
    def sign_in() -> None:
        with autotrack.login(tracker) as login:
            login.succeeded("ada")
            raise LookupError("no session")

    with pytest.raises(LookupError, match="no session"):
        sign_in()
    assert [one[0] for one in told(tmp_path)] == ["auth_attempt"]


def test_the_parts_by_themselves(tracker: Tracker, tmp_path: Path) -> None:
    autotrack.login_attempt(tracker, "ada", method="token")
    autotrack.login_success(tracker, "ada")
    assert told(tmp_path) == [("auth_attempt", "ada", {"method": "token"}, None), ("auth_success", "ada", {}, None)]


@pytest.mark.parametrize("trouble", [SpoolFull("full"), RuntimeError("the tracker is shut down"), ValueError("x")])
def test_nobody_is_kept_from_signing_in(tracker: Tracker, monkeypatch: pytest.MonkeyPatch,
                                        caplog: pytest.LogCaptureFixture, trouble: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise trouble

    monkeypatch.setattr(tracker, "track", fail)
    with autotrack.login(tracker) as login:
        login.succeeded("ada")
    assert [record.message for record in caplog.records] == [
        "auth_attempt could not be tracked", "auth_success could not be tracked"]
