"""`xqdata taxonomy`."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from xqdata import config
from xqdata.cli import options as opt


@click.command()
@opt.taxonomy_option
@opt.json_option
@opt.quiet_option
def command(taxonomy_path: Path | None, as_json: bool, quiet: bool) -> None:
    """List the objects and scan types that names are matched with, and how each may be written.

    Matching ignores case, spaces, underscores and punctuation. The reference taxonomy has 21 objects and 13 scan types.

    \b
    Examples
      xqdata taxonomy
      xqdata taxonomy --taxonomy mine.toml
    """
    settings = config.load(Path.cwd())
    taxonomy = opt.chosen_taxonomy(taxonomy_path, settings)
    out, _ = opt.consoles(quiet, as_json)
    if as_json:
        objects = {name: term.model_dump() for name, term in taxonomy.objects.items()}
        scans = {name: term.model_dump() for name, term in taxonomy.scan_types.items()}
        opt.print_json({"name": taxonomy.name, "objects": objects, "scan_types": scans})
        return
    table = Table(title=f"{len(taxonomy.objects)} objects", box=None, header_style="bold", title_justify="left")
    for heading in ("object", "material", "origin", "Korean", "also written"):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("object", "Korean"))
    for name, term in taxonomy.objects.items():
        also = ", ".join(filter(None, dict.fromkeys([term.english, *term.synonyms])))
        table.add_row(*map(opt.shown, (name, term.material, term.origin, term.korean, also)))
    out.print(table)
    out.print()
    factors = Table(title=f"{len(taxonomy.scan_types)} scan types", box=None, header_style="bold", title_justify="left")
    for heading in ("scan type", "container", "multiplicity", "clutter", "origin"):
        factors.add_column(heading, overflow="fold", no_wrap=heading in ("scan type", "multiplicity"))
    # A table of its own: beside the factors a terminal has no room for it.
    written = Table(box=None, header_style="bold")
    written.add_column("scan type", no_wrap=True)
    written.add_column("also written", overflow="fold")
    for name, scan in taxonomy.scan_types.items():
        told = (name, scan.container or "", scan.multiplicity or "", scan.clutter or "", scan.origin)
        factors.add_row(*map(opt.shown, told))
        also = ", ".join(filter(None, dict.fromkeys([scan.korean, scan.english, *scan.synonyms])))
        written.add_row(*map(opt.shown, (name, also)))
    out.print(factors)
    out.print()
    out.print(written)
