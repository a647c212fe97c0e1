"""Leftovers in Python, by its syntax tree."""

import ast
import io
import re
import tokenize
import warnings
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from crossfade.core.value import clip

from .finding import KEEP, LONGEST, By, Finding, Text, told
from .words import flag_of, in_string, is_mock, whose

IMPORTED = "an import of a mock"
NAMED = "a name of a mock"
DECLARED = "the mock of the component {}"
_LINE_END = re.compile(r"\r\n|\r|\n")
_DEVICES = frozenset({
    "AsyncMock", "MagicMock", "Mock", "NonCallableMagicMock", "NonCallableMock", "PropertyMock", "ThreadingMock",
    "mock_open",
})
"""What ``unittest.mock`` has, by names of mocks."""
_IMPORTERS = frozenset({"import_module", "__import__"})

_TELLING = frozenset({
    ast.Import, ast.ImportFrom, ast.Call, ast.Constant, ast.Expr, ast.Name, ast.Attribute, ast.FunctionDef,
    ast.AsyncFunctionDef, ast.ClassDef, ast.arg, ast.keyword, ast.ExceptHandler, ast.MatchAs, ast.MatchStar, ast.Global,
    ast.Nonlocal,
})
"""The nodes that can have a name of something."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Place = tuple[int, int]
"""A line from 1, and a column from 0, in bytes, as the syntax tree has it."""


def search(text: str, components: Sequence[str]) -> Text:
    """Every leftover. Raises SyntaxError, ValueError, RecursionError or MemoryError for what is no Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an odd escape is no concern of ours
        tree = ast.parse(text)
    return told(set(_Search(tree, text, components).run()), _kept_lines(text))


class _Search:
    """The search of one tree, node by node: no depth of it is too great."""

    def __init__(self, tree: ast.AST, text: str, components: Sequence[str]) -> None:
        self._nodes = [node for node in ast.walk(tree) if type(node) in _TELLING]
        self._lines = _LINE_END.split(text)
        self._devices = set(_test_devices(self._nodes))
        self._declared = dict(self._mocks_of_components())
        self._components = (*components, *sorted({name for _, name in self._declared.values() if name}))
        self._silent = {id(node.value) for node in self._nodes if isinstance(node, ast.Expr)}
        """Values that nobody uses: docstrings."""
        self._wide: dict[int, list[int]] = {}
        """Of a line, where the bytes are that begin no character."""

    def run(self) -> Iterator[Finding]:
        for node in self._nodes:
            if id(node) in self._declared:
                place, component = self._declared[id(node)]
                yield self._finding(place, "mock", DECLARED.format(component or "that is declared here"), component)
            else:
                yield from self._look(node)

    def _look(self, node: ast.AST) -> Iterator[Finding]:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield from self._imported(alias, f"{alias.name} {alias.asname or ''}", (alias.lineno,
                                                                                            alias.col_offset))
            case ast.ImportFrom(names=names, module=module):
                yield from self._import_from(node, module or "", names)
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called),
                          args=[ast.Constant(value=str(module)) as argument, *_]) if called in _IMPORTERS:
                yield from self._imported(argument, module, (argument.lineno, argument.col_offset))
            case ast.Constant(value=str(value)) if id(node) not in self._silent:
                yield from self._string(node, value)
            case _:
                for name, place in _names(node, self._lines):
                    yield from self._named(name, place)

    def _import_from(self, node: ast.ImportFrom, module: str, names: Sequence[ast.alias]) -> Iterator[Finding]:
        if _is_device(module):
            return
        if module and is_mock(module):
            yield self._finding((node.lineno, node.col_offset + len("from ")), module, IMPORTED,
                                whose(module, self._components))
        for alias in names:
            if not (module == "unittest" and alias.name == "mock"):
                yield from self._imported(alias, f"{alias.name} {alias.asname or ''}", (alias.lineno,
                                                                                        alias.col_offset))

    def _imported(self, node: ast.AST, names: str, place: Place) -> Iterator[Finding]:
        if _is_device(names.partition(" ")[0]):
            return
        if is_mock(names):
            yield self._finding(place, names.strip().replace(" ", " as "), IMPORTED, whose(names, self._components))
        elif (flag := flag_of(names, self._components)) is not None and not isinstance(node, ast.Constant):
            yield self._finding(place, names.strip(), *flag)

    def _named(self, name: str, place: Place) -> Iterator[Finding]:
        if name in self._devices:
            return
        if (flag := flag_of(name, self._components)) is not None:
            yield self._finding(place, name, *flag)
        elif is_mock(name):
            yield self._finding(place, name, NAMED, whose(name, self._components))

    def _string(self, node: ast.Constant, value: str) -> Iterator[Finding]:
        for token, why, component in in_string(value, self._components):
            yield self._finding((node.lineno, node.col_offset), token, why, component)

    def _mocks_of_components(self) -> Iterator[tuple[int, tuple[Place, str | None]]]:
        """Each ``mock`` in a class that is decorated by ``….component(…)``: its node, its place, whose it is."""
        for node in self._nodes:
            if not isinstance(node, ast.ClassDef):
                continue
            calls = [call for call in node.decorator_list if isinstance(call, ast.Call) and _is_component(call.func)]
            for part in node.body if calls else ():
                for target in _bound(part):
                    yield id(target), (_place_of(target, self._lines), _first_text(calls[0]))

    def _finding(self, place: Place, what: str, why: str, component: str | None) -> Finding:
        line, column = place
        if line not in self._wide:
            whole = self._lines[line - 1].encode() if line <= len(self._lines) else b""
            self._wide[line] = [] if whole.isascii() else [at for at, byte in enumerate(whole) if byte & 0xC0 == 0x80]
        characters = column - bisect_left(self._wide[line], column)
        return Finding(line, characters + 1, clip(what, LONGEST), why, component, By.TREE)


