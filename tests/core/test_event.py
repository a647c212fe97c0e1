"""The judgement of one event: parse, and what it rests upon."""

import json
from datetime import UTC, datetime, timedelta, timezone
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from crossfade.core.clock import DAY, EPOCH, SECOND, iso, micros, read_iso
from crossfade.core.event import (
    MAX_DEPTH,
    MAX_ID,
    MAX_MESSAGE_ID,
    MAX_NAME,
    NO_PROPERTIES,
    Context,
    Event,
    Limits,
    Rejection,
    Why,
    depth,
    has_control,
    is_deep,
    judge_time,
    parse,
)

LIMITS = Limits()
NOW = micros(datetime(2026, 11, 22, 12, tzinfo=UTC))


def judge(call: object, default_type: str = "track", **options: bool) -> Event | Rejection:
    text = call if isinstance(call, bytes) else json.dumps(call).encode()
    return parse(Raw(text), default_type, LIMITS, **options)


def event(call: object, default_type: str = "track") -> Event:
    verdict = judge(call, default_type)
    assert isinstance(verdict, Event), verdict
    return verdict


def rejection(call: object, default_type: str = "track", **options: bool) -> Rejection:
    verdict = judge(call, default_type, **options)
    assert isinstance(verdict, Rejection), verdict
    return verdict


def properties(found: Event) -> object:
    return json.loads(bytes(found.properties))


# What is taken


def test_a_track_call_keeps_what_it_says() -> None:
    found = event({
        "type": "track", "event": "file_processed", "messageId": "m1", "userId": "u1", "anonymousId": "a1",
        "sessionId": "s1", "timestamp": "2026-11-22T22:22:16.965+01:00", "properties": {"size": 1, "path": "/é"},
        "integrations": {"All": True}, "writeKey": "K",
    })
    assert (found.event, found.message_id, found.user_id, found.anonymous_id) == ("file_processed", "m1", "u1", "a1")
    assert found.session == "s1"
    assert found.timestamp == datetime(2026, 11, 22, 21, 22, 16, 965_000, tzinfo=UTC)
    assert properties(found) == {"size": 1, "path": "/é"}


def test_properties_are_kept_as_they_were_written_but_on_one_line() -> None:
    text = b'{\r\n "a":\t1,  "a" : 2,\n"\\u00e9": "tab\\tand \\\\n and \\u0000", "big": 1e999}'
    found = event(b'{"event":"e","messageId":"m","properties":' + text + b"}")
    assert bytes(found.properties) == b'{ "a":1,  "a" : 2,"\\u00e9": "tab\\tand \\\\n and \\u0000", "big": 1e999}'


def test_a_missing_message_id_is_made_up_each_time_anew() -> None:
    first, second = event({"event": "e"}), event({"event": "e", "messageId": None})
    assert first.message_id != second.message_id
    assert min(len(first.message_id), len(second.message_id)) == 36


@pytest.mark.parametrize("none", [None, {}])
def test_no_properties_are_an_empty_object(none: object) -> None:
    assert event({"event": "e", "properties": none}).properties == NO_PROPERTIES


def test_ids_may_be_numbers() -> None:
    found = event({"event": "e", "messageId": 7, "userId": 5, "anonymousId": 2**63, "sessionId": 1.5})
    assert (found.message_id, found.user_id, found.anonymous_id, found.session) == ("7", "5", str(2**63), "1.5")


def test_what_a_track_call_does_not_have_is_not_looked_at() -> None:
    assert event({"event": "e", "name": 5, "category": [], "groupId": {}, "previousId": 1.5, "traits": "x"})


@pytest.mark.parametrize(("context", "session"), [
    ({"sessionId": "c"}, "c"), ({"sessionId": 5}, "5"), ({"sessionId": None}, ""), ({"sessionId": True}, ""),
    ({"sessionId": ["x"]}, ""), ({}, ""), (None, ""), ({"library": {"name": "n"}}, ""),
])
def test_the_context_may_name_the_session(context: object, session: str) -> None:
    assert event({"event": "e", "context": context}).session == session
    assert event({"event": "e", "context": context, "sessionId": "own"}).session == "own"


def test_an_event_made_in_python_has_its_contexts_session() -> None:
    assert Event("e", "m", context=Context("c")).session == "c"
    assert Event("e", "m", context=Context()).session == ""


