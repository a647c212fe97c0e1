"""A place in the code where something is left of a mock."""

from enum import StrEnum

from msgspec import Struct

KEEP = "crossfade: keep"
"""In a comment: what its line has stays, and somebody knows."""


LONGEST = 300
"""Characters of a name or a path that are shown."""


class By(StrEnum):
    """How it was found."""

    TREE = "syntax tree"
    TOKENS = "tokens"
    """Less sure: neither scopes nor JSX are understood."""
    NAME = "file name"


class Finding(Struct, frozen=True):
    """One leftover. Lines and columns count from 1, columns in characters."""

    line: int
    column: int
    what: str
    """The words of the code."""
    why: str
    """What it is."""
    component: str | None = None
    """Whose it is, as far as its name says."""
    by: By = By.TREE


class Text(Struct, frozen=True):
    """What was found in one text."""

    findings: tuple[Finding, ...]
    """In the order of the text."""
    waived: int = 0
    """Findings on lines that a comment keeps."""


def told(findings: set[Finding], kept_lines: set[int]) -> Text:
    """The findings in their order, without those that are kept."""
    left = sorted((found for found in findings if found.line not in kept_lines),
                  key=lambda found: (found.line, found.column, found.what))
    return Text(tuple(left), len(findings) - len(left))
