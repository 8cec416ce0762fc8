"""`xqdata view`."""

from __future__ import annotations

import contextlib
import webbrowser
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from xqdata import config, manifest
from xqdata.cli import options as opt
from xqdata.cli.progress import bars

if TYPE_CHECKING:  # it takes several seconds to load
    from xqdata.app.run import Opened
    from xqdata.app.serve import App

_LOCAL = ("127.0.0.1", "localhost", "::1")
_OPEN = (
    "the App has no password: whoever reaches this address sees the scans, may change labels, and may read every file "
    "that you can read"
)


@click.command()
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the App (default: the first free one from 5151).")
@click.option("--address", default="127.0.0.1", show_default=True, help="Address of this machine to listen on.")
@click.option("--name", help="The dataset's name in FiftyOne (default: the project's).")
@click.option("--run", "runs", multiple=True, metavar="RUN",
              help="A run to show, runs/RUN (may be repeated; default: the three newest).")  # fmt: skip
@click.option("--where", metavar="EXPR", help="Only images that meet a condition on images.")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Only N images, always the same ones.")
@opt.workers_option
@opt.json_option
@opt.quiet_option
def command(
    no_browser: bool,
    port: int | None,
    address: str,
    name: str | None,
    runs: tuple[str, ...],
    where: str | None,
    sample: int | None,
    workers: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Browse the dataset in FiftyOne: images, labels, duplicates, splits, audits and runs.

    The first call loads everything into a database of the project's own, below .xqdata/. Later calls touch only what
    changed. Tags, views and labels that people changed in FiftyOne stay; xqdata label pull brings the labels into the
    label log. Nothing is sent anywhere. Ctrl-C ends it.

    A database of your own serves where FIFTYONE_DATABASE_URI names it.

    \b
    Examples
      xqdata view
      xqdata view --where "scan_type == 'single_basket'" --run resnet18
      xqdata view --no-browser --port 8080
    """
    from xqdata.app.content import Asked
    from xqdata.app.database import connect, shared

    project = opt.project()
    settings = config.load(project.folder)
    taxonomy = opt.chosen_taxonomy(None, settings)
    out, err = opt.consoles(quiet, as_json)
    manifest.provenance(project, "images")  # before the database: without it there is nothing to show
    with contextlib.ExitStack() as held:
        held.enter_context(manifest.lock(project.state, "view"))
        fiftyone = connect(project)
        from xqdata.app.run import bring
        from xqdata.app.serve import App, reserve

        # The server takes as long to start as the dataset to load, so it begins first.
        with App(address, reserve(address, port), project.state) as app:
            with bars(err, "images") as move:
                chosen = name or settings.name or project.folder.name
                asked = Asked(where, sample, runs)
                opened = bring(
                    project, taxonomy, chosen, asked, shared=shared(fiftyone), workers=workers, progress=move
                )
            app.await_ready()
            held.close()  # other commands may write while somebody looks
            with contextlib.suppress(KeyboardInterrupt):  # that is how it ends
                _show(app, opened, address, not no_browser, as_json, (out, err))


def _show(
    app: App, opened: Opened, address: str, browser: bool, as_json: bool, consoles: tuple[Console, Console]
) -> None:
    """Tell where the App is, and wait for its end."""
    out, err = consoles
    url = app.address_of(opened.dataset.name, opened.slug)
    if as_json:
        opt.print_json(document(opened, url))
    else:
        tell(out, opened, url)
    if address not in _LOCAL:
        opt.say(err, Text.assemble(("warning: ", "bold yellow"), _OPEN), 0)
    if browser:
        webbrowser.open(url)
    app.wait()


def document(opened: Opened, url: str) -> dict[str, Any]:
    """What --json prints, once the App is there."""
    loaded = opened.loaded
    return {
        "url": url,
        "dataset": opened.dataset.name,
        "images": opened.images,
        "added": loaded.added,
        "updated": loaded.updated,
        "unchanged": loaded.unchanged,
        "removed": loaded.removed,
        "kept": loaded.kept,
        "edited": loaded.edited,
        "unread": loaded.unread,
        "views": list(opened.views),
        "runs": list(opened.runs),
        "embeddings": opened.embedded,
    }


def tell(out: Console, opened: Opened, url: str) -> None:
    """Print what was loaded and where the App is."""
    loaded = opened.loaded
    counts = {"new": loaded.added, "changed": loaded.updated, "as before": loaded.unchanged, "gone": loaded.removed}
    told = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
    title = Text.assemble(opt.shown(opened.dataset.name, "bold"), f": {opened.images:,} images ({told})")
    out.print(title)
    lines = {
        "runs": ", ".join(opened.runs) or "none yet: xqdata benchmark makes one",
        "embeddings": {"pictures": "from low-resolution pictures", "nothing": "none: too few images"}.get(
            opened.embedded, f"from the run {opened.embedded}"
        ),
        "saved views": f"{len(opened.views)}",
    }
    if loaded.edited:
        lines["changed in FiftyOne"] = f"{loaded.edited:,} values, which stay; take them home: xqdata label pull"
    if loaded.kept:
        lines["kept"] = f"{loaded.kept:,} images that are gone, because people changed or tagged them"
    if loaded.unread:
        image, why = next(iter(loaded.unread.items()))
        lines["no picture"] = f"{len(loaded.unread):,} images cannot be read, the first ({image}): {why}"
    for label, text in lines.items():
        opt.say(out, Text.assemble((f"{label}: ", "bold"), opt.shown(text)), 2)
    opt.say(out, Text.assemble("Open ", (url, "bold green"), ". End with Ctrl-C."), 0)
