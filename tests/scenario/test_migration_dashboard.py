"""The migration dashboard in a real browser on a real server: by keyboard, by role, without JavaScript, under axe."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from .conftest import Server

pytestmark = pytest.mark.browser

HOME = "/admin/migration-dashboard"
PASSWORD = "correct horse battery"
AXE = (Path(__file__).parent.parent / "web" / "vendor" / "axe-4.14.1.js").read_text()
PATIENT = 20_000
Visit = Callable[..., Page]
PLAN = """
name = "approved"

[[phases]]
name = "business"
soak = "10 min"
deadline = "1 h"
approval = true
[phases.set]
use_real_business_metrics = true
[[phases.gates]]
figure = "quality.validity"
component = "businessMetrics"
least = 95
judged = "at_end"

[[phases]]
name = "system"
soak = "10 min"
deadline = "1 h"
[phases.set]
use_real_system_metrics = true
[[phases.gates]]
figure = "quality.leaks"
component = "systemMetrics"
most = 0
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(server: Server, chromium: Browser) -> Iterator[Visit]:
    """Opens the page as a user of a role; at the end, fails for any error on the console and any foreign request."""
    errors: list[str] = []
    hosts: set[str] = set()
    opened = []

    def note(message: ConsoleMessage) -> None:
        # That a form was refused is no trouble of the page's.
        if message.type == "error" and "responded with a status of 4" not in message.text:
            errors.append(message.text)

    def visit(role: str = "operator", path: str = HOME, **options: object) -> Page:
        context = chromium.new_context(base_url=server.url, timezone_id="UTC", **options)  # type: ignore[arg-type]
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENT)
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
        if role:
            known = {user["name"] for user in server.http.get("/api/users", headers=server.admin).json()}
            if role not in known:
                server.http.post("/api/users", headers=server.admin, json={
                    "name": role, "role": role, "password": PASSWORD}).raise_for_status()
            page.goto("/login")
            page.fill("input[name=name]", role)
            page.fill("input[name=password]", PASSWORD)
            page.click("main button")
        page.goto(path)
        return page

    yield visit
    for context in opened:
        context.close()
    assert errors == []
    assert hosts <= {server.url.removeprefix("http://")}


@contextmanager
def rollout(server: Server, plan: str = PLAN) -> Iterator[int]:
    made = server.http.post("/api/rollouts", headers=server.admin, json={"plan": plan, "despite": "a test"})
    assert made.status_code == 201, made.text
    yield made.json()["id"]


def latest(server: Server) -> dict[str, object]:
    return server.http.get("/api/rollouts/latest", headers=server.admin).json()


def flags(server: Server) -> dict[str, object]:
    return server.http.get("/api/flags", headers=server.admin).json()


def test_everything_is_rolled_back_by_keyboard_alone(server: Server, visit: Visit) -> None:
    server.start(USE_REAL_BUSINESS_METRICS="true", FALLBACK_ON_ERROR="false")
    page = visit()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Roll back all":
            break
    page.keyboard.press("Enter")
    assert flags(server)["useRealBusinessMetrics"] is True, "it asks first"
    page.keyboard.press("Tab")
    page.keyboard.type("smoke")
    page.keyboard.press("Tab")
    assert "Yes, roll back all now" in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_contain_text(re.compile(r"Rolled back everything: [\d.,]+\sms until"))
    assert flags(server)["useRealBusinessMetrics"] is False
    assert flags(server)["fallbackOnError"] is True
    newest = server.http.get("/api/audit?limit=1", headers=server.admin).json()[0]
    assert (newest["who"], newest["reason"]) == ("operator", "smoke")
    page.goto(HOME)
    expect(page.locator(".notice")).to_have_count(0)


def test_a_phase_is_approved_and_the_open_page_follows(server: Server, visit: Visit) -> None:
    server.start()
    page = visit()
    with rollout(server):
        expect(page.locator("#rollout")).to_contain_text("waits for approval")
        expect(page.locator("#then-approve")).to_contain_text("sets percent_business_metrics = 100 %, "
                                                              "use_real_business_metrics = on")
        page.click("text=Approve business")
        expect(page.locator(".notice")).to_contain_text("business begins")
        assert flags(server)["useRealBusinessMetrics"] is True
        expect(page.locator("progress")).to_have_count(1)
        expect(page.locator("#rollout")).to_contain_text("of 10 min 0 s left")
        page.click("text=Skip the rest of the soak")
        assert latest(server)["skipped"] is None, "it needs a reason"
        page.locator("form:has([value=pause]) input[name=reason]").fill("lunch")
        page.locator("button:text-is('Pause') >> visible=true").last.click()
        expect(page.locator("[data-part=verdict]")).to_contain_text("is paused: operator paused it: lunch")
        page.locator("button:text-is('Resume')").click()
        expect(page.locator(".notice")).to_contain_text("operator resumed it")


