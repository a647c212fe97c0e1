"""What is asked of the audit log in an address, and the page that it gives; alerts and advice; notices."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.alerts import Shown
from crossfade.core.advice import Recommendation
from crossfade.core.alert import Alert, AlertKey, Evidence, Severity, Silence, Status
from crossfade.core.clock import HOUR
from crossfade.state.audit import AuditEntry, AuditFilter
from crossfade.web.alertview import advice_lines, alert_lines, silence_lines
from crossfade.web.auditview import ROWS, asked_for, audit_page, before

NOW = 1_795_395_723_000_000


def entry(number: int) -> AuditEntry:
    return AuditEntry(number, NOW, "ann", "flag.change", "use_real_x", "false", "true", None)


def test_an_address_says_what_is_wanted() -> None:
    wanted, written, trouble = asked_for({"who": " ann ", "action": "flag", "since": "1970-01-01T01:00"})
    assert wanted == AuditFilter("ann", "flag", "", HOUR, None)
    assert (written["since"], trouble) == ("1970-01-01T01:00", "")


def test_what_is_no_moment_is_said() -> None:
    wanted, _, trouble = asked_for({"until": "soon"})
    assert wanted == AuditFilter()
    assert "'soon' is no moment" in trouble


@given(st.dictionaries(st.sampled_from(["who", "action", "subject", "since", "until", "before"]), st.text()))
def test_no_address_breaks_it(query: dict[str, str]) -> None:
    wanted, written, _ = asked_for(query)
    assert len(wanted.who) <= 100
    number = before(query)
    assert number is None or number >= 0
    audit_page([], written, "")


def test_there_are_older_ones_only_where_there_are() -> None:
    written = {"who": "ann", "action": "", "subject": "", "since": "", "until": ""}
    entries = [entry(number) for number in range(ROWS + 1, 0, -1)]
    page = audit_page(entries, written, "")
    assert len(page.lines) == ROWS
    assert parse_qs(urlsplit(page.older).query) == {"who": ["ann"], "before": ["2"]}
    assert audit_page(entries[:ROWS], written, "").older == ""
    assert page.lines[0].change == "false → true"


def alert(severity: Severity, **more: object) -> Alert:
    return Alert(AlertKey("businessMetrics", "errors"), severity, "cause", "It fails.", Evidence(6.0, 5.0, 100, "boom"),
                 Status.OPEN, NOW, id=7, **more)  # type: ignore[arg-type]


def test_the_gravest_alert_is_first_with_what_it_was_seen_by() -> None:
    silence = Silence("businessMetrics", "*", NOW + HOUR, "planned", "ann", NOW, 3)
    lines = alert_lines([Shown(alert(Severity.WARNING), None, ()),
                         Shown(alert(Severity.CRITICAL, acknowledged_by="bob", note="on it"), silence, ())])
    assert [line.severity for line in lines] == ["critical", "warning"]
    assert lines[0].acknowledged == "bob: on it"
    assert lines[0].silenced.endswith("by ann: planned")
    assert lines[1].evidence == "6, threshold 5, n = 100 boom"
    assert silence_lines([silence])[0].what == "businessMetrics"


@pytest.mark.parametrize(("failing", "under_way", "action", "where"), [
    ({"businessMetrics"}, True, "Roll back businessMetrics", "/rollback"),
    (set(), True, "Pause the rollout", "/migration-dashboard"),
    (set(), False, "Look at businessMetrics", "/components/businessMetrics"),
])
def test_advice_leads_to_the_form_that_does_it(failing: set[str], under_way: bool, action: str, where: str) -> None:
    assert advice_lines([Recommendation("businessMetrics", "accuracy", "Wait.", 54.9, 95.0, 5)], set(),
                        under_way=True)[0].action == "Look at businessMetrics"
    told = advice_lines([Recommendation("businessMetrics", "errors", "Look.", 6.0, 5.0, 100)], failing,
                        under_way=under_way)[0]
    address = urlsplit(told.link)
    assert told.action == action
    assert address.path.endswith(where)
    if address.query:
        assert parse_qs(address.query)["reason"] == ["businessMetrics errors: 6, threshold 5, n = 100"]
