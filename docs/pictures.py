"""The pictures of the tutorial, made by doing it: `python docs/pictures.py [FOLDER]`.

The commands of docs/tutorial.md are run, and what the pages that they write look like in a browser (Chromium, by
Playwright) is photographed. FOLDER is the project of a tutorial that was done already, which is then not done again.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from examples import DOCS, renewed
from PIL import Image
from playwright.sync_api import sync_playwright

IMAGES = DOCS / "images"
# Of each picture's palette, so that it takes fewer bytes.
_COLOURS = 128
_MATRIX = 1000  # pixels across

# Each picture: the page, the element of it that is shown first, and the width and height of the window in pixels.
SHOWN = {
    "tutorial-duplicates": ("duplicates.html", "body", (1100, 760)),
    "tutorial-leak": ("audit.html", "body", (1100, 870)),
    "tutorial-report": ("report.html", "body", (1100, 790)),
    "report-contents": ("report.html", "#contents", (1240, 1000)),
    "report-health": ("report.html", "#health", (1100, 900)),
}


def main(arguments: Sequence[str]) -> None:
    """Write every picture anew."""
    if arguments:
        photograph(Path(arguments[0]))
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        home.mkdir()
        renewed((DOCS / "tutorial.md").read_text(encoding="utf-8"), home)
        photograph(home / "scans")


def photograph(project: Path) -> None:
    """Take the pictures of the pages of `project`, and of its confusion matrix."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for name, (page, first, (width, height)) in SHOWN.items():
            window = browser.new_page(viewport={"width": width, "height": height})
            window.goto((project / page).as_uri())
            window.evaluate("first => document.querySelector(first).scrollIntoView()", first)
            save(name, Image.open(BytesIO(window.screenshot())))
        browser.close()
    matrix = Image.open(project / "runs" / "quick-default" / "confusion.png")
    save(
        "tutorial-matrix",
        matrix.resize((_MATRIX, round(matrix.height * _MATRIX / matrix.width)), Image.Resampling.LANCZOS),
    )


def save(name: str, picture: Image.Image) -> None:
    """Write docs/images/NAME.png."""
    picture.convert("RGB").quantize(_COLOURS).save(IMAGES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])
