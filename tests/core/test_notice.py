"""Notices as people read them."""

import msgspec
import pytest

from crossfade.core.alert import Alert, AlertKey, Evidence, Kind, Notice, Severity, Status
from crossfade.core.notice import MAX_SHOWN, figures, message

ALERT = Alert(AlertKey("businessMetrics", "errorRate"), Severity.CRITICAL, "the source fails",
              "12 of 340 calls failed", Evidence(3.5294117, 1, 340, "ConnectionError"), Status.OPEN, 0, 7, 60_000_000)


def notice(kind: Kind, *alerts: Alert) -> Notice:
    return Notice(kind, "businessMetrics", "the source fails", alerts[0].severity, alerts, 120_000_000)


def test_an_opening_says_what_and_by_what_it_is_known() -> None:
    made = message(notice(Kind.OPENED, ALERT))
    assert made.title == "[critical] businessMetrics: the source fails"
    assert made.body == (
        "errorRate (critical, alert 7): 12 of 340 calls failed (figure 3.52941, threshold 1, n 340, for example "
        "ConnectionError)\nAt 1970-01-01T00:02:00Z.")
    assert made.tone == "failure"


def test_a_resolution_says_since_when_it_was() -> None:
    made = message(notice(Kind.RESOLVED, ALERT))
    assert made.title.startswith("[resolved] ")
    assert "It opened at 1970-01-01T00:01:00Z." in made.body
    assert "figure" not in made.body
    assert made.tone == "success"


@pytest.mark.parametrize(("flaps", "words"), [(0, None), (1, "It came back."), (3, "It came back 3 times.")])
def test_a_flapping_alert_says_so(flaps: int, words: str | None) -> None:
    body = message(notice(Kind.OPENED, msgspec.structs.replace(ALERT, flaps=flaps))).body
    assert ("came back" in body) is (words is not None)
    assert words is None or words in body


def test_many_alerts_are_counted_beyond_those_shown() -> None:
    body = message(notice(Kind.OPENED, *[ALERT] * (MAX_SHOWN + 5))).body
    assert body.count("errorRate") == MAX_SHOWN
    assert "and 5 more" in body


@pytest.mark.parametrize(("evidence", "words"), [
    (Evidence(), ""), (Evidence(figure=0.0, n=0), "figure 0, n 0"), (Evidence(threshold=1e6), "threshold 1e+06"),
    (Evidence(example="x"), "for example x"),
])
def test_evidence_in_words(evidence: Evidence, words: str) -> None:
    assert figures(evidence) == words
