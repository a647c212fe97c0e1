"""The files of an application, and all that is left of mocks in them."""

import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from msgspec import Struct

from crossfade.core.value import clip

from .finding import LONGEST, Finding
from .source import PYTHON, SCRIPTS, Unreadable, of_name, read, search_text
from .words import BUILT_IN_COMPONENTS, concerns

TEST_FOLDERS = frozenset({"tests", "test", "__tests__", "__mocks__"})
OTHERS_CODE = frozenset({"node_modules", "__pycache__", "site-packages"})
_TEST_FILE = re.compile(r"test_.*\.pyi?|.*_test\.pyi?|conftest\.py|.*\.(?:test|spec)\.[cm]?[jt]sx?")

Identity = tuple[int, int]


class SearchError(ValueError):
    """There is nothing to search; the message says why."""


class Problem(Struct, frozen=True):
    """Something that is not as it should be."""

    file: str
    why: str
    missed: bool = True
    """Whether something may be left there, since it could not be searched."""


class Report(Struct, frozen=True):
    """What a search found. Files are named as they lie below the folder that was searched."""

    searched: int
    findings: tuple[tuple[str, Finding], ...]
    others: int
    """Findings that are not of the component that was asked for."""
    waived: int
    tests: int
    """Files of tests that were passed over."""
    problems: tuple[Problem, ...]


class Listing(Struct, frozen=True):
    """The files to be searched, in their order."""

    root: Path
    found: tuple[PurePosixPath, ...]
    tests: int
    problems: tuple[Problem, ...]


def files(root: Path, *, tests: bool = False) -> Listing:
    """The source files below a folder, or the one that is named. Raises SearchError.

    Hidden folders, virtual environments and others' code are passed over, and without ``tests`` those of tests. Links
    are followed, and no folder or file is searched twice.
    """
    try:
        is_folder = stat.S_ISDIR(root.stat().st_mode)
    except (OSError, ValueError) as error:
        raise SearchError(f"{root} cannot be searched: {getattr(error, 'strerror', None) or error}") from None
    if not is_folder:
        if not _is_source(PurePosixPath(root.name)):
            raise SearchError(f"{root} is no folder, and no Python, JavaScript or TypeScript")
        return Listing(root.parent, (PurePosixPath(root.name),), 0, ())
    walk = _Walk(root, tests=tests)
    found = sorted(walk.run())
    return Listing(root, tuple(found), walk.passed_over, tuple(sorted(walk.problems, key=lambda one: one.file)))


def search(listed: Listing, *, component: str | None = None,
           progress: Callable[[int], None] = lambda _: None) -> Report:
    """Reads and searches the files. ``progress`` is told how many are done."""
    components = BUILT_IN_COMPONENTS if component is None else (component, *BUILT_IN_COMPONENTS)
    found: list[tuple[str, Finding]] = []
    problems = list(listed.problems)
    waived = searched = 0
    for done, path in enumerate(listed.found, 1):
        if (itself := of_name(path, components)) is not None:
            found.append((_shown(path), itself))
        try:
            text = search_text(read(listed.root / path), path.suffix.lower(), components)
        except Unreadable as error:
            problems.append(Problem(_shown(path), f"not searched: {error}"))
        else:
            searched += 1
            waived += text.waived
            found += [(_shown(path), one) for one in text.findings]
        progress(done)
    wanted = [(file, one) for file, one in found if component is None or concerns(one, component)]
    return Report(searched, tuple(wanted), len(found) - len(wanted), waived, listed.tests, tuple(problems))


class _Walk:
    """A walk through a tree: what is really there first, then what links lead to."""

    def __init__(self, root: Path, *, tests: bool) -> None:
        self._root, self._tests = root, tests
        self._seen: set[Identity] = set()
        self._links: list[PurePosixPath] = []
        self.passed_over = 0
        self.problems: list[Problem] = []

    def run(self) -> Iterator[PurePosixPath]:
        yield from self._folder(PurePosixPath())
        while self._links:
            yield from self._follow(self._links.pop(0))

    def _folder(self, top: PurePosixPath) -> Iterator[PurePosixPath]:
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            try:
                self._seen.add(_identity(self._root / folder))
                with os.scandir(self._root / folder) as entries:
                    listed = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                self._problem(folder, error)
                continue
            for entry in listed:
                path = folder / entry.name
                if entry.is_symlink():
                    self._links.append(path)
                elif entry.is_dir():
                    if self._enters(path):
                        waiting.append(path)
                elif self._wants(path):
                    yield from self._once(path)

    def _follow(self, link: PurePosixPath) -> Iterator[PurePosixPath]:
        try:
            is_folder, identity = (self._root / link).is_dir(), _identity(self._root / link)
            leads_back = is_folder and identity in {_identity(self._root / above) for above in link.parents}
        except OSError as error:
            if _is_source(link) or not link.suffix:  # a broken link to anything else is no concern of ours
                self._problem(link, error)
            return
        if leads_back:
            self.problems.append(Problem(_shown(link), "a link that leads back to a folder above it: not followed",
                                         missed=False))
        elif is_folder:
            if identity not in self._seen and self._enters(link):
                yield from self._folder(link)
        elif self._wants(link):
            yield from self._once(link)

    def _once(self, path: PurePosixPath) -> Iterator[PurePosixPath]:
        try:
            identity = _identity(self._root / path)
        except OSError as error:
            self._problem(path, error)
            return
        if identity not in self._seen:
            self._seen.add(identity)
            yield path

    def _enters(self, folder: PurePosixPath) -> bool:
        name = folder.name
        return not (name.startswith(".") or name in OTHERS_CODE or (self._root / folder / "pyvenv.cfg").is_file())

    def _wants(self, path: PurePosixPath) -> bool:
        if not _is_source(path):
            return False
        if not self._tests and _is_test(path):
            self.passed_over += 1
            return False
        return True

    def _problem(self, path: PurePosixPath, error: OSError) -> None:
        self.problems.append(Problem(_shown(path), f"not searched: cannot be read: {error.strerror or error}"))


def _is_source(path: PurePosixPath) -> bool:
    return path.suffix.lower() in PYTHON | SCRIPTS


def _is_test(path: PurePosixPath) -> bool:
    return bool(TEST_FOLDERS & set(path.parts[:-1])) or _TEST_FILE.fullmatch(path.name) is not None


def _identity(path: Path) -> Identity:
    told = path.stat()
    return told.st_dev, told.st_ino


def _shown(path: PurePosixPath) -> str:
    """The path, whatever bytes a name is made of."""
    return clip(str(path), LONGEST)
