"""Quality as the API tells it, and what the command makes of it."""

import io
import json
from datetime import UTC, datetime

import msgspec
import pytest
from rich.console import Console

from crossfade.cli import quality as command
from crossfade.core.advice import recommend
from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND, micros
from crossfade.core.flag import Flags
from crossfade.core.quality import Quality, assess, health
from crossfade.core.tally import Agreement, Example, Tally
from crossfade.core.threshold import GUIDE, Window
from crossfade.sources.component import Component, Sample
from crossfade.web.errors import HTTPError
from crossfade.web.quality import health_json, migration_json, quality_json, window_of

NOW = 1_790_000_000 * SECOND
WINDOW = Window(NOW - 15 * MINUTE, NOW + 1)
GUIDES = {"dataSource", "accuracy", "completeness", "freshness", "fallbackTriggers", "validationStatus", "errors"}
"""The guide's names, at the top."""


class Nothing:
    async def fetch(self, now: int) -> Sample:
        raise NotImplementedError


def component(name: str) -> Component:
    return Component(name, name, f"use_real_{name}", Nothing(), Nothing())


PARTS = {name: component(name) for name in ("good", "bad", "idle")}
FLAGS = Flags({"use_real_good": True, "use_real_bad": True, "percent_bad": 25})


def told(name: str) -> Quality:
    answers = {
        "good": Tally("good", calls={"real": 10}, expected=60, present=60, valid=60, newest=(NOW, NOW),
                      served={"real/flag": 30}, latency={150: 10}, compared={"recount": Agreement(100, 100)}),
        "bad": Tally("bad", calls={"real": 10}, errors={"real": {"timeout": 8}}, expected=60, present=60, valid=60,
                     newest=(NOW, NOW - HOUR), served={"real/flag": 10, "mock/fallback": 20},
                     compared={"recount": Agreement(99, 100)}, examples=(
                         Example(NOW, "mismatch", "e[red]", "the recount says 4, for then", "5"),
                         Example(NOW - SECOND, "error", reason="no answer within 5 s", value="timeout"))),
        "idle": Tally("idle"),
    }
    return assess(answers[name], WINDOW, GUIDE, now=NOW)


def document(name: str) -> dict:
    """As it goes over the wire."""
    return json.loads(msgspec.json.encode(quality_json(told(name), PARTS[name], FLAGS)))


@pytest.mark.parametrize(("text", "since"), [
    ("15m", NOW - 15 * MINUTE),
    ("90s", NOW - 90 * SECOND),
    ("24h", NOW - DAY),
    ("7d", NOW - 7 * DAY),
    ("0m", NOW),
    ("0000000000015m", NOW - 15 * MINUTE),
    ("99999999d", 0),
    ("2026-09-01T00:00:00Z", micros(datetime(2026, 9, 1, tzinfo=UTC))),
    ("2026-09-01T02:00:00+02:00", micros(datetime(2026, 9, 1, tzinfo=UTC))),
    ("2026-09-01", micros(datetime(2026, 9, 1, tzinfo=UTC))),
    ("1960-01-01T00:00:00Z", 0),
    ("0001-01-01T00:00:00+14:00", 0),
])
def test_a_window_is_what_somebody_means(text: str, since: int) -> None:
    assert window_of(text, NOW) == Window(since, NOW + 1)


def test_no_text_is_no_window() -> None:
    assert window_of(None, NOW) is None


@pytest.mark.parametrize("text", [
    "", " ", "m", "15", "15 m", "15M", "-5m", "+5m", "1.5h", "1e3m", "²m", "5w", "soon", "15m\n", "15m\0", "٣٣",
    "9" * 11 + "d", "9" * 5_000 + "m", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "2026-13-01", "2026-02-30",
    "'; DROP TABLE tallies; --", "<script>", "\ud800", "2027-01-01T00:00:00Z", "x" * 100_000,
])
def test_anything_else_is_refused_in_a_short_sentence(text: str) -> None:
    with pytest.raises(HTTPError) as raised:
        window_of(text, NOW)
    assert (raised.value.status, raised.value.code) == (400, "bad_window")
    assert len(raised.value.message) < 400
    raised.value.body()


