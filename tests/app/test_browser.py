"""The App as a person meets it, in Chromium.

It could be wrong while tests of Python pass if the grid showed grey squares where pictures should be (it draws them
itself, and what it cannot read it leaves empty), if saved views filtered to something else in the App than in Python,
or if the panels stayed empty. So this reads what is on the screen: the counts beside the grid, the pixels of the
pictures, the cells of the matrix.

With XQDATA_SCREENSHOTS=docs/images it also takes the pictures of docs/view.md and docs/label.md, of a larger simulated
project.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import tifffile
from PIL import Image

from app.conftest import XQDATA, hear_interrupts, viewing, write_run, xq
from xqdata import labels, manifest, runs, taxonomy
from xqdata.manifest import Project

pytestmark = pytest.mark.browser

SHOTS = os.environ.get("XQDATA_SCREENSHOTS")
SCANS = "195" if SHOTS else "39"
SIZE = {"width": 1440, "height": 860}
# The matrix that the panel has drawn.
HEATMAP = "[...document.querySelectorAll('.js-plotly-plot')].flatMap(p => p.data || []).find(t => t.type === 'heatmap')"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A simulated export with some deep scans beside it, after every step, with a run."""
    folder = tmp_path_factory.mktemp("view") / "quarantine"
    folder.mkdir()
    xq(folder, "simulate", "raw", "--scans", SCANS, "--workers", "1", "--quiet")
    dice = np.random.default_rng(0)
    (folder / "deep" / "apple").mkdir(parents=True)
    y, x = np.mgrid[:200, :200]
    for n in range(3):  # hardly above black, as 8 bits show them
        blob = 900 * np.exp(-((x - 60 - 40 * n) ** 2 + (y - 100) ** 2) / 900)
        deep = (2000 + blob + dice.normal(0, 8, x.shape)).astype(np.uint16)
        tifffile.imwrite(folder / "deep" / "apple" / f"deep_{n}.tif", deep)
    xq(folder, "ingest", "raw", "deep", "--workers", "1", "--quiet")
    xq(folder, "dedup", "--workers", "1", "--quiet")
    xq(folder, "split", "--quiet")
    xq(folder, "split", "--method", "random", "--name", "study", "--quiet")
    xq(folder, "audit", "--name", "study", "--workers", "1", "--quiet")
    made = Project(folder)
    write_run(made, "quick", embeddings=False, lean=0.15 if SHOTS else 0.08)
    if SHOTS:
        xq(folder, "label", "suspects", "--workers", "1", "--quiet")
    return made


@pytest.fixture(scope="module")
def told(project: Project) -> Iterator[dict[str, Any]]:
    """What `xqdata view --json` says, while it runs."""
    command = [XQDATA, "view", "--no-browser", "--json", "--workers", "1"]
    process = subprocess.Popen(
        command,
        cwd=project.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,  # noqa: PLW1509 (nothing but a signal is set)
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == "}\n":
            break
    try:
        assert lines, process.stderr.read() if process.stderr else ""
        yield json.loads("".join(lines))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        process.stdout.close()
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
        process.stderr.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport=SIZE)
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    yield opened
    context.close()


def test_a_label_is_corrected_and_taken_back(page: Any, told: dict[str, Any], project: Project) -> None:
    """From the App to the label log, to the next view, and back again."""
    rows = manifest.read(project, "images", ["image_id", "object"]).to_pylist()
    # The App shows the images in the order of the table.
    places = [n for n, row in enumerate(rows[:8]) if row["object"] not in (None, "ginseng")][-2:]
    chosen = {rows[n]["image_id"]: rows[n]["object"] for n in places}
    assert len(chosen) == 2
    open_app(page, told["url"])
    if SHOTS:
        the_suspects_say_why(page)
    assert [labelled(page, n) for n in places] == list(chosen.values())
    say_ginseng(page, places)
    pulled = json.loads(xq(project.folder, "label", "pull", "--json").stdout)
    assert {(e["image_id"], e["field"], e["before"], e["after"], e["why"]) for e in pulled["appended"]} == {
        (image, "object", before, "ginseng", "a forked root") for image, before in chosen.items()
    }
    assert len(pulled["appended"]) == 2
    assert json.loads(xq(project.folder, "label", "pull", "--json").stdout)["appended"] == []
    assert objects(project, chosen) == dict.fromkeys(chosen, "ginseng")
    with viewing(project.folder) as (next_told, _):
        assert (next_told["added"], next_told["edited"]) == (0, 0)
        open_app(page, next_told["url"])
        assert [labelled(page, n) for n in places] == ["ginseng", "ginseng"]
    xq(project.folder, "label", "undo", "--last", "2")
    pushed = json.loads(xq(project.folder, "label", "push", "--json").stdout)
    assert {each["image_id"]: each["ours"] for each in pushed["written"]} == chosen
    assert objects(project, chosen) == chosen
    open_app(page, told["url"])
    assert [labelled(page, n) for n in places] == list(chosen.values())


