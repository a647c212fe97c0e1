"""``/v1``, as clients meet it: the application itself, upon a real journal."""

import asyncio
import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crossfade.core import line
from crossfade.core.asgi import Message
from crossfade.core.clock import SECOND, ManualClock
from crossfade.core.event import Limits
from crossfade.ingest import Ingest
from crossfade.journal import Journal, segment_files
from crossfade.keys import Verifier
from crossfade.web.errors import HTTPError
from crossfade.web.events import CALLS, Events

KEY = "the-write-key-of-the-tests"
NOW = 1_790_000_000 * SECOND
MAX_BODY = 100_000
GOOD = {"event": "e", "messageId": "good"}
BASIC = b"Basic " + base64.b64encode(f"{KEY}:".encode())


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.body)


@dataclass
class Client:
    """Speaks ASGI to the application, as a server would."""

    events: Events
    journal: Journal
    waiting: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, path: str, *chunks: bytes | None, method: str = "POST", auth: bytes | None = BASIC,
                   declare: bool = True, headers: dict[str, str] | None = None) -> Answer:
        """Sends the chunks one by one; None is a client that leaves."""
        given = {name.encode(): value.encode() for name, value in (headers or {}).items()}
        if auth is not None:
            given[b"authorization"] = auth
        if declare:
            given.setdefault(b"content-length", str(sum(len(chunk or b"") for chunk in chunks)).encode())
        messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
                                   if chunk is not None else {"type": "http.disconnect"}
                                   for number, chunk in enumerate(chunks, 1)]
        sent: list[Message] = []

        async def receive() -> Message:
            await asyncio.sleep(0)
            return messages.pop(0)

        async def take(message: Message) -> None:
            sent.append(message)

        scope: Message = {"type": "http", "path": path, "method": method, "headers": list(given.items())}
        await self.events(scope, receive, take)
        start, body = sent
        answer = Answer(start["status"], dict(start["headers"]), body["body"])  # type: ignore[call-overload,arg-type]
        assert answer.headers[b"content-type"] == b"application/json"
        assert answer.headers[b"content-length"] == str(len(answer.body)).encode()
        return answer

    def post(self, body: object, path: str = "/v1/batch", **options: object) -> Answer:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        return asyncio.run(self.send(path, text, **options))  # type: ignore[arg-type]

    def stored(self) -> list[str]:
        """The message ids that are on disk; a statement has none."""
        content = "".join(path.read_text() for _, path in segment_files(self.journal.folder))
        found = (line.decode(text).message_id for text in content.split("\n")[:-1])
        return [message_id for message_id in found if message_id]


def client_upon(journal: Journal, max_in_flight: int = 1 << 20) -> Client:
    ingest = Ingest(journal, ManualClock(NOW), Limits(), max_plain=4 * MAX_BODY)
    return Client(Events(ingest, Verifier(KEY), 1, max_body=MAX_BODY, max_in_flight=max_in_flight), journal)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    journal = Journal(tmp_path / "journal")
    yield client_upon(journal)
    journal.close()


def refused(answer: Answer, status: int, code: str) -> Answer:
    """The answer is an error as all clients understand it."""
    assert answer.status == status, answer
    told = answer.json
    assert all(isinstance(told[name], str) and told[name] for name in ("code", "message", "detail", "error")), told
    assert (told["code"], told["error"]) == (code, code)
    return answer


# Success


def test_success_is_exactly_200_and_on_disk(client: Client) -> None:
    answer = client.post({"batch": [GOOD, {**GOOD, "messageId": "2"}]})
    assert answer.status == 200
    assert answer.json == {"success": True, "accepted": 2, "rejected": []}
    assert client.stored() == ["good", "2"]


@pytest.mark.parametrize("call", sorted(CALLS))
def test_every_call_is_answered(client: Client, call: str) -> None:
    body = {"batch": [{**GOOD, "timestamp": "2026-01-01T00:00:00Z"}]} if call in {"batch", "import"} else GOOD
    for path in (f"/v1/{call}", f"/v1/{call}/"):
        assert client.post(body, path).json["accepted"] == 1
    assert client.stored() == ["good", "good"]


def test_a_body_may_come_in_pieces_and_compressed(client: Client) -> None:
    text = json.dumps({"batch": [GOOD]}).encode()
    zipped = gzip.compress(text)
    for declare in (True, False):
        pieces = [bytes((byte,)) for byte in text]
        assert asyncio.run(client.send("/v1/batch", *pieces, b"", declare=declare)).status == 200
        assert asyncio.run(client.send("/v1/batch", zipped[:9], zipped[9:], declare=declare,
                                       headers={"content-encoding": "GZIP"})).status == 200
    assert client.post(text, headers={"content-encoding": "identity"}).status == 200
    assert client.stored() == ["good"] * 5


