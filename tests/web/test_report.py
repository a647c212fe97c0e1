"""The report, the checklist and the migration's status of a real application that is not served."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

import jinja2
import msgspec
import pytest
from msgspec.structs import replace

from crossfade import checklist as gatherer
from crossfade.app import App
from crossfade.checklist import CriterionError, rows, sign
from crossfade.controller import Controller
from crossfade.core.alert import AlertKey, Condition, Severity
from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND, ManualClock
from crossfade.core.criterion import Row, Standing
from crossfade.core.flag import ALL
from crossfade.core.gate import Fact, Gate
from crossfade.core.plan import Phase, Plan
from crossfade.core.rollout import Action, Command, State
from crossfade.report import Report, gather, standing
from crossfade.settings import Settings
from crossfade.sources.component import Sample
from crossfade.sources.function import FunctionSource
from crossfade.web.report import migration_json, page, report_json, shown, span, when

NOW = 1_790_000_000 * SECOND
ROOT = Path(__file__).parent.parent.parent
TEMPLATES = ROOT / "src" / "crossfade" / "web" / "templates"
BUSINESS, SYSTEM = "use_real_business_metrics", "use_real_system_metrics"
HOSTILE = '<script>alert(1)</script>"&\'{{ 7 * 7 }}'
ERRORS = Gate("quality.errors", "businessMetrics", most=1)
PLAN = Plan("move", (
    Phase("business", {BUSINESS: True}, 5 * MINUTE, HOUR, (ERRORS,), ramp=(5, 100)),
    Phase("system", {SYSTEM: True}, MINUTE, 10 * MINUTE, (ERRORS,)),
))


class House:
    """An application on a clock that the test winds, its rollout on facts that it sets."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(NOW)
        self.app = App(Settings(data=folder), self.clock, {})
        self.facts: dict[str, Fact] = {ERRORS.name: Fact(0, 50)}
        self.controller = Controller(
            self.app.state.rollouts, self.app.state.refresh, self.clock, measure=self.measure, holder="test",
            behind=lambda _: (), changed=lambda: None)

    async def measure(self, _plan: Plan, _state: State, _now: int) -> Mapping[str, Fact]:
        return self.facts

    def start(self, reason: str | None = None) -> None:
        asyncio.run(self.controller.start(PLAN, who="ann", reason=reason))

    def tick(self, times: int, after: int = 30 * SECOND) -> None:
        for _ in range(times):
            self.clock.advance(after)
            asyncio.run(self.controller.tick())

    def report(self) -> dict:
        """As it goes over the wire."""
        return json.loads(msgspec.json.encode(report_json(self.gathered(), self.app)))

    def gathered(self) -> Report:
        return gather(self.app, self.app.state.rollouts.newest(), self.app.behind())

    def html(self, *, alone: bool = False) -> str:
        found = self.gathered()
        engine = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)
        return engine.get_template("report.html").render(page(found, report_json(found, self.app), alone=alone))

    def row(self, name: str) -> Row:
        return next(row for row in rows(self.app, self.app.behind()) if row.name == name)

    def look(self) -> None:
        self.app.monitor.view = self.app.monitor.look()

    def send(self, *events: dict[str, object]) -> None:
        taken = self.app.ingest.take("batch", msgspec.json.encode({"batch": events}), 1)
        assert taken.on_disk is not None
        taken.on_disk.result(timeout=10)
        self.app.loader.load_pending()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "data")
    yield made
    made.app.close()


def test_a_rollout_to_its_end(house: House) -> None:
    drill = asyncio.run(house.app.drills.make("ann"))
    house.start("the board wants it")
    house.tick(30)
    found = house.report()
    assert found["rollout"]["status"] == "done"
    assert found["rollout"]["reason"] == "the board wants it"
    assert found["status"] == {"phase": "done", "progress": 100, "startedAt": "2026-09-21T14:13:20Z", "risks": [],
                               "estimatedCompletion": found["rollout"]["endedAt"], "blockers": []}
    business, system = found["phases"]
    assert (business["standing"], business["holds"], business["endedAt"]) == ("passed", True, system["beganAt"])
    assert [step["percent"] for step in business["steps"]] == [5, 100]
    gate, = business["gates"]
    assert gate["verdict"]["status"] == "pass"
    assert gate["verdict"]["evidence"]["n"] == 50
    assert len(gate["figures"]) >= 5
    assert {entry["action"] for entry in found["audit"]} >= {"rollout.start", "rollout.begin", "flag.change", "drill"}
    assert found["drill"]["milliseconds"] == drill.micros / 1_000
    assert house.row("rollback").sentence.startswith("A drill by ann at 2026-09-21 14:13 UTC had the flags back in ")
    assert found["checklist"]["met"] is False
    assert len(found["checklist"]["criteria"]) == 10
    assert found["deeds"][-1]["move"] == "done"


