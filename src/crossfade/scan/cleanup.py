"""Deletes duplicates, each only after proof, at that moment, that its content remains elsewhere."""

from collections.abc import Iterable
from dataclasses import dataclass

from crossfade.core.clock import Clock

from .progress import Meter, Stage, Watch, unwatched
from .result import DuplicateSet, Emit, File, ScanResult
from .tree import ChangedError, Issue, Kind, OpenFile, Stat, blocks, issue


@dataclass(frozen=True, slots=True)
class Cleanup:
    """What was deleted, what failed, and what was left alone on purpose."""

    removed: int
    freed: int
    """Sum of the sizes of the files removed, in bytes."""
    errors: tuple[Issue, ...]
    left: tuple[Issue, ...]


def delete_duplicates(
    result: ScanResult, *, clock: Clock, emit: Emit, progress: Watch = unwatched,
) -> Cleanup:
    """Deletes every copy of every set, and keeps the original.

    Left alone: empty files and files with other names (deleting them frees nothing), and copies on another
    file system than their original (one storage mounted twice looks like that). A copy that is not exactly
    what was scanned, or whose original is not, is an error and stays; the others go on.
    """
    run = _Cleaning(result, emit, Meter(clock, progress, result.tree.show))
    run.clean(result.sets)
    return Cleanup(run.removed, run.freed, tuple(run.errors), tuple(run.left))


class _Cleaning:
    """A clean-up under way."""

    def __init__(self, result: ScanResult, emit: Emit, meter: Meter) -> None:
        self._tree = result.tree
        self._scan_id = result.scan_id
        self._emit = emit
        self._meter = meter
        self.removed = self.freed = 0
        self.errors: list[Issue] = []
        self.left: list[Issue] = []

    def clean(self, sets: Iterable[DuplicateSet]) -> None:
        work = [(found.kept, copy) for found in sets for copy in found.copies]
        self._meter.begin(Stage.DELETING, len(work), sum(copy.stat.size for _, copy in work))
        for kept, copy in work:
            self._delete(kept, copy)
            self._meter.step(copy.path, 1, copy.stat.size)
        self._meter.end()

    def _delete(self, kept: File, copy: File) -> None:
        shown = self._tree.show(copy.path)
        try:
            reason = _reason_to_stay(kept, self._tree.stat(copy.path))
            if reason is None:
                self._remove(kept, copy)
        except OSError as error:
            self._failed(issue(shown, error))
            return
        if reason is None:
            self._removed(shown, copy.stat.size, self._tree.show(kept.path))
        else:
            self.left.append(Issue(shown, *reason))

    def _remove(self, kept: File, copy: File) -> None:
        if _is_one(kept, copy):
            raise ChangedError("it is the file to keep, under another name")
        with self._tree.open(kept.path) as original, self._tree.open(copy.path) as duplicate:
            self._must_be_equal(original, duplicate, copy)
            # What was read must be what was scanned, and what the paths still name.
            _must_be(original, kept, "the file to keep")
            _must_be(duplicate, copy, "it")
            if self._tree.stat(kept.path) != kept.stat:
                raise ChangedError("another file has taken the name of the one to keep")
            self._tree.remove(copy.path, copy.stat)

    def _must_be_equal(self, original: OpenFile, duplicate: OpenFile, copy: File) -> None:
        size = copy.stat.size
        for one, other in zip(blocks(original, 0, size), blocks(duplicate, 0, size), strict=True):
            if one != other:
                raise ChangedError("its content is not that of the file to keep")
            self._meter.step(copy.path)

    def _removed(self, path: str, size: int, kept: str) -> None:
        self.removed += 1
        self.freed += size
        self._emit("cleanup_executed", {"scanId": self._scan_id, "path": path, "size": size, "kept": kept})

    def _failed(self, found: Issue) -> None:
        self.errors.append(found)
        self._emit("error_occurred", {"scanId": self._scan_id, "path": found.path, "error": found.error.value,
                                      "message": found.message})


def _must_be(opened: OpenFile, file: File, what: str) -> None:
    if opened.stat() != file.stat:
        raise ChangedError(f"{what} changed since the scan")


def _is_one(kept: File, copy: File) -> bool:
    inode = (copy.stat.device, copy.stat.inode)
    return copy.path == kept.path or (copy.stat.inode != 0 and inode == (kept.stat.device, kept.stat.inode))


def _reason_to_stay(kept: File, copy: Stat) -> tuple[Kind, str] | None:
    if copy.size == 0:
        return Kind.EMPTY, "deleting it frees nothing"
    if copy.links > 1:
        return Kind.HARD_LINK, f"it has {copy.links} names; deleting one frees nothing"
    if copy.device != kept.stat.device:
        return Kind.OTHER_DEVICE, "it may be the same file, mounted twice"
    return None
