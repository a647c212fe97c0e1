"""``crossfade scan``: a real producer of events."""

import uuid
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from crossfade import scan as scanning
from crossfade.cli.client import Client
from crossfade.cli.errors import CommandError
from crossfade.core.clock import SystemClock
from crossfade.scan import Cleanup, Emit, ScanResult
from crossfade.tracking.batcher import Batcher
from crossfade.tracking.transport import TransportError

SHOWN = 10
"""Duplicate sets and errors that are shown; --json has all."""


def scan(path: str, *, delete: bool, track: bool, url: str | None, data: Path | None, as_json: bool) -> None:
    """Raises CommandError when there is nothing to scan, or the server does not take the events."""
    if track:
        client = Client(url, data)
        client.get("/readyz")
        with client.transport() as transport:
            clock = SystemClock()
            scan_id = str(uuid.uuid4())
            batcher = Batcher(transport, clock, session_id=scan_id)
            try:
                result, cleanup = run(path, scan_id, batcher.track, batcher.flush, delete=delete)
            except TransportError as error:
                raise CommandError(f"the scan stopped, since its events cannot be sent: {error}") from None
    else:
        result, cleanup = run(path, str(uuid.uuid4()), lambda *_: None, lambda: None, delete=delete)
    _report(result, cleanup, as_json)


def run(path: str, scan_id: str, emit: Emit, flush: Callable[[], None], *, delete: bool = False,
        skip: tuple[str, ...] = ()) -> tuple[ScanResult, Cleanup | None]:
    """Scans with a progress bar, and delivers what was found, also when it is interrupted."""
    console = Console(stderr=True)
    clock = SystemClock()
    with _bar(console) as bar:
        watch = _watch(bar)
        try:
            result = scanning.scan(path, scan_id=scan_id, clock=clock, emit=emit, progress=watch, skip=skip)
            cleanup = None
            if delete:
                cleanup = scanning.delete_duplicates(result, clock=clock, emit=emit, progress=watch)
        except scanning.ScanError as error:
            raise CommandError(str(error)) from None
        finally:
            flush()
    return result, cleanup


def _bar(console: Console) -> Progress:
    return Progress(TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn(),
                    TextColumn("{task.fields[bytes]}"), TimeElapsedColumn(), console=console,
                    disable=not console.is_terminal)


def _watch(bar: Progress) -> Callable[[scanning.Progress], None]:
    tasks: dict[scanning.Stage, TaskID] = {}

    def watch(seen: scanning.Progress) -> None:
        if seen.stage not in tasks:
            for before in bar.tasks:  # of a walk nobody knows the end before it is there
                bar.update(before.id, total=before.completed)
            tasks[seen.stage] = bar.add_task(seen.stage.value, total=seen.total_files, bytes="")
        bar.update(tasks[seen.stage], completed=seen.files, total=seen.total_files, bytes=decimal(seen.bytes))

    return watch


def _report(result: ScanResult, cleanup: Cleanup | None, as_json: bool) -> None:
    console = Console()
    if as_json:
        out = scanning.report(result)
        if cleanup is not None:
            out["cleanup"] = {"removed": cleanup.removed, "freed": cleanup.freed, "errors": len(cleanup.errors),
                              "left": len(cleanup.left)}
        console.print_json(data=out)
        return
    show = result.tree.show
    console.print(f"{result.files:,} files, {decimal(result.total_size)}, in {result.seconds:.1f} s", highlight=False)
    console.print(f"{result.duplicates:,} duplicates in {len(result.sets):,} sets, {decimal(result.duplicate_bytes)}",
                  highlight=False)
    for found in result.sets[:SHOWN]:
        console.print(f"  {decimal(found.size)} × {len(found.copies) + 1}: {show(found.kept.path)}", markup=False,
                      highlight=False)
    if len(result.sets) > SHOWN:
        console.print(f"  … and {len(result.sets) - SHOWN:,} more sets", highlight=False)
    if result.irregular:
        console.print(f"{len(result.irregular):,} links, sockets and the like were left alone",
                      highlight=False)
    for issue in result.errors[:SHOWN]:
        console.print(f"  {issue.error.value}: {issue.path}: {issue.message}", markup=False, highlight=False)
    if len(result.errors) > SHOWN:
        console.print(f"  … and {len(result.errors) - SHOWN:,} more that could not be read",
                      highlight=False)
    if cleanup is not None:
        console.print(f"{cleanup.removed:,} duplicates deleted, {decimal(cleanup.freed)} freed; "
                      f"{len(cleanup.left):,} left alone, {len(cleanup.errors):,} failed", highlight=False)
