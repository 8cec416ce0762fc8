"""`xqdata simulate`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from xqdata.cli import options as opt
from xqdata.cli.progress import bars
from xqdata.simulate import check, simulate
from xqdata.simulate.settings import FAULTS, PRESETS, Settings

_DEFAULT = PRESETS["default"]
_PLANTED = {
    "byte_copies": "copies byte for byte",
    "pixel_copies": "copies saved again without loss",
    "reencoded": "copies saved as JPEG",
    "resized": "smaller copies",
    "trimmed": "copies with trimmed edges",
    "turned": "copies turned by quarters",
    "mirrored": "mirrored copies",
    "crops": "crops",
    "rescans": "bags scanned again",
    "wrong_labels": "scans under a wrong label",
    "conflicting_labels": "copies under another label than their source",
    "overlays": "scans with burnt-in text",
    "misnamed": "files with a wrong ending",
    "truncated": "truncated files",
    "empty": "empty files",
}


def _rate_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """One option for each fault that can be planted."""
    for name in reversed(FAULTS):
        told = f"{_PLANTED[name][0].upper()}{_PLANTED[name][1:]} (default {getattr(_DEFAULT.rates, name):g})."
        command = click.option(
            f"--{name.replace('_', '-')}", name, type=click.FloatRange(0, 1), metavar="SHARE", help=told
        )(command)
    return command


@click.command()
@click.argument("folder", default="raw", type=click.Path(path_type=Path, file_okay=False))
@click.option("--preset", type=click.Choice(list(PRESETS)), default="default", help="The study's size, or a small one.")
@click.option("--scans", type=click.IntRange(min=1), help=f"Scans, planted ones apart (default {_DEFAULT.scans:,}).")
@click.option(
    "--specimens", type=click.IntRange(min=1), help=f"Specimens of each object (default {_DEFAULT.specimens})."
)
@click.option("--seed", type=click.IntRange(min=0), help="Another seed, another laboratory (default 0).")
@click.option("--difficulty", type=click.FloatRange(0, 1), help="How alike the classes are, 0 to 1 (default 0.5).")
@click.option("--side-view", is_flag=True, help="Two views of every scan: from below and from the side.")
@click.option("--deep", is_flag=True, help="Also the 16-bit energies, high and low, as TIFF.")
@click.option("--confounded", type=click.IntRange(0, 21), help="Objects that only the second scanner saw (default 1).")
@click.option("--chained", is_flag=True, help="Mixed scans tie all specimens together: no split can keep them apart.")
@click.option("--scan-types", metavar="NAMES", help="Those that are scanned, with commas between (default all 13).")
@click.option("--no-faults", is_flag=True, help="Plant nothing but what a share below asks for.")
@_rate_options
@click.option("--check", "reference", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR",
              help="Make a published dataset again and compare its pixels with what DIR says of them.")  # fmt: skip
@opt.workers_option
@opt.json_option
@opt.quiet_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    folder: Path,
    preset: str,
    side_view: bool,
    no_faults: bool,
    reference: Path | None,
    workers: int | None,
    as_json: bool,
    quiet: bool,
    **chosen: Any,
) -> None:
    """Make the export of a simulated dual-energy scanner, with faults planted and the truth written beside it.

    FOLDER (default: raw) gets folders of objects and scan types, and the operator's log. The folder truth beside it
    says of every file what it really shows and of every fault where it was planted. The same options and library
    versions make the same pixels, on any x86-64 processor with AVX2. A run that was interrupted goes on where it
    stopped.

    \b
    Examples
      xqdata simulate                        1,300 images in raw/
      xqdata simulate raw --preset study     the study's size: 11,517 scans
      xqdata simulate lab2/raw --seed 7 --byte-copies 0.05 --no-faults
      xqdata simulate --scan-types single_bare,single_basket
      xqdata simulate --check manifests/reference
    """
    out, err = opt.consoles(quiet, as_json)
    if reference is not None:
        ctx.exit(_check(out, err, reference, workers, as_json))
    settings = _settings(preset, side_view, no_faults, chosen)
    with bars(err, "scans") as move:
        made = simulate(folder, settings, workers=workers, progress=lambda done, total: move("scanning", done, total))
    if as_json:
        opt.print_json({"raw": str(made.raw), "truth": str(made.truth), "scans": made.scans, "files": made.kinds,
                        "kept": made.kept, "settings": settings.told()})  # fmt: skip
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    names = {"scan": "pictures of scans", "crop": _PLANTED["crops"], **_PLANTED}
    for kind, count in made.kinds.items():
        table.add_row(f"{count:,}", names[kind])
    out.print(table)
    if made.kept:
        out.print(f"{made.kept:,} of them were there already.")
    opt.say(out, opt.shown(f"The scans are in {made.raw}, the truth about them in {made.truth}. "
                           f"Next: xqdata ingest {made.raw}"), 0)  # fmt: skip


def _check(out: Console, err: Console, reference: Path, workers: int | None, as_json: bool) -> int:
    """Make a published dataset again; the exit code is 3 if a picture differs."""
    with bars(err, "scans") as move:
        found = check(reference, workers=workers, progress=lambda done, total: move("scanning", done, total))
    if as_json:
        opt.print_json(dataclasses.asdict(found))
    else:
        for line in found.lines():
            opt.say(out, opt.shown(line), 0)
    return 3 if found.different else 0


def _settings(preset: str, side_view: bool, no_faults: bool, chosen: dict[str, Any]) -> Settings:
    given = {name: value for name, value in chosen.items() if value is not None and value is not False}
    rates = {name: given.pop(name) for name in FAULTS if name in given}
    base = PRESETS[preset]
    if no_faults:
        rates = dict.fromkeys(FAULTS, 0.0) | rates
        given.setdefault("confounded", 0)
    if "scan_types" in given:
        given["scan_types"] = tuple(name.strip() for name in given["scan_types"].split(","))
    if side_view:
        given["views"] = ("top", "side")
    return dataclasses.replace(base, **given, rates=dataclasses.replace(base.rates, **rates))