@pytest.mark.parametrize(("call", "name", "kept"), [
    ({"type": "identify", "traits": {"plan": "pro"}}, "$identify", {"plan": "pro"}),
    ({"type": "identify", "context": {"traits": {"plan": "pro"}}}, "$identify", {"plan": "pro"}),
    ({"type": "identify", "traits": None, "context": {"traits": {"a": 1}}}, "$identify", {"a": 1}),
    ({"type": "identify", "traits": {}, "context": {"traits": {"a": 1}}}, "$identify", {}),
    ({"type": "identify"}, "$identify", {}),
    ({"type": "page", "name": "Home", "category": "c", "properties": {"url": "/"}}, "$page",
     {"url": "/", "name": "Home", "category": "c"}),
    ({"type": "page", "name": None}, "$page", {}),
    ({"type": "screen", "name": "Home"}, "$screen", {"name": "Home"}),
    ({"type": "group", "groupId": 7, "traits": {"seats": 3}}, "$group", {"seats": 3, "groupId": 7}),
    ({"type": "alias", "previousId": "old", "userId": "new"}, "$alias", {"previousId": "old"}),
])
def test_the_other_calls_become_events(call: dict[str, object], name: str, kept: object) -> None:
    found = event({**call, "messageId": "m"})
    assert (found.event, properties(found)) == (name, kept)


def test_the_type_is_that_of_the_call_when_the_body_has_none() -> None:
    assert event({"traits": {"a": 1}}, "identify").event == "$identify"
    assert event({"type": "", "event": "e"}).event == "e"
    assert event({"type": "track", "event": "e"}, "identify").event == "e"


# What is not


@pytest.mark.parametrize(("call", "why"), [
    ({"type": "track"}, Why.MISSING_EVENT),
    ({"event": ""}, Why.MISSING_EVENT),
    ({"event": None}, Why.MISSING_EVENT),
    ({"event": " \u2003"}, Why.MISSING_EVENT),
    ({"event": 5}, Why.WRONG_TYPE),
    ({"event": "e", "userId": True}, Why.WRONG_TYPE),
    ({"event": "e", "userId": {"id": 1}}, Why.WRONG_TYPE),
    (b'{"event":"e","userId":1%s}' % (b"0" * 5000), Why.WRONG_TYPE),
    ({"event": "e", "messageId": 1.5}, Why.WRONG_TYPE),
    ({"event": "e", "properties": [1]}, Why.WRONG_TYPE),
    ({"event": "e", "properties": "x"}, Why.WRONG_TYPE),
    ({"event": "e", "properties": 0}, Why.WRONG_TYPE),
    ({"event": "e", "context": []}, Why.WRONG_TYPE),
    ({"event": "e", "timestamp": 1_790_000_000}, Why.WRONG_TYPE),
    ({"event": "e", "timestamp": "yesterday"}, Why.WRONG_TYPE),
    ({"event": "e", "timestamp": ""}, Why.WRONG_TYPE),
    ({"type": "group", "traits": 5}, Why.WRONG_TYPE),
    ({"type": "teleport"}, Why.UNKNOWN_TYPE),
    ({"type": 5}, Why.WRONG_TYPE),
    ([], Why.WRONG_TYPE),
    ("text", Why.WRONG_TYPE),
    (None, Why.WRONG_TYPE),
    ({"event": "x" * (MAX_NAME + 1)}, Why.TOO_LARGE),
    ({"event": "e", "userId": "x" * (MAX_ID + 1)}, Why.TOO_LARGE),
    ({"event": "e", "messageId": "x" * (MAX_MESSAGE_ID + 1)}, Why.TOO_LARGE),
    ({"event": "e", "context": {"sessionId": "x" * (MAX_ID + 1)}}, Why.TOO_LARGE),
    ({"event": "e", "properties": {"x": "y" * 300_000}}, Why.TOO_LARGE),
    ({"type": "page", "name": "y" * 300_000}, Why.TOO_LARGE),
    ({"event": "e\x00"}, Why.CONTROL_CHARACTER),
    ({"event": "e", "userId": "a\tb"}, Why.CONTROL_CHARACTER),
    ({"event": "e", "messageId": "a\nb"}, Why.CONTROL_CHARACTER),
    ({"event": "e", "context": {"sessionId": "a\x1fb"}}, Why.CONTROL_CHARACTER),
    (b'{"event":"e","properties":{"x":NaN}}', Why.NOT_A_NUMBER),
    (b'{"event":"e","properties":{"x":[-Infinity]}}', Why.NOT_A_NUMBER),
    (b'{"event":"e","timestamp":NaN}', Why.NOT_A_NUMBER),
    (b'{"event":"e","userId":NaN,"x":%s}' % (b"9" * 5000), Why.NOT_A_NUMBER),
    (b'{"event":"e","userId":"\\ud800"}', Why.MALFORMED),
    (b'{"event":"e","properties":{"x":"\\ud800"}}', Why.MALFORMED),
    (b'{"event":"e","properties":{"x":"\xff"}}', Why.MALFORMED),
    (b'{"event":"e","properties":{"\xff":1}}', Why.MALFORMED),
    (b'{"event":"\xff"}', Why.MALFORMED),
    (b'{"type":"page","properties":{"\xff":1}}', Why.MALFORMED),
    (b'{"type":"page","name":"\xff"}', Why.MALFORMED),
    (b'{"event":"e","properties":{"x":"a\nb"}}', Why.MALFORMED),
    (b'{"event":"e","properties":{"x":"\\q"}}', Why.MALFORMED),
    (b'{"event":"e"', Why.MALFORMED),
    (b"", Why.MALFORMED),
    (b'{"event":"e"}\x00', Why.MALFORMED),
])
def test_what_is_wrong_is_rejected_with_its_reason(call: object, why: Why) -> None:
    found = rejection(call)
    assert found.reason == why, found
    assert found.detail


