"""Which days are due, and which go together."""

from datetime import date, timedelta

import pytest

from crossfade.auditor.plan import AGAIN, ANYWAY, GROUP_DAYS, GROUP_EVENTS, RETRY, due, grouped
from crossfade.state.recounts import RecountedDay

NOW = 1_790_000_000_000_000
DAY = date(2026, 3, 29)


def ago(count):
    return DAY - timedelta(days=count)


def row(segment, at=NOW):
    return RecountedDay(DAY, 0, 1, segment, 1, "journal", at)


@pytest.mark.parametrize(("touched", "known", "is_due"), [
    (0, None, True),  # nobody looked at it, not even for events that the rollup does not know
    (7, None, True),
    (7, row(7), False),
    (7, row(9), False),
    (8, row(7, NOW - AGAIN), True),  # a late event
    (8, row(7, NOW - AGAIN + 1), False),  # which may be one of many
    (8, row(None, NOW - RETRY), True),
    (8, row(None, NOW - RETRY + 1), False),
    (0, row(0), False),
    (7, row(7, NOW - ANYWAY + 1), False),
    (7, row(7, NOW - ANYWAY), True),  # nothing touched it that anybody knows of
])
def test_when_a_closed_day_is_due(touched, known, is_due):
    found = due([DAY], {DAY: touched} if touched else {}, {} if known is None else {DAY: known}, NOW)
    assert found == ([DAY] if is_due else [])


def test_the_newest_day_comes_first():
    assert due([ago(2), DAY, ago(1)], {}, {}, NOW) == [DAY, ago(1), ago(2)]


@pytest.mark.parametrize(("days", "events", "by_journal", "together"), [
    ([0, 1, 2], {}, None, 3),
    ([0, 1, 3], {}, None, 2),  # a gap
    ([0], {0: GROUP_EVENTS * 9}, None, 1),  # however much it is, a day is never cut
    ([0, 1], {0: GROUP_EVENTS, 1: 1}, None, 1),
    ([0, 1, 2], {0: GROUP_EVENTS - 1, 1: 1, 2: 1}, None, 2),
    (list(range(GROUP_DAYS + 5)), {}, None, GROUP_DAYS),
    ([0, 1, 2], {}, 1, 2),  # the journal tells of the first two
    ([1, 2, 3], {}, 0, 3),
    ([0, 1, 2], {}, 5, 3),
])
def test_days_that_go_together(days, events, by_journal, together):
    newest_first = [ago(count) for count in days]
    found = grouped(newest_first, {ago(count): n for count, n in events.items()},
                    None if by_journal is None else ago(by_journal))
    assert found == newest_first[:together]
