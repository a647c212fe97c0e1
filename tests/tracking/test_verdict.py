"""What replies mean."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.tracking.post import Reply, Silence, seconds
from crossfade.tracking.verdict import Apart, Later, Paused, Refusal, Taken, judge

TOO_OLD = {"reason": "too_old", "detail": "it is", "index": 1, "messageId": "m"}


def reply(status, body=None, retry_after=0.0):
    return Reply(status, msgspec.json.encode(body) if body is not None else b"<html>", retry_after)


@pytest.mark.parametrize(("answer", "verdict"), [
    (reply(200, {"accepted": 3, "rejected": []}), Taken()),
    (reply(200, {"accepted": 2, "rejected": [TOO_OLD]}), Taken((Refusal("too_old", "it is", 1),))),
    (reply(400, {"accepted": 0, "rejected": [TOO_OLD]}), Taken((Refusal("too_old", "it is", 1),))),
    (reply(200, {"accepted": 2, "rejected": [TOO_OLD, TOO_OLD, {**TOO_OLD, "index": 3}]}),
     Taken((Refusal("too_old", "it is", 1),))),
    (reply(400, {"code": "malformed", "message": "no"}), Apart("malformed", "no")),
    (reply(413, {"code": "too_large", "message": "no"}), Apart("too_large", "no")),
    (reply(413), Apart("too_large", "the server takes no body so large")),
    (reply(401), Paused("the server does not know the write key (401)")),
    (reply(403), Paused("the server does not let the write key in (403)")),
    (reply(429, retry_after=7.0), Later("the server is busy (429)", 7.0)),
    (reply(503, retry_after=1.0), Later("the server is in trouble (503)", 1.0)),
    (reply(500), Later("the server is in trouble (500)")),
    (Silence("refused"), Later("the server does not answer: refused")),
])
def test_what_a_reply_means(answer, verdict):
    assert judge(answer, 3) == verdict


@pytest.mark.parametrize("answer", [
    reply(200), reply(200, []), reply(204), reply(302), reply(400), reply(404), reply(400, {"accepted": 0}),
])
def test_who_answers_otherwise_is_no_server_of_ours_and_nothing_is_given_up(answer):
    assert isinstance(judge(answer, 3), Paused)


@given(st.integers(100, 599), st.binary(max_size=60), st.integers(1, 5))
def test_any_answer_has_a_meaning(status, body, count):
    assert isinstance(judge(Reply(status, body), count), Taken | Apart | Paused | Later)


@pytest.mark.parametrize(("text", "wanted"), [
    ("7", 7.0), ("0", 0.0), ("", 0.0), ("soon", 0.0), ("-3", 0.0), ("²", 0.0), ("9" * 5000, 999_999_999_999_999.0),
    ("Mon, 23 Nov 2026 03:00:30 GMT", 30.0), ("Mon, 23 Nov 2026 02:00:00 GMT", 0.0),
    ("Mon, 23 Nov 2026 03:00:30 -0000", 30.0),
])
def test_retry_after(text, wanted):
    assert seconds(text, datetime(2026, 11, 23, 3, tzinfo=UTC)) == wanted
