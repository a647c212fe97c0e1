"""What is done to events before they are written down."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crossfade.core.report import REPORT
from crossfade.tracking.hooks import REDACTED, SAMPLE_RATE, Call, Hooks, hash_user

KEY = b"0123456789abcdef"
CALL = Call("file_upload", "user-1", {"path": "/x", "owner": {"email": "a@b.c", "all": [{"email": "d"}]}}, None)


def test_named_properties_are_redacted_at_any_depth():
    call = Hooks(redact={"email"}).apply(CALL)
    assert call.properties == {"path": "/x", "owner": {"email": REDACTED, "all": [{"email": REDACTED}]}}
    assert CALL.properties["owner"]["email"] == "a@b.c"  # the application's own stay as they are


@given(st.text(min_size=1), st.text(min_size=1))
def test_hashed_users_stay_apart_and_need_the_key(one, other):
    assert (hash_user(one, KEY) == hash_user(other, KEY)) == (one == other)
    assert hash_user(one, KEY) != hash_user(one, KEY[::-1])


def test_user_ids_are_hashed_where_there_is_one():
    hooks = Hooks(user_key=KEY)
    assert hooks.apply(CALL).user_id == hash_user("user-1", KEY)
    assert hooks.apply(replace(CALL, user_id=None)).user_id is None


def test_before_send_sees_what_was_tracked_and_what_it_gives_is_redacted():
    hooks = Hooks(before_send=lambda call: replace(call, properties={"email": call.user_id}), redact={"email"})
    assert hooks.apply(CALL).properties == {"email": REDACTED}
    assert Hooks(before_send=lambda _: None).apply(CALL) == "before_send"


def test_a_processs_reports_are_not_meant_by_every_event():
    report = replace(CALL, event=REPORT)
    assert Hooks(sample={"*": 0.1}, draw=lambda: 0.5).apply(CALL) == "sampled"
    assert Hooks(sample={"*": 0.1}, draw=lambda: 0.5).apply(report) == report
    assert Hooks(sample={REPORT: 0.1}, draw=lambda: 0.5).apply(report) == "sampled"


@pytest.mark.parametrize(("draw", "kept"), [(0.0, True), (0.2499, True), (0.25, False), (0.99, False)])
def test_a_sampled_event_carries_its_rate(draw, kept):
    hooks = Hooks(sample={"file_upload": 0.25}, draw=lambda: draw)
    result = hooks.apply(CALL)
    assert (result.properties[SAMPLE_RATE] == 0.25) if kept else (result == "sampled")


def test_a_rate_for_all_others():
    hooks = Hooks(sample={"*": 0.5, "file_upload": 1.0}, draw=lambda: 0.9)
    assert hooks.apply(CALL) == CALL
    assert hooks.apply(replace(CALL, event="other")) == "sampled"


@pytest.mark.parametrize("wrong", [
    {"user_key": b"short"}, {"user_key": bytes(65)}, {"sample": {"x": 0.0}}, {"sample": {"x": 1.1}},
    {"redact": "email"},
])
def test_what_cannot_be_meant(wrong):
    with pytest.raises(ValueError):  # noqa: PT011  each has its own words
        Hooks(**wrong)


def test_without_any_there_is_nothing_to_do():
    assert not Hooks()
    assert Hooks(redact={"email"})