def test_a_rejection_is_short_and_can_be_answered_whatever_was_sent() -> None:
    long = rejection({"type": "x" * 10_000, "messageId": "m" * 10_000})
    assert len(long.detail) < 200
    assert long.message_id == "m" * MAX_MESSAGE_ID
    assert rejection(b'{"messageId":"\\ud800","event":"e"}').message_id is None
    assert rejection({"messageId": "a\x00b", "event": "e"}).message_id is None


@pytest.mark.parametrize("call", [
    {"messageId": "m1"}, {"messageId": "m1", "event": 5}, b'{"messageId":"m1","event":"e","properties":{"x":NaN}}',
    b'{"messageId":"m1","event":"e","properties":{"x":"\\udce9"}}', {"messageId": "m1", "event": "e", "properties": 1},
])
def test_a_rejection_names_the_message(call: object) -> None:
    assert rejection(call).message_id == "m1"


def test_an_import_needs_the_time() -> None:
    assert rejection({"event": "e"}, needs_timestamp=True).reason == Why.MISSING_TIMESTAMP
    assert isinstance(judge({"event": "e", "timestamp": "2020-01-01"}, needs_timestamp=True), Event)


@pytest.mark.parametrize("levels", [100, 500, 100_000])
def test_deep_nesting_is_rejected(levels: int) -> None:
    for opening, closing in ((b'{"a":', b"}"), (b"[", b"]")):
        nested = opening * levels + b"1" + closing * levels
        for text in (b'{"event":"e","properties":{"x":' + nested + b"}}", b'{"type":"page","name":' + nested + b"}"):
            assert rejection(text).reason == Why.TOO_DEEP


def test_the_limits_are_exact() -> None:
    names = {"event": "x" * MAX_NAME, "userId": "u" * MAX_ID, "messageId": "m" * MAX_MESSAGE_ID}
    assert event(names).event == "x" * MAX_NAME
    largest = b'{"x":"' + b"y" * (LIMITS.max_bytes - 8) + b'"}'
    assert event(b'{"event":"e","properties":' + largest + b"}").properties == Raw(largest)
    assert rejection(b'{"event":"e","properties":' + largest.replace(b"x", b"xx") + b"}").reason == Why.TOO_LARGE
    deepest = b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH
    assert event(b'{"event":"e","properties":' + deepest + b"}").properties == Raw(deepest)
    assert rejection(b'{"event":"e","properties":{"a":' + deepest + b"}}").reason == Why.TOO_DEEP


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4)
                      | st.dictionaries(st.text(max_size=5), inner, max_size=4), max_leaves=20)
FIELDS = ("type", "event", "messageId", "timestamp", "userId", "anonymousId", "sessionId", "properties", "traits",
          "name", "category", "groupId", "previousId", "context")
kinds = st.sampled_from(("track", "identify", "page", "screen", "group", "alias", "other"))


@given(st.dictionaries(st.sampled_from(FIELDS), values | kinds) | values, kinds)
def test_parse_never_raises_on_json(call: object, kind: str) -> None:
    verdict = judge(json.dumps(call).encode(errors="surrogatepass"), kind)
    assert isinstance(verdict, Event | Rejection)


@given(st.binary(max_size=200) | st.lists(st.sampled_from((
    b'{"event":', b'"e"', b'"messageId":', b"{", b"}", b"[", b"]", b",", b":", b"NaN", b"\\ud800", b'"', b"\xff", b"1",
    b'"properties":', b'"type":"page"', b'"context":', b'"sessionId":', b" ", b"\n", b"\x00", b"e5",
)), max_size=12).map(b"".join), kinds)
@example(b'{"type":"page","name":"\xff"}', "track")
def test_parse_never_raises_on_bytes(text: bytes, kind: str) -> None:
    assert isinstance(judge(text, kind), Event | Rejection)


# Nesting


def levels_of(value: object) -> int:
    match value:
        case dict():
            return 1 + max(map(levels_of, value.values()), default=0)
        case list():
            return 1 + max(map(levels_of, value), default=0)
        case _:
            return 0


