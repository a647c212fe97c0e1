"""Whether a request comes from a page of ours, by what a browser says of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.access import secret
from crossfade.web.csrf import same_site


@pytest.mark.parametrize(("headers", "same"), [
    ({}, True),
    ({"sec-fetch-site": "same-origin"}, True),
    ({"sec-fetch-site": "same-site"}, False),
    ({"sec-fetch-site": "cross-site"}, False),
    ({"sec-fetch-site": "none"}, False),
    ({"sec-fetch-site": ""}, False),
    ({"origin": "http://dash.example", "host": "dash.example"}, True),
    ({"origin": "https://Dash.example:8443", "host": "dash.example:8443"}, True),
    ({"origin": "http://dash.example:1", "host": "dash.example"}, False),
    ({"origin": "http://evil.example", "host": "dash.example"}, False),
    ({"origin": "http://dash.example.evil.example", "host": "dash.example"}, False),
    ({"origin": "null", "host": "dash.example"}, False),
    ({"origin": "", "host": ""}, False),
    ({"origin": "http://[", "host": "["}, False),
    ({"origin": "http://dash.example"}, False),
    ({"sec-fetch-site": "same-origin", "origin": "http://behind.a.proxy", "host": "inside"}, True),
    ({"sec-fetch-site": "cross-site", "origin": "http://dash.example", "host": "dash.example"}, False),
])
def test_where_a_request_comes_from(headers: dict[str, str], same: bool) -> None:
    assert same_site(headers) is same


@given(st.text(max_size=100), st.text(max_size=100))
def test_a_token_is_of_one_secret_and_tells_nothing_of_it(one: str, other: str) -> None:
    token = secret.form_token(one)
    assert secret.is_form_token(token, one)
    assert secret.is_form_token(token, other) == (one == other)
    assert not secret.is_form_token(one, one)
    assert not secret.is_form_token(secret.digest(one), one)
    assert token != secret.digest(one)