def test_a_rollout_that_goes_back_keeps_why(house: House) -> None:
    house.start()
    house.tick(3)
    house.facts = {ERRORS.name: Fact(7, 50, example=HOSTILE)}
    house.tick(3)
    found = house.report()
    assert found["status"]["phase"] == "business: reverted"
    assert found["status"]["progress"] == 0
    assert "quality.errors is 7" in found["status"]["blockers"][0]
    assert found["phases"][0]["standing"] == "reverted"
    assert found["phases"][0]["gates"][0]["verdict"]["evidence"]["example"] == HOSTILE
    assert found["phases"][1]["standing"] == "not begun"
    made = house.row("rollback")
    assert made.standing is Standing.MET
    assert made.sentence.startswith("The way back of rollout 1 (move)")
    assert made.figures["milliseconds"] == 30_000


def test_incidents_are_the_alerts_of_the_time_and_how_they_ended(house: House) -> None:
    def consider(*checks: str) -> None:
        house.app.alerts.consider([Condition(AlertKey("businessMetrics", check), Severity.CRITICAL, check, HOSTILE)
                                   for check in checks], house.clock.now())

    consider("before")
    house.clock.advance(2 * MINUTE)
    consider("before")
    for _ in range(2):
        house.clock.advance(HOUR)
        consider()
    house.start()
    consider("during")
    house.clock.advance(2 * MINUTE)
    consider("during")
    house.tick(40)
    consider()
    house.clock.advance(HOUR)
    consider("after")
    house.clock.advance(HOUR)
    consider("after")
    incident, = house.report()["incidents"]
    assert (incident["check"], incident["status"]) == ("during", "closed")
    assert incident["closedAt"] is not None
    assert HOSTILE not in house.html()


def test_the_audit_log_is_that_of_the_time(house: House) -> None:
    house.app.state.change_flags({"log_data_sources": True}, who="bob", at=NOW - HOUR, reason="before")
    house.start()
    house.tick(40)
    house.clock.advance(DAY)
    house.app.state.change_flags({"log_data_sources": False}, who="bob", at=house.clock.now(), reason="after")
    assert not {"before", "after"} & {entry["reason"] for entry in house.report()["audit"]}


def test_without_a_rollout_it_is_the_story_of_the_flags(house: House) -> None:
    found = house.report()
    assert (found["rollout"], found["phases"], found["deeds"]) == (None, [], [])
    assert found["status"]["phase"] == "not started"
    house.clock.advance(HOUR)
    house.app.state.change_flags({BUSINESS: True}, who="bob", at=house.clock.now(), reason="by hand")
    house.clock.advance(HOUR)
    found = house.report()
    assert found["status"] == {"phase": "1 of 4 components live", "progress": 25, "blockers": [], "risks": [],
                               "startedAt": "2026-09-21T15:13:20Z", "estimatedCompletion": None}
    assert [entry["reason"] for entry in found["audit"]] == ["by hand"]
    assert "There has been no rollout" in house.html()


