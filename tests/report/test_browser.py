"""The page as a person meets it, in Chromium: nothing in a name runs, nothing is fetched, and it fits a phone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from report.conftest import EVIL
from xqdata.manifest import Project

pytestmark = pytest.mark.browser


def test_hostile_names_run_nothing_and_fetch_nothing(browser: Any, full: Project, make: Callable[..., Any]) -> None:
    make(full)
    text = (full.folder / "report.html").read_text(encoding="utf-8")
    # Without the policy as well: escaping alone must hold.
    (full.folder / "bare.html").write_text(text.replace("Content-Security-Policy", "X-Nothing"), encoding="utf-8")
    for name in ("report.html", "bare.html"):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        asked, said = [], []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("dialog", lambda dialog, said=said: said.append(dialog.message))
        page.goto((full.folder / name).as_uri())
        assert page.evaluate("window.hurt") is None
        assert [url for url in asked if not url.startswith("data:")] == [(full.folder / name).as_uri()]
        assert said == []
        assert page.evaluate("document.querySelectorAll('script, [onerror], [onload], img[src=x]').length") == 0
        shown = page.evaluate("document.body.textContent")
        assert all(evil in shown for evil in EVIL)
        assert page.evaluate("getComputedStyle(document.body).display") == "block"
        broken = "[...document.images].filter(i => !i.complete || i.naturalWidth === 0).length"
        assert page.evaluate("document.images.length") > 12
        assert page.evaluate(broken) == 0
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_it_fits(browser: Any, full: Project, make: Callable[..., Any], width: int, scheme: str) -> None:
    make(full)
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto((full.folder / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    # Lines of a figure follow the page: they are seen on dark and on light paper.
    lines = "getComputedStyle(document.querySelector('svg text')).fill"
    ink = "getComputedStyle(document.body).color"
    assert page.evaluate(lines) == page.evaluate(ink)
    context.close()


def test_it_prints_what_is_folded(browser: Any, full: Project, make: Callable[..., Any]) -> None:
    make(full)
    context = browser.new_context(viewport={"width": 703, "height": 1000})
    page = context.new_page()
    page.goto((full.folder / "report.html").as_uri())
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") == 703
    folded = "[...document.querySelectorAll('details:not(.screen):not([open]) td')]"
    assert page.evaluate(f"{folded}.length") > 0
    assert page.evaluate(f"{folded}.every(cell => cell.checkVisibility())")
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    context.close()