def test_an_empty_batch_is_a_success(client: Client) -> None:
    assert client.post({"batch": []}).json == {"success": True, "accepted": 0, "rejected": []}


# Rejected events


def test_rejected_events_are_listed_with_their_place_and_id(client: Client) -> None:
    answer = client.post(b'{"batch":[%s,{"messageId":"bad"},{"event":"e","messageId":"nan","properties":{"x":NaN}}]}'
                         % json.dumps(GOOD).encode())
    assert answer.status == 200
    assert answer.json["accepted"] == 1
    rejected = answer.json["rejected"]
    assert isinstance(rejected, list)
    assert [(one["index"], one["messageId"], one["reason"]) for one in rejected] == [
        (1, "bad", "missing_event"), (2, "nan", "not_a_number")]
    assert all(one["detail"] for one in rejected)
    assert client.stored() == ["good"]


def test_the_log_names_what_was_rejected_alone_since_clients_do_not_look(
    client: Client, capsys: pytest.CaptureFixture[str],
) -> None:
    client.post(b'{"batch":[%s,{"messageId":"bad"},{"event":""}]}' % json.dumps(GOOD).encode(),
                headers={"user-agent": "analytics-python/2.4.0 \xff" + "x" * 200})
    logged = "".join(capsys.readouterr())
    for told in ("accepted=1", "rejected=2", "missing_event", "bad", "analytics-python/2.4.0"):
        assert told in logged
    assert logged.count("\n") == 1
    assert len(logged) < 500
    client.post({"batch": [GOOD]})
    refused(client.post({"batch": [{"messageId": "bad"}]}), 400, "missing_event")
    assert "".join(capsys.readouterr()) == "", "who is told all is not in the log"


def test_when_all_are_rejected_it_is_a_400_that_lists_them(client: Client) -> None:
    answer = refused(client.post({"batch": [{"messageId": "bad"}, 5]}), 400, "missing_event")
    rejected = answer.json["rejected"]
    assert isinstance(rejected, list)
    assert [(one["index"], one["messageId"], one["reason"]) for one in rejected] == [
        (0, "bad", "missing_event"), (1, None, "wrong_type")]
    assert answer.json["accepted"] == 0
    refused(client.post({"type": "teleport"}, "/v1/track"), 400, "unknown_type")


@pytest.mark.parametrize("message_id", [b'"\\ud800"', b'"\\u0000"', b'"\xff"', b"5.5", b'"' + b"m" * 50_000 + b'"'])
def test_whatever_the_bad_event_holds_the_answer_can_be_written(client: Client, message_id: bytes) -> None:
    body = b'{"batch":[%s,{"event":"e","messageId":%s}]}' % (json.dumps(GOOD).encode(), message_id)
    answer = client.post(body)
    assert answer.status == 200
    assert answer.json["accepted"] == 1
    assert len(answer.body) < 1000


# Errors


@pytest.mark.parametrize("auth", [
    None, b"", b"Basic", b"Basic ", b"Basic !!!!", b"Basic \xff\xff", b"Basic /w==", BASIC[:-3],
    b"Bearer " + KEY.encode(),
    b"Basic " + base64.b64encode(KEY.encode()[:-1] + b":"), b"Basic " + base64.b64encode(b":" + KEY.encode()),
    b"Basic " + base64.b64encode(f"x{KEY}:".encode()), b"Basic " + b"A" * 100_000, KEY.encode(),
])
def test_without_the_key_it_is_a_401_that_asks_for_it(client: Client, auth: bytes | None) -> None:
    answer = refused(client.post({"batch": [GOOD]}, auth=auth), 401, "unauthorized")
    assert answer.headers[b"www-authenticate"].startswith(b"Basic")
    assert client.stored() == []


@pytest.mark.parametrize("auth", [BASIC, b"basic " + BASIC[6:], b"BASIC  " + BASIC[6:] + b" ",
                                  b"Basic " + base64.b64encode(KEY.encode()),
                                  b"Basic " + base64.b64encode(f"{KEY}:any password".encode())])
def test_the_key_is_the_user(client: Client, auth: bytes) -> None:
    assert client.post({"batch": [GOOD]}, auth=auth).status == 200


