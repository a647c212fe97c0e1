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
        finally:
            server.terminate()
            server.wait()


def picture(url: str, target: Path) -> None:
    chromium = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(url)
        page.wait_for_timeout(2500)
        page.screenshot(path=target, full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
