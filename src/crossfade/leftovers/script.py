"""Leftovers in JavaScript and TypeScript, token by token: outside comments; in strings, what names a flag or a module.

No grammar is needed for that, and none is known here: a quote in JSX text that no other on its line closes is text, one
that another closes is taken for a string. No text takes longer than its length is worth.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from msgspec import Struct

from crossfade.core.value import clip

from .finding import KEEP, LONGEST, By, Finding, Text, told
from .words import flag_of, in_string, is_mock, whose

IMPORTED = "an import of a mock"
NAMED = "a name of a mock"
_NEXT = re.compile(r"//|/\*|[\"'`/{}]|[A-Za-z_$][\w$]*|[0-9][\w.]*|[^\s\w]")
_STRING = {quote: re.compile(rf"{quote}((?:[^{quote}\\\n]++|\\[\s\S])*+){quote}") for quote in ("'", '"')}
_TEMPLATE = re.compile(r"(?:[^`\\$]++|\\[\s\S]|\$(?!\{))*+")
_REGEX = re.compile(r"/(?![*/])(?:[^/\\\n\[]|\\[^\n]|\[(?:[^\]\\\n]|\\[^\n]){0,100}+\]){1,1000}+/[a-z]*")
_BEFORE_REGEX = frozenset("(,=:[!&|?{;+-*%~^") | {
    "", "return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do"}
_DEVICES = frozenset({"jest", "vi"})
"""What test runners call the objects of which ``mock`` is a method."""


class _Token(Struct, frozen=True):
    at: int
    text: str
    kind: str
    """name, string, comment or mark."""


def search(text: str, components: Sequence[str]) -> Text:
    """Every leftover. Raises nothing: what is no script just has other tokens."""
    starts = [0, *(found.end() for found in re.finditer(r"\r\n|\r|\n", text))]
    found: set[Finding] = set()
    kept: set[int] = set()
    before: list[str] = ["", ""]
    for token in _tokens(text):
        line = bisect_right(starts, token.at)
        if token.kind == "comment":
            if KEEP in token.text:
                kept.add(line)
            continue
        column = token.at - starts[line - 1] + 1
        for what, why, component in _leftovers(token, before, components):
            found.add(Finding(line, column, clip(what, LONGEST), why, component, By.TOKENS))
        before = [before[1], token.text if token.kind != "string" else ""]
    return told(found, kept)


def _leftovers(token: _Token, before: Sequence[str],
               components: Sequence[str]) -> Iterator[tuple[str, str, str | None]]:
    if token.kind == "string":
        yield from in_string(token.text, components)
        imports = before[1] in {"from", "import"} or (before[1] == "(" and before[0] in {"require", "import"})
        if imports and is_mock(token.text):
            yield token.text, IMPORTED, whose(token.text, components)
    elif token.kind == "name":
        flag = flag_of(token.text, components)
        if flag is not None:
            yield token.text, *flag
        elif is_mock(token.text) and not (before[1] == "." and before[0] in _DEVICES):
            yield token.text, NAMED, whose(token.text, components)


def _tokens(text: str) -> Iterator[_Token]:
    """Names, strings, comments and marks, in their order."""
    at, last, open_quotes = 0, "", {"'": -1, '"': -1}
    braces: list[int] = []
    """For each template that is open, how many braces are open in its current ``${…}``."""
    while (found := _NEXT.search(text, at)) is not None:
        at, word = found.start(), found[0]
        if word in {"//", "/*"}:
            token = _Token(at, text[at:_comment_end(text, at, word)], "comment")
        elif word in open_quotes:
            token = _string(text, at, word, open_quotes)
        elif word == "`" or (word == "}" and braces and braces[-1] == 0):
            if word == "}":
                braces.pop()
            token = _template(text, at)
            if text.startswith("${", token.at + len(token.text) + 1):
                braces.append(0)
                yield token
                at, last = token.at + len(token.text) + 3, "{"
                continue
            yield token
            at, last = token.at + len(token.text) + 2, "`"
            continue
        elif word == "/" and last in _BEFORE_REGEX and (regex := _REGEX.match(text, at)) is not None:
            at, last = regex.end(), "/re/"
            continue
        else:
            if word in {"{", "}"} and braces:
                braces[-1] += 1 if word == "{" else -1
            token = _Token(at, word, "name" if word[0].isalpha() or word[0] in "_$" else "mark")
        if token.kind != "comment":
            last = word
        yield token
        at += len(token.text) + (2 if token.kind == "string" else 0)


def _comment_end(text: str, at: int, opening: str) -> int:
    end = text.find("\n" if opening == "//" else "*/", at + 2)
    if end < 0:
        return len(text)
    return end if opening == "//" else end + 2


def _string(text: str, at: int, quote: str, plain_until: dict[str, int]) -> _Token:
    """The string that begins here, without its quotes; or the quote as a mark, where nothing closes it on its line.

    Then the next ones of that line are marks too, lest a line of many be read many times.
    """
    found = _STRING[quote].match(text, at) if at >= plain_until[quote] else None
    if found is not None:
        return _Token(at, found[1], "string")
    if at >= plain_until[quote]:
        end = text.find("\n", at)
        plain_until[quote] = len(text) if end < 0 else end
    return _Token(at, quote, "mark")


def _template(text: str, at: int) -> _Token:
    """A template's text up to its end or its next ``${``, behind the mark at which it goes on."""
    found = _TEMPLATE.match(text, at + 1)
    return _Token(at, found[0] if found is not None else "", "string")
