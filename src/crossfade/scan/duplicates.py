"""Which files are equal: by size, then by both ends, then by the whole content.

Names of one inode are one file, as for fdupes. Empty files are equal to each other, as for fdupes.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator

from blake3 import blake3

from .progress import Meter, Stage
from .result import DuplicateSet, File
from .tree import ChangedError, OpenFile, Stat, Tree, blocks

END = 4096
"""Bytes compared at either end; a file of twice as many, or fewer, is thereby read whole."""

Candidates = dict[int, list[str]]
"""Paths by size: at least two of each."""

Trouble = Callable[[str, OSError], None]
"""Takes the path of a file that cannot be compared, and why."""

_Group = tuple[str, list[File]]
"""A digest, and the files that have it."""


def find_duplicates(
    tree: Tree, candidates: Candidates, meter: Meter, trouble: Trouble,
) -> Iterator[DuplicateSet]:
    """Every set of equal files, as soon as it is known. Empties the candidates, to free them as it goes."""
    small: list[_Group] = []
    large: list[_Group] = []
    meter.begin(Stage.HEADS, sum(map(len, candidates.values())),
                sum(size * len(paths) for size, paths in candidates.items()))
    for size in sorted(candidates):
        ends = _alike(_by_ends(tree, size, candidates.pop(size), meter, trouble))
        (small if size <= 2 * END else large).extend(ends)
    meter.end()
    yield from map(_set, small)

    meter.begin(Stage.HASHING, sum(len(files) for _, files in large),
                sum(file.stat.size for _, files in large for file in files))
    for _, files in large:
        yield from map(_set, _alike(_by_content(tree, files, meter, trouble)))
    meter.end()


def rank(file: File) -> tuple[int, int, str]:
    """Orders the files of a set: the first is the original."""
    return file.stat.mtime_ns, len(file.path), file.path


def _set(group: _Group) -> DuplicateSet:
    digest, files = group
    kept, *copies = sorted(files, key=rank)
    return DuplicateSet(kept.stat.size, digest, kept, tuple(copies))


def _by_ends(
    tree: Tree, size: int, paths: list[str], meter: Meter, trouble: Trouble,
) -> Iterator[tuple[str, File]]:
    for path in paths:
        try:
            with tree.open(path) as opened:
                before = opened.stat()
                if before.size != size:
                    raise ChangedError("its size changed during the scan")
                digest = _digest_of_ends(opened, size)
                _must_be(opened, before)
            yield digest, File(path, before)
        except OSError as error:
            trouble(path, error)
        meter.step(path, 1, size)


def _by_content(
    tree: Tree, files: list[File], meter: Meter, trouble: Trouble,
) -> Iterator[tuple[str, File]]:
    for file in files:
        hashed = 0
        try:
            with tree.open(file.path) as opened:
                _must_be(opened, file.stat)
                content = blake3()
                for block in blocks(opened, 0, file.stat.size):
                    content.update(block)
                    hashed += len(block)
                    meter.step(file.path, 0, len(block))
                _must_be(opened, file.stat)
            yield content.hexdigest(), file
        except OSError as error:
            trouble(file.path, error)
        meter.step(file.path, 1, file.stat.size - hashed)


def _must_be(opened: OpenFile, expected: Stat) -> None:
    if opened.stat() != expected:
        raise ChangedError("it changed during the scan")


def _digest_of_ends(opened: OpenFile, size: int) -> str:
    digest = blake3()
    spans = [(0, size)] if size <= 2 * END else [(0, END), (size - END, size)]
    for start, end in spans:
        for block in blocks(opened, start, end):
            digest.update(block)
    return digest.hexdigest()


def _alike(digested: Iterable[tuple[str, File]]) -> list[_Group]:
    """Files by digest, where there are at least two; of an inode's names the first by rank stands for all."""
    groups: dict[str, dict[Hashable, File]] = {}
    for digest, file in digested:
        inode = (file.stat.device, file.stat.inode) if file.stat.inode else file.path
        files = groups.setdefault(digest, {})
        files[inode] = min(file, files.get(inode, file), key=rank)
    return [(digest, list(files.values())) for digest, files in groups.items() if len(files) > 1]
