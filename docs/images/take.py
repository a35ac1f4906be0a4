"""Take explorer.png: the page "Inside one patient" as it opens, at 1280 by 1400.

    python docs/images/take.py

needs the test dependencies and a Chromium (or that of `playwright install chromium`).
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect, sync_playwright


def main() -> None:
    """Start an explorer of its own, open the page, wait for the curves and take the picture."""
    with tempfile.TemporaryDirectory() as runs, sync_playwright() as playwright:
        command = [
            sys.executable,
            "-m",
            "mesotrial",
            "app",
            "--port",
            "0",
            "--no-browser",
            "--no-prepare",
            "--runs",
            runs,
        ]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+?(?=/)", server.stdout.readline())
            assert found is not None
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 1400})
            page.goto(f"{found[0]}/patient")
            expect(page.locator("[data-story]")).to_contain_text("The tumour starts at", timeout=600_000)
            picture = Path(__file__).with_name("explorer.png")
            page.screenshot(path=picture)
            Image.open(picture).quantize(64).save(picture, optimize=True)  # a third of the size
        finally:
            server.terminate()
            server.wait(60)


if __name__ == "__main__":
    main()