@given(values)
def test_depth_is_what_walking_down_says(value: object) -> None:
    for ascii_only, spaced in product((True, False), (None, 1)):
        text = json.dumps(value, ensure_ascii=ascii_only, indent=spaced).encode(errors="surrogatepass")
        assert depth(text) == levels_of(value)
        assert is_deep(text) == (levels_of(value) > MAX_DEPTH)


@pytest.mark.parametrize("text", [b'"{[{["', b'"\\"{["', b'"\\\\"', b"1", b"", b'{"[[[\\"[[[":"]]]\\\\"}'])
def test_brackets_in_strings_are_no_nesting(text: bytes) -> None:
    assert depth(text) == text.startswith(b"{")


@given(st.integers(0, 300))
def test_depth_counts_every_level(levels: int) -> None:
    assert depth(b"[" * levels + b"]" * levels) == levels
    assert is_deep(b"[" * levels + b"]" * levels) == (levels > MAX_DEPTH)


def test_depth_of_millions_of_brackets_and_of_an_endless_string_is_soon_known() -> None:
    assert depth(b"[" * 1_000_000 + b"]" * 1_000_000) == 1_000_000
    assert depth(b'"' + b'\\"' * 1_000_000) == 0


# Time


@given(st.datetimes(timezones=st.sampled_from((UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=12))))))
@example(datetime.max.replace(tzinfo=timezone(-timedelta(hours=12))))
@example(datetime.min.replace(tzinfo=timezone(timedelta(hours=14))))
def test_a_moment_survives_to_the_microsecond(moment: datetime) -> None:
    found = event({"event": "e", "timestamp": moment.isoformat()})
    assert found.timestamp is not None
    assert timedelta(microseconds=micros(found.timestamp)) == moment - EPOCH


@pytest.mark.parametrize("text", [
    "2026-11-22T22:22:16Z", "2026-11-22t22:22:16z", "2026-11-22 22:22:16Z", "2026-11-22T22:22:16", "20261122T222216",
    "2026-11-22T23:22:16+01:00", "2026-11-22T22:22:16.0000001Z", "2026-11-22T22:22:15.9999999Z",
    "2026-11-22T20:52:16-0130", "2026-11-22T22:22:16,0",
])
def test_iso_8601_comes_in_many_forms(text: str) -> None:
    moment = read_iso(text)
    assert moment == datetime(2026, 11, 22, 22, 22, 16, tzinfo=UTC)
    assert iso(micros(moment)) == "2026-11-22T22:22:16Z"


@pytest.mark.parametrize("text", ["", "2026", "now", "2026-13-01", "2026-11-22T25:00:00Z", "1790000000", "\x00", "²",
                                  "2026-11-22T22:22:16+05:53:28"])
def test_what_is_no_iso_8601_is_none(text: str) -> None:
    assert read_iso(text) is None


def at(moment: int) -> Event:
    return Event("e", "m", timestamp=EPOCH + timedelta(microseconds=moment))


def test_the_time_limits_are_exact() -> None:
    oldest, newest = NOW - LIMITS.max_age, NOW + LIMITS.max_lead
    assert judge_time(at(oldest), NOW, 0, LIMITS) is None
    assert judge_time(at(newest), NOW, 0, LIMITS) is None
    for moment, why in ((oldest - 1, Why.TOO_OLD), (newest + 1, Why.IN_FUTURE)):
        found = judge_time(at(moment), NOW, 0, LIMITS)
        assert found is not None
        assert (found.reason, found.message_id) == (why, "m")
        assert str(at(moment).timestamp) in found.detail


@pytest.mark.parametrize("offset", [-40 * 365 * DAY, -SECOND, 0, 1, 40 * 365 * DAY])
def test_the_offset_of_the_senders_clock_is_added(offset: int) -> None:
    assert judge_time(at(NOW - offset), NOW, offset, LIMITS) is None
    late = judge_time(at(NOW - offset + LIMITS.max_lead + 1), NOW, offset, LIMITS)
    assert late is not None
    assert late.reason == Why.IN_FUTURE


def test_the_ends_of_time_can_be_judged() -> None:
    for text, why in (("0001-01-01T00:00:00+14:00", Why.TOO_OLD), ("9999-12-31T23:59:59-12:00", Why.IN_FUTURE)):
        found = judge_time(event({"event": "e", "timestamp": text}), NOW, 0, LIMITS)
        assert found is not None
        assert found.reason == why
    assert judge_time(Event("e", "m"), NOW, 10**18, LIMITS) is None


# Names


@given(st.text(st.characters()))
def test_a_control_character_is_found(text: str) -> None:
    expected = any(ord(char) < 0x20 or 0xD800 <= ord(char) < 0xE000 for char in text)
    assert has_control(text) == expected


@pytest.mark.parametrize("char", [chr(code) for code in (0, 9, 10, 0x1F, 0xD800, 0xDFFF)], ids=ascii)
def test_each_of_them_is(char: str) -> None:
    assert has_control(f"a{char}b")
