"""Users, sessions and links, as they are kept."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from crossfade.core.clock import HOUR, MINUTE
from crossfade.core.role import Role
from crossfade.core.session import IDLE, LINK_LASTS
from crossfade.core.user import Change, NoUser, UserError, UserTaken
from crossfade.state import State

NOW = 1_790_000_000_000_000


@pytest.fixture
def ann(state: State) -> str:
    state.people.add("ann", Role.OPERATOR, "$hash", who="me", at=NOW)
    return "ann"


def audited(state: State) -> list[tuple[str, str, str | None, str | None]]:
    return [(one.action, one.subject, one.old, one.new) for one in reversed(state.audit()) if "user" in one.action]


def test_a_user_is_added_once(state: State, ann: str) -> None:
    user, = state.people.all(NOW)
    assert (user.name, user.role, user.has_password, user.disabled) == ("ann", Role.OPERATOR, True, False)
    assert (user.made_at, user.made_by, user.sessions, user.seen_at) == (NOW, "me", 0, None)
    with pytest.raises(UserTaken, match="there is a user ann already"):
        state.people.add(ann, Role.ADMIN, None, who="me", at=NOW)
    assert state.people.all(NOW) == (user,)
    assert audited(state) == [("user.add", "user ann", None, "operator")]


def test_every_change_is_audited_and_what_is_the_same_is_none(state: State, ann: str) -> None:
    state.people.change(ann, Change(role=Role.OPERATOR, disabled=False), who="me", at=NOW)
    assert len(audited(state)) == 1
    assert state.people.change(ann, Change(role=Role.VIEWER), who="me", at=NOW).role is Role.VIEWER
    assert state.people.change(ann, Change(disabled=True), who="me", at=NOW).disabled
    assert not state.people.change(ann, Change(disabled=False), who="me", at=NOW).disabled
    state.people.change(ann, Change(password_hash="$other"), who="me", at=NOW)
    assert state.people.password(ann) == "$other"
    state.people.sign_out(ann, who="me", at=NOW)
    state.people.remove(ann, who="me", at=NOW)
    assert audited(state)[1:] == [
        ("user.role", "user ann", "operator", "viewer"), ("user.disable", "user ann", None, None),
        ("user.enable", "user ann", None, None), ("user.password", "user ann", None, None),
        ("user.sign-out", "user ann", "0 sessions", None), ("user.remove", "user ann", "viewer", None)]
    assert state.people.all(NOW) == ()
    assert "hash" not in repr(state.audit())


def test_who_is_not_there(state: State) -> None:
    for act in (lambda: state.people.change("zed", Change(disabled=True), who="me", at=NOW),
                lambda: state.people.remove("zed", who="me", at=NOW),
                lambda: state.people.sign_out("zed", who="me", at=NOW),
                lambda: state.people.add_link("l", "zed", who="me", at=NOW),
                lambda: state.people.begin_session("s", "zed", at=NOW, agent="")):
        with pytest.raises(NoUser, match="there is no user 'zed'"):
            act()
    assert audited(state) == []


def test_the_built_in_admin_is_made_by_its_first_link_and_cannot_be_removed(state: State) -> None:
    for name in "ab":
        state.people.add_link(name, "admin", who="serve", at=NOW)
    user, = state.people.all(NOW)
    assert (user.name, user.role, user.has_password) == ("admin", Role.ADMIN, False)
    assert [action for action, *_ in audited(state)] == ["user.add", "user.link", "user.link"]
    with pytest.raises(UserError, match="not removed"):
        state.people.remove("admin", who="me", at=NOW)
    with pytest.raises(UserError, match="no other role"):
        state.people.change("admin", Change(role=Role.VIEWER), who="me", at=NOW)
    state.people.change("admin", Change(disabled=True), who="me", at=NOW)
    with pytest.raises(UserError, match="the user admin is disabled"):
        state.people.add_link("c", "admin", who="serve", at=NOW)


def test_a_session_is_found_with_the_role_of_the_moment(state: State, ann: str) -> None:
    state.people.begin_session("s", ann, at=NOW, agent="Firefox")
    found = state.people.session("s")
    assert found is not None
    assert (found.user, found.role, found.expires_at) == (ann, Role.OPERATOR, NOW + IDLE)
    assert state.people.session("other") is None
    state.people.change(ann, Change(role=Role.ADMIN), who="me", at=NOW)
    assert state.people.session("s").role is Role.ADMIN
    state.people.touch_session("s", seen_at=NOW + HOUR, expires_at=NOW + HOUR + IDLE)
    assert state.people.session("s").expires_at == NOW + HOUR + IDLE
    user, = state.people.all(NOW)
    assert (user.sessions, user.seen_at) == (1, NOW + HOUR)
    assert state.people.all(NOW + HOUR + IDLE)[0].sessions == 0
    state.people.end_session("s")
    assert state.people.session("s") is None


@pytest.mark.parametrize("act", ["disable", "password", "remove", "sign-out"])
def test_what_ends_all_sessions_and_links_of_the_user_alone(state: State, ann: str, act: str) -> None:
    state.people.add("bob", Role.VIEWER, None, who="me", at=NOW)
    for name, user in (("a1", ann), ("a2", ann), ("b", "bob")):
        state.people.begin_session(name, user, at=NOW, agent="")
        state.people.add_link(f"link {name}", user, who="me", at=NOW)
    match act:
        case "disable":
            state.people.change(ann, Change(disabled=True), who="me", at=NOW)
        case "password":
            state.people.change(ann, Change(password_hash="$new"), who="me", at=NOW)
        case "remove":
            state.people.remove(ann, who="me", at=NOW)
        case _:
            assert state.people.sign_out(ann, who="me", at=NOW) == 2
    assert [state.people.session(name) is None for name in ("a1", "a2", "b")] == [True, True, False]
    assert state.people.use_link("link a1", "new", at=NOW, agent="") is None
    assert state.people.use_link("link b", "new", at=NOW, agent="") == "bob"


def test_who_is_disabled_gets_in_by_no_way(state: State, ann: str, path: Path) -> None:
    state.people.begin_session("s", ann, at=NOW, agent="")
    state.people.add_link("l", ann, who="me", at=NOW)
    with closing(sqlite3.connect(path)) as other:  # as if it happened between two steps
        other.execute("UPDATE users SET disabled_at = 1")
        other.commit()
    assert state.people.session("s") is None
    assert state.people.password(ann) is None
    with pytest.raises(UserError, match="disabled"):
        state.people.begin_session("t", ann, at=NOW, agent="")
    with pytest.raises(UserError, match="disabled"):
        state.people.use_link("l", "t", at=NOW, agent="")


def test_a_link_is_good_once_and_for_a_while(state: State, ann: str) -> None:
    assert state.people.add_link("l", ann, who="me", at=NOW) == NOW + LINK_LASTS == NOW + 15 * MINUTE
    assert state.people.use_link("l", "s", at=NOW + LINK_LASTS - 1, agent="") == ann
    assert state.people.use_link("l", "t", at=NOW, agent="") is None
    assert (state.people.session("s") is None, state.people.session("t") is None) == (False, True)
    state.people.add_link("m", ann, who="me", at=NOW)
    assert state.people.use_link("m", "t", at=NOW + LINK_LASTS, agent="") is None


def test_of_many_at_once_one_uses_the_link(state: State, ann: str) -> None:
    state.people.add_link("l", ann, who="me", at=NOW)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: state.people.use_link("l", f"s{number}", at=NOW, agent=""), range(16)))
    assert sorted(found, key=str) == [None] * 15 + [ann]
    assert state.people.all(NOW)[0].sessions == 1


def test_what_has_expired_is_dropped_in_time(state: State, ann: str, path: Path) -> None:
    for number in range(3):
        state.people.begin_session(f"s{number}", ann, at=NOW + number * IDLE, agent="")
        state.people.add_link(f"l{number}", ann, who="me", at=NOW + number * IDLE)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT count(*) FROM sessions").fetchone() == (1,)
        assert other.execute("SELECT count(*) FROM links").fetchone() == (1,)
