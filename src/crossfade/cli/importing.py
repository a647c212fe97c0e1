"""``crossfade import``: years of events from a file, once however often it is done."""

import gzip
import io
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import IO

import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from crossfade.cli.client import Client, Json
from crossfade.cli.errors import CommandError
from crossfade.core.event import Why
from crossfade.tracking.transport import Transport, TransportError
from crossfade.tracking.verdict import Refusal

BATCH = 2_000
BATCH_BYTES = 4 << 20
SHOWN = 10
"""Rejected lines that are shown; all are counted."""


class _Identity(msgspec.Struct, rename="camel"):
    """What makes a line recognisable when it is imported again."""

    message_id: str | int | None = None


class Importer:
    """Sends lines in batches, and remembers which were not taken, by line number."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._decode = msgspec.json.Decoder(_Identity).decode
        self._batch: list[bytes] = []
        self._numbers: list[int] = []
        self._bytes = 0
        self._seen: Counter[bytes] = Counter()
        self.lines = 0
        self.accepted = 0
        self.reasons: Counter[str] = Counter()
        self.examples: list[tuple[int, Refusal]] = []

    def take(self, line: bytes) -> None:
        self.lines += 1
        text = line.strip()
        if not text:
            return
        try:
            known = self._decode(text).message_id is not None
        except msgspec.ValidationError:
            known = True  # the server says what is wrong with it
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._reject(self.lines, Refusal(Why.MALFORMED, str(error)))
            return
        if not known:
            text = self._with_identity(text)
        self._batch.append(text)
        self._numbers.append(self.lines)
        self._bytes += len(text)
        if len(self._batch) >= BATCH or self._bytes >= BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        if not self._batch:
            return
        answer = self._transport.send(self._batch, call="import")
        self.accepted += answer.accepted
        for rejection in answer.rejected:
            self._reject(self._numbers[rejection.index], rejection)
        self._batch, self._numbers, self._bytes = [], [], 0

    def _with_identity(self, text: bytes) -> bytes:
        """Gives a line without a message id one made of its content, and of how often that came before in the file."""
        digest = blake2b(text, digest_size=16).digest()
        self._seen[digest] += 1
        message_id = f"import-{digest.hex()}-{self._seen[digest]}"
        comma = b"" if text[1:].lstrip().startswith(b"}") else b","
        return b'{"messageId":"%s"%s' % (message_id.encode(), comma) + text[1:]

    def _reject(self, number: int, rejection: Refusal) -> None:
        self.reasons[rejection.reason] += 1
        if len(self.examples) < SHOWN:
            self.examples.append((number, rejection))


def import_file(file: str, *, url: str | None, data: Path | None, as_json: bool) -> None:
    """Raises CommandError when the file cannot be read or the server does not take it."""
    console = Console(stderr=True)
    with Client(url, data).transport() as transport, _source(file) as (lines, raw, total):
        importer = Importer(transport)
        try:
            with _bar(console) as bar:
                task = bar.add_task("importing", total=total)
                for line in lines:
                    importer.take(line)
                    if importer.lines % BATCH == 0:
                        bar.update(task, completed=raw.tell() if raw else None)
                importer.flush()
                bar.update(task, completed=total)
        except TransportError as error:
            raise CommandError(f"stopped after {importer.accepted:,} events: {error}. Run it again when the server is "
                               "back: what was taken is not counted twice") from None
        except (OSError, EOFError) as error:
            importer.flush()
            raise CommandError(f"{file} cannot be read to its end ({error}); {importer.accepted:,} events were "
                               "taken") from None
    _report(importer, as_json)
    if importer.reasons:
        raise SystemExit(1)


@contextmanager
def _source(file: str) -> Iterator[tuple[IO[bytes], IO[bytes] | None, int | None]]:
    """The lines, the file whose position tells the progress, and its size where that is known."""
    if file == "-":
        yield sys.stdin.buffer, None, None
        return
    with _opened(Path(file)) as raw:
        total = Path(file).stat().st_size
        zipped = raw.peek(2)[:2] == b"\x1f\x8b"
        lines: IO[bytes] = io.BufferedReader(gzip.GzipFile(fileobj=raw)) if zipped else raw
        yield lines, raw, total


def _opened(path: Path) -> io.BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from None


def _bar(console: Console) -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
                    console=console, disable=not console.is_terminal)


def _report(importer: Importer, as_json: bool) -> None:
    console = Console()
    rejected = importer.reasons.total()
    if as_json:
        examples: list[Json] = [
            {"line": number, "reason": rejection.reason, "detail": rejection.detail}
            for number, rejection in importer.examples
        ]
        console.print_json(data={"lines": importer.lines, "accepted": importer.accepted, "rejected": rejected,
                                 "reasons": dict(importer.reasons), "examples": examples})
        return
    console.print(f"{importer.lines:,} lines, {importer.accepted:,} events taken, {rejected:,} rejected.")
    for number, rejection in importer.examples:
        console.print(f"  line {number:,}: {rejection.reason}: {rejection.detail}", markup=False)
    if rejected > len(importer.examples):
        console.print(f"  … and {rejected - len(importer.examples):,} more")