@pytest.mark.parametrize("path", ["/v1/", "/v1/teleport", "/v1/batch/more", "/v1/BATCH", "/v1/" + "x" * 5000])
def test_an_unknown_call_is_a_404(client: Client, path: str) -> None:
    assert len(refused(client.post({"batch": [GOOD]}, path), 404, "not_found").body) < 600


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_another_method_is_a_405(client: Client, method: str) -> None:
    assert refused(client.post(b"", method=method), 405, "method_not_allowed").headers[b"allow"] == b"POST"


@pytest.mark.parametrize("length", [str(MAX_BODY + 1), "9" * 5000, "1" + "0" * 30])
def test_a_body_that_says_it_is_too_large_is_a_413_unread(client: Client, length: str) -> None:
    refused(asyncio.run(client.send("/v1/batch", headers={"content-length": length})), 413, "too_large")


@pytest.mark.parametrize("length", ["", "-1", "+5", "1e3", "²"])
def test_a_length_that_is_no_number_is_a_400(client: Client, length: str) -> None:
    refused(asyncio.run(client.send("/v1/batch", headers={"content-length": length})), 400, "malformed")


def test_a_body_that_does_not_say_its_length_is_a_413_as_soon_as_it_is_too_large(client: Client) -> None:
    refused(client.post(b"x" * (MAX_BODY + 1), declare=False), 413, "too_large")
    endless = [b"x" * 10_000] * 11 + [None]
    refused(asyncio.run(client.send("/v1/batch", *endless, declare=False)), 413, "too_large")
    liar = asyncio.run(client.send("/v1/batch", *endless, headers={"content-length": "5"}))
    refused(liar, 413, "too_large")
    whole = b'{"batch":[],"x":"%s"}' % (b"x" * MAX_BODY)
    assert client.post(whole[:MAX_BODY - 2] + b'"}', declare=False).status == 200, "the limit is exact"


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_another_encoding_is_a_415(client: Client, encoding: str) -> None:
    refused(client.post({"batch": [GOOD]}, headers={"content-encoding": encoding}), 415, "unknown_encoding")


WHOLE = gzip.compress(json.dumps({"batch": [GOOD]}).encode(), mtime=0)


@pytest.mark.parametrize(("body", "status", "code"), [
    (WHOLE[:-9], 400, "malformed"), (WHOLE[:5], 400, "malformed"), (b"", 400, "malformed"), (b"{}", 400, "malformed"),
    (WHOLE + b"more", 400, "malformed"), (WHOLE + WHOLE, 400, "malformed"),
    (gzip.compress(bytes(50_000_000), mtime=0), 413, "too_large"),
    (gzip.compress(b"[" * 300_000, mtime=0), 400, "malformed"),
])
def test_bad_gzip_is_refused(client: Client, body: bytes, status: int, code: str) -> None:
    refused(client.post(body, headers={"content-encoding": "gzip"}), status, code)


@pytest.mark.parametrize("body", [
    b"", b"null", b"[]", b"{", b'{"batch":{}}', b'{"batch":[{"event":"e\x00"}', b"\x00", b"\xff\xfe", b"[" * 90_000,
    b'{"batch":[{"event":"e"}],"sentAt":"soon"}', b'{"batch":[' + b"[" * 40_000 + b"]" * 40_000 + b"]}",
])
def test_what_is_no_batch_is_a_400(client: Client, body: bytes) -> None:
    refused(client.post(body), 400, "malformed")


@pytest.mark.parametrize("chunks", [(None,), (b'{"batch":', None), (b"", b"", None)])
def test_a_client_that_leaves_in_the_middle_leaves_nothing(client: Client, chunks: tuple[bytes | None, ...]) -> None:
    refused(asyncio.run(client.send("/v1/batch", *chunks, headers={"content-length": "50"})), 400, "cut_short")
    assert client.stored() == []
    assert client.post({"batch": [GOOD]}).status == 200


def test_a_bug_of_ours_is_a_500_and_is_logged(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    async def broken() -> Message:
        raise ZeroDivisionError

    sent: list[Message] = []

    async def take(message: Message) -> None:
        sent.append(message)

    scope: Message = {"type": "http", "path": "/v1/batch", "method": "POST", "headers": [(b"authorization", BASIC)]}
    asyncio.run(client.events(scope, broken, take))
    refused(Answer(sent[0]["status"], {}, sent[1]["body"]), 500, "internal")  # type: ignore[arg-type]
    assert "ZeroDivisionError" in "".join(capsys.readouterr())


# Later


def test_a_full_journal_is_a_503_that_says_when_to_come_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_pending=0)
    client = client_upon(journal)
    assert client.post({"batch": [GOOD]}).status == 200
    answer = refused(client.post({"batch": [GOOD]}), 503, "busy")
    assert int(answer.headers[b"retry-after"]) >= 1
    segment = journal.seal()
    assert segment is not None
    journal.loaded(segment)
    assert client.post({"batch": [GOOD]}).status == 200
    journal.close()
    answer = refused(client.post({"batch": [GOOD]}), 503, "not_stored")
    assert int(answer.headers[b"retry-after"]) >= 1


