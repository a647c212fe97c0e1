"""Stores with many events, for the benches that ask what many events cost: filled once a run, copied for every use.

The events are those of the last 30 days, spread evenly, in the order of their times, as events arrive. They are written
as segments of the journal and go into the store by the loader's own way, deduplicated and rolled up; only HTTP is left
out. With ``run.py --store FOLDER`` the filled stores are kept, and the next run adds what has happened since.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb
from row import Size
from served import served

from crossfade.core.days import Days
from crossfade.datafolder import DataFolder
from crossfade.journal import SEGMENT_EVENTS
from crossfade.store.embedded import EmbeddedStore

SPAN_S = 30 * 86_400
USERS = 5_000
SCANS = 720
"""One an hour, so that the timeline has sizes to show."""
FRESH_S = 600
"""For how long a filled store needs nothing added: the figures are of an hour, a day and a month."""
NOTE = "filled.json"
FLAGS = ("useRealBusinessMetrics", "useRealSystemMetrics", "useRealInfrastructureMetrics", "useRealHistoricalData")
KINDS = """CASE WHEN n % 100 < 80 THEN 'file_processed' WHEN n % 100 < 88 THEN 'duplicate_detected'
    WHEN n % 100 < 90 THEN 'cleanup_executed' WHEN n % 100 < 95 THEN 'auth_attempt' ELSE 'auth_success' END"""
"""By an event's number n; PostgreSQL understands it too."""
LINES = f"""SELECT 1, happened, 0, strftime(make_timestamp(happened), '%Y-%m-%dT%H:%M:%S.%fZ'), 'filled-' || n,
    CASE WHEN scan THEN 'scan_completed' ELSE {KINDS} END,
    'user-' || hash(n) % {USERS}, NULL, NULL,
    CASE WHEN scan THEN '{{"scanId":"scan-' || n || '","files":1000,"totalSize":' || 1000000000 + n || '}}'
    ELSE '{{"path":"/a/b/c' || n || '.txt","size":' || hash(n) % 1000000 || ',"kind":"image","ok":true}}' END,
    NULL, NULL
    FROM (SELECT n, CAST($begin + n * $step AS BIGINT) AS happened, n % $scan_every = 0 AS scan
          FROM range($first, $last) t(n))"""
"""As journal lines."""
FORMAT = r"(FORMAT csv, DELIMITER '\t', QUOTE '', ESCAPE '', HEADER false, NULLSTR '')"


@contextmanager
def copied(size: Size, count: int) -> Iterator[Path]:
    """A data folder to use up, with so many events, and all components real."""
    assert size.store is not None
    kept = size.store / str(count)
    _fill(kept, count)
    with tempfile.TemporaryDirectory(dir=size.store) as folder:
        data = shutil.copytree(kept, Path(folder) / "data")
        os.sync()  # or the first commit would wait until the whole copy is on the disk
        yield data


def _fill(kept: Path, count: int) -> None:
    """Makes it, or adds the events that have happened since it was made."""
    note = kept / NOTE
    now = time.time() * 1e6
    told = json.loads(note.read_text()) if note.exists() else {"begin": now - SPAN_S * 1e6, "events": 0}
    events = int((now - told["begin"]) * count / (SPAN_S * 1e6))
    if note.exists() and now - told["until"] < FRESH_S * 1e6:
        return
    if not note.exists():
        print(f"filling a store with {count:,} events …", file=sys.stderr, flush=True)
        shutil.rmtree(kept, ignore_errors=True)
    # Segments larger than the journal's go in more quickly and make the same rows.
    _load(kept, told["begin"], told["events"], events, count)
    with served(kept) as server, server.admin() as http:
        http.patch("/api/flags", json=dict.fromkeys(FLAGS, True)).raise_for_status()
    note.write_text(json.dumps({"begin": told["begin"], "events": events, "until": now}))


def _load(kept: Path, begin: float, first: int, last: int, count: int) -> None:
    step = 5 * SEGMENT_EVENTS
    with DataFolder(kept) as folder, closing(EmbeddedStore(folder.events, Days())) as store, duckdb.connect() as maker:
        segment, path = store.last_segment(), kept / "filling.tsv"
        for start in range(first, last, step):
            segment += 1
            maker.execute(f"COPY ({LINES}) TO '{path}' {FORMAT}", {
                "begin": begin, "step": SPAN_S * 1e6 / count, "scan_every": max(1, count // SCANS), "first": start,
                "last": min(start + step, last)})
            assert not store.load(segment, path).quarantined
        path.unlink(missing_ok=True)
        store.rest()
