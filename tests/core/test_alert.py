"""Alerts: the table of states, what is told together, and what holds whatever happens."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.alert import (
    Alert,
    AlertError,
    AlertKey,
    Change,
    Condition,
    Evidence,
    Kind,
    Pace,
    Severity,
    Silence,
    Status,
    Transitions,
    acknowledge,
    advance,
    plain,
    step,
)

PACE = Pace(pending=10, hold=20, longest_hold=100, reopen_within=200)
INFO, WARNING, CRITICAL = Severity


def condition(check: str = "errors", severity: Severity = WARNING, *, cause: str = "down",
              component: str = "business") -> Condition:
    return Condition(AlertKey(component, check), severity, cause, f"{check} of {component}", Evidence(6, 5, 100, "x"))


def silence(component: str = "*", check: str = "*", until: int = 10**6) -> Silence:
    return Silence(component, check, until, "maintenance", "ann", 0)


class Story:
    """A run of steps, as an applier makes them: what comes out goes in again, with numbers."""

    def __init__(self, pace: Pace = PACE) -> None:
        self.pace = pace
        self.alerts: tuple[Alert, ...] = ()
        self.silences: list[Silence] = []
        self.made = Transitions((), (), ())
        self._number = 0

    def at(self, now: int, *conditions: Condition) -> "Story":
        self.made = step(self.alerts, conditions, self.silences, now, self.pace)
        self.alerts = tuple(alert if alert.id else msgspec.structs.replace(alert, id=self._next())
                            for alert in self.made.alerts)
        return self

    def _next(self) -> int:
        self._number += 1
        return self._number

    @property
    def alert(self) -> Alert:
        alert, = self.alerts
        return alert

    @property
    def changes(self) -> list[Change]:
        return [transition.change for transition in self.made.changes]

    @property
    def notices(self) -> list[tuple[Kind, Severity, list[str]]]:
        return [(notice.kind, notice.severity, [alert.key.check for alert in notice.alerts])
                for notice in self.made.notices]

    def acknowledge(self) -> "Story":
        self.alerts = tuple(acknowledge(alert, who="ann", at=1, note="I know") for alert in self.alerts)
        return self


def opened(severity: Severity = WARNING) -> Story:
    return Story().at(0, condition(severity=severity)).at(10, condition(severity=severity))


def alert(status: Status, *, since: int = 0, opened_at: int | None = None, absent_since: int | None = None,
          told: Severity | None = None) -> Alert:
    made = condition()
    return Alert(made.key, made.severity, made.cause, made.message, made.evidence, status, since, 1, opened_at,
                 absent_since, told=told)


@pytest.mark.parametrize(("before", "holds", "status", "change"), [
    (None, True, Status.PENDING, Change.BEGAN),
    (alert(Status.PENDING, since=95), True, Status.PENDING, None),
    (alert(Status.PENDING, since=90), True, Status.OPEN, Change.OPENED),
    (alert(Status.PENDING, since=90, opened_at=1), True, Status.OPEN, Change.REOPENED),
    (alert(Status.PENDING, since=90), False, Status.PENDING, Change.WITHDRAWN),
    (alert(Status.PENDING, since=90, opened_at=1), False, Status.CLOSED, None),
    (alert(Status.OPEN, opened_at=1), True, Status.OPEN, None),
    (alert(Status.OPEN, opened_at=1, absent_since=95), True, Status.OPEN, Change.RETURNED),
    (alert(Status.OPEN, opened_at=1), False, Status.OPEN, None),
    (alert(Status.OPEN, opened_at=1, absent_since=81), False, Status.OPEN, None),
    (alert(Status.OPEN, opened_at=1, absent_since=80), False, Status.CLOSED, Change.CLOSED),
    (alert(Status.ACKNOWLEDGED, opened_at=1, told=WARNING), True, Status.ACKNOWLEDGED, None),
    (alert(Status.ACKNOWLEDGED, opened_at=1, told=INFO), True, Status.OPEN, Change.RAISED),
    (alert(Status.ACKNOWLEDGED, opened_at=1, absent_since=80), False, Status.CLOSED, Change.CLOSED),
    (alert(Status.CLOSED, opened_at=1), True, Status.PENDING, Change.BEGAN),
    (alert(Status.CLOSED, opened_at=1), False, Status.CLOSED, None),
])
def test_the_table_of_states(before: Alert | None, holds: bool, status: Status, change: Change | None) -> None:
    after, what = advance(before, condition() if holds else None, 100, PACE)
    assert (after.status, what) == (status, change)


def test_nothing_comes_of_nothing() -> None:
    with pytest.raises(ValueError, match="neither"):
        advance(None, None, 0, PACE)
    assert step((), (), (), 0, PACE) == Transitions((), (), ())


def test_a_condition_opens_after_its_pending_period_and_is_told_once() -> None:
    story = Story().at(0, condition())
    assert (story.alert.status, story.notices) == (Status.PENDING, [])
    assert story.at(9, condition()).notices == []
    assert story.at(10, condition()).notices == [(Kind.OPENED, WARNING, ["errors"])]
    assert story.at(11, condition()).notices == []
    assert (story.alert.opened_at, story.alert.told) == (10, WARNING)


def test_without_a_pending_period_it_opens_at_once() -> None:
    assert Story(Pace(pending=0)).at(5, condition()).notices == [(Kind.OPENED, WARNING, ["errors"])]


def test_what_is_gone_before_it_is_an_alert_leaves_nothing() -> None:
    story = Story().at(0, condition()).at(5)
    assert (story.alerts, story.changes, story.notices) == ((), [Change.WITHDRAWN], [])


def test_an_alert_closes_by_itself_once_the_condition_is_gone_for_long_enough() -> None:
    story = opened().at(30)
    assert story.alert.status is Status.OPEN
    assert story.at(49).alert.status is Status.OPEN
    assert story.at(50).notices == [(Kind.RESOLVED, WARNING, ["errors"])]
    assert (story.alert.status, story.alert.closed_at, story.alert.told) == (Status.CLOSED, 50, None)
    assert story.at(51).notices == []


def test_a_flapping_condition_is_one_alert_with_a_count_that_closes_ever_later() -> None:
    story = opened()
    for now in (20, 40, 60):
        assert story.at(now).notices == []
        assert story.at(now + 10, condition()).changes == [Change.RETURNED]
    assert story.alert.flaps == 3
    story.at(100)
    assert story.at(199).alert.status is Status.OPEN  # 20, doubled three times, would be 160; 100 is the longest
    assert story.at(200).changes == [Change.CLOSED]


def test_a_condition_that_returns_soon_opens_the_same_alert_again() -> None:
    story = opened().at(30).at(50).at(100, condition())
    number = story.alert.id
    assert story.alert.status is Status.PENDING
    assert story.at(110, condition()).notices == [(Kind.OPENED, WARNING, ["errors"])]
    assert story.changes == [Change.REOPENED]
    assert (story.alert.id, story.alert.flaps, story.alert.opened_at) == (number, 1, 10)


def test_a_short_return_after_the_closing_is_not_told() -> None:
    story = opened().at(30).at(50).at(100, condition()).at(105)
    assert (story.alert.status, story.alert.closed_at, story.changes, story.notices) == (Status.CLOSED, 50, [], [])


def test_a_condition_that_returns_late_is_another_alert() -> None:
    story = opened().at(30).at(50)
    assert story.at(250).alerts == ()
    story.at(251, condition()).at(261, condition())
    assert (story.alert.id, story.alert.flaps, story.changes) == (2, 0, [Change.OPENED])


def test_a_worse_severity_is_told_again_and_a_milder_one_is_not() -> None:
    story = opened().at(11, condition(severity=CRITICAL))
    assert story.notices == [(Kind.RAISED, CRITICAL, ["errors"])]
    assert story.at(12, condition(severity=INFO)).notices == []
    assert story.alert.severity is INFO
    assert story.at(13, condition(severity=CRITICAL)).notices == []


def test_an_acknowledged_alert_is_told_again_only_if_it_gets_worse() -> None:
    story = opened().acknowledge().at(11, condition())
    assert (story.alert.status, story.notices) == (Status.ACKNOWLEDGED, [])
    assert story.at(12, condition(severity=CRITICAL)).notices == [(Kind.RAISED, CRITICAL, ["errors"])]
    assert (story.alert.status, story.alert.acknowledged_by, story.alert.note) == (Status.OPEN, None, None)


def test_who_acknowledges_what_nobody_was_told_is_not_told_either() -> None:
    story = Story()
    story.silences = [silence(until=20)]
    story.at(0, condition()).at(10, condition()).acknowledge()
    assert story.at(30, condition()).notices == []


@pytest.mark.parametrize("status", [Status.PENDING, Status.CLOSED])
def test_only_an_open_alert_can_be_acknowledged(status: Status) -> None:
    with pytest.raises(AlertError, match=f"alert 1 is {status}"):
        acknowledge(alert(status), who="ann", at=1, note=None)


def test_one_cause_is_told_once_however_many_checks_it_trips() -> None:
    outage = [condition("errors", CRITICAL), condition("fallback"), condition("freshness")]
    story = Story(Pace(pending=0, hold=20)).at(0, *outage)
    assert story.notices == [(Kind.OPENED, CRITICAL, ["errors", "fallback", "freshness"])]
    story.at(30)
    assert story.at(50).notices == [(Kind.RESOLVED, CRITICAL, ["errors", "fallback", "freshness"])]


def test_what_joins_a_group_that_people_know_of_is_not_told_unless_it_is_worse() -> None:
    story = opened().at(11, condition(), condition("fallback")).at(21, condition(), condition("fallback"))
    assert (len(story.alerts), story.notices) == (2, [])
    late = condition("freshness", CRITICAL)
    story.at(22, condition(), condition("fallback"), late)
    assert story.at(32, condition(), condition("fallback"), late).notices == [
        (Kind.RAISED, CRITICAL, ["freshness", "errors", "fallback"])]


def test_a_group_is_over_when_its_last_alert_is() -> None:
    story = Story(Pace(pending=0, hold=20)).at(0, condition(), condition("fallback"))
    story.at(10, condition("fallback"))
    assert story.at(30, condition("fallback")).notices == []
    story.at(40)
    assert story.at(60).notices == [(Kind.RESOLVED, WARNING, ["fallback"])]


@pytest.mark.parametrize("other", [condition("other", cause="full"), condition("other", component="system")])
def test_another_cause_or_component_is_told_apart(other: Condition) -> None:
    story = Story(Pace(pending=0)).at(0, condition(), other)
    assert len(story.made.notices) == 2


def test_what_is_silenced_is_recorded_and_not_told() -> None:
    story = Story()
    story.silences = [silence("bus*", "err?rs")]
    story.at(0, condition()).at(10, condition())
    assert (story.changes, story.notices) == ([Change.OPENED], [])
    story.at(30)
    assert (story.at(50).changes, story.notices) == ([Change.CLOSED], [])


@pytest.mark.parametrize("pattern", [("system", "*"), ("business", "latency"), ("BUSINESS", "*"), ("bus", "*")])
def test_a_silence_covers_nothing_else(pattern: tuple[str, str]) -> None:
    story = Story()
    story.silences = [silence(*pattern)]
    assert story.at(0, condition()).at(10, condition()).notices


def test_what_is_still_open_when_its_silence_expires_is_told_then() -> None:
    story = Story()
    story.silences = [silence(until=30)]
    story.at(0, condition()).at(10, condition())
    assert story.at(29, condition()).notices == []
    assert story.at(30, condition()).notices == [(Kind.OPENED, WARNING, ["errors"])]


def test_of_two_conditions_with_one_key_the_worse_counts() -> None:
    for pair in ((condition(), condition(severity=CRITICAL)), (condition(severity=CRITICAL), condition())):
        story = Story(Pace(pending=0)).at(0, *pair)
        assert story.alert.severity is CRITICAL


def test_a_clock_set_back_delays_nothing_by_more_than_its_period() -> None:
    story = Story().at(1_000, condition()).at(500, condition())
    assert story.at(510, condition()).alert.status is Status.OPEN
    story.at(900).at(400)
    assert story.at(420).alert.status is Status.CLOSED


def test_hostile_words_and_numbers_are_made_harmless() -> None:
    hostile = Condition(AlertKey("a\x00\ud800" * 1_000, "c\n"), WARNING, "why\r\nBcc: x", "\x1b[31m" + "x" * 10**6,
                        Evidence(float("nan"), float("inf"), 10**30, "\t"))
    made = Story(Pace(pending=0)).at(0, hostile).alert
    texts = (made.key.component, made.key.check, made.cause, made.message, made.evidence.example)
    assert all(text.isprintable() and len(text.encode()) <= 600 for text in texts)
    assert (made.evidence.figure, made.evidence.threshold) == (None, None)


@given(text=st.text(), limit=st.integers(1, 20))
def test_plain_text_is_short_and_printable(text: str, limit: int) -> None:
    assert len(plain(text, limit)) <= limit
    assert plain(text, limit).isprintable()
    if text.isprintable() and len(text) <= limit:
        assert plain(text, limit) == text


# Whatever happens

keys = st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"))
conditions = st.dictionaries(keys, st.tuples(st.sampled_from(Severity), st.sampled_from(["c", "d"])), max_size=6).map(
    lambda held: [Condition(AlertKey(*key), severity, cause, "m") for key, (severity, cause) in held.items()])
quiets = st.lists(
    st.builds(silence, st.sampled_from("ab*"), st.sampled_from("xyz*"), st.integers(0, 2_000)), max_size=2)
looks = st.lists(st.tuples(st.integers(0, 60), conditions, quiets, st.booleans()), max_size=40)
paces = st.builds(Pace, pending=st.integers(0, 30), hold=st.integers(0, 30), longest_hold=st.integers(0, 200),
                  reopen_within=st.integers(0, 200))


def worst_told(made: Transitions) -> set[AlertKey]:
    return {alert.key for notice in made.notices for alert in notice.alerts}


@given(looks=looks, pace=paces)
def test_whatever_happens(looks: list[tuple[int, list[Condition], list[Silence], bool]], pace: Pace) -> None:
    story, now = Story(pace), 0
    for pause, held, quiet, known in looks:
        now += pause
        before = {alert.key: alert for alert in story.alerts}
        story.silences = quiet
        story.at(now, *held)
        after = {alert.key: alert for alert in story.alerts}
        closed = {made.alert.key for made in story.made.changes if made.change is Change.CLOSED}
        assert len(after) == len(story.alerts), "one alert a key"
        assert not any(cover.covers(key, now) for key in worst_told(story.made) for cover in quiet)
        for key, alert in before.items():
            if alert.live:
                assert key in after, "an alert does not disappear"
                assert after[key].live or key in closed, "nor does it end without a closing"
                assert after[key].id == alert.id
        for alert in story.alerts:
            covered = any(cover.covers(alert.key, now) for cover in quiet)
            if alert.live and not covered:
                assert alert.told is not None, "what is open and not silenced was told"
                assert alert.told.rank >= alert.severity.rank
        holding = {made.key for made in held}
        assert all(alert.key in holding or alert.absent_since is not None for alert in story.alerts if alert.live)
        assert story.made == step(tuple(before.values()), reversed(held), quiet, now, pace), "order does not matter"
        if known:
            story.alerts = tuple(acknowledge(alert, who="a", at=now, note=None) if alert.live else alert
                                 for alert in story.alerts)


@given(holds=st.lists(st.sampled_from([None, *Severity]), max_size=400))
def test_a_flapping_condition_is_told_of_a_bounded_number_of_times(holds: list[Severity | None]) -> None:
    pace = Pace(pending=0, hold=10, longest_hold=160, reopen_within=160)
    story, told = Story(pace), 0
    for minute, severity in enumerate(holds):
        story.at(minute * 10, *([] if severity is None else [condition(severity=severity)]))
        told += len(story.made.notices)
    # Four doublings lead from 10 to 160: at the most six openings in any 320, each told at three severities and over.
    assert told <= 4 * 6 * (1 + len(holds) * 10 // 320)


def test_the_worst_flapping_over_a_day_is_told_a_few_times_an_hour() -> None:
    minute = 60 * 10**6
    story, told = Story(Pace()), 0
    number = 0
    while number < 24 * 60:  # back for just as long as it takes to open, away for just as long as it takes to close
        story.at(number * minute, condition())
        told += len(story.made.notices)
        number += 1
        while story.alert.live:
            story.at(number * minute)
            told += len(story.made.notices)
            number += 1
    assert told <= 24 * 4
