"""`xqdata init`."""

from __future__ import annotations

from pathlib import Path

import click

from xqdata.cli import options as opt
from xqdata.config import FILE, Config
from xqdata.errors import InputError
from xqdata.ingest import draft, resolve


@click.command()
@click.argument("raw", nargs=-1, required=True)
@opt.taxonomy_option
@click.option("--force", is_flag=True, help="Replace an xqdata.toml that is there already.")
@opt.json_option
@opt.quiet_option
def command(raw: tuple[str, ...], taxonomy_path: Path | None, force: bool, as_json: bool, quiet: bool) -> None:
    """Write an xqdata.toml from what the raw folders look like, for you to correct.

    It says what was recognised, proposes a pattern for file names that no reader understands, and maps the columns of
    the tables it finds.

    \b
    Example
      xqdata init raw/
    """
    target = opt.project().folder / FILE
    if target.exists() and not force:
        raise InputError("is there already", where=FILE, hint="move it away, or replace it with --force")
    text = draft(resolve(raw, {}), opt.chosen_taxonomy(taxonomy_path, Config()), target.parent)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        hint = "go to a folder of your own, or mend its permissions"
        raise InputError(f"cannot be written ({error.strerror})", where=str(target), hint=hint) from error
    if as_json:
        opt.print_json({"path": str(target), "text": text})
        return
    out, _ = opt.consoles(quiet, as_json)
    out.print(opt.shown(f"Wrote {FILE}:"))
    for line in text.splitlines():
        out.print(opt.shown(f"  {line}", "dim" if line.startswith("#") else ""), soft_wrap=True)
    out.print(opt.shown(f"Correct it, then try it with: xqdata ingest --dry-run {' '.join(raw)}"), soft_wrap=True)
