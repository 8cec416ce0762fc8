"""What `xqdata audit` prints of a split that someone else made, besides its findings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from xqdata.audit.foreign import Foreign
from xqdata.audit.telling import count
from xqdata.cli import options as opt


def foreign_document(made: Foreign) -> dict[str, Any]:
    """What --json prints of it."""
    return {
        "tables": str(made.project.manifests),
        "files_opened": made.read,
        "images_in_no_part": made.outside,
        "images_named_twice": len(made.twice),
        "notes": made.notes,
        "repair": _repair(made),
    }


def tell_foreign(out: Console, made: Foreign, page: Path | None, leaks: bool) -> None:
    """Print what could not be used, where the tables are, and of a split that leaks how to mend it."""
    told = list(made.notes)
    if made.outside:
        told.append(f"in no part, so not looked at: {count(made.outside, 'image')}")
    for text in told:
        opt.say(out, Text.assemble(("note: ", "bold"), opt.shown(text)), 2)
    out.print()
    where = f"The page is {page}. " if page else ""
    opt.say(out, opt.shown(f"{where}The tables are in {made.project.manifests}"), 0)
    if leaks:
        repair = opt.shown(_repair(made), "bold")
        opt.say(out, Text.assemble("The nearest clean split, as a table of files: ", repair), 0)


def _repair(made: Foreign) -> str:
    """What to type to have the split repaired, and the result as a table of files."""
    return made.repair("--csv", str(Path.cwd() / "repaired.csv"))
