"""`xqdata split`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.text import Text

from xqdata import config, groups, manifest
from xqdata.cli import options as opt
from xqdata.cli.split_told import tell, tell_folds
from xqdata.config import Config
from xqdata.errors import InputError
from xqdata.manifest import Project
from xqdata.splits import Request, Result, column_named, grown, listed, memory_of, parse_parts, repair_of, split
from xqdata.splits.request import KEPT, USUAL
from xqdata.status import status
from xqdata.taxonomy import Taxonomy

# What a split that grows takes from the one it grew from.
_FIXED = (
    "parts",
    "folds",
    "by",
    "leave_one_out",
    "stratify",
    "allow_leak",
    "test_where",
    "test_after",
    "method",
    "seed",
)


@click.command()
@click.option("--name", default="default", show_default=True, metavar="NAME", help="The split's name: splits/NAME.")
@click.option("--parts", metavar="PARTS", help="Parts and their shares  [default: train=0.7,val=0.15,test=0.15]")
@click.option("--folds", type=click.IntRange(2, 1000), metavar="K", help="K equal parts instead, numbered from 0.")
@click.option("--by", multiple=True, metavar="COLUMN", help="No two parts share a value of it, as in --by scan-type.")
@click.option(
    "--leave-one-out", metavar="COLUMN", help="A table for each value of it: the value is tested, the rest trains."
)
@click.option("--stratify", metavar="COLUMNS", help="What parts hold in proportion  [default: object]")
@click.option("--test-where", metavar="CONDITION", help="The test part, as in \"scan_type == 'multiple_carrier'\".")
@click.option("--test-after", metavar="DATE", help="The test part: images acquired on DATE or later.")
@click.option("--allow-leak", multiple=True, metavar="COLUMN", help="Give up what a column (or links) ties.")
@click.option("--no-set-aside", is_flag=True, help="Refuse rather than set images aside.")
@click.option("--from", "source", metavar="NAME", help="Keep the assignments of splits/NAME, place only new images.")
@click.option("--repair", "leaky", metavar="NAME", help="Make splits/NAME clean, moving the fewest images.")
@click.option("--keep", type=click.Choice(KEPT), multiple=True,
              help="With --repair: parts keep the classes that they had, or four fifths of their sizes.")  # fmt: skip
@click.option("--csv", "listing", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Also write a table of files and their parts.")  # fmt: skip
@click.option(
    "--method",
    type=click.Choice(["balanced", "random"]),
    default="balanced",
    show_default=True,
    help="random: the study's, which leaks; for comparison.",
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Chooses among equals.")
@opt.json_option
@opt.quiet_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    source: str | None,
    leaky: str | None,
    keep: tuple[str, ...],
    listing: Path | None,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Divide the images into parts that share nothing, and say how good that is.

    Images that share a specimen, a scan, a bag or a verified link, directly or through others, form a component, which
    is never torn. Copies follow the image that is kept of them. Parts hold the classes in proportion; the deviation,
    and what no split can beat, are printed. Before the table is written it is checked against the other tables.

    With --by scan-type, test shows scan types that training never saw. An object scanned in several of them ties them,
    so images where both do not agree are set aside, the fewest that were found.

    \b
    Examples
      xqdata split
      xqdata split --by scan-type --name unseen
      xqdata split --stratify object,scan_type --parts train=0.8,test=0.2 --name two
      xqdata split --folds 5 --by session --name folds
      xqdata split --leave-one-out scan-type --name loo
      xqdata split --test-where "scan_type == 'multiple_carrier'" --name carriers
      xqdata split --from default           images that came since get a part, no image changes its
      xqdata split --method random --name study
      xqdata split --repair study           the nearest clean split, written as study-repaired
    """
    project = opt.project()
    settings = config.load(project.folder)
    out, err = opt.consoles(quiet, as_json)
    if leaky:
        request = _repaired(ctx, project, leaky, keep, given, source)
    elif keep:
        raise click.UsageError("--keep goes with --repair")
    else:
        request = _grown(ctx, project, source, given) if source else _request(settings, given)
    _warn(err, project)
    opt.check_memory(err, project, "split", memory_of(request))
    taxonomy = _taxonomy(project, settings)
    result = split(project, taxonomy, request)
    if listing is not None:
        if request.rotates:
            raise click.UsageError("--csv holds one split, and these are several tables: leave --csv out")
        listed(project, result.tables[result.reports[0].table], listing)
    if as_json:
        opt.print_json(_document(result))
        return
    if request.rotates:
        tell_folds(out, result.reports)
    else:
        tell(out, result.reports[0], taxonomy)
    _last(out, result)


