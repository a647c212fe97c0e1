"""What a scan found."""

from collections.abc import Callable
from dataclasses import dataclass, field

from .tree import JSON, Issue, Stat, Tree

Emit = Callable[[str, dict[str, JSON]], None]
"""Takes an event's name and its properties."""


@dataclass(frozen=True, slots=True)
class File:
    """A file, as it was when it was hashed. The path is the tree's own: show it by ``Tree.show``."""

    path: str
    stat: Stat


@dataclass(frozen=True, slots=True)
class DuplicateSet:
    """Files of equal content, each an inode of its own."""

    size: int
    hash: str
    """BLAKE3 of the content, in hexadecimal."""
    kept: File
    """The original: the oldest; of those the one with the shortest path, then the first by name."""
    copies: tuple[File, ...]


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a completed scan found. Sets are ordered by size, the largest first, then by path."""

    scan_id: str
    root: str
    files: int
    """Regular files, every hard link counted, as ``find -type f`` does."""
    total_size: int
    """Sum of the files' apparent sizes, in bytes."""
    sets: tuple[DuplicateSet, ...]
    errors: tuple[Issue, ...]
    """What should have been readable and was not."""
    irregular: tuple[Issue, ...]
    """Symbolic links, and what is neither file, folder nor link: not counted, never opened."""
    links: int
    """How many of the irregular are symbolic links."""
    skipped: int
    """Folders left out because the caller said so."""
    seconds: float
    tree: Tree = field(repr=False, compare=False)

    @property
    def duplicates(self) -> int:
        return sum(len(found.copies) for found in self.sets)

    @property
    def duplicate_bytes(self) -> int:
        return sum(found.size * len(found.copies) for found in self.sets)


def report(result: ScanResult) -> dict[str, JSON]:
    """The result as JSON, every path in valid Unicode."""
    show = result.tree.show
    sets: list[JSON] = [
        {"size": found.size, "hash": found.hash, "kept": show(found.kept.path),
         "copies": [show(copy.path) for copy in found.copies]}
        for found in result.sets
    ]
    return {
        "scanId": result.scan_id, "path": result.root, "files": result.files, "totalSize": result.total_size,
        "duplicates": result.duplicates, "duplicateBytes": result.duplicate_bytes, "sets": sets,
        "errors": _listed(result.errors), "irregular": _listed(result.irregular), "links": result.links,
        "skipped": result.skipped, "seconds": result.seconds,
    }


def _listed(issues: tuple[Issue, ...]) -> list[JSON]:
    return [{"path": found.path, "error": found.error.value, "message": found.message} for found in issues]
