"""The flags on their way: what is pushed arrives as it was, and what is no event changes nothing."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.flag import ALL, PERCENT, FlagError, Flags
from crossfade.core.flagevent import MAX_EVENT, decode, encode

values = st.fixed_dictionaries({}, optional={
    name: st.integers(0, 100) if name.startswith(PERCENT) else st.booleans() for name in ALL})


@given(values, st.integers(0, 2**63 - 1))
def test_what_is_pushed_arrives(flags: dict[str, bool | int], revision: int) -> None:
    sent = Flags(flags, revision)
    assert decode(encode(sent)) == sent
    assert b"\n" not in encode(sent)


@pytest.mark.parametrize("data", [
    b"", b"{}", b"[]", b"null", b'{"revision":1}', b'{"revision":-1,"flags":{}}', b'{"revision":1.5,"flags":{}}',
    b'{"revision":true,"flags":{}}', b'{"revision":1,"flags":[]}', b'{"revision":1,"flags":{"fallbackOnError":1}}',
    b'{"revision":1,"flags":{"fallbackOnError":"true"}}', b'{"revision":1,"flags":{"percentOrders":101}}',
    b'{"revision":1,"flags":{"percentOrders":true}}', b'{"revision":1,"flags":{"useRealOrders":null}}',
    b'{"revision":1,"flags":{"percentOrders":' + b"9" * 5000 + b"}}", b'{"revision":1,"flags":{"use\xffReal":true}}',
    b'{"revision":' + b"[" * 100_000, b'{"revision":1,"flags":{}}' + b" " * MAX_EVENT,
])
def test_what_is_no_event_is_refused_whole(data: bytes) -> None:
    with pytest.raises(FlagError):
        decode(data)


@given(st.binary())
def test_any_bytes_are_flags_or_an_error(data: bytes) -> None:
    with suppress(FlagError):
        assert decode(data).revision >= 0