def objects(project: Project, images: Collection[str]) -> dict[str, str]:
    """The effective objects."""
    every = labels.effective(manifest.read(project, "images"), labels.log(project), taxonomy.load()).to_pylist()
    return {row["image_id"]: row["object"] for row in every if row["image_id"] in images}


def open_app(page: Any, url: str) -> None:
    page.goto(url, wait_until="domcontentloaded")
    page.wait_for_selector("[data-cy=looker] canvas[canvas-loaded=true]")
    dismiss = page.get_by_text("Dismiss", exact=True)  # an advertisement covers part of the grid
    with contextlib.suppress(Exception):  # it comes once
        dismiss.first.click(timeout=5_000)


def labelled(page: Any, place: int) -> str:
    """What the App writes on a picture of the grid as its object."""
    return str(page.locator("[data-cy=looker]").nth(place).locator("[data-cy=tag-object]").inner_text())


def say_ginseng(page: Any, places: Sequence[int]) -> None:
    for n in places:
        picture = page.locator("[data-cy=looker]").nth(n)
        picture.hover()
        picture.locator("[data-cy=looker-checkbox-]").click()
    form = page.locator("[data-cy=operators-prompt-modal]")
    until_there(page.locator('[data-item-id="@xqdata/labels/set_object"]').click, form)
    form.get_by_text("2 pictures").wait_for()
    form.get_by_role("combobox").fill("gins")
    page.get_by_role("option", name="ginseng").click()
    form.locator("input[type=string]").first.fill("a forked root")
    shoot(page, "label-set-object")
    form.get_by_role("button", name="Say so").click()
    page.get_by_text("Set object: 2 pictures").wait_for()
    for n in places:
        page.locator("[data-cy=looker]").nth(n).get_by_text("ginseng", exact=True).wait_for()
    shoot(page, "label-said")


def the_suspects_say_why(page: Any) -> None:
    choose(page, "Suspects")
    page.wait_for_timeout(3000)
    shoot(page, "label-suspects")
    page.locator("[data-cy=looker]").first.click()
    page.locator("[data-cy=modal]").wait_for()
    shoot(page, "label-reason", 4000)
    page.keyboard.press("Escape")
    page.locator("[data-cy=modal]").wait_for(state="hidden")
    page.click("[data-cy=btn-clear-view-bar]")
    page.wait_for_timeout(3000)


def test_a_person_finds_their_way(page: Any, told: dict[str, Any], project: Project) -> None:
    """One test, because the App is one for all that look at it: a panel that is opened is open for the next, too."""
    asked: list[str] = []
    page.on("response", lambda answer: asked.append(answer.url))
    page.goto(told["url"], wait_until="domcontentloaded")
    page.wait_for_selector("[data-cy=looker]")
    the_grid_shows_the_pictures(page, told, project, asked)
    saved_views_hold_what_the_tables_say(page, project)
    misclassified_are_what_the_run_got_wrong(page, project)
    the_evaluation_panel_shows_our_matrix(page, project)
    the_embeddings_panel_shows_points(page)
    hosts = {urlsplit(url).hostname for url in asked if url.startswith("http")}
    assert hosts == {"127.0.0.1"}  # nothing came from elsewhere


def the_grid_shows_the_pictures(page: Any, told: dict[str, Any], project: Project, asked: list[str]) -> None:
    dismiss = page.get_by_text("Dismiss", exact=True)  # an advertisement covers part of the grid
    dismiss.first.click()
    images = manifest.read(project, "images", ["image_id"]).num_rows
    assert told["images"] == told["added"] == images
    assert not told["unread"]
    count(page, images)
    until = time.monotonic() + 30
    while (len(shown := spread(page)) < 8 or min(shown) < 0.5) and time.monotonic() < until:
        page.wait_for_timeout(500)
    assert len(shown) >= 8
    assert min(shown) >= 0.5, shown  # some hold one beetle and air
    # The deep scans stand first. As files they are all but black: 2,000 to 2,900 of 65,535.
    assert min(shown[:3]) > 20, shown
    assert sum("previews" in url for url in asked if "/media" in url) == 3
    shoot(page, "view-grid")


