"""The text format, as the reference parser reads it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as families

from crossfade.web.exposition import Exposition, Kind, Metric, name_of

GAUGE = Metric("a_gauge", Kind.GAUGE, "What it is.", ("one", "other"))
HISTOGRAM = Metric("a_histogram", Kind.HISTOGRAM, "How long.", ("route",))
texts = st.text(st.characters(codec="utf-8"), max_size=20)


@given(st.dictionaries(st.tuples(texts, texts), st.floats() | st.integers(-2**53, 2**53)), texts)
def test_whatever_the_labels_hold_is_read_back(samples: dict[tuple[str, str], float], words: str) -> None:
    out = Exposition()
    metric = Metric("a_gauge", Kind.GAUGE, words.strip(), ("one", "other"))
    for values, value in samples.items():
        out.add(metric, value, *values)
    known = {key: value for key, value in samples.items() if math.isfinite(value)}
    found = {(sample.labels["one"], sample.labels["other"]): sample.value
             for family in families(out.text()) for sample in family.samples}
    assert found == known


def test_samples_of_a_metric_stand_together_under_its_type_and_meaning() -> None:
    out = Exposition()
    out.add(GAUGE, 1, "x", "y")
    out.add(Metric("b_total", Kind.COUNTER), 2)
    out.add(GAUGE, 0.5, "x", 'a "quoted"\\ \n')
    assert out.text() == (
        "# HELP a_gauge What it is.\n# TYPE a_gauge gauge\n"
        'a_gauge{one="x",other="y"} 1\na_gauge{one="x",other="a \\"quoted\\"\\\\ \\n"} 0.5\n'
        "# TYPE b_total counter\nb_total 2\n")


def test_what_is_unknown_has_no_sample() -> None:
    out = Exposition()
    for value in (None, math.nan, math.inf):
        out.add(GAUGE, value, "x", "y")
    assert out.text() == ""


def test_labels_that_are_not_the_metrics_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="zip"):
        Exposition().add(GAUGE, 1, "x")


def test_one_choice_holds() -> None:
    out = Exposition()
    out.one_of(GAUGE, ("mock", "live"), "live", "part")
    assert [line.rpartition(" ")[2] for line in out.text().splitlines()[2:]] == ["0", "1"]


def test_a_histogram_adds_up() -> None:
    out = Exposition()
    out.histogram(HISTOGRAM, (0.1, 1.0), (3, 0, 2), 7.5, "/v1")
    family, = families(out.text())
    assert family.type == "histogram"
    found = {(sample.name, sample.labels.get("le")): sample.value for sample in family.samples}
    assert found == {("a_histogram_bucket", "0.1"): 3, ("a_histogram_bucket", "1.0"): 3,
                     ("a_histogram_bucket", "+Inf"): 5, ("a_histogram_sum", None): 7.5,
                     ("a_histogram_count", None): 5}


def test_a_name_holds_what_prometheus_knows() -> None:
    assert name_of("crossfade", "öther section", "p95") == "crossfade__ther_section_p95"
