"""A body, taken apart into events: whatever one of them holds, the others come out whole."""

import codecs
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from crossfade.core.batch import open_batch
from crossfade.core.envelope import Malformed, Opened, open_envelope, open_single
from crossfade.core.event import Event, Limits, Rejection, Why, parse

GOOD = b'{"event":"e","messageId":"m"}'


def apart(body: bytes) -> list[bytes]:
    return [bytes(item) for item in open_envelope(body).items]


def test_a_batch_comes_apart_into_its_events() -> None:
    assert apart(b'{"batch":[' + GOOD + b" ,\n" + GOOD + b'],"writeKey":"K"}') == [GOOD, GOOD]
    assert apart(b'{"batch":[]}') == []


ODD = {
    "NaN": b'{"event":"e","properties":{"x":NaN}}',
    "Infinity": b'{"event":"e","properties":{"x":[-Infinity, 1]}}',
    "half a pair": b'{"event":"e","properties":{"path":"caf\\udce9"}}',
    "no UTF-8": b'{"event":"e","properties":{"path":"caf\xe9"}}',
    "a bare newline": b'{"event":"e","properties":{"text":"a\nb"}}',
    "a huge number": b'{"event":"e","userId":' + b"9" * 5000 + b"}",
    "a number": b"5",
    "nothing": b"null",
    "a list": b'[{"batch":[1]}]',
    "brackets in text": b'{"event":"]}","properties":{"x":"\\"],}"}}',
}


@pytest.mark.parametrize("first", ODD)
@pytest.mark.parametrize("second", ODD)
def test_odd_events_leave_the_others_whole(first: str, second: str) -> None:
    items = [GOOD, ODD[first], GOOD, ODD[second], GOOD]
    for space in (b"", b" \r\n\t"):
        body = b'%s{"a":{"batch":0},"sentAt":"2026-11-22T12:00:00Z",%s"batch":[' % (space, space)
        body += (space + b"," + space).join(items) + b"]%s}%s" % (space, space)
        assert apart(body) == items
        assert open_envelope(body).sent_at == datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(("name", "why"), [
    ("NaN", Why.NOT_A_NUMBER), ("half a pair", Why.MALFORMED), ("no UTF-8", Why.MALFORMED),
    ("a bare newline", Why.MALFORMED), ("a huge number", Why.WRONG_TYPE), ("a number", Why.WRONG_TYPE),
])
def test_the_odd_event_is_rejected_alone(name: str, why: Why) -> None:
    for others in ([], [ODD["NaN"]]):
        items = open_envelope(b'{"batch":[' + b",".join([GOOD, ODD[name], *others]) + b"]}").items
        good, odd = (parse(item, "track", Limits()) for item in items[:2])
        assert isinstance(good, Event)
        assert isinstance(odd, Rejection)
        assert odd.reason == why


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize("body", [
    b"", b" ", b"{", b"[]", b"5", b"null", b'{"batch":5}', b'{"batch":{}}', b"{}", b"NaN", b'{"batch":[NaN],}',
    b'{"batch":[NaN]', b'{"batch":[NaN,]}', b'{"batch":[NaN] "a":1}', b'{"batch":NaN}', b'{"batch":[NaN]}x',
    b'{"batch":[NaN]}\x00',
    b'{"batch":[{"event":"\\q"}]}', b'{"batch":[,NaN]}', b'{"batch":[NaN],"sentAt":NaN}', b'{"batch":[],"sentAt":5}',
    b'{"batch":[],"sentAt":"soon"}', b'{"batch":[NaN],"sentAt":"soon"}', b"\xff\xfe{", '{"batch":[]}'.encode("utf-16"),
    b'{"batch":[NaN], 5:1}}', b'{"batch":[%s]}' % DEEP, b'{"batch":[NaN,%s]}' % DEEP,
])
def test_what_is_no_batch_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed) as found:
        open_envelope(body)
    assert 0 < len(str(found.value)) < 300
    assert open_batch(body) is None or b"soon" in body


def test_a_byte_order_mark_is_passed_over() -> None:
    assert apart(codecs.BOM_UTF8 + b'{"batch":[' + GOOD + b"]}") == [GOOD]
    assert [bytes(item) for item in open_single(codecs.BOM_UTF8 + GOOD).items] == [GOOD]


@given(st.binary(max_size=60) | st.lists(st.sampled_from((
    b'{"batch":[', b"]}", b"{", b"}", b"[", b"]", b",", b":", b'"batch"', b"NaN", b'"sentAt"', b'"\\ud800"', b"\xff",
    b" ", b"\n", b"1", GOOD,
)), max_size=12).map(b"".join))
def test_any_bytes_are_events_or_malformed(body: bytes) -> None:
    for way in (open_envelope, open_single):
        try:
            items = way(body).items
        except Malformed:
            continue
        assert all(isinstance(parse(item, "track", Limits()), Event | Rejection) for item in items)


values = st.recursive(st.none() | st.booleans() | st.floats() | st.text(st.characters(), max_size=5), lambda inner:
                      st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3))


@given(st.lists(values, max_size=4), st.sampled_from((None, 1)))
def test_the_lenient_reader_cuts_where_json_does(items: list[object], indent: int | None) -> None:
    body = json.dumps({"first": items, "batch": [*items, float("nan")], "last": items}, indent=indent).encode()
    found = [json.dumps(json.loads(text)) for text in apart(body)]
    assert found == [json.dumps(item) for item in [*items, float("nan")]]


def test_a_single_call_is_its_own_event() -> None:
    body = b'{"event":"e","sentAt":"2026-11-22T12:00:00+01:00"}'
    assert open_single(body) == Opened([Raw(body)], datetime(2026, 11, 22, 11, tzinfo=UTC))
    assert open_single(GOOD).sent_at is None


@pytest.mark.parametrize("body", [b"[]", b"5", b'{"sentAt":5}', b'{"sentAt":"soon"}'])
def test_what_is_no_call_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        open_single(body)
