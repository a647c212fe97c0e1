"""One file of source: read within limits, and searched as its kind needs."""

import io
import os
import stat
import tokenize
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from crossfade.core.value import clip

from . import python, script
from .finding import LONGEST, By, Finding, Text
from .words import BUILT_IN_COMPONENTS, is_mock, suspicious, whose

LARGEST = 1_000_000
"""Bytes of a file that is searched. People write no larger ones."""
PYTHON = frozenset({".py", ".pyi", ".pyw"})
SCRIPTS = frozenset({".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts"})
A_FILE = "a file of mocks"


class Unreadable(Exception):  # noqa: N818  it says what is wrong
    """A file cannot be searched; the message says why."""


def read(path: Path) -> bytes:
    """The file's bytes. Raises Unreadable for what is too large or no plain file."""
    try:
        # A pipe of that name must not be waited for.
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(number, "rb") as file:  # noqa: PTH123 - it is open already
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise Unreadable("no plain file")
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or error}") from None
    if len(content) > LARGEST:
        raise Unreadable(f"larger than {LARGEST:,} bytes")
    if b"\0" in content:
        raise Unreadable("binary")
    return content


def search_text(content: bytes, suffix: str, components: Sequence[str] = BUILT_IN_COMPONENTS) -> Text:
    """What is left of mocks in a file's content. Raises Unreadable for what cannot be searched."""
    if (content.isascii() and b".component(" not in content
            and suspicious(tuple(components)).search(content.decode("ascii")) is None):
        return Text(())
    try:
        if suffix not in PYTHON:
            return script.search(content.decode("utf-8-sig"), components)
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return python.search(content.decode(encoding), components)
    except UnicodeDecodeError as error:
        raise Unreadable(f"no {error.encoding} text: byte {error.start}") from None
    except SyntaxError as error:
        where = f"line {error.lineno}: " if error.lineno else ""
        raise Unreadable(f"no Python that can be read: {where}{error.msg}") from None
    except (RecursionError, MemoryError):
        raise Unreadable("nested too deeply") from None
    except (LookupError, ValueError) as error:
        raise Unreadable(f"no Python that can be read: {error}") from None


def of_name(path: PurePosixPath, components: Sequence[str] = BUILT_IN_COMPONENTS) -> Finding | None:
    """The file itself, where its path says that it holds mocks."""
    if not is_mock(str(path.with_suffix(""))):
        return None
    return Finding(1, 1, clip(str(path), LONGEST), A_FILE, whose(str(path), components), By.NAME)
