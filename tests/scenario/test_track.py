"""`crossfade track`: events from a shell."""

import json

from .conftest import Server


def test_an_event_and_lines_arrive_once_and_bad_lines_are_told(server: Server) -> None:
    server.start(USE_REAL_BUSINESS_METRICS="true")
    server.cli("track", "file_processed", "--user", "ada", "-p", "size=12", "-p", "name=a b")
    lines = [{"event": "file_processed", "messageId": str(n)} for n in (1, 2, 2)]
    done = server.cli("track", "--stdin", "--json", stdin="\n".join([*map(json.dumps, lines), "no line"]).encode(),
                      check=1)
    assert b"line 4" in done.stderr
    assert b"1 lines were no events" in done.stderr
    assert json.loads(done.stdout)["tracked"] == 3
    server.await_that(lambda: server.live("business")["business"]["filesProcessed"] >= 2)
    assert b"NAME=VALUE" in server.cli("track", "e", "-p", "size", check=2).stderr
    server.cli("track", check=2)
