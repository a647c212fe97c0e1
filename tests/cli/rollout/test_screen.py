"""A rollout that is watched: a line at each change, and none without one."""

import io
import json

import pytest
from rich.console import Console

from crossfade.cli.client import Json
from crossfade.cli.rollout import answer
from crossfade.cli.rollout.screen import AGAIN, JsonLines, Lines, Look, Page

from .samples import document, step, verdict


def look(*news: dict[str, Json], **more: Json) -> Look:
    found = document(**more)
    steps = tuple(answer.steps(list(news)))
    return Look(answer.rollout(found), found, steps, steps, list(news))


class Printed:
    """A console that is no terminal, and what was printed on it."""

    def __init__(self) -> None:
        self._out = io.StringIO()
        self.console = Console(file=self._out, width=200)

    def take(self) -> list[str]:
        found = self._out.getvalue().splitlines()
        self._out.seek(0)
        self._out.truncate()
        return found


def test_a_line_at_each_change_and_none_without() -> None:
    printed = Printed()
    with Lines(printed.console) as screen:
        screen.show(look())
        assert printed.take()[0].startswith("Rollout 3 (move) watches business")
        screen.show(look())
        assert printed.take() == []
        screen.show(look(step(1, "begin", "business", said=["business begins."])))
        assert printed.take() == ["2026-11-23T08:00:01Z  business begins."]
        screen.show(look(step(2, "hold", "business", verdicts=[verdict()])))
        assert printed.take() == []
        screen.show(look(step(3, "hold", "business", verdicts=[verdict("fail")], said=["It holds."])))
        assert printed.take() == [
            "2026-11-23T08:00:03Z  It holds. businessMetrics:quality.validity:least says fail."]
        screen.show(look(step(4, "hold", "business", who="ann", verdicts=[verdict("fail")], said=["ann approved it."])))
        assert printed.take() == ["2026-11-23T08:00:04Z  ann approved it."]
        screen.show(look(step(5, "hold", "business", at="2026-11-23T08:01:00Z", said=["It holds."])))
        assert printed.take() == ["2026-11-23T08:01:00Z  It holds."]
        screen.show(look(step(6, "done", None, said=["move is done."]), status="done", phase=None))
        assert printed.take()[:2] == [
            "2026-11-23T08:00:06Z  move is done.", "Rollout 3 (move) is done: 2 phases passed in 3 min 9 s."]


def test_a_server_that_is_away_is_told_once_and_its_return_too() -> None:
    printed = Printed()
    screen = Lines(printed.console)
    screen.show(look())
    printed.take()
    screen.away("no server answers")
    screen.away("no server answers")
    line, = printed.take()
    assert "no server answers. Trying again; the rollout does not need this command." in line
    screen.show(look())
    line, = printed.take()
    assert line.endswith(AGAIN)


def test_what_no_step_tells_of_is_told_once() -> None:
    printed = Printed()
    screen = Lines(printed.console)
    screen.show(look())
    printed.take()
    for _ in range(2):
        screen.show(look(trouble="the disk is full"))
    line, = printed.take()
    assert "stands still: the disk is full" in line
    screen.show(look())
    screen.show(look(waitingFor=["web-1"]))
    line, = printed.take()
    assert "Not known to have them: web-1" in line


def test_a_page_says_that_it_is_old_while_the_server_is_away() -> None:
    out = io.StringIO()
    with Page(Console(file=out, width=120, height=50, force_terminal=True, color_system=None)) as screen:
        screen.show(look())
        screen.away("no server answers")
        assert "No answer since 2026-11-23T08:03:10Z; trying again." in out.getvalue()
        screen.show(look())
    text = out.getvalue()
    assert AGAIN in text
    assert text.rpartition("No answer since")[2].count("Rollout 3 (move)") >= 2, "the page is drawn anew without it"


def test_json_has_a_line_at_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    with JsonLines() as screen:
        screen.show(look())
        screen.show(look())
        screen.away("no server answers")
        screen.show(look(step(1, "begin", "business")))
        screen.show(look(status="done", phase=None))
    found = capsys.readouterr()
    told = [json.loads(line) for line in found.out.splitlines()]
    assert [len(one["steps"]) for one in told] == [0, 1, 0]
    assert told[-1]["status"] == "done"
    assert "no server answers" in found.err
