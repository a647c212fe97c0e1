"""The page in a real browser, on a real server: a part becomes real before the viewer's eyes."""

import shutil
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect, sync_playwright

from .conftest import Server

pytestmark = pytest.mark.browser


@pytest.fixture
def page() -> Iterator[Page]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        errors: list[str] = []

        def note(message: ConsoleMessage) -> None:
            if message.type == "error":
                errors.append(message.text)

        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        browser.close()
        # A server that is gone is the only trouble there may be.
        assert not [error for error in errors if "ERR_CONNECTION_REFUSED" not in error]


def test_a_flag_turns_a_part_real_on_the_open_page_and_events_follow(server: Server, page: Page) -> None:
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    server.start()
    page.goto(server.url)
    business = page.locator('[data-component="businessMetrics"]')
    expect(business).to_contain_text("MOCK")
    expect(page.locator("#truth")).to_contain_text("0 of 4 components real")
    server.set_flags(useRealBusinessMetrics=True)
    expect(business).to_contain_text("REAL")
    expect(business).not_to_contain_text("MOCK")
    expect(page.locator("#truth")).to_contain_text("1 of 4 components real")
    files = business.locator('[data-figure="filesProcessed"]')
    expect(files).to_have_text("0")
    server.batch(*({"event": "file_processed", "messageId": str(number)} for number in range(1234)))
    expect(files).to_have_text("1,234")
    assert hosts == {server.url.removeprefix("http://")}


def test_a_lost_server_is_said_and_ages_go_on_rising(server: Server, page: Page) -> None:
    server.start(USE_REAL_BUSINESS_METRICS="true")
    page.goto(server.url)
    expect(page.locator("#status")).to_contain_text("Live")
    started = time.monotonic()
    assert server.stop()[0] == 0
    assert time.monotonic() - started < 2.5, "it did not wait for its viewer"
    expect(page.locator("#status")).to_contain_text("Connection lost", timeout=15_000)
    expect(page.locator('[data-component="businessMetrics"]')).to_contain_text("s ago")