def test_what_the_disk_does_not_take_is_a_503_for_each_and_nobody_hangs(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    journal = Journal(folder)
    client = client_upon(journal)
    folder.rmdir()

    async def many() -> list[Answer]:
        return await asyncio.gather(*(client.send("/v1/batch", json.dumps({"batch": [GOOD]}).encode())
                                      for _ in range(50)))

    for answer in asyncio.run(asyncio.wait_for(many(), 30)):
        refused(answer, 503, "not_stored")
        assert "No such file" in str(answer.json["message"])
    folder.mkdir()
    assert {answer.status for answer in asyncio.run(many())} == {200}
    assert client.stored() == ["good"] * 50
    journal.close()


def test_bodies_that_are_being_read_are_limited_together(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    client = client_upon(journal, max_in_flight=150_000)
    body = json.dumps({"batch": [GOOD], "x": "x" * 80_000}).encode()
    half = len(body) // 2

    async def slow_and_others() -> tuple[list[Answer], Answer]:
        queue: asyncio.Queue[Message] = asyncio.Queue()
        scope: Message = {"type": "http", "path": "/v1/batch", "method": "POST", "headers": [(b"authorization", BASIC)]}
        sent: list[Message] = []

        async def take(message: Message) -> None:
            sent.append(message)

        slow = asyncio.create_task(client.events(scope, queue.get, take))  # type: ignore[arg-type]
        for _ in range(2):
            queue.put_nowait({"type": "http.request", "body": bytes(45_000), "more_body": True})
        for _ in range(10):
            await asyncio.sleep(0)
        assert queue.empty()
        refusals = [await client.send("/v1/batch", body), await client.send("/v1/batch", body[:half], body[half:],
                                                                            declare=False)]
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
        return refusals, await client.send("/v1/batch", body)

    refusals, after = asyncio.run(slow_and_others())
    for answer in refusals:
        assert b"retry-after" in refused(answer, 503, "busy").headers
    assert after.status == 200
    assert client.events._in_flight == 0
    journal.close()


# Waiting for the disk


def test_one_who_gives_up_takes_nobody_with_him(client: Client) -> None:
    body = json.dumps({"batch": [GOOD]}).encode()

    async def scene() -> list[Answer]:
        with client.journal._files:  # as while the disk is syncing
            waiting = [asyncio.create_task(client.send("/v1/batch", body)) for _ in range(10)]
            for _ in range(20):
                await asyncio.sleep(0)
            assert not any(task.done() for task in waiting)
            for task in waiting[::2]:  # the first one among them, for whom the wait was set up
                task.cancel()
            await asyncio.gather(*waiting[::2], return_exceptions=True)
        return await asyncio.wait_for(asyncio.gather(*waiting[1::2]), 30)

    assert [answer.status for answer in asyncio.run(scene())] == [200] * 5
    assert client.stored() == ["good"] * 10
    assert client.events._in_flight == 0


def test_a_loop_that_ends_while_the_disk_syncs_harms_nobody(client: Client) -> None:
    body = json.dumps({"batch": [GOOD]}).encode()

    async def leave_early() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.send("/v1/batch", body), 0.05)

    client.journal._files.acquire()
    asyncio.run(leave_early())
    client.journal._files.release()
    assert client.post({"batch": [GOOD]}).status == 200
    assert client.stored() == ["good"] * 2


def test_many_at_once_share_their_syncs_and_all_are_answered(client: Client) -> None:
    async def scene() -> list[Answer]:
        return await asyncio.gather(*(client.send("/v1/batch", json.dumps({"batch": [{**GOOD, "messageId": str(n)}]})
                                                  .encode()) for n in range(300)))

    assert {answer.status for answer in asyncio.run(scene())} == {200}
    assert sorted(client.stored(), key=int) == [str(number) for number in range(300)]


def test_errors_elsewhere_ask_for_the_bearer_token() -> None:
    assert HTTPError(401, "c", "m").headers() == {"WWW-Authenticate": "Bearer"}
    assert HTTPError(404, "c", "m").headers() == {}
    assert HTTPError(503, "c", "m", headers={"Retry-After": "1"}).headers() == {"Retry-After": "1"}
    assert HTTPError(404, "c", "m").fields() == {"code": "c", "message": "m", "detail": "m", "error": "c"}
