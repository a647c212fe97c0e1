"""The layer around a WSGI application, by the words of PEP 3333; the standard library's checker looks on."""

import io
from collections.abc import Iterator
from pathlib import Path
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

from crossfade.tracking import TrackedWSGI, Tracker


class Layer:
    """A server in a nutshell: what it was told, and what was recorded."""

    def __init__(self, app, tracker: Tracker) -> None:
        self.layer = TrackedWSGI(app, tracker, report_every=3600)
        self.started: list[tuple[object, ...]] = []
        self.written: list[bytes] = []

    def start_response(self, *told: object):
        self.started.append(told)
        return self.written.append

    def call(self, **environ: object):
        setup_testing_defaults(environ)
        return self.layer(environ, self.start_response)

    def recorded(self) -> tuple[int, int]:
        counts = self.layer._reporter._recorder.take()
        return counts.requests, counts.errors


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[Tracker]:
    made = Tracker("http://127.0.0.1:9", "key", tmp_path, exit_timeout=0)
    yield made
    made.shutdown(0)


@pytest.fixture
def serve(tracker: Tracker, monkeypatch: pytest.MonkeyPatch):
    """Makes a layer whose reporter has no thread, so that what is recorded stays to be looked at."""
    def make(app) -> Layer:
        layer = Layer(app, tracker)
        monkeypatch.setattr(layer.layer._reporter, "running", True)
        return layer

    return make


class Closing:
    """An answer that notes its close()."""

    def __init__(self, *chunks: bytes | Exception) -> None:
        self.chunks = iter(chunks)
        self.closed = 0

    def __iter__(self):
        return self

    def __next__(self) -> bytes:
        chunk = next(self.chunks)
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    def close(self) -> None:
        self.closed += 1


def answering(status: str, answer, headers=()):
    def app(_environ, start_response):
        start_response(status, list(headers))
        return answer

    return app


@pytest.mark.parametrize(("status", "errors"), [("200 OK", 0), ("404 Not Found", 0), ("500 Oh", 1), ("503 Later", 1)])
def test_a_request_is_recorded_when_its_answer_is_closed(serve, status: str, errors: int) -> None:
    body = Closing(b"a", b"b")
    layer = serve(answering(status, body))
    answer = layer.call()
    assert list(answer) == [b"a", b"b"]
    assert layer.recorded() == (0, 0)
    answer.close()
    answer.close()
    assert layer.recorded() == (1, errors)
    assert body.closed == 2  # as often as the server closes it
    assert layer.started == [(status, [])]


def test_an_application_that_raises_is_an_error_and_the_exception_goes_on(serve) -> None:
    def app(_environ, _start_response):
        raise LookupError("broken")

    layer = serve(app)
    with pytest.raises(LookupError, match="broken"):
        layer.call()
    assert layer.recorded() == (1, 1)


def test_an_answer_that_raises_half_way_is_an_error(serve) -> None:
    layer = serve(answering("200 OK", Closing(b"a", LookupError("half-way"))))
    answer = layer.call()
    with pytest.raises(LookupError, match="half-way"):
        list(answer)
    answer.close()
    assert layer.recorded() == (1, 1)


@pytest.mark.parametrize(("status", "errors"), [("200 OK", 0), ("500 Oh", 1)])
def test_an_answer_that_the_server_gives_up_is_no_error_unless_it_was_one(serve, status: str, errors: int) -> None:
    layer = serve(answering(status, Closing(b"a", b"b")))
    answer = layer.call()
    next(iter(answer))
    answer.close()
    assert layer.recorded() == (1, errors)


def test_a_client_that_leaves_before_anything_was_asked_for_is_no_error(serve) -> None:
    def app(_environ, start_response):
        start_response("200 OK", [])
        yield b"never"

    layer = serve(app)
    layer.call().close()
    assert layer.recorded() == (1, 0)


def test_an_answer_without_a_status_is_an_error(serve) -> None:
    layer = serve(lambda _environ, _start_response: [b""])
    answer = layer.call()
    assert list(answer) == [b""]
    answer.close()
    assert layer.recorded() == (1, 1)


@pytest.mark.parametrize("bad", [None, 7])
def test_what_is_no_answer_is_the_servers_to_complain_of(serve, bad: object) -> None:
    layer = serve(answering("200 OK", bad))
    answer = layer.call()
    with pytest.raises(TypeError):
        list(answer)
    answer.close()
    assert layer.recorded() == (1, 1)


@pytest.mark.parametrize("status", ["", "OK", "20", None, 200])
def test_a_status_that_is_none_is_an_error_and_goes_on(serve, status: object) -> None:
    layer = serve(answering(status, [b""]))
    answer = layer.call()
    list(answer)
    answer.close()
    assert layer.recorded() == (1, 1)
    assert layer.started == [(status, [])]


def test_a_stream_of_events_is_not_recorded(serve) -> None:
    layer = serve(answering("200 OK", [b"data: 1"], [("Content-Type", "text/event-stream; charset=utf-8")]))
    answer = layer.call()
    list(answer)
    answer.close()
    assert layer.recorded() == (0, 0)


def test_a_second_start_of_the_answer_counts_and_reaches_the_server(serve) -> None:
    def app(_environ, start_response):
        start_response("200 OK", [])
        info = (ValueError, ValueError("late"), None)
        start_response("500 Oh", [], info)(b"written")
        return []

    layer = serve(app)
    answer = layer.call()
    list(answer)
    answer.close()
    assert layer.recorded() == (1, 1)
    assert [told[0] for told in layer.started] == ["200 OK", "500 Oh"]
    assert isinstance(layer.started[1][2], tuple)
    assert layer.written == [b"written"]


def test_a_close_that_raises_is_recorded_and_goes_on(serve) -> None:
    class Broken(Closing):
        def close(self) -> None:
            raise LookupError("closing")

    layer = serve(answering("200 OK", Broken(b"a")))
    answer = layer.call()
    list(answer)
    with pytest.raises(LookupError, match="closing"):
        answer.close()
    assert layer.recorded() == (1, 0)


def test_an_answer_has_a_size_only_if_the_applications_has_one(serve) -> None:
    assert len(serve(answering("200 OK", [b"a"])).call()) == 1
    assert not hasattr(serve(answering("200 OK", Closing(b"a"))).call(), "__len__")


def test_a_file_that_the_server_has_a_quicker_way_for_is_left_as_it_is(serve) -> None:
    file = FileWrapper(io.BytesIO(b"content"))
    layer = serve(answering("200 OK", file))
    assert layer.call(**{"wsgi.file_wrapper": FileWrapper}) is file
    assert layer.recorded() == (1, 0)
    layer = serve(answering("200 OK", FileWrapper(io.BytesIO(b"content"))))
    assert b"".join(layer.call(**{"wsgi.file_wrapper": lambda file: file})) == b"content"


def test_the_standard_librarys_checker_finds_nothing(serve) -> None:
    def app(_environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"x"]

    layer = serve(validator(app))
    environ: dict[str, object] = {"QUERY_STRING": ""}
    setup_testing_defaults(environ)
    answer = validator(layer.layer)(environ, lambda *_: lambda _chunk: None)
    assert list(answer) == [b"x"]
    answer.close()
    assert layer.recorded() == (1, 0)


def test_the_first_request_begins_the_reports(tracker: Tracker) -> None:
    layer = Layer(answering("200 OK", [b""]), tracker)
    assert not layer.layer._reporter.running
    layer.call()
    assert layer.layer._reporter.running
