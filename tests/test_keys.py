"""The two secrets."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.datafolder import DataFolderError
from crossfade.keys import FILE, LEAST_LENGTH, Keys, Verifier, find, obtain

LONG = "a-secret-that-is-long-enough"


def test_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    assert find(tmp_path) is None
    made = obtain(tmp_path, {})
    assert find(tmp_path) == obtain(tmp_path, {}) == made
    assert made.admin_token != made.write_key
    assert min(len(made.admin_token), len(made.write_key)) > LEAST_LENGTH
    assert (made.admin_token[:4], made.write_key[:4]) == ("cfa_", "cfw_")
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_every_folder_has_its_own(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert obtain(tmp_path, {}) != obtain(tmp_path / "other", {})


def test_only_the_owner_may_read_them(tmp_path: Path) -> None:
    (tmp_path / f"{FILE}.part").touch(0o666)  # what a crash, or somebody else, may have left
    obtain(tmp_path, {})
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_the_environment_wins_and_is_kept(tmp_path: Path) -> None:
    made = obtain(tmp_path, {})
    given_keys = obtain(tmp_path, {"CROSSFADE_WRITE_KEY": LONG})
    assert given_keys == Keys(made.admin_token, LONG)
    assert obtain(tmp_path, {"CROSSFADE_ADMIN_TOKEN": LONG, "CROSSFADE_WRITE_KEY": ""}) == Keys(LONG, LONG)
    assert find(tmp_path) == Keys(LONG, LONG)


@pytest.mark.parametrize("variable", ["CROSSFADE_ADMIN_TOKEN", "CROSSFADE_WRITE_KEY"])
@pytest.mark.parametrize(("secret", "says"), [
    ("x" * (LEAST_LENGTH - 1), "too short"), (f"{LONG}:", "without a colon"), (f"{LONG} ", "visible"),
    (f"{LONG}é", "ASCII"), (f"{LONG}\n", "visible"), (f"{LONG}\udcff", "ASCII"),
])
def test_a_key_that_could_not_serve_is_refused(tmp_path: Path, variable: str, secret: str, says: str) -> None:
    with pytest.raises(DataFolderError, match=says) as found:
        obtain(tmp_path, {variable: secret})
    assert variable in str(found.value)
    assert secret not in str(found.value)
    assert find(tmp_path) is None


@pytest.mark.parametrize("content", [
    b"", b"{}", b"no json", b'{"adminToken":5,"writeKey":"x"}', b'{"adminToken":"\xff"}',
])
def test_a_file_without_keys_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    for use in (lambda: find(tmp_path), lambda: obtain(tmp_path, {})):
        with pytest.raises(DataFolderError, match="mend or delete it"):
            use()
    assert (tmp_path / FILE).read_bytes() == content


def test_a_file_that_cannot_be_read_or_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match="cannot be written"):
        obtain(Path("/proc/self"), {})
    (tmp_path / FILE).mkdir()
    with pytest.raises(DataFolderError, match="cannot be read"):
        find(tmp_path)


def test_secrets_are_not_shown() -> None:
    keys = Keys("admin secret", "write secret")
    for shown in (repr(keys), str(keys), f"{keys}", repr([keys]), repr(Verifier("admin secret").__dict__)):
        assert "secret" not in shown.replace("_digest", "")
    assert b"secret" in msgspec.json.encode(keys)


@given(st.text(st.characters()), st.text(st.characters()))
def test_a_verifier_knows_its_secret_alone(secret: str, other: str) -> None:
    assert Verifier(secret).matches(secret)
    assert Verifier(secret).matches(other) == (secret == other)