def _names(node: ast.AST, lines: Sequence[str]) -> Iterator[tuple[str, Place]]:
    """The names that a node itself has, with their places."""
    match node:
        case ast.Name(id=name):
            yield name, (node.lineno, node.col_offset)
        case ast.Attribute(attr=name):
            line, column = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
            yield name, (line, max(0, column - len(name.encode())))
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name, _place_of(node, lines)
        case ast.arg(arg=name):
            yield name, (node.lineno, node.col_offset)
        case ast.keyword(arg=str(name)):
            yield name, (node.lineno, node.col_offset)
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name, (node.lineno, node.col_offset)
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            yield from ((name, (node.lineno, node.col_offset)) for name in names)


def _place_of(node: ast.AST, lines: Sequence[str]) -> Place:
    """Where the name of a definition begins; of anything else, where it begins itself."""
    line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
    if isinstance(node, Function | ast.ClassDef) and line <= len(lines):
        head = lines[line - 1].encode()
        name = re.compile(rb"(?:class|def)\s+").search(head, column)
        return line, name.end() if name else column
    return line, column


def _bound(part: ast.stmt) -> Iterator[ast.AST]:
    """What a statement of a class calls ``mock``."""
    match part:
        case ast.FunctionDef(name="mock") | ast.AsyncFunctionDef(name="mock") | ast.ClassDef(name="mock"):
            yield part
        case ast.Assign(targets=targets):
            yield from (target for target in targets if isinstance(target, ast.Name) and target.id == "mock")
        case ast.AnnAssign(target=ast.Name(id="mock") as target):
            yield target


def _is_component(function: ast.expr) -> bool:
    match function:
        case ast.Attribute(attr="component") | ast.Name(id="component"):
            return True
    return False


def _first_text(call: ast.Call) -> str | None:
    """The component's name, where the declaration writes it out."""
    named = [keyword.value for keyword in call.keywords if keyword.arg == "name"]
    first = next(iter((*call.args, *named)), None)
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def _is_device(module: str) -> bool:
    """Whether it is the standard library's device for tests."""
    return module == "unittest.mock" or module.startswith("unittest.mock.")


def _test_devices(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """The names under which this file has what ``unittest.mock`` gives."""
    for node in nodes:
        match node:
            case ast.ImportFrom(module=str(module), names=names) if _is_device(module):
                yield from (alias.asname or alias.name for alias in names)
            case ast.ImportFrom(module="unittest", names=names):
                for alias in names:
                    if alias.name == "mock":
                        yield from (alias.asname or alias.name, *_DEVICES)
            case ast.Import(names=names):
                for alias in names:
                    if _is_device(alias.name):
                        yield from (alias.asname or "mock", *_DEVICES)


def _kept_lines(text: str) -> set[int]:
    if KEEP not in text:
        return set()
    found = set()
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT and KEEP in token.string:
                found.add(token.start[0])
    except (tokenize.TokenError, SyntaxError):  # what the parser takes and this does not: nothing more is kept
        return found
    return found
