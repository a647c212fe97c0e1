"""The batcher: everything that was told arrives, once, at a real ingest."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from crossfade.core import line
from crossfade.core.clock import SECOND, ManualClock
from crossfade.core.event import Limits, Why
from crossfade.ingest import Ingest
from crossfade.journal import Journal, segment_files
from crossfade.tracking import batcher as batchers
from crossfade.tracking.batcher import BATCH, Batcher
from crossfade.tracking.transport import Transport, TransportError

NOW = 1_790_000_000 * SECOND


class Site:
    """A small server before a real ingest and a real journal, that can be told to fail."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder)
        self.ingest = Ingest(self.journal, ManualClock(NOW), Limits(), max_plain=100 << 20)
        self.batches: list[int] = []
        self.failing = 0
        """How many requests to leave unanswered; they are taken all the same, as when an answer is lost."""
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                plain = site.ingest.unpack(body) if self.headers["Content-Encoding"] else body
                taken = site.ingest.take(self.path.removeprefix("/v1/"), plain, 1)
                if taken.on_disk is not None:
                    taken.on_disk.result(30)
                if site.failing:
                    site.failing -= 1
                    self.send_error(503)
                    return
                site.batches.append(taken.accepted + len(taken.rejected))
                answer = msgspec.json.encode({"accepted": taken.accepted, "rejected": taken.rejected})
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Not into the tests' output."""

        self.http = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    def stored(self) -> list[line.Line]:
        text = "".join(path.read_text() for _, path in segment_files(self.journal.folder))
        return [line.decode(one) for one in text.split("\n")[:-1]]

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()
        self.journal.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "journal")
    yield made
    made.close()


@pytest.fixture
def batcher(site: Site) -> Iterator[Batcher]:
    with Transport(site.url, "key", patience=1, pause=lambda _: None) as transport:
        yield Batcher(transport, ManualClock(NOW), session_id="scan-1")


def test_an_event_arrives_with_what_was_told(site: Site, batcher: Batcher) -> None:
    batcher.track("file_processed", {"path": "/é\n\t😀", "size": 5})
    assert site.stored() == []
    batcher.flush()
    found, = site.stored()
    assert (found.event, found.ts, json.loads(found.properties)) == (
        "file_processed", NOW, {"path": "/é\n\t😀", "size": 5})
    path = segment_files(site.journal.folder)[0][1]
    assert path.read_text().split("\t")[8] == "scan-1"


def test_events_are_delivered_in_batches_and_in_order(site: Site, batcher: Batcher) -> None:
    for number in range(2 * BATCH + 1):
        batcher.track("e", {"number": number})
    assert site.batches == [BATCH, BATCH]
    batcher.flush()
    batcher.flush()
    assert site.batches == [BATCH, BATCH, 1]
    assert batcher.accepted == 2 * BATCH + 1
    assert [json.loads(found.properties)["number"] for found in site.stored()] == list(range(2 * BATCH + 1))
    assert len({found.message_id for found in site.stored()}) == 2 * BATCH + 1


def test_a_batch_of_large_events_is_delivered_sooner(
        site: Site, batcher: Batcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batchers, "BATCH_BYTES", 1000)
    for _ in range(10):
        batcher.track("e", {"text": "x" * 500})
    assert site.batches == [2] * 5


def test_a_lost_answer_repeats_the_same_messages(site: Site, batcher: Batcher) -> None:
    site.failing = 1
    batcher.track("e", {})
    batcher.flush()
    first, second = site.stored()
    assert first.message_id == second.message_id
    assert batcher.accepted == 1


def test_what_could_not_be_delivered_is_delivered_with_the_next(site: Site, batcher: Batcher) -> None:
    batcher.track("e", {"number": 1})
    site.failing = 100
    with pytest.raises(TransportError):
        batcher.flush()
    assert batcher.accepted == 0
    batcher.track("e", {"number": 2})
    site.failing = 0
    batcher.flush()
    assert batcher.accepted == 2
    assert {json.loads(found.properties)["number"] for found in site.stored()} == {1, 2}
    assert len({found.message_id for found in site.stored()}) == 2


def test_rejections_are_kept(batcher: Batcher) -> None:
    batcher.track("", {})
    batcher.track("good", {})
    batcher.track("large", {"x": "y" * 300_000})
    batcher.flush()
    assert batcher.accepted == 1
    assert [(one.reason, one.index) for one in batcher.rejected] == [(Why.MISSING_EVENT, 0), (Why.TOO_LARGE, 2)]


def test_what_is_no_json_is_the_callers_mistake_and_spoils_nothing(site: Site, batcher: Batcher) -> None:
    for wrong in (object(), "half a pair \ud800", {1j: 1}):
        with pytest.raises((TypeError, ValueError)):
            batcher.track("e", {"x": wrong})
    batcher.track("e", {"x": 1})
    batcher.flush()
    assert batcher.accepted == len(site.stored()) == 1


def test_nothing_told_is_nothing_sent(site: Site, batcher: Batcher) -> None:
    batcher.flush()
    assert site.batches == []