def test_a_drift_is_shown_without_a_reload(server: Server, visit: Visit) -> None:
    server.start()
    with rollout(server, PLAN.replace("approval = true", "")):
        page = visit()
        expect(page.locator("#rollout")).to_contain_text("soaking")
        page.click("summary:has-text('system')")
        reason = page.locator("form:has([value=abort]) input[name=reason]")
        reason.fill("half a sentence")
        server.set_flags(useRealBusinessMetrics=False)
        expect(page.locator("[data-part=verdict]")).to_contain_text("somebody else set use_real_business_metrics")
        expect(reason).to_have_value("half a sentence")
        reason.fill("")
        page.locator("h1").click()
        expect(page.locator("#rollout")).to_contain_text("Paused: somebody else set use_real_business_metrics")
        expect(page.locator("#phase-2")).to_have_attribute("open", "")
        page.click("#pause")
        server.http.post("/api/rollouts/latest/commands", headers=server.admin, json={"action": "resume"})
        page.wait_for_timeout(4_000)
        expect(page.locator("[data-part=verdict]")).to_contain_text("somebody else set")
        page.click("#pause")
        expect(page.locator("[data-part=verdict]")).not_to_contain_text("somebody else set")


def test_an_alert_is_acknowledged_and_silenced(server: Server, visit: Visit) -> None:
    server.start(CROSSFADE_ALERT_PENDING_S="0")
    with rollout(server):
        server.http.post("/api/rollouts/latest/commands", headers=server.admin, json={"action": "pause"})
        page = visit()
        expect(page.locator("#alerts")).to_contain_text("rollout, paused")
        page.click("summary:has-text('Acknowledge')")
        page.fill("input[name=note]", "on it")
        page.click("button:text-is('Acknowledge')")
        expect(page.locator("#alerts")).to_contain_text("Acknowledged by operator: on it")
        page.click("summary:has-text('Silence')")
        page.select_option("select[name=hours]", "4")
        page.locator("#alerts input[name=reason]").fill("planned")
        page.click("button:text-is('Silence')")
        expect(page.locator("#alerts")).to_contain_text("by operator: planned")
        found = server.http.get("/api/silences", headers=server.admin).json()
        assert [(one["component"], one["check"], one["reason"]) for one in found] == [("rollout", "paused", "planned")]
        page.click("text=End it")
        expect(page.locator(".notice")).to_contain_text("is told of again")
        assert server.http.get("/api/silences", headers=server.admin).json() == []


def test_without_javascript_a_rollout_is_started_and_aborted(server: Server, visit: Visit) -> None:
    server.start()
    page = visit(java_script_enabled=False)
    page.fill("textarea[name=plan]", PLAN.replace('soak = "10 min"', 'soak = "ten"', 1))
    page.click("text=Start the rollout")
    expect(page.locator("#plan-problems")).to_contain_text("line 6")
    expect(page.locator("textarea[name=plan]")).to_have_value(re.compile('soak = "ten"'))
    page.fill("textarea[name=plan]", PLAN)
    page.locator("#ask-start input[name=reason]").fill("by hand")
    page.click("text=Start the rollout")
    if page.locator("input[name=despite]").count():
        expect(page.locator("#rollout table")).to_contain_text("events")
        page.fill("input[name=despite]", "no traffic in a test")
        page.click("text=Start the rollout")
    expect(page.locator(".notice")).to_contain_text("Rollout 1 (approved) has begun")
    page.click("text=Approve business")
    page.locator("form:has([value=abort]) input[name=reason]").fill("enough")
    page.click("button:text-is('Abort')")
    expect(page.locator(".notice")).to_contain_text("operator aborted it: enough")
    assert flags(server)["useRealBusinessMetrics"] is False
    page.goto(f"{HOME}/rollouts/1")
    expect(page.locator("table").last).to_contain_text("operator approved it")
    page.goto(f"{HOME}/audit?who=operator&action=rollout.start")
    expect(page.locator("tbody tr")).to_have_count(1)