def test_a_long_rollout_is_read_in_pages(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossfade.report.PAGE", 2)
    house.start()
    house.tick(30)
    assert [step["percent"] for step in house.report()["phases"][0]["steps"]] == [5, 100]
    assert house.report()["phases"][1]["standing"] == "passed"


# The page


def test_the_page_is_well_formed_and_escapes_what_others_wrote(house: House) -> None:
    house.start(HOSTILE)
    house.tick(3)
    house.facts = {ERRORS.name: Fact(7, 50, example=HOSTILE)}
    house.tick(3)
    text = house.html()
    assert "<script" not in text
    assert "alert(1)&lt;/script&gt;" in text
    assert "49" not in re.findall(r"7 \* 7 }}|>49<", text)
    assert not re.search(r'\son\w+="|style="', text), "the policy of the server allows no inline style or script"
    body = re.sub(r"<!doctype html>|<meta[^>]*>|<link[^>]*>|<br>", "", text).replace("&nbsp;", " ")
    ElementTree.fromstring(body)  # noqa: S314  our own page
    assert text.count("<caption>") == text.count("<table>")


def test_the_page_draws_a_line_for_each_gate_that_was_measured(house: House) -> None:
    house.start()
    house.tick(30)
    text = house.html()
    assert text.count("<svg") == text.count('role="img" aria-label="quality.errors of businessMetrics') == 2
    assert text.count('class="threshold"') == 2


def test_a_page_that_is_kept_stands_by_itself(house: House) -> None:
    text = house.html(alone=True)
    assert "<style>" in text
    assert "@page" in text
    assert not re.findall(r'(?:href|src)="', text)
    assert 'href="/static/report.css' in house.html()


@pytest.mark.parametrize(("seconds", "text"), [
    (None, "–"), (0, "0 s"), (59.6, "1 min"), (90, "1 min 30 s"), (3_600, "1 h"), (90_061, "1 d 1 h"), (-1, "0 s")])
def test_spans_are_told_in_their_largest_units(seconds: float | None, text: str) -> None:
    assert span(seconds) == text


def test_moments_and_figures_that_are_not_there_are_dashes() -> None:
    assert (when(None), shown(None, " %")) == ("–", "–")
    assert (when("2026-09-21T14:13:20.123Z"), shown(12.3456, " %")) == ("2026-09-21 14:13:20", "12.35 %")


# The checklist of a real application


def test_a_fresh_server_has_its_flags_and_no_evidence_of_anything_else(house: House) -> None:
    found = {row.name: row.standing.value for row in rows(house.app, ())}
    assert found == {
        "flags": "met", "tracking": "unmet", "business": "unknown", "aggregation": "unknown", "quality": "unknown",
        "latency": "unknown", "errors": "unknown", "rollback": "unmet", "mocks": "unmet", "documentation": "unknown"}


def test_flags_are_met_while_every_process_has_them(house: House) -> None:
    assert house.row("flags").figures["flags"] == len(ALL)
    with house.app.followers.joined("web-2", "its key"):
        house.app.state.change_flags({"log_data_sources": True}, who="ann", at=NOW)
        house.app.followers.publish(house.app.state.flags())
        assert house.row("flags").sentence == "Not known to have the newest flags: web-2."


def test_events_and_what_trackers_say(house: House) -> None:
    house.send({"type": "track", "event": "$process_report", "userId": "u", "messageId": "0"})
    assert house.row("tracking").standing is Standing.UNMET
    house.send({"type": "track", "event": "file_processed", "userId": "u", "messageId": "1"})
    assert (house.row("tracking").standing, house.row("tracking").figures["eventsLastDay"]) == (Standing.MET, 1)
    house.clock.advance(25 * HOUR)
    assert house.row("tracking").standing is Standing.UNMET


def test_days_are_counted_or_named(house: House) -> None:
    house.send({"type": "track", "event": "file_processed", "userId": "u", "messageId": "1",
                "timestamp": "2026-09-20T10:00:00Z"})
    assert "2026-09-20" in house.row("aggregation").sentence
    assert house.row("aggregation").standing is Standing.UNMET
    house.app.aggregator.heal()
    assert house.row("aggregation").standing is Standing.MET
    house.send({"type": "track", "event": "file_processed", "userId": "u", "messageId": "2",
                "timestamp": "2026-09-20T11:00:00Z"})
    assert house.row("aggregation").standing is Standing.UNMET


def test_calls_of_the_real_source_are_what_counts_and_not_what_was_shown(house: House) -> None:
    for _ in range(30):
        asyncio.run(house.app.reader.read("businessMetrics"))  # the mock
    house.look()
    assert house.row("business").standing is Standing.UNKNOWN
    for _ in range(20):
        asyncio.run(house.app.reader.observe("businessMetrics"))
        house.clock.advance(2 * SECOND)
    house.look()
    assert house.row("business").standing is Standing.MET
    assert house.row("business").figures["calls"] == 20
    house.clock.advance(MINUTE + 1)
    assert "nobody has looked at the quality for a minute" in house.row("business").sentence


def test_errors_are_counted_since_the_rollout_began(house: House) -> None:
    assert "has not begun" in house.row("errors").sentence
    house.start()
    assert house.row("errors").sentence.startswith("Since 2026-09-21 14:13 UTC: Nothing was measured of")


def test_mocks_of_components_that_are_real_only(house: House) -> None:
    house.app.state.change_flags({name: True for name in ALL if name.startswith("use_real_")} | {
        "fallback_on_error": False}, who="ann", at=NOW)
    assert house.row("mocks").standing is Standing.UNKNOWN
    house.clock.advance(26 * HOUR)
    for name in house.app.reader.components:
        asyncio.run(house.app.reader.read(name))
    assert house.row("mocks").standing is Standing.MET
    assert house.row("mocks").figures["served"] == 4
    house.app.state.change_flags({"fallback_on_error": True}, who="ann", at=house.clock.now())
    assert house.row("mocks").standing is Standing.UNMET


def test_a_retired_mock_is_the_best_evidence_that_it_is_gone(house: House) -> None:
    house.app.state.change_flags({name: True for name in ALL if name.startswith("use_real_")} | {
        "fallback_on_error": False}, who="ann", at=NOW)
    for number, name in enumerate(house.app.reader.components, 1):
        asyncio.run(house.app.retirements.retire(name, who="ann", despite="for a test"))
        assert house.row("mocks").figures["retired"] == number
        house.app.followers.publish(house.app.state.flags())
        assert house.row("flags").figures["flags"] == len(ALL) - 3 * number
    assert house.row("mocks").sentence == "The mocks of all 4 components are retired."
    assert house.row("flags").standing is house.row("mocks").standing is Standing.MET


def test_a_drill_of_another_configuration_is_no_evidence(house: House) -> None:
    drill = asyncio.run(house.app.drills.make("ann"))
    assert house.row("rollback").standing is Standing.MET
    house.clock.advance(HOUR)
    house.app.state.rollouts.note_drill(replace(drill, configuration="another", at=house.clock.now()))
    assert house.row("rollback").standing is Standing.UNKNOWN
    house.app.state.rollouts.note_drill(replace(drill, problem="web-2 did not answer", at=house.clock.now()))
    assert house.row("rollback").standing is Standing.UNMET


def test_somebody_signs_for_the_documentation_and_for_nothing_else(house: House) -> None:
    sign(house.app, "documentation", who="ann", reason="  wiki/metrics  ")
    made = house.row("documentation")
    assert made.standing is Standing.MET
    assert made.stated is not None
    assert (made.stated.who, made.stated.at, made.stated.reason) == ("ann", NOW, "wiki/metrics")
    entry = house.app.state.audit(1)[0]
    assert (entry.action, entry.who, entry.reason) == ("checklist.sign", "ann", "wiki/metrics")
    for name, reason in (("quality", "it is fine"), ("x" * 10_000, "y"), ("documentation", " ")):
        with pytest.raises(CriterionError) as raised:
            sign(house.app, name, who="ann", reason=reason)
        assert len(str(raised.value)) < 300


def test_a_source_that_says_nothing_of_itself_is_named(house: House) -> None:
    class Source:
        """Counts the orders."""

        async def fetch(self, now: int) -> Sample:
            raise NotImplementedError

    class Heir(Source):
        pass

    def told():
        """Counts the orders."""

    assert gatherer._says_what_it_is(Source())
    assert not gatherer._says_what_it_is(Heir())
    assert gatherer._says_what_it_is(FunctionSource(told))
    assert not gatherer._says_what_it_is(FunctionSource(lambda: None))
    assert all(gatherer._says_what_it_is(one.real) for one in house.app.reader.components.values())


def test_a_store_that_is_away_leaves_its_own_criteria_unknown(house: House) -> None:
    house.app.store.close()
    found = {row.name: row for row in rows(house.app, ())}
    assert {name for name, row in found.items() if "Not known:" in row.sentence} >= {"tracking", "aggregation"}
    assert found["flags"].standing is Standing.MET
    assert found["rollback"].standing is Standing.UNMET


def test_a_pause_is_a_blocker_of_the_status(house: House) -> None:
    house.start()
    asyncio.run(house.controller.command(Command(Action.PAUSE, "ann", "lunch")))
    found = migration_json(standing(house.app, house.app.state.rollouts.newest(), ()))
    assert found["blockers"] == ["It is paused: ann paused it: lunch."]
    assert found["estimatedCompletion"] is None
    assert found["risks"] == ["No rollback was rehearsed: crossfade rollout drill does it."]