def saved_views_hold_what_the_tables_say(page: Any, project: Project) -> None:
    parts = manifest.read(project, "splits/study", ["part"])["part"].to_pylist()
    choose(page, "Test part of study", "view-views")
    count(page, parts.count("test"))
    evidence = manifest.read(project, "audits/study.evidence").to_pylist()
    high = {row["kind"] for row in manifest.read(project, "audits/study").to_pylist() if row["severity"] == "high"}
    leaks = {row[end] for row in evidence if row["kind"] in high for end in ("image_test", "image_train")} - {None}
    assert leaks
    choose(page, "Leaks of study")
    count(page, len(leaks))
    shoot(page, "view-leaks")


def misclassified_are_what_the_run_got_wrong(page: Any, project: Project) -> None:
    rows = runs.read(project, "quick").predictions().to_pylist()
    wrong = [row for row in rows if row["part"] == "test" and not row["correct"]]
    assert wrong
    choose(page, "Misclassified by quick")
    count(page, len(wrong))
    shoot(page, "view-misclassified")


def the_evaluation_panel_shows_our_matrix(page: Any, project: Project) -> None:
    open_panel(page, "model_evaluation_panel_builtin")
    panel = page.locator("[data-cy=panel-content-model_evaluation_panel_builtin]")
    shut = panel.get_by_text("Confusion Matrices").first
    until_there(panel.get_by_text("correct_quick").first.click, shut)
    panel.get_by_text("Summary", exact=True).first.click()
    shut.click()
    page.wait_for_function(f"() => {HEATMAP}")
    drawn = page.evaluate(f"() => {{ const t = {HEATMAP}; return {{x: t.x, y: t.y, z: t.z}}; }}")
    counted = Counter(
        (row["true"], row["predicted"])
        for row in runs.read(project, "quick").predictions().to_pylist()
        if row["part"] == "test"
    )
    cells = {
        (true, predicted): value
        for true, row in zip(drawn["y"], drawn["z"], strict=True)
        for predicted, value in zip(drawn["x"], row, strict=True)
    }
    assert sum(cells.values()) > 0
    assert cells == {cell: counted[cell] for cell in cells}
    shoot(page, "view-matrix")
    page.click("[data-cy=panel-tab-model_evaluation_panel_builtin] [title=Close]")


def the_embeddings_panel_shows_points(page: Any) -> None:
    page.click("[data-cy=btn-clear-view-bar]")
    open_panel(page, "Embeddings")
    panel = page.locator("[data-cy=panel-content-Embeddings]")
    card = panel.get_by_text("pre-computed embeddings").first
    until_there(card.click, panel.get_by_text(re.compile(r"^[1-9]\d* points")).first)
    if SHOTS:
        panel.get_by_text("None", exact=True).first.click()
        page.get_by_text("object.label", exact=True).first.click()
    shoot(page, "view-embeddings", 4000)


def count(page: Any, wanted: int) -> None:
    """Wait until the number beside the grid is the wanted one."""
    page.get_by_text(re.compile(rf"^{wanted:,}( \w+)?( \w+)? (sample|group)s?")).first.wait_for()


def choose(page: Any, view: str, shot: str = "") -> None:
    page.click("[data-cy=saved-views-selection]")
    slug = view.lower().replace(" ", "-")
    option = page.locator(f"[data-cy=saved-views-{slug}-selection-option]")
    option.wait_for()
    if shot:
        shoot(page, shot)
    option.click()


def until_there(act: Callable[[], Any], wanted: Any) -> None:
    """Do `act` until what is wanted is on the page: the App does not hear what is clicked before it is ready."""
    for _ in range(4):
        act()
        with contextlib.suppress(Exception):
            wanted.wait_for(timeout=10_000)
            return
    wanted.wait_for()


def open_panel(page: Any, name: str) -> None:
    page.click("[data-cy=new-panel-btn]")
    page.click(f"[data-cy=new-panel-option-{name}]")


def shoot(page: Any, name: str, wait: int = 1500) -> None:
    if SHOTS:
        page.wait_for_timeout(wait)
        taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        # Of 256 colours: a third of the bytes, and nobody sees it.
        taken.quantize(256).save(Path(SHOTS) / f"{name}.png", optimize=True)


def spread(page: Any) -> list[float]:
    """The standard deviation of the grey values of each picture in the grid: an empty one has none."""
    found = page.evaluate(
        """() => [...document.querySelectorAll('[data-cy=looker] canvas')].map(e => {
            const c = document.createElement('canvas'); c.width = 64; c.height = 64;
            const g = c.getContext('2d');
            try { g.drawImage(e, 0, 0, 64, 64); } catch { return -1; }
            const d = g.getImageData(0, 0, 64, 64).data; let s = 0, q = 0;
            for (let i = 0; i < d.length; i += 4) { s += d[i]; q += d[i] * d[i]; }
            return Math.sqrt(Math.max(q / 4096 - (s / 4096) ** 2, 0));
        })"""
    )
    return [float(value) for value in found]
