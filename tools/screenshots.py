"""Makes the pictures of the README from the real demo: `make screenshots`.

The demo's server runs on this project's own folder, with two of four components switched to real, so that the
picture shows what both look like.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from crossfade.datafolder import server_note

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
WIDTH, HEIGHT = 1200, 900


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
            for command in (("scan", str(ROOT / "src")),
                            ("flags", "set", "use_real_business_metrics=on", "use_real_historical_data=on")):
                subprocess.run(crossfade(*command, "--data", folder), check=True, stdout=subprocess.DEVNULL)
            picture(note.url, IMAGES / "dashboard.png")
            link = subprocess.run(crossfade("login", "--data", folder), check=True, stdout=subprocess.PIPE, text=True)
            picture(note.url, IMAGES / "migration.png", link.stdout.split()[-1])
        finally:
            server.terminate()
            server.wait()


def picture(url: str, target: Path, link: str = "") -> None:
    """The live dashboard; or, for who signs in with the link, the migration dashboard after a drill."""
    chromium = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(link or url)
        if link:
            page.click("main button")
            page.goto(f"{url}/admin/migration-dashboard?range=1h")
            page.click("text=Drill now")
            page.goto(f"{url}/admin/migration-dashboard?range=1h")
        page.wait_for_timeout(2500)
        page.screenshot(path=target, full_page=not link)
        browser.close()


if __name__ == "__main__":
    main()
