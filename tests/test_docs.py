"""What is not documented fails here; what is documented but not there, too."""

import importlib.util
import re
from pathlib import Path

import pytest

from crossfade.app import App
from crossfade.core.clock import SystemClock
from crossfade.settings import Settings
from crossfade.web.api import live_json
from crossfade.web.server import litestar
from crossfade.web.stream import Stream

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def load_generator():
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_the_code_says() -> None:
    assert (ROOT / "docs" / "reference.md").read_text() == load_generator().reference(), "run `make docs`"


def test_every_route_is_documented(tmp_path: Path) -> None:
    app = App(Settings(data=tmp_path / "data"), SystemClock(), {})
    try:
        served = load_generator().all_routes(litestar(app, Stream(lambda viewer: live_json(app, viewer=viewer))))
    finally:
        app.close()
    reference = (ROOT / "docs" / "reference.md").read_text()
    undocumented = {route for route in served
                    if f"`{route}`" not in reference and not route.startswith(("GET /static/", "GET /schema"))}
    assert not undocumented


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if not link.startswith("http"):
            assert (page.parent / link.partition("#")[0]).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_docs_exist(page: Path) -> None:
    reference = (ROOT / "docs" / "reference.md").read_text()
    code = "\n".join(re.findall(r"`[^`\n]+`|^\$ .*$", page.read_text(), re.MULTILINE))
    for command in re.findall(r"crossfade ((?:flags|alerts|rollout) [a-z]+|[a-z]+)", code):
        assert f"### crossfade {command}" in reference, command
