"""Components that an application declares for the server, and what the settings say of each."""

import sys
from pathlib import Path

import pytest

from crossfade.app import App
from crossfade.core.clock import SystemClock
from crossfade.core.reading import Reason
from crossfade.declared import DeclarationError
from crossfade.settings import Settings

BOARD = '''
from msgspec import Struct
from crossfade.fade import Crossfade

fade = Crossfade()
other = 5

class Orders(Struct, frozen=True):
    open: int

@fade.component("{name}", model=Orders, timeout=2)
class Sources:
    mock = staticmethod(lambda: Orders(1))
    real = staticmethod(lambda: Orders(3))
'''


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A module in the working folder, by a name that no other test has."""
    name = f"board_{abs(hash(request.node.nodeid))}"
    (tmp_path / f"{name}.py").write_text(BOARD.replace("{name}", getattr(request, "param", "orders")))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    return name


def started(tmp_path: Path, **settings: object) -> App:
    app = App(Settings(data=tmp_path / "data", **settings), SystemClock(), {})  # type: ignore[arg-type]
    app.close()
    return app


def test_it_has_flags_like_the_built_in_ones(tmp_path: Path, board: str) -> None:
    app = started(tmp_path, components=[f"{board}:fade"])
    assert list(app.reader.components)[-1] == "orders"
    assert app.reader.components["orders"].timeout == 2
    assert {"use_real_orders", "percent_orders", "shadow_orders"} <= set(app.flag_names)
    assert app.state.flags()["percent_orders"] == 100


def test_a_component_may_have_settings_of_its_own(tmp_path: Path, board: str) -> None:
    app = started(tmp_path, components=[f"{board}:fade"], source_timeout_s=9, stale_limit_s=60, per_component={
        "orders": {"stale_limit_s": 7, "stand_ins": ["fallback"]}, "systemMetrics": {"source_timeout_s": 1}})
    by_name = app.reader.components
    assert (by_name["orders"].timeout, by_name["orders"].stale_limit) == (2, 7)
    assert by_name["orders"].stand_ins == (Reason.FALLBACK,)
    assert (by_name["systemMetrics"].timeout, by_name["systemMetrics"].stale_limit) == (1, 60)
    assert by_name["businessMetrics"].timeout == 9


@pytest.mark.parametrize(("place", "told"), [
    ("{board}", "write module:object"), ("{board}:", "write module:object"), ("{board}:nothing", "AttributeError"),
    ("{board}:other", "is a int"), ("no_such_module:fade", "ModuleNotFoundError"),
])
def test_what_cannot_be_found_is_told(tmp_path: Path, board: str, place: str, told: str) -> None:
    with pytest.raises(DeclarationError, match=told):
        started(tmp_path, components=[place.format(board=board)])


@pytest.mark.parametrize("board", ["system"], indirect=True)
def test_two_of_one_section_are_refused(tmp_path: Path, board: str) -> None:
    with pytest.raises(DeclarationError, match="section 'system'"):
        started(tmp_path, components=[f"{board}:fade"])


def test_settings_of_a_component_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="'orders'; there are: businessMetrics"):
        started(tmp_path, per_component={"orders": {}})


@pytest.mark.parametrize("own", [{"stand_ins": ["flag"]}, {"stand_ins": ["stale", "stale"]}, {"timeout": 1},
                                 {"shadow_share": 2}])
def test_wrong_settings_are_refused(tmp_path: Path, own: object) -> None:
    with pytest.raises(ValueError, match="per_component"):
        Settings(data=tmp_path, per_component={"systemMetrics": own})  # type: ignore[dict-item]
