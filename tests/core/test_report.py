"""What a process's report may be, whoever wrote it."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.latency import BUCKETS
from crossfade.core.report import ProcessReport

GOOD = {
    "version": 1, "process": "p", "service": "web", "host": "h", "pid": 7, "startedAt": "2026-11-23T00:00:00Z",
    "since": "2026-11-23T01:00:00Z", "until": "2026-11-23T01:00:10Z", "every": 10.0, "requests": 3, "errors": 1,
    "buckets": {"0": 1, str(BUCKETS - 1): 2}, "processMemory": 1000, "processCpu": 130.5, "memoryUsage": 50.0,
    "cpuUsage": None, "closed": False,
}


def read(properties: object) -> ProcessReport:
    return msgspec.json.decode(msgspec.json.encode(properties), type=ProcessReport)


def test_a_report_is_read_as_it_was_written() -> None:
    report = read(GOOD)
    assert report.until == datetime(2026, 11, 23, 1, 0, 10, tzinfo=UTC)
    assert report.buckets == {0: 1, BUCKETS - 1: 2}
    assert msgspec.to_builtins(report, str_keys=True) == GOOD


@pytest.mark.parametrize("change", [
    {"version": 2}, {"process": ""}, {"process": "x" * 101}, {"process": 7}, {"service": "x" * 201}, {"host": None},
    {"pid": -1}, {"pid": "7"}, {"startedAt": "2026-11-23T00:00:00"}, {"startedAt": 5}, {"until": "soon"},
    {"since": "2026-11-23T01:00:11Z"}, {"every": 0}, {"every": 1e9}, {"requests": 4}, {"errors": -1}, {"errors": 4},
    {"requests": 0}, {"buckets": {"-1": 3}}, {"buckets": {str(BUCKETS): 3}}, {"buckets": {"0": 0, "1": 3}},
    {"buckets": {"0": -1, "1": 4}}, {"buckets": {"x": 3}}, {"buckets": [3]},
    {"buckets": {"0": 10**18}, "requests": 10**18},
    {"processMemory": -1}, {"processMemory": 2**60}, {"processCpu": -0.1}, {"memoryUsage": 101.0},
    {"cpuUsage": "12"}, {"closed": 1},
], ids=repr)
def test_a_report_that_cannot_be_true_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(GOOD | change)


@pytest.mark.parametrize("name", sorted(GOOD.keys() - {"version", "closed"}))
def test_a_report_that_lacks_something_is_refused(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        read({key: value for key, value in GOOD.items() if key != name})


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(sorted(GOOD)), inner)),
       st.sampled_from(sorted(GOOD)))
def test_no_json_breaks_the_reading(value: object, name: str) -> None:
    for text in (GOOD | {name: value}, value):
        try:
            report = read(text)
        except (msgspec.MsgspecError, ValueError):
            continue
        assert report.errors <= report.requests
