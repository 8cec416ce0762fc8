"""`xqdata audit`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from xqdata import config
from xqdata.audit import MEMORY, Audit, Facts, Finding, Options, audit
from xqdata.audit.foreign import Claimed, foreign
from xqdata.audit.telling import count
from xqdata.cli import options as opt
from xqdata.cli.audit_foreign import foreign_document, tell_foreign
from xqdata.cli.progress import bars
from xqdata.schema import COPY_KINDS, SEVERITIES, TIE_KINDS
from xqdata.splits.request import parts_called

_STYLE = {"high": "bold red", "medium": "yellow", "info": "dim"}


@click.command()
@click.argument("folder", required=False)
@click.option("--name", default="default", show_default=True, metavar="SPLIT", help="The split: splits/SPLIT.")
@click.option("--layout", metavar="PATTERN", help="What FOLDER's paths say, as in {split}/{object}/{file}.")
@click.option("--split-file", "files", multiple=True, metavar="[PART=]FILE",
              help="A list of FOLDER's parts: COCO, YOLO's data.yaml, CSV or text (may be repeated).")  # fmt: skip
@click.option("--group-from", metavar="REGEX",
              help="Named groups in FOLDER's paths that the parts must not share.")  # fmt: skip
@click.option("--report", "page", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Also write a page with the worst pairs side by side.")  # fmt: skip
@click.option("--fail-on", type=click.Choice(SEVERITIES),
              help="Exit with code 3 if a finding is as severe, or worse, or if the verdict is NOT KNOWN.")  # fmt: skip
@opt.workers_option
@opt.json_option
@opt.quiet_option
@click.pass_context
def command(
    ctx: click.Context,
    folder: str | None,
    name: str,
    layout: str | None,
    files: tuple[str, ...],
    group_from: str | None,
    page: Path | None,
    fail_on: str | None,
    workers: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Say whether a split is honest: what crosses its parts, and what else makes its score untrue.

    Copies, rescans, crops of one scan, and shared specimens, scans and bags across parts are of severity high: the
    test score is too good. Labels that go with the session, the date or the machine, contradicting labels of one
    picture, and parts that hold other things are of severity medium. The rest is for information. Run xqdata dedup
    first: what it has not compared cannot be found.

    FOLDER is a folder whose split someone else made. It is read in place, into tables below .xqdata/, deduplicated and
    audited; neither it nor the tables in manifests/ are touched. A second audit opens only new files.

    --fail-on counts no finding that the split intends, as scan types that --by keeps out of training. A split that
    tests nothing, and one whose copies dedup has not looked for, is NOT KNOWN, which fails as well.

    \b
    Examples
      xqdata audit
      xqdata audit --name study --report audit.html
      xqdata audit --fail-on high --json
      xqdata audit --layout "{split}/{object}/{file}" --group-from "(?P<series>B\\d+)_" /data/welds
      xqdata audit --split-file train.json --split-file val.json /data/parcels
    """
    if folder is None and (layout or files or group_from):
        raise click.UsageError("--layout, --split-file and --group-from speak of a folder: name it last")
    project = opt.project()
    settings = config.load(project.folder)
    taxonomy = opt.chosen_taxonomy(None, settings)
    out, err = opt.consoles(quiet, as_json)
    made = None
    if folder is None:
        opt.check_memory(err, project, "audit", MEMORY)
    with bars(err, "done") as move:
        asked = Options(name, workers=workers, progress=move)
        if folder is not None:
            file = str(Path(settings.ingest.taxonomy).resolve()) if settings.ingest.taxonomy else None
            claimed = Claimed(folder, layout, files, group_from, name)
            made, result = foreign(claimed, project.folder, settings, taxonomy, asked, file)
            project = made.project
        else:
            result = audit(project, taxonomy, asked)
    if page is not None:
        from xqdata.report.audit import write

        write(project, result, page)
    if as_json:
        opt.print_json(document(result) | ({"foreign": foreign_document(made)} if made else {}))
    elif made:
        tell(out, result)
        tell_foreign(out, made, page, result.leaks)
    else:
        tell(out, result)
        _last(out, result, name, page)
    failed = _failed(result, fail_on) if fail_on else ""
    if failed:
        err.print(Text.assemble((f"--fail-on {fail_on}: ", "bold"), opt.shown(failed)), soft_wrap=True)
        ctx.exit(3)


def document(result: Audit) -> dict[str, Any]:
    """What --json prints."""
    return {
        **asdict(result.facts),
        "deduplicated": result.facts.deduplicated,
        "leaking": result.facts.leaking,
        "unknown": result.unknown,
        "changed": result.changed,
        "findings": [asdict(finding) for finding in result.findings],
    }


