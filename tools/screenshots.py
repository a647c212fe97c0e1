"""Makes the pictures of the README from the real demo: `make screenshots`.

The demo's server runs on this project's own folder, with two of four components switched to real a few minutes after
its start, so that the pictures show what both look like, and the change from one to the other.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

from playwright.sync_api import sync_playwright

from crossfade.datafolder import server_note

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
WIDTH, HEIGHT = 1440, 1000
MINUTES_OF_MOCK, MINUTES_OF_REAL = 3, 3
"""Samples are taken by the minute: so many of each are in the picture."""


def crossfade(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "crossfade", *arguments]


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(crossfade("serve", "--port", "0", "--data", folder), stdout=subprocess.PIPE,
                                  text=True)
        try:
            assert server.stdout is not None
            server.stdout.readline()
            note = server_note(Path(folder))
            assert note is not None
            crossfade_done("scan", str(ROOT / "src"), "--data", folder)
            time.sleep(60 * MINUTES_OF_MOCK)
            crossfade_done("flags", "set", "use_real_business_metrics=on", "use_real_historical_data=on",
                           "--data", folder)
            time.sleep(60 * MINUTES_OF_REAL)
            picture(note.url, "light", IMAGES / "dashboard.png")
            picture(note.url, "dark", IMAGES / "dashboard-dark.png")
            link = subprocess.run(crossfade("login", "--data", folder), check=True, stdout=subprocess.PIPE, text=True)
            migration(note.url, link.stdout.split()[-1], IMAGES / "migration.png")
        finally:
            server.terminate()
            server.wait()


def crossfade_done(*arguments: str) -> None:
    subprocess.run(crossfade(*arguments), check=True, stdout=subprocess.DEVNULL)


def picture(url: str, scheme: Literal["light", "dark"], target: Path) -> None:
    chromium = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme)
        page.goto(f"{url}/?range=1h")
        page.wait_for_selector("body[data-status=live]")
        page.wait_for_selector(".plot canvas")
        page.wait_for_timeout(1000)
        page.screenshot(path=target)
        browser.close()


def migration(url: str, link: str, target: Path) -> None:
    """The migration dashboard, for who signs in with the link, after a drill."""
    chromium = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(link)
        page.click("main button")
        page.goto(f"{url}/admin/migration-dashboard?range=1h")
        page.click("text=Drill now")
        page.goto(f"{url}/admin/migration-dashboard?range=1h")
        page.wait_for_timeout(2500)
        page.screenshot(path=target)
        browser.close()


if __name__ == "__main__":
    main()
