"""A rollout as it is printed: read the lines aloud."""

import io

from rich.console import Console, RenderableType

from crossfade.cli.client import Json
from crossfade.cli.rollout import answer, history
from crossfade.cli.rollout.start import coming
from crossfade.cli.rollout.story import chapters
from crossfade.cli.rollout.view import drill, page, preflight
from crossfade.core.plan import Plan
from crossfade.core.planfile import DEFAULT, parse

from .samples import NOW, document, phase, step, told, verdict

DRILL: dict[str, Json] = {"at": NOW, "who": "ann", "flags": ["useRealDrill"], "milliseconds": 3.04, "processes": 4,
                          "unanswered": [], "problem": None}


def lines(what: RenderableType, width: int = 120) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(what)
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def shown(*steps: dict[str, Json], **more: Json) -> list[str]:
    found = told(**more)
    return lines(page(found, chapters(found, answer.steps(list(steps)))))


def test_a_page_has_sentences_phases_soak_and_gates() -> None:
    found = shown(step(1, "begin", "business"))
    assert found[0].startswith("Rollout 3 (move) watches business at 25 %")
    assert "▶ business watched [25] → 100 % 5 min a step 2026-11-23T08:00:01Z 3 min 9 s" in found
    assert "· system to come all 5 min – –" in found
    assert [line for line in found if line.startswith("soak") and line.endswith("2 min left")]
    assert "businessMetrics: quality.validity 99.5 14 99.5 ≥ 95 at the end pass" in found
    assert found[-1] == "Started 2026-11-23T08:00:00Z by ann@host, because: the figures agree."


def test_a_failed_gate_is_shown_with_its_example_after_the_end() -> None:
    phases = [phase("business", "reverted", "useRealBusinessMetrics"), phase("system", "never begun", "b")]
    failed = verdict("fail", figure=40.0, example="GET /orders [red]")
    found = shown(step(1, "begin", "business"), step(2, "revert", "business", verdicts=[failed],
                                                     changes={"useRealBusinessMetrics": False}),
                  status="reverted", why="validity fell", phases=phases)
    assert "↩ business taken back all 5 min 2026-11-23T08:00:01Z 1 s" in found
    assert "businessMetrics: quality.validity 40 14 40 ≥ 95 at the end fail" in found
    assert "For example, GET /orders [red]." in found
    assert not [line for line in found if line.startswith("soak ")]


def test_a_page_fits_a_narrow_terminal_without_losing_the_verdict() -> None:
    found = told()
    narrow = lines(page(found, chapters(found, [])), 80)
    assert [line for line in narrow if line.endswith("pass")]


def test_a_history_tells_who_did_what_and_with_evidence_by_what() -> None:
    steps = answer.steps([
        step(1, "begin", "business", changes={"useRealBusinessMetrics": True}),
        step(2, "hold", "business", who="ann@host", said=["ann@host may not approve: nothing waits."]),
        step(3, "pass", "system", verdicts=[verdict(n=7)]),
    ])
    brief = lines(history.narrated(steps, verbose=False))
    assert "2026-11-23T08:00:02Z told, ann@host" in brief
    assert "2026-11-23T08:00:01Z begin" in brief
    assert not [line for line in brief if "flags:" in line or "≥" in line]
    full = lines(history.narrated(steps, verbose=True))
    assert "flags: use_real_business_metrics = true" in full
    assert "businessMetrics: quality.validity 99.5 7 99.5 ≥ 95 pass" in full


def test_rollouts_are_listed_with_the_reason_that_matters() -> None:
    found = lines(history.listed(answer.rollouts([
        document(id=3, paused="ann paused it"), document(id=2, status="reverted", why="errors rose")])))
    assert "3 move paused 2026-11-23T08:00:00Z 3 min 9 s ann@host ann paused it" in found
    assert "2 move reverted 2026-11-23T08:00:00Z 3 min 9 s ann@host errors rose" in found


def test_what_is_coming_is_told_with_its_time() -> None:
    plan = parse(DEFAULT)
    assert isinstance(plan, Plan)
    found = lines(coming(plan, plan.phases[3:]))
    assert found[0] == "phase-5: 2 phases, 15 min of soaking at the least, 4 h at the most."
    assert "5D without fallback sets fallback_on_error=false 10 min 2 h" in found
    assert "must prove live.system.errorRate ≤ 1 at the end" in found


def test_a_preflight_and_a_drill_are_told() -> None:
    assert lines(preflight(answer.checks([{"name": "events", "status": "failed", "told": "none [bold]"}]))) == [
        "failed events none [bold]"]
    assert drill(answer.drill(DRILL)) == (
        "The drill of 2026-11-23T08:03:10Z by ann passed: all 4 processes had the rollback after 3.0 ms.")
    assert drill(answer.drill({**DRILL, "problem": "web-1 did not answer"})) == (
        "The drill of 2026-11-23T08:03:10Z by ann failed: web-1 did not answer.")
