"""The live page in Chromium: the browser writes what the server writes, and keeps it true."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect, sync_playwright

from crossfade.core.clock import DAY, SECOND
from crossfade.core.reading import Reading
from crossfade.web import pages

from .page_samples import ALL_REAL, COMPONENTS, MIXED, NOW, ODD, WEB, live, render

CSP = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
       "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
Answer = Callable[[], tuple[int, str]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield chromium
        chromium.close()


@contextmanager
def visit(browser: Browser, html: str, answer: Answer, stream: Answer, locale: str = "en-US") -> Iterator[Page]:
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
        else:
            streamed = path.endswith("/stream")
            status, body = (stream if streamed else answer)()
            route.fulfill(status=status, body=body,
                          content_type="text/event-stream" if streamed else "application/json")

    page = browser.new_page(locale=locale, timezone_id="UTC")
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", heed)
    page.route("**/*", serve)
    page.clock.install(time=NOW / 1e6)
    page.clock.pause_at(NOW / 1e6 + 1)
    page.goto("http://crossfade.test/")
    page.wait_for_selector("#pause:visible")
    yield page
    page.close()
    assert errors == []


def down() -> tuple[int, str]:
    return 503, "{}"


def says(readings: list[Reading], at: int = NOW) -> Answer:
    return lambda: (200, json.dumps(live(readings, at)))


def shown(page: Page) -> list[str]:
    """All that the reader sees or hears of the components, but for the times, which depend on the locale."""
    texts = page.locator("#truth, .badge, .note, dl, tr, svg > .day title, figcaption").all_text_contents()
    shapes = page.eval_on_selector_all(
        "main [data-state], tr[data-status], svg > .day, .bar",
        "all => all.map(e => [e.dataset.state, e.dataset.status, e.getAttribute('transform'),"
        " Math.round(e.getAttribute('height'))].join())")
    return [*(" ".join(text.split()) for text in texts), *shapes]


@pytest.mark.browser
@pytest.mark.parametrize("target", [ALL_REAL, MIXED, ODD], ids=["real", "mixed", "odd"])
def test_the_browser_writes_what_the_server_writes(browser: Browser, target: list[Reading]) -> None:
    start = MIXED if target is ALL_REAL else ALL_REAL
    with visit(browser, render(target), down, down) as page:
        expected = shown(page)
    with visit(browser, render(start), says(target), down) as page:
        page.wait_for_selector("body[data-status=live]")
        found = shown(page)
        ages = page.locator(".age").all_text_contents()
    assert found == expected
    assert ages == [f" · {each.age}" if each.age else "" for each in pages.view(target, COMPONENTS, NOW).sections]


@pytest.mark.browser
def test_a_message_of_the_stream_is_shown_in_the_reader_s_locale(browser: Browser) -> None:
    message = f"event: live\ndata: {json.dumps(live(ALL_REAL))}\n\n"
    with visit(browser, render(MIXED), down, lambda: (200, message), "de-DE") as page:
        page.wait_for_selector("body[data-status=live]")
        assert page.locator("#truth").inner_text() == "4 of 4 components real"
        assert page.locator("[data-figure=filesProcessed]").inner_text() == "1.201"
        assert page.locator("time").first.inner_text() == "23.11.2026, 01:02:03 UTC"


@pytest.mark.browser
def test_an_older_message_than_the_page_changes_nothing(browser: Browser) -> None:
    message = f"event: live\ndata: {json.dumps(live(MIXED, NOW - SECOND))}\n\n"
    with visit(browser, render(ALL_REAL), down, lambda: (200, message)) as page:
        with page.expect_response("**/api/dashboard/stream"):
            page.clock.run_for(20_000)
        assert page.locator("#truth").inner_text() == "4 of 4 components real"
        assert page.locator("#status").inner_text().startswith("Connection lost")


@pytest.mark.browser
def test_ages_go_on_and_the_loss_is_told_when_the_server_is_gone(browser: Browser) -> None:
    alive = True
    with visit(browser, render(ALL_REAL), lambda: says(ALL_REAL)() if alive else down(), down) as page:
        status = page.locator("#status")
        page.wait_for_selector("body[data-status=live]")
        alive = False
        page.clock.run_for(2_000)
        assert status.inner_text() == "Live"
        page.clock.run_for(60_000)
        assert status.inner_text().startswith("Connection lost: figures below are as of Nov 23, 2026, 1:02:03")
        assert re.fullmatch(r" · 1\smin 2\ss ago", page.locator("section .age").first.text_content() or "")
        alive = True
        page.clock.resume()
        page.wait_for_selector("body[data-status=live]")


@pytest.mark.browser
def test_pause_keeps_the_figures_and_says_so(browser: Browser) -> None:
    current = ALL_REAL

    def answer() -> tuple[int, str]:
        return says(current, NOW + DAY)()

    with visit(browser, render(ALL_REAL), answer, down) as page:
        page.wait_for_selector("body[data-status=live]")
        page.locator("#pause").press("Enter")
        assert page.locator("#pause").get_attribute("aria-pressed") == "true"
        current = MIXED
        with page.expect_response("**/api/dashboard/live**"):
            page.clock.run_for(4_000)
        assert page.locator("#truth").inner_text() == "4 of 4 components real"
        assert page.locator("#status").inner_text().startswith("Paused: figures below are as of Nov 24, 2026")
        page.locator("#pause").press("Enter")
        page.clock.resume()
        expect(page.locator("#truth")).to_contain_text("0 of 4")
        assert page.locator("#status").inner_text() == "Live"


@pytest.mark.browser
def test_figures_kept_back_by_a_pause_are_as_old_as_they_are(browser: Browser) -> None:
    alive = True
    with visit(browser, render(ALL_REAL), lambda: says(ALL_REAL)() if alive else down(), down) as page:
        page.wait_for_selector("body[data-status=live]")
        page.locator("#pause").press("Enter")
        alive = False
        page.clock.run_for(60_000)
        page.locator("#pause").press("Enter")
        assert re.fullmatch(r" · 1\smin 0\ss ago", page.locator("section .age").first.text_content() or "")
        assert page.locator("#status").inner_text().startswith("Connection lost")


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_the_page_fits_its_window(browser: Browser, width: int) -> None:
    with visit(browser, render(MIXED), down, down) as page:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        overlap = page.eval_on_selector_all("section", """all => all.filter(section => {
            const words = document.createRange();
            words.selectNodeContents(section.querySelector("h2"));
            const [a, b] = [words, section.querySelector(".badge")].map(each => each.getBoundingClientRect());
            return a.right > b.left && a.bottom > b.top;
        }).length""")
        assert overlap == 0