def _request(settings: Config, given: dict[str, Any]) -> Request:
    if given["parts"] and given["folds"]:
        raise click.UsageError("--folds are equal parts: leave --parts out")
    if given["parts"] and given["leave_one_out"]:
        raise click.UsageError("--leave-one-out has train and test only: leave --parts out")
    if given["by"] and given["leave_one_out"]:
        raise click.UsageError("--leave-one-out is an axis already: leave --by out")
    return Request(
        name=given["name"],
        parts=parse_parts(given["parts"]) if given["parts"] else USUAL,
        folds=given["folds"],
        by=_columns(given["by"], "--by"),
        leave_one_out=column_named(given["leave_one_out"], "--leave-one-out") if given["leave_one_out"] else None,
        stratify=_columns([given["stratify"] or "object"], "--stratify"),
        together=tuple(settings.split.together),
        allow_leak=_columns(given["allow_leak"], "--allow-leak", groups.LINKS),
        set_aside=not given["no_set_aside"],
        test_where=given["test_where"],
        test_after=given["test_after"],
        method=given["method"],
        seed=given["seed"],
    )


def _columns(texts: tuple[str, ...] | list[str], option: str, *also: str) -> tuple[str, ...]:
    named = [column_named(text, option, also) for several in texts for text in several.split(",")]
    return tuple(dict.fromkeys(named))


def _grown(ctx: click.Context, project: Project, source: str, given: dict[str, Any]) -> Request:
    for name in _FIXED:
        if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--from keeps the options of splits/{source}: leave --{name.replace('_', '-')} out")
    told = manifest.provenance(project, f"splits/{source}").options.get("request")
    if told is None:
        hint = f"make a split of its parts: xqdata split --repair {source}"
        raise InputError("was not made by xqdata split, so it cannot grow", where=f"splits/{source}", hint=hint)
    name = source if ctx.get_parameter_source("name") is ParameterSource.DEFAULT else given["name"]
    return grown(told, name, source, not given["no_set_aside"])


def _repaired(
    ctx: click.Context, project: Project, leaky: str, keep: tuple[str, ...], given: dict[str, Any], source: str | None
) -> Request:
    for name in (*_FIXED, "no_set_aside"):
        if name != "by" and ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--repair keeps the parts of splits/{leaky}: leave --{name.replace('_', '-')} out")
    if source:
        raise click.UsageError("--from keeps assignments and --repair changes them: leave one out")
    told = manifest.provenance(project, f"splits/{leaky}").options
    named = ctx.get_parameter_source("name") is not ParameterSource.DEFAULT
    name = given["name"] if named else f"{leaky}-repaired"
    return repair_of(told, leaky, name, _columns(given["by"], "--by"), keep)


def _taxonomy(project: Project, settings: Config) -> Taxonomy:
    """The taxonomy that the images were read with, if all raw folders were read with one."""
    files: set[str | None] = set()
    if manifest.exists(project, "images"):
        roots = manifest.provenance(project, "images").options.get("roots", {})
        files = {told.get("taxonomy_file") for told in roots.values()}
    (file,) = files if len(files) == 1 else (None,)
    return opt.chosen_taxonomy(Path(file) if file else None, settings)


def _warn(err: Console, project: Project) -> None:
    """Say what is stale of the tables that a split is made from."""
    for table in status(project, {}):
        if table.name in ("images", "links", "duplicates"):
            for reason in table.stale:
                text = f"{table.name} is stale: {reason}"
                err.print(Text.assemble(("warning: ", "yellow"), opt.shown(text)), soft_wrap=True)


def _last(out: Console, result: Result) -> None:
    names = ", ".join(list(result.tables)[:3]) + (
        f" and {len(result.tables) - 3} more" if len(result.tables) > 3 else ""
    )
    out.print()
    if result.changed:
        name = result.reports[0].table.removeprefix("splits/")
        audit = "xqdata audit" + ("" if name == "default" else f" --name {name}")
        opt.say(out, opt.shown(f"Wrote {names} in manifests/, with every option and figure above. Next: {audit}"), 0)
    else:
        opt.say(out, opt.shown(f"Nothing has changed: {names} stands as it was."), 0)
    if result.replaced:
        first, made = next(iter(result.replaced.items()))
        more = f" and {len(result.replaced) - 1} more" if len(result.replaced) > 1 else ""
        when = made[:16].replace("T", " ")
        text = f"It replaced {first}{more} (made {when} with other options). --name NAME would have kept it."
        opt.say(out, opt.shown(text, "yellow"), 0)
    if result.left:
        left = f"An earlier split of this name left {', '.join(result.left)}: remove the files if they are of no use."
        opt.say(out, opt.shown(left), 0)


def _document(result: Result) -> dict[str, Any]:
    return {
        "changed": result.changed,
        "replaced": dict(result.replaced),
        "splits": [report.document() for report in result.reports],
    }
