"""The two secrets: the admin token, which changes things, and the write key, which brings events."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from crossfade.datafolder import DataFolderError, write_private

FILE = "keys.json"
LEAST_LENGTH = 16


class Keys(msgspec.Struct, frozen=True, rename="camel"):
    """Both secrets, as the command line needs them. Never logged: the repr hides them."""

    admin_token: str
    write_key: str

    def __repr__(self) -> str:
        return "Keys(…)"


class Verifier:
    """Knows a secret only by its hash, and compares in constant time."""

    def __init__(self, secret: str) -> None:
        self._digest = _digest(secret)

    def matches(self, candidate: str) -> bool:
        return hmac.compare_digest(self._digest, _digest(candidate))


def obtain(folder: Path, environment: Mapping[str, str]) -> Keys:
    """The folder's keys: from the environment, else from its file, else made now; kept with mode 0600.

    Raises DataFolderError when the file cannot be read or written, or a key could not serve as one.
    """
    kept = find(folder)
    keys = Keys(
        admin_token=environment.get("CROSSFADE_ADMIN_TOKEN") or (kept.admin_token if kept else _make("cfa")),
        write_key=environment.get("CROSSFADE_WRITE_KEY") or (kept.write_key if kept else _make("cfw")),
    )
    for name, secret in (("CROSSFADE_ADMIN_TOKEN", keys.admin_token), ("CROSSFADE_WRITE_KEY", keys.write_key)):
        if len(secret) < LEAST_LENGTH:
            raise DataFolderError(f"{name} is too short to be safe: give it at least {LEAST_LENGTH} characters")
        if not _sendable(secret):
            raise DataFolderError(f"{name} cannot be sent as it is: use only visible ASCII characters without a colon")
    if keys != kept:
        write_private(folder / FILE, msgspec.json.encode(keys))
    return keys


def find(folder: Path) -> Keys | None:
    """The folder's keys, if it has any. Raises DataFolderError when their file cannot be read."""
    file = folder / FILE
    try:
        return msgspec.json.decode(file.read_bytes(), type=Keys)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataFolderError(f"{file} cannot be read ({error.strerror}): make it readable") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise DataFolderError(f"{file} holds no keys: mend or delete it, and new keys are made") from None


def _sendable(secret: str) -> bool:
    """Whether both Basic and Bearer authentication can carry it: a colon would end a Basic user name."""
    return secret.isascii() and secret.isprintable() and not {" ", ":"} & set(secret)


def _make(prefix: str) -> str:
    return f"{prefix}_{secrets.token_urlsafe(24)}"


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()
