"""Names, passwords and roles."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.role import Role
from crossfade.core.user import ADMIN, Change, User, UserError, canonical, check_change, check_password

VIEWER, OPERATOR, ADMINISTRATOR = Role


@pytest.mark.parametrize(("role", "needed", "may"), [
    (VIEWER, VIEWER, True), (VIEWER, OPERATOR, False), (VIEWER, ADMINISTRATOR, False),
    (OPERATOR, VIEWER, True), (OPERATOR, OPERATOR, True), (OPERATOR, ADMINISTRATOR, False),
    (ADMINISTRATOR, VIEWER, True), (ADMINISTRATOR, OPERATOR, True), (ADMINISTRATOR, ADMINISTRATOR, True),
])
def test_who_may_what(role: Role, needed: Role, may: bool) -> None:
    assert role.may(needed) is may


@pytest.mark.parametrize(("written", "kept"), [
    ("ann", "ann"), (" Ann ", "ann"), ("a.b_c+d-e@example.org", "a.b_c+d-e@example.org"), ("7", "7"),
    ("x" * 64, "x" * 64), ("\u212aate", "kate"),
])
def test_a_name_is_kept_in_small_letters(written: str, kept: str) -> None:
    assert canonical(written) == kept


@pytest.mark.parametrize("name", [
    "", " ", "-ann", "@ann", "ann lee", "ann\nlee", "ann (admin token)", "änn", "x" * 65, "a/b", "a\0b", "<b>",
])
def test_what_can_be_no_name(name: str) -> None:
    with pytest.raises(UserError, match="cannot be a user's name"):
        canonical(name)


@given(st.text())
def test_a_kept_name_is_safe_anywhere_and_stays_itself(name: str) -> None:
    try:
        kept = canonical(name)
    except UserError:
        return
    assert kept == canonical(kept)
    assert kept.isascii()
    assert not set(kept) & set(" ()<>\"'/\\%&;:\0\n")


@pytest.mark.parametrize(("length", "fits"), [(0, False), (9, False), (10, True), (1000, True), (1001, False)])
def test_how_long_a_password_may_be(length: int, fits: bool) -> None:
    if fits:
        assert check_password("x" * length) == "x" * length
    else:
        with pytest.raises(UserError, match="10 to 1,000 characters"):
            check_password("x" * length)


def test_a_password_is_text_and_never_repeated() -> None:
    with pytest.raises(UserError) as found:
        check_password("secret word \ud800")
    assert "secret" not in str(found.value)
    assert "argon" not in repr(Change(password_hash="$argon2id$"))


def test_the_built_in_admin_stays_admin() -> None:
    for name, role, disabled in itertools.product((ADMIN, "ann"), (None, *Role), (None, True, False)):
        user = User(name, Role.ADMIN, has_password=False, disabled=False, made_at=0, made_by="")
        change = Change(role=role, disabled=disabled)
        if name == ADMIN and role in {VIEWER, OPERATOR}:
            with pytest.raises(UserError, match="built-in"):
                check_change(user, change)
        else:
            check_change(user, change)
