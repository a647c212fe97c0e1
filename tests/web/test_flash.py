"""What a form says on the next page comes back as it was, and nothing else is taken for it."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.web.flash import LONGEST, NAME, Notice, forgotten, heard, told


def request(kept: str | None = None, scheme: str = "http"):
    return SimpleNamespace(cookies={} if kept is None else {NAME: kept}, scope={"scheme": scheme})


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300), st.sampled_from(["pass", "fail"]))
def test_a_notice_comes_back_as_it_was(text: str, tone: str) -> None:
    cookie = told(request(), Notice(text, tone))
    assert cookie.value is not None
    assert heard(request(cookie.value)) == Notice(text, tone)


def test_a_browser_keeps_the_longest() -> None:
    cookie = told(request(), Notice("ä" * 5_000))
    assert cookie.value is not None
    assert len(cookie.value) < 4_000
    assert heard(request(cookie.value)) == Notice("ä" * LONGEST)


@pytest.mark.parametrize("kept", [None, "", "x", "!!!", "bnVsbA==", "eyJ0ZXh0IjogMX0=", "é"])
def test_what_we_did_not_write_is_nothing(kept: str | None) -> None:
    assert heard(request(kept)) is None


def test_no_script_and_no_other_site_gets_it() -> None:
    made, gone = told(request(scheme="https"), Notice("x")), forgotten(request())
    assert (made.httponly, made.samesite, made.secure, made.path) == (True, "strict", True, "/admin")
    assert (gone.value, gone.max_age, gone.path) == ("", 0, "/admin")
