"""``crossfade rollout plan``."""

import json
from pathlib import Path

import pytest
import typer

from crossfade.cli.errors import CommandError
from crossfade.cli.rollout.plan import plan


def test_the_built_in_plan_is_a_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan(None, as_json=False)
    text = capsys.readouterr().out
    file = tmp_path / "plan.toml"
    file.write_text(text)
    plan(file, as_json=False)
    assert "use_real_business_metrics=true" in capsys.readouterr().out
    plan(file, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert len(told["phases"]) == 5
    assert told["problems"] == []


def test_a_problem_is_named_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "plan.toml"
    file.write_text('name = "x"\n\n[[phases]]\nname = "A"\nsoak = "soon"\n')
    with pytest.raises(typer.Exit) as found:
        plan(file, as_json=False)
    assert found.value.exit_code == 1
    assert "line 5" in capsys.readouterr().err
    with pytest.raises(CommandError, match="cannot be read"):
        plan(tmp_path / "none.toml", as_json=False)