def tell(out: Console, result: Audit) -> None:
    """Print an audit: the verdict, findings with the worst first, and what was looked at."""
    facts = result.facts
    out.print(_title(facts))
    out.print(_verdict(result))
    if result.findings:
        out.print()
        _findings(out, result)
    out.print()
    for label, text, style in (
        *(("warning", text, "yellow") for text in facts.warnings),
        ("looked at", _looked_at(facts), ""),
        *(("note", text, "") for text in facts.notes),
    ):
        _line(out, label, opt.shown(text, style))


def _title(facts: Facts) -> Text:
    title = Text.assemble(opt.shown(facts.table, "bold"), f": {facts.images:,} images in ")
    parts = (f"{parts_called([name])} {images:,}" for name, images in facts.parts.items())
    return title.append_text(opt.shown(", ".join(parts)))


def _verdict(result: Audit) -> Text:
    facts, unknown = result.facts, result.unknown
    if unknown:
        return Text.assemble(("NOT KNOWN ", "bold yellow"), opt.shown(f"{unknown[0].upper()}{unknown[1:]}."))
    if not result.leaks:
        look = result.to_look_at
        text = "Nothing was found in two parts that makes the score too good."
        if look:
            text += f" {count(look, 'thing')} to look at: see medium."
        return Text.assemble(("NO LEAK FOUND " if look else "CLEAN ", "bold green"), text)
    if not facts.leaking:
        return Text.assemble(("LEAKS, ", "bold red"), opt.shown(_beside(facts)))
    share = f"{facts.leaking:,} of {facts.tested_images:,} tested images ({facts.leaking / facts.tested_images:.0%})"
    text = f"{share} are tied to images that were trained on: the score says little about new scans."
    return Text.assemble(("LEAKS ", "bold red"), text)


def _beside(facts: Facts) -> str:
    """What it means that parts leak into one another, but not into what is tested."""
    others = parts_called([name for name in facts.against if facts.parts[name]])
    val = next((name for name in facts.against if name.startswith("val")), "")
    text = f"but not into {parts_called(facts.tested)}: {others} share what must not be shared"
    choices = f", so choices made on {val}, such as when to stop, rest on a score that is too good" if val else ""
    return f"{text}{choices}."


def _findings(out: Console, result: Audit) -> None:
    """Each finding, then what to do about them, which several of them may share."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    advice: dict[str, list[str]] = {}
    for finding in result.findings:
        what, _, todo = finding.detail.rpartition("; ")
        advice.setdefault(todo, []).append(finding.kind)
        severity = Text(_marked(finding), "dim" if finding.intended else _STYLE[finding.severity])
        if out.is_terminal:
            table.add_row(severity, opt.shown(finding.kind, "bold"), opt.shown(what))
        else:
            out.print(
                Text.assemble("  ", severity, " ", opt.shown(finding.kind), ": ", opt.shown(what)), soft_wrap=True
            )
    if out.is_terminal:
        out.print(table)
    out.print()
    for todo, kinds in advice.items():
        _line(out, ", ".join(kinds), opt.shown(todo))


def _marked(finding: Finding) -> str:
    return f"{finding.severity}, intended" if finding.intended else finding.severity


def _looked_at(facts: Facts) -> str:
    kinds = [f"{facts.checked[kind]:,} {kind}" for kind in (*COPY_KINDS, *TIE_KINDS) if facts.checked.get(kind)]
    values = [f"{count:,} {name}" for name, count in facts.checked.items() if name not in COPY_KINDS + TIE_KINDS]
    told = f"links: {', '.join(kinds) or 'none'}; values: {', '.join(values)}"
    if facts.radius is not None:
        told += f". Every pair of pictures whose pHash differs by {facts.radius} bits or fewer was compared"
    return told


def _line(out: Console, label: str, text: Text) -> None:
    opt.say(out, Text.assemble((f"{label}: ", "bold"), text), 2)


def _last(out: Console, result: Audit, name: str, page: Path | None) -> None:
    wrote = f"Wrote audits/{name} and its evidence in manifests/" if result.changed else "Nothing has changed"
    paired = any(finding.pairs for finding in result.findings)
    page_of = f"see the pairs: xqdata audit --name {name} --report audit.html" if paired else ""
    out.print()
    opt.say(out, opt.shown("; ".join(filter(None, [wrote, f"the page is {page}" if page else page_of]))), 0)


def _failed(result: Audit, least: str) -> str:
    """Why an audit that is to find nothing as severe as `least` has failed; empty where it has not."""
    if any(_counts(finding, least) for finding in result.findings):
        return "there are findings of this severity"
    return f"nobody knows: {result.unknown}" if result.unknown else ""


def _counts(finding: Finding, least: str) -> bool:
    return not finding.intended and SEVERITIES.index(finding.severity) <= SEVERITIES.index(least)
