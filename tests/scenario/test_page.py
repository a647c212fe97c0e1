"""The live page in a real browser, on a real server: a part becomes real before the viewer's eyes."""

import csv
import io
import json
import re
import shutil
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from .conftest import Server

pytestmark = pytest.mark.browser


@pytest.fixture
def context() -> Iterator[BrowserContext]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context()
        errors: list[str] = []
        hosts: set[str] = set()

        def note(message: ConsoleMessage) -> None:
            if message.type == "error":
                errors.append(message.text)

        context.on("console", note)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        context.on("request", lambda request: hosts.add(request.url.split("/")[2]))
        yield context
        browser.close()
        # A server that is gone is the only trouble there may be, and no other is ever asked.
        assert not [error for error in errors if "ERR_CONNECTION_REFUSED" not in error]
        assert len(hosts) == 1


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def test_a_flag_turns_a_part_real_on_the_open_page_and_events_follow(server: Server, page: Page) -> None:
    server.start()
    page.goto(server.url)
    expect(page.locator("#status")).to_have_text("Live")
    files = page.locator('[data-component="businessMetrics"][data-path="filesProcessed"]')
    truth = page.locator("#truth li").first
    expect(files.locator(".badge")).to_contain_text("MOCK")
    expect(truth).to_contain_text("0 of 24 values real")
    server.set_flags(useRealBusinessMetrics=True)
    expect(files.locator(".badge")).to_contain_text("REAL")
    expect(files.locator(".empty")).to_have_text("Waiting for the first event")
    server.batch({"event": "file_processed"})
    expect(files.locator(".number")).to_have_text("1")
    expect(truth).to_contain_text("6 of 24 values real")
    expect(page.locator('[data-path="duplicatesDetected"] .empty')).to_have_text("A true zero, not a gap")
    # What a viewer waits for at the most: the loader, the reading's second, the stream's second.
    page.evaluate("""() => {
        const number = document.querySelector('[data-path="filesProcessed"] .number');
        const note = () => { window.changedAt = Date.now(); };
        new MutationObserver(note).observe(number, { childList: true, subtree: true });
    }""")
    delays = []
    for count in range(2, 7):
        sent = time.time()
        server.batch({"event": "file_processed"})
        expect(files.locator(".number")).to_have_text(str(count))
        delays.append(page.evaluate("window.changedAt") / 1000 - sent)
    assert sorted(delays)[2] < 1.0, delays
    assert max(delays) < 2.5, delays


def test_a_lost_server_is_said_ages_go_on_and_it_comes_back_by_itself(server: Server, page: Page) -> None:
    server.start(USE_REAL_BUSINESS_METRICS="true")
    port = server.url.rpartition(":")[2]
    page.goto(server.url)
    status, age = page.locator("#status"), page.locator("#since")
    expect(status).to_have_text("Live")
    assert server.stop()[0] == 0
    expect(status).to_contain_text("Stale: not connected", timeout=15_000)
    first = int(re.sub(r"\D.*", "", age.inner_text()))
    expect(age).to_have_text(re.compile(rf"^{first + 2}\ss ago"))
    expect(page.locator('[data-component="businessMetrics"] .age').first).to_contain_text("s ago")
    server.start("--port", port)
    expect(status).to_have_text("Live", timeout=30_000)


def test_all_tabs_of_a_browser_share_one_stream(server: Server, context: BrowserContext) -> None:
    server.start()
    tabs = [context.new_page() for _ in range(8)]
    for tab in tabs:
        tab.goto(server.url)
    for tab in tabs:
        expect(tab.locator("#status")).to_have_text("Live")
    # A browser has six connections a server: eight streams would have left none for this.
    assert tabs[0].evaluate("fetch('/healthz', {cache: 'no-store'}).then(answer => answer.status)") == 200
    tabs[0].close()
    server.set_flags(useRealSystemMetrics=True)
    for tab in tabs[1:]:
        expect(tab.locator('[data-path="uptime"] .badge')).to_contain_text("REAL")


@pytest.mark.parametrize("gone", [["SharedWorker"], ["SharedWorker", "BroadcastChannel"]], ids=["leader", "each"])
def test_a_browser_without_shared_workers_is_served_too(server: Server, context: BrowserContext,
                                                        gone: list[str]) -> None:
    server.start()
    for name in gone:
        context.add_init_script(f"delete window.{name}")
    tabs = [context.new_page() for _ in range(3)]
    for tab in tabs:
        tab.goto(server.url)
        expect(tab.locator("#status")).to_have_text("Live")
    tabs[0].close()  # the one that led
    server.set_flags(useRealSystemMetrics=True)
    for tab in tabs[1:]:
        expect(tab.locator('[data-path="uptime"] .badge')).to_contain_text("REAL")


def test_what_is_taken_away_is_what_the_api_says(server: Server, page: Page) -> None:
    server.start(USE_REAL_BUSINESS_METRICS="true")
    server.batch(*({"event": "file_processed", "messageId": str(number)} for number in range(12)))
    server.await_loaded()
    server.await_that(lambda: server.http.get("/api/figures?component=businessMetrics").json()["points"])
    page.goto(server.url)
    card = page.locator('[data-component="businessMetrics"][data-path="filesProcessed"]')
    expect(card.locator(".number")).to_have_text("12")
    card.locator("summary").click()
    kept = {}
    for name in ("CSV", "JSON"):
        with page.expect_download() as download:
            card.get_by_role("link", name=name).click()
        kept[name] = download.value.path().read_text()
        assert download.value.suggested_filename == f"businessMetrics-filesProcessed-24h.{name.lower()}"
    told = server.http.get("/api/figures", params={"component": "businessMetrics", "since": "24h"}).json()["points"]
    rows = list(csv.DictReader(io.StringIO(kept["CSV"])))
    found = [(row["at"], row["source"], row["asOf"], float(row["filesProcessed"])) for row in rows]
    # A minute may have begun since, and the last one been looked at anew.
    known = [(point["at"], point["source"], point["asOf"], point["values"]["filesProcessed"]) for point in told]
    assert found[0][0] == known[0][0]
    assert set(found) & set(known) or found[-1][0] == known[-1][0]
    assert [{name: str(value) for name, value in row.items()} for row in json.loads(kept["JSON"])["rows"]] == [
        {**row, "synthetic": row["synthetic"].title()} for row in rows]


def test_a_figure_has_a_page_of_its_own(server: Server, page: Page) -> None:
    server.start(USE_REAL_BUSINESS_METRICS="true")
    server.set_flags(useRealSystemMetrics=True)
    server.await_that(lambda: server.http.get("/api/figures?component=systemMetrics").json()["points"])
    page.goto(server.url)
    page.get_by_role("link", name="Uptime").click()
    expect(page.locator("h1")).to_have_text("System: Uptime")
    expect(page.locator("#status")).to_have_text("Live")
    expect(page.locator(".changes")).to_contain_text("use_real_system_metrics from false to true")
    expect(page.locator(".points tbody tr").first).to_be_visible()
    page.get_by_role("link", name="7 d").click()
    assert page.url.endswith("/figures/systemMetrics/uptime?range=7d")
    page.get_by_role("link", name="All figures").click()
    assert page.url.endswith("/?range=7d")