def test_what_nothing_measures_is_stated_on_the_checklist(server: Server, visit: Visit) -> None:
    server.start()
    page = visit("operator")
    page.click("text=The checklist")
    rows = page.locator("ol.lines > li")
    expect(rows).to_have_count(10)
    assert [found for row in server.http.get("/api/checklist", headers=server.admin).json()["criteria"]
            if (found := row["sentence"]) and found not in page.locator("ol.lines").inner_text()] == []
    page.click("summary:has-text('State it')")
    page.fill("input[name=reason]", "docs/how-to.md says what each figure is made of")
    page.click("button:text-is('State it')")
    expect(page.locator(".notice")).to_contain_text("Stated: documentation")
    expect(rows.last).to_contain_text("Stated by operator")
    page.reload()
    expect(page.locator(".notice")).to_have_count(0)


@pytest.mark.parametrize("role", ["", "viewer", "operator"])
def test_each_role_sees_and_may_do_what_it_should_by_address_too(server: Server, visit: Visit, role: str) -> None:
    server.start()
    page = visit(role)
    acts = role == "operator"
    expect(page.locator("main form:visible, main summary.button:visible")).to_have_count(4 if acts else 0)
    if not acts:
        expect(page.locator(".may")).to_contain_text("Sign in to act" if not role else "viewer is viewer")
    answer = page.request.post(f"{HOME}/rollback", form={}, max_redirects=0, headers={"Accept": "text/html"})
    assert answer.status == {"": 303, "viewer": 403, "operator": 403}[role]  # who may act has a token for each form
    if acts:
        assert "This form is too old" in answer.text()
    assert server.http.get("/api/audit?limit=1", headers=server.admin).json()[0]["action"] != "flag.change"
    for path in ("/components/systemMetrics", "/audit", "/checklist", "/rollback?component=systemMetrics"):
        opened = page.goto(HOME + path)
        assert opened is not None
        assert opened.status == 200
        assert ("Yes, roll back" in page.content()) == (acts and "rollback" in path)


def test_signed_out_elsewhere_nobody_sees_it(server: Server, visit: Visit) -> None:
    server.start(CROSSFADE_REQUIRE_SIGN_IN="true")
    page = visit("")
    expect(page).to_have_url(re.compile("/login\\?next=/admin/migration-dashboard"))


def test_switched_off_it_says_so(server: Server, visit: Visit) -> None:
    server.start(NEXT_PUBLIC_ENABLE_MIGRATION_DASHBOARD="false")
    page = visit("")
    expect(page.locator("main")).to_contain_text("The migration dashboard is switched off")
    assert server.http.get(HOME).status_code == 404
    assert server.http.post(f"{HOME}/rollback", headers=server.admin).status_code == 404
    page.goto("/")
    expect(page.locator("footer")).not_to_contain_text("Migration dashboard")


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_axe_finds_nothing_in_either_theme(server: Server, visit: Visit, width: int) -> None:
    server.start(CROSSFADE_ALERT_PENDING_S="0", USE_REAL_SYSTEM_METRICS="true")
    server.live()
    with rollout(server, PLAN.replace("approval = true", "")):
        server.set_flags(useRealBusinessMetrics=False)
        page = visit(viewport={"width": width, "height": 900}, reduced_motion="reduce")
        expect(page.locator("#alerts")).to_contain_text("rollout, paused")
        inside = [HOME + path for path in (
            "", "/components/systemMetrics", "/components/businessMetrics", "/rollouts/1", "/audit", "/rollback",
            "/checklist")]
        outside = ["/", "/figures/businessMetrics/filesProcessed", "/figures/systemMetrics/responseTimeP95", "/login",
                   "/login?link=any", "/nowhere", "/api/monitoring/migration-report?format=html"]
        assert [one for path in (*inside, *outside) for one in troubles(page, path, width)] == []
        page.context.clear_cookies()
        assert troubles(page, "/login", width) == []


def troubles(page: Page, path: str, width: int) -> list[str]:
    """What keeps somebody from using the page, in either theme, with everything unfolded."""
    page.goto(path)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found += [f"{path} {scheme}: {one}" for one in violations(page)]
    if page.evaluate("document.documentElement.scrollWidth") > width:
        found.append(f"{path}: wider than the screen")
    return found


def violations(page: Page) -> list[str]:
    page.evaluate(AXE)  # no script of a page is let in by the policy; an evaluation is
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(({violations}) => violations)")
    return [f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
            for one in found for node in one["nodes"]]
