"""After signing in one is on this server, whatever the address said."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crossfade.web.next import local


@pytest.mark.parametrize(("asked", "goes"), [
    ("/", "/"), ("/admin/migration-dashboard?range=7d", "/admin/migration-dashboard?range=7d"), ("", "/"),
    ("//evil.example", "/"), ("/\\evil.example", "/"), ("\\/evil.example", "/"), ("https://evil.example", "/"),
    ("javascript:alert(1)", "/"), ("/\t/evil.example", "/"), (" //evil.example", "/"), ("/\n/evil.example", "/"),
    ("evil.example", "/"), ("/\r\nSet-Cookie: a=b", "/"), ("/login?next=/", "/"), ("/" + "x" * 500, "/"), ("/ä", "/"),
    ("///evil.example", "/"), ("/a//b", "/a//b"),
])
def test_where_one_goes(asked: str, goes: str) -> None:
    assert local(asked) == goes


@given(st.text(alphabet=st.sampled_from("/\\:.@?#%aA \t\r\n\0\u2028ä"), max_size=20) | st.text(max_size=600))
@example("/\t/evil.example")
def test_nothing_leads_away(asked: str) -> None:
    goes = local(asked)
    # Browsers drop tabs and newlines, and take a backslash for a slash.
    seen = goes.replace("\t", "").replace("\n", "").replace("\r", "").replace("\\", "/")
    assert urlsplit(urljoin("http://here.example/login", seen)).netloc == "here.example"
    assert goes.isascii()
