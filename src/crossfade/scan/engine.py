"""The scan: walks, counts, compares, and emits an event for each thing that it finds."""

from collections import defaultdict
from collections.abc import Collection
from contextlib import closing

from crossfade.core.clock import SECOND, Clock

from .duplicates import Candidates, find_duplicates
from .progress import Meter, Stage, Watch, unwatched
from .remote import open_tree
from .result import DuplicateSet, Emit, ScanResult
from .tree import JSON, Found, Issue, Kind, Skipped, Tree, issue

_IRREGULAR = frozenset({Kind.LINK, Kind.IRREGULAR})


def scan(
    url: str, *, scan_id: str, clock: Clock, emit: Emit, progress: Watch = unwatched,
    skip: Collection[str] = (),
) -> ScanResult:
    """Scans the folder that a path or an fsspec URL names.

    ``emit`` takes each event; ``skip`` are local folders to leave out. Whatever is wrong with one entry is an
    entry of the result. Raises ScanError, before any event, if there is no such folder; whatever else ends
    the scan goes on to the caller, after ``scan_completed`` with the status ``cancelled`` or ``failed``.
    """
    return _Scan(open_tree(url, skip), scan_id, clock, emit, progress).run()


class _Scan:
    """A scan under way."""

    def __init__(self, tree: Tree, scan_id: str, clock: Clock, emit: Emit, progress: Watch) -> None:
        self._tree = tree
        self._scan_id = scan_id
        self._clock = clock
        self._emit_event = emit
        self._meter = Meter(clock, progress, tree.show)
        self._started = clock.now()
        self._files = self._total_size = self._skipped = self._links = 0
        self._duplicates = self._duplicate_bytes = 0
        self._sets: list[DuplicateSet] = []
        self._errors: list[Issue] = []
        self._irregular: list[Issue] = []

    def run(self) -> ScanResult:
        self._emit("scan_started", self._tree.root)
        status = "failed"
        try:
            self._compare(self._walk())
            status = "completed"
        except KeyboardInterrupt:
            status = "cancelled"
            raise
        finally:
            self._completed(status)
        return self._result()

    def _walk(self) -> Candidates:
        """Counts every file; gives the paths of those that share their size with another."""
        by_size: defaultdict[int, list[str]] = defaultdict(list)
        self._meter.begin(Stage.WALKING)
        with closing(self._tree.walk()) as entries:
            for entry in entries:
                if isinstance(entry, Found):
                    self._count(entry)
                    if entry.readable:
                        by_size[entry.size].append(entry.path)
                elif isinstance(entry, Skipped):
                    self._skipped += 1
                else:
                    self._report(entry)
        self._meter.end()
        return {size: paths for size, paths in by_size.items() if len(paths) > 1}

    def _count(self, file: Found) -> None:
        self._files += 1
        self._total_size += file.size
        shown = self._tree.show(file.path)
        self._emit("file_processed", shown, size=file.size)
        if not file.readable:
            self._report(Issue(shown, Kind.PERMISSION, "it may not be read"))
        self._meter.step(file.path, 1, file.size)

    def _compare(self, candidates: Candidates) -> None:
        for found in find_duplicates(self._tree, candidates, self._meter, self._trouble):
            self._sets.append(found)
            original = self._tree.show(found.kept.path)
            for copy in found.copies:
                self._duplicates += 1
                self._duplicate_bytes += found.size
                self._emit("duplicate_detected", self._tree.show(copy.path), original=original,
                           size=found.size, hash=found.hash)

    def _trouble(self, path: str, error: OSError) -> None:
        self._report(issue(self._tree.show(path), error))

    def _report(self, found: Issue) -> None:
        (self._irregular if found.error in _IRREGULAR else self._errors).append(found)
        self._links += found.error is Kind.LINK
        self._emit("error_occurred", found.path, error=found.error.value, message=found.message)

    def _completed(self, status: str) -> None:
        self._emit("scan_completed", self._tree.root, status=status,
                   files=self._files, totalSize=self._total_size,
                   duplicates=self._duplicates, duplicateBytes=self._duplicate_bytes,
                   errors=len(self._errors) + len(self._irregular), seconds=self._seconds())

    def _emit(self, event: str, path: str, **properties: JSON) -> None:
        self._emit_event(event, {"scanId": self._scan_id, "path": path, **properties})

    def _seconds(self) -> float:
        return (self._clock.now() - self._started) / SECOND

    def _result(self) -> ScanResult:
        return ScanResult(
            self._scan_id, self._tree.root, self._files, self._total_size,
            tuple(sorted(self._sets, key=lambda found: (-found.size, found.kept.path))),
            tuple(sorted(self._errors, key=lambda found: found.path)),
            tuple(sorted(self._irregular, key=lambda found: found.path)),
            self._links, self._skipped, self._seconds(), self._tree,
        )