@pytest.mark.parametrize("name", PARTS)
def test_the_guides_names_are_at_the_top(name: str) -> None:
    assert document(name).keys() >= GUIDES | {
        "component", "stage", "flag", "status", "sentence", "quality", "worst", "dimensions", "window", "realShare",
        "accuracyProof", "consistency", "errorRate", "fallbackRate", "latencyP95", "legacyScore", "examples"}


def test_figures_and_words() -> None:
    good, bad, idle = map(document, PARTS)
    assert (good["dataSource"], good["accuracy"], good["stage"]) == ("real", 100, "live")
    assert good["accuracyProof"]["compared"] == 100
    assert 97 < good["accuracyProof"]["low"] < 97.1
    assert (bad["dataSource"], bad["stage"], bad["fallbackTriggers"]) == ("mixed", "ramping", 20)
    assert bad["freshness"] == 3600
    assert (bad["status"], bad["worst"], bad["errors"]) == ("fail", "freshness", 8)
    assert bad["examples"][0]["words"] == "e[red] is 5: the recount says 4, for then"
    assert (idle["status"], idle["accuracy"], idle["quality"]) == ("no data", None, None)
    assert all(one["sentence"] for one in (good, bad, idle))


def test_moments_are_iso_8601() -> None:
    found = document("bad")
    assert found["window"] == {"since": "2026-09-21T13:58:20Z", "until": "2026-09-21T14:13:20.000001Z"}
    assert [example["at"] for example in found["examples"]] == ["2026-09-21T14:13:20Z", "2026-09-21T14:13:19Z"]


def migration(*names: str, trouble: str | None = None) -> dict:
    qualities = [told(name) for name in names]
    made = migration_json(NOW, health(qualities), qualities, PARTS, FLAGS, recommendations=recommend(qualities),
                          alerts=[], trouble=trouble)
    return json.loads(msgspec.json.encode(made))


def test_the_migration_at_a_glance() -> None:
    found = migration(*PARTS)
    assert found["summary"] == "1 of 3 components are real"
    assert (found["at"], found["trouble"]) == ("2026-09-21T14:13:20Z", None)
    assert (found["health"], found["healthComponent"]) == (health([told("bad")]).value, "bad")
    assert [one["name"] for one in found["components"]] == list(PARTS)
    assert {advice["component"] for advice in found["recommendations"]} == {"bad"}
    assert migration()["summary"] == "0 of 0 components are real"
    assert migration("good", trouble="the disk is full")["trouble"] == "the disk is full"


# The command


def said(tell, answer: object) -> str:
    console = Console(file=io.StringIO(), width=300, no_color=True)
    tell(answer, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_command_tells_all() -> None:
    answer = {"health": health_json(health([told(name) for name in PARTS])),
              "components": [document(name) for name in PARTS]}
    text = said(command.tell_all, msgspec.convert(answer, command._All))
    assert text.startswith("Health 8.3  bad: ")
    lines = [line.split() for line in text.splitlines() if line.split()]
    rows = {line[0]: line for line in lines if line[0] in PARTS}
    assert rows["good"][1:6] == ["live", "real", "97.05", "%", "pass"]
    assert "recount, n = 100, ≥ 97.04 %" in text or "recount, n = 100, ≥ 97.05 %" in text
    assert "idle: No real data of idle was read." in text


def test_the_command_tells_one_with_its_examples() -> None:
    text = said(command.tell_one, msgspec.convert(document("bad"), command._Quality))
    assert "bad  ramping, mixed  fail" in text
    for dimension in told("bad").dimensions:
        assert dimension.sentence in text
    assert "2026-09-21 14:13:20  e[red] is 5: the recount says 4, for then" in text
    assert "2026-09-21 14:13:19  timeout: no answer within 5 s" in text
