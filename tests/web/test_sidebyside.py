"""Real values beside their reference's: a picture a figure, a table of windows, and what disagrees is marked."""

from crossfade.core.clock import DAY, HOUR, MINUTE
from crossfade.core.payloads import BusinessMetrics, HistoryPoint, InfrastructureMetrics
from crossfade.core.recounted import Recounted
from crossfade.sources.component import Component, Sample
from crossfade.web.curve import WIDTH, Curve, Point
from crossfade.web.sidebyside import side_by_side
from crossfade.web.writing import SPACE


class Source:
    async def fetch(self, now: int) -> Sample:
        raise NotImplementedError


def component(name: str, model: type) -> Component:
    return Component(name, "s", "use_real_s", Source(), Source(), model=model)


def found(*told: tuple[int, dict[str, float], dict[str, float]], length: int = MINUTE, kind: str = "recount") -> Curve:
    points = (Point(start * length, length, source, False, 0, values) for start, real, reference in told
              for source, values in (("compared", real), (kind, reference)))
    return Curve("c", 0, 60 * length, length, tuple(points))


def wrong(minute: int, field: str) -> Recounted:
    return Recounted("businessMetrics", "minute", minute * MINUTE, (minute + 1) * MINUTE, field, 1, 2, "journal", 0)


def test_each_figure_has_both_lines_and_says_how_often_they_are_the_same() -> None:
    seen = side_by_side(component("businessMetrics", BusinessMetrics), found(
        (1, {"events": 5, "file_processed": 3}, {"events": 5, "file_processed": 3}),
        (2, {"events": 6, "file_processed": 4}, {"events": 7, "file_processed": 4})), ())
    assert [(each.field.label, each.field.hint, each.words) for each in seen.figures] == [
        ("All events", "each minute", "the same in 1 of 2 windows"),
        ("file_processed", "each minute", "the same in all of 2 windows")]
    assert [[line.source for line in each.spark.lines] for each in seen.figures] == [["compared", "recount"]] * 2
    assert [(line.label, line.real, line.reference, line.same) for line in seen.lines] == [
        ("All events, each minute", "6", "7", False), ("file_processed, each minute", "4", "4", True),
        ("All events, each minute", "5", "5", True), ("file_processed, each minute", "3", "3", True)]


def test_windows_that_disagree_are_marked_at_their_figure() -> None:
    curve = found((10, {"events": 5, "a": 1}, {"events": 5, "a": 2}), (11, {"events": 5}, {"events": 5}))
    seen = side_by_side(component("businessMetrics", BusinessMetrics), curve, (wrong(10, "a"), wrong(70, "a")))
    assert {each.field.path: each.spark.wrong for each in seen.figures} == {"events": (), "a": (WIDTH / 6,)}


def test_a_field_of_the_dashboard_has_its_name_and_unit() -> None:
    seen = side_by_side(component("infrastructureMetrics", InfrastructureMetrics),
                        found((1, {"disk.free": 2048}, {"disk.free": 1024}), kind="second_reader"), ())
    assert [(line.real, line.reference) for line in seen.lines] == [(f"2{SPACE}KiB", f"1{SPACE}KiB")]
    counted = found((1, {"files": 2}, {"files": 2}), length=DAY)
    days = side_by_side(component("historicalData", HistoryPoint), counted, ())
    assert [(each.field.label, each.field.hint) for each in days.figures] == [("Files", "each day")]


def test_what_only_one_side_tells_is_no_pair() -> None:
    part = component("businessMetrics", BusinessMetrics)
    assert side_by_side(part, found((1, {"a": 1}, {})), ()).figures == ()
    assert side_by_side(part, Curve("c", 0, HOUR, MINUTE), ()).lines == ()
