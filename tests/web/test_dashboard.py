"""The live pages in Chromium: the browser writes what the server writes, keeps it true, and shuts nobody out."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect, sync_playwright

from crossfade.core.clock import DAY, SECOND
from crossfade.core.reading import Reading
from crossfade.web import pages
from crossfade.web.figures import curve_json

from .page_samples import ALL_REAL, MIXED, NOW, ODD, WEB, curve, live, render, render_figure

pytestmark = pytest.mark.browser

CSP = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
       "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
AXE = (Path(__file__).parent / "vendor" / "axe-4.14.1.js").read_text()
Answer = Callable[[], tuple[int, str]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield chromium
        chromium.close()


def down() -> tuple[int, str]:
    return 503, "{}"


def says(readings: list[Reading], at: int = NOW) -> Answer:
    return lambda: (200, json.dumps(live(readings, at)))


@contextmanager
def visit(browser: Browser, html: str, answer: Answer = down, stream: Answer = down, *, locale: str = "en-US",
          scheme: str = "light", width: int = 1280, figures: bool = True) -> Iterator[Page]:
    """The page under its content policy, on a clock that the test moves; its server is this function.

    At the end, fails for any error of the script and any breach of the policy.
    """
    errors: list[str] = []

    def heed(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            errors.append(message.text)

    def serve(route: Route) -> None:
        path = route.request.url.removeprefix("http://crossfade.test").split("?")[0]
        if path == "/":
            route.fulfill(body=html, content_type="text/html", headers={"Content-Security-Policy": CSP})
        elif path.startswith("/static/"):
            file = WEB / path[1:]
            kind = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}[file.suffix]
            route.fulfill(body=file.read_text(), content_type=kind)
        elif path == "/api/figures":
            component = re.search(r"component=(\w+)", route.request.url)
            assert component is not None
            route.fulfill(status=200 if figures else 503, body=json.dumps(curve_json(curve(component[1]))),
                          content_type="application/json")
        else:
            streamed = path.endswith("/stream")
            status, body = (stream if streamed else answer)()
            route.fulfill(status=status, body=body,
                          content_type="text/event-stream" if streamed else "application/json")

    page = browser.new_page(locale=locale, timezone_id="UTC", color_scheme=scheme,
                            viewport={"width": width, "height": 900})
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", heed)
    page.route("**/*", serve)
    # What a shared worker asks for, no test can answer: here the page asks for itself.
    page.add_init_script("delete window.SharedWorker")
    page.clock.install(time=NOW / 1e6)
    page.clock.pause_at(NOW / 1e6 + 1)
    page.goto("http://crossfade.test/")
    page.wait_for_selector("#pause:visible")
    yield page
    page.close()
    assert errors == []


def shown(page: Page) -> list[str]:
    """All that the reader sees or hears of the values, but for times, which depend on the locale."""
    told = "#truth li, .card .words, .value, .empty, .proof, .extent, .note, tbody tr"
    texts = page.locator(told).all_text_contents()
    shapes = page.eval_on_selector_all(
        "main [data-state], [data-part], tr[data-status]",
        "all => all.map(e => [e.dataset.state, e.dataset.part, e.dataset.status, e.hidden].join())")
    return [*(" ".join(text.split()) for text in texts), *shapes]


@pytest.mark.parametrize("target", [ALL_REAL, MIXED, ODD], ids=["real", "mixed", "odd"])
def test_the_browser_writes_what_the_server_writes(browser: Browser, target: list[Reading]) -> None:
    start = MIXED if target is ALL_REAL else ALL_REAL
    drop = {"historicalData"}  # its days come with the page, and are but kept current
    with visit(browser, render([*(one for one in target if one.component not in drop)])) as page:
        expected = shown(page)
        ages = page.locator(".age").all_text_contents()
    with visit(browser, render([*(one for one in start if one.component not in drop)]),
               says([one for one in target if one.component not in drop])) as page:
        page.wait_for_selector("body[data-status=live]")
        assert shown(page) == expected
        assert page.locator(".age").all_text_contents() == ages


def test_the_days_are_kept_current(browser: Browser) -> None:
    with visit(browser, render(MIXED[:3] + ALL_REAL[3:]), says(ALL_REAL)) as page:
        page.wait_for_selector("body[data-status=live]")
        expect(page.locator("tbody[data-days] tr").first).to_contain_text("1 TiB")
        assert page.locator("tbody[data-days] tr").nth(1).locator("td").all_text_contents() == ["—"] * 4


def test_a_message_of_the_stream_is_shown_in_the_reader_s_locale(browser: Browser) -> None:
    message = f"id: 1\nevent: live\ndata: {json.dumps(live(ALL_REAL))}\n\n"
    with visit(browser, render(MIXED), down, lambda: (200, message), locale="de-DE") as page:
        page.wait_for_selector("body[data-status=live]")
        expect(page.locator("#truth li").first).to_contain_text("23 of 24 values real")
        assert page.locator("[data-path=filesProcessed] .number").inner_text() == "1.201"
        assert page.locator("time").first.inner_text() == "23.11.2026, 01:02:03 UTC"


def test_an_older_message_than_the_page_changes_nothing(browser: Browser) -> None:
    message = f"event: live\ndata: {json.dumps(live(MIXED, NOW - SECOND))}\n\n"
    with visit(browser, render(ALL_REAL), down, lambda: (200, message)) as page:
        with page.expect_response("**/api/dashboard/stream"):
            page.clock.run_for(20_000)
        expect(page.locator("#truth li").first).to_contain_text("23 of 24 values real")
        assert page.locator("#status").inner_text().startswith("Stale: not connected")


def test_ages_go_on_and_the_loss_is_told_when_the_server_is_gone(browser: Browser) -> None:
    alive = True
    with visit(browser, render(ALL_REAL), lambda: says(ALL_REAL)() if alive else down()) as page:
        status = page.locator("#status")
        page.wait_for_selector("body[data-status=live]")
        alive = False
        page.clock.run_for(2_000)
        assert status.inner_text() == "Live"
        page.clock.run_for(60_000)
        assert status.inner_text().startswith("Stale: not connected, as of Nov 23, 2026, 1:02:03")
        assert re.fullmatch(r"1\smin 2\ss ago", page.locator("#since").inner_text())
        assert re.fullmatch(r"1\smin 2\ss ago", page.locator(".card .age").first.inner_text())
        badge = page.locator(".card .badge .words").first
        assert "STALE" in badge.evaluate("badge => getComputedStyle(badge, '::after').content")
        alive = True
        page.clock.resume()
        page.wait_for_selector("body[data-status=live]")


def test_pause_keeps_the_figures_and_says_so(browser: Browser) -> None:
    current = ALL_REAL
    with visit(browser, render(ALL_REAL), lambda: (200, json.dumps(live(current, NOW + DAY)))) as page:
        first = page.locator("#truth li").first
        page.wait_for_selector("body[data-status=live]")
        page.locator("#pause").press("Enter")
        assert page.locator("#pause").get_attribute("aria-pressed") == "true"
        current = MIXED
        with page.expect_response("**/api/dashboard/live**"):
            page.clock.run_for(4_000)
        expect(first).to_contain_text("23 of 24")
        assert page.locator("#status").inner_text().startswith("Paused, as of Nov 24, 2026")
        page.locator("#pause").press("Enter")
        page.clock.resume()
        expect(first).to_contain_text("0 of 24")
        assert page.locator("#status").inner_text() == "Live"


def test_figures_kept_back_by_a_pause_are_as_old_as_they_are(browser: Browser) -> None:
    alive = True
    with visit(browser, render(ALL_REAL), lambda: says(ALL_REAL)() if alive else down()) as page:
        page.wait_for_selector("body[data-status=live]")
        page.locator("#pause").press("Enter")
        alive = False
        page.clock.run_for(60_000)
        page.locator("#pause").press("Enter")
        assert re.fullmatch(r"1\smin 0\ss ago", page.locator(".card .age").first.inner_text())
        assert page.locator("#status").inner_text().startswith("Stale")


def test_what_changes_is_announced_once_and_ages_are_not(browser: Browser) -> None:
    current = ALL_REAL
    with visit(browser, render(ALL_REAL), lambda: (200, json.dumps(live(current)))) as page:
        page.wait_for_selector("body[data-status=live]")
        assert page.locator("#said").inner_text() == ""
        current = MIXED
        page.clock.run_for(5_000)
        expect(page.locator("#said")).to_have_text(
            "0 of 24 values real, 6 cached, 13 mock, 1 without data, 4 unavailable")


def test_a_filter_follows_the_values(browser: Browser) -> None:
    html = render(ALL_REAL, asked=pages.Asked("24h", "mock"))
    with visit(browser, html, says(MIXED)) as page:
        page.wait_for_selector("body[data-status=live]")
        expect(page.locator(".card:visible")).to_have_count(13)
        expect(page.locator("section[data-component=businessMetrics]")).to_be_hidden()


def test_before_the_first_event_the_browser_tells_no_zero_either(browser: Browser) -> None:
    nothing = json.dumps(live(ALL_REAL, waiting=True) | {"business": dict.fromkeys(
        ("activeUsers", "filesProcessed", "duplicatesDetected", "cleanupActionsExecuted", "backgroundScans"), 0)})
    with visit(browser, render(MIXED), lambda: (200, nothing)) as page:
        card = page.locator("[data-path=filesProcessed]")
        expect(card.locator(".empty")).to_have_text("Waiting for the first event")
        expect(card.locator(".number")).to_have_text("—")


@pytest.mark.parametrize("html", [render(ALL_REAL), render_figure(ALL_REAL[0])], ids=["page", "figure"])
def test_arrow_keys_walk_the_points_of_a_chart_and_its_gaps(browser: Browser, html: str) -> None:
    with visit(browser, html, says(ALL_REAL)) as page:
        page.wait_for_selector(".plot canvas")
        page.locator(".plot").focus()
        said = page.locator(".walk")
        heard = []
        for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "End", "ArrowRight"):
            page.keyboard.press(key)
            heard.append(" ".join((said.text_content() or "").split(": ", 1)[1].split()))
        unit = "files" if page.locator(".chart").get_attribute("data-path") == "files" else "users"
        assert heard == [f"0 {unit}, MOCK, made up", f"1 {unit}, MOCK, made up", f"2 {unit}, REAL",
                         "a gap, nobody counted", f"5 {unit}, REAL", f"6 {unit}, REAL", f"6 {unit}, REAL"]
        expect(page.locator(".chart .extent")).to_contain_text(f"6 {unit}")


def test_a_chart_says_when_the_server_does_not_answer(browser: Browser) -> None:
    with visit(browser, render(ALL_REAL), figures=False) as page:
        expect(page.locator(".chart .extent")).to_contain_text("Not connected")
        expect(page.locator(".plot svg .line").first).to_be_visible()  # as the server drew it


def test_a_picture_can_be_kept(browser: Browser, tmp_path: Path) -> None:
    with visit(browser, render(ALL_REAL), says(ALL_REAL)) as page:
        page.clock.resume()
        card = page.locator("[data-path=filesProcessed]")
        card.locator("summary").click()
        with page.expect_download() as download:
            card.locator(".png").click()
        download.value.save_as(tmp_path / "kept.png")
    assert download.value.suggested_filename == "businessMetrics-filesProcessed-24h.png"
    assert (tmp_path / "kept.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert (tmp_path / "kept.png").stat().st_size > 5_000


STATES = {
    "real": (render(ALL_REAL), says(ALL_REAL)), "mixed": (render(MIXED), says(MIXED)), "lost": (render(MIXED), down),
    "odd": (render(ODD), says(ODD)), "waiting": (render([]), down),
    "figure": (render_figure(ALL_REAL[0]), says(ALL_REAL)),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out(browser: Browser, state: str, scheme: str) -> None:
    html, answer = STATES[state]
    with visit(browser, html, answer, scheme=scheme) as page:
        if state == "lost":
            page.clock.run_for(10_000)
            page.wait_for_selector("body[data-status=lost]")
        elif state != "waiting":
            page.wait_for_selector("body[data-status=live]")
        page.evaluate("() => document.querySelectorAll('details').forEach(each => { each.open = true; })")
        page.evaluate(AXE)
        page.clock.resume()
        for width in (360, 768, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            page.wait_for_timeout(50)
            found = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
            assert [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found["violations"]] == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            clipped = page.eval_on_selector_all(
                ".card :not(.sr), .top *, #truth *", "all => all.filter(e => e.scrollWidth > e.clientWidth + 1 && "
                "e.clientWidth && getComputedStyle(e).display !== 'inline').map(e => e.outerHTML)")
            assert clipped == []


def test_everything_is_reached_by_keyboard(browser: Browser) -> None:
    with visit(browser, render(ALL_REAL), says(ALL_REAL)) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.evaluate("document.activeElement.blur()")
        met = set()
        for _ in range(140):
            page.keyboard.press("Tab")
            met.add(page.evaluate("document.activeElement.outerHTML.slice(0, 90)"))
            assert page.evaluate("""() => {
                const style = getComputedStyle(document.activeElement);
                return document.activeElement === document.body || style.outlineStyle !== "none";
            }""")
        wanted = page.eval_on_selector_all(
            "#truth li:not([hidden]) a, #pause, .top a, .card h3 a, .card summary, .plot, .scroll",
            "all => all.map(e => e.outerHTML.slice(0, 90))")
        assert [each for each in wanted if each not in met] == []
