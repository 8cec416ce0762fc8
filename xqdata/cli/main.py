"""The group `xqdata` and how its commands are found and how their errors are told."""

from __future__ import annotations

import errno
import os
import platform
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import click

import xqdata
from xqdata import memory
from xqdata.cli.lazy import LazyGroup
from xqdata.cli.outline import ASKED, outline
from xqdata.errors import XqdataError, one_line

# A disk, quota or file size limit that is full, or a disk that cannot be written.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
# 128 + SIGINT, as shells count it: 1 would say that the input is at fault.
_INTERRUPTED = 130
# What is to be typed, as hints have it.
_COMMAND = re.compile(r"(?<=: )((?:xqdata|pip|ray) [^;]+;?)")

# Command: (module that holds it as `command`, the line that `xqdata --help` shows). In the order of the work.
COMMANDS = {
    "init": ("xqdata.cli.init", "Write an xqdata.toml from what the raw folders look like."),
    "ingest": ("xqdata.cli.ingest", "Turn raw folders into the tables images, rejects and sources."),
    "dedup": ("xqdata.cli.dedup", "Find what is there twice: copies and ties, verified on pixels."),
    "split": ("xqdata.cli.split", "Divide the images into parts that share nothing, with a certificate."),
    "audit": ("xqdata.cli.audit", "Find what crosses the parts of a split, and what else makes its score untrue."),
    "label": ("xqdata.cli.label", "Find wrong labels, have people judge them, and keep what they say."),
    "export": ("xqdata.cli.export", "Write the dataset in a format that other tools read."),
    "view": ("xqdata.cli.view", "Browse images, labels, duplicates, splits, audits and runs in FiftyOne."),
    "benchmark": ("xqdata_benchmark.cli", "Train a reference classifier on a split, with honest figures."),
    "compare": ("xqdata_benchmark.cli_compare", "Put runs side by side, with paired differences and their intervals."),
    "report": ("xqdata.cli.report", "Write one page on the dataset: contents, health, splits, benchmarks, provenance."),
    "status": ("xqdata.cli.status", "Show which tables stand, what they hold, and which are stale."),
    "taxonomy": ("xqdata.cli.taxonomy", "List the objects and scan types that names are matched with."),
    "simulate": ("xqdata.cli.simulate", "Make a simulated scanner export with planted faults and known truth."),
    "demo": ("xqdata.cli.demo", "Simulate an export and take it through every step, in a folder of its own."),
    "completion": ("xqdata.cli.completion", "Print what makes bash, zsh or fish complete xqdata's words."),
}
_NAMED = "numpy pyarrow pandas pillow imagehash imagecodecs tifffile opencv-python-headless scikit-learn"
_NAMED_EXTRAS = "pydicom torch torchvision fiftyone ray"


class _OneLine(click.ClickException):
    """An error of the user's side: one line, exit code 1."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        lead, told = "error: ", one_line(self.message)
        if sys.stderr.isatty():
            told = folded(lead + told, shutil.get_terminal_size().columns).removeprefix(lead)
        click.secho(lead, fg="red", bold=True, nl=False, err=True)
        click.echo(told, err=True)


def folded(text: str, width: int) -> str:
    """`text` in lines of `width` columns that end between words; a command to copy stays on one where it fits."""
    from rich.cells import cell_len

    words = [
        word
        for position, part in enumerate(_COMMAND.split(text))  # each second one is a command
        for word in ([part] if position % 2 and cell_len(part) <= width else part.split())
    ]
    lines = words[:1]
    for word in words[1:]:
        if cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join(lines)


class _Group(LazyGroup):
    """Errors of the user's side are one line, whichever command raised them."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command; its outline for a shell that only asks what can follow."""
        if ASKED in os.environ:
            return outline(cmd_name)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except XqdataError as error:
            raise _OneLine(str(error)) from error
        except OSError as error:
            if error.errno not in _FULL:
                raise
            hint = "nothing was lost: free some space (or choose another folder) and run the command again"
            raise _OneLine(f"{error.filename or Path.cwd()}: {os.strerror(error.errno)}; {hint}") from error
        except KeyboardInterrupt:
            told = "interrupted: the tables are whole and finished work is kept; run the command again to go on"
            click.echo(f"\n{told}", err=True)
            raise click.exceptions.Exit(_INTERRUPTED) from None
        except Exception as error:
            if overflow := memory.overflowed(error):
                raise _OneLine(str(overflow)) from error
            raise


def _show_versions(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    click.echo(f"xqdata {xqdata.__version__} (Python {platform.python_version()}, {platform.platform()})")
    for names, absent in ((_NAMED, "missing"), (_NAMED_EXTRAS, "not installed")):
        for name in names.split():
            try:
                click.echo(f"  {name} {version(name)}")
            except PackageNotFoundError:
                click.echo(f"  {name} {absent}")
    ctx.exit()


@click.group(
    cls=_Group, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option("--version", is_flag=True, callback=_show_versions, expose_value=False, is_eager=True,
              help="Show the versions that matter and exit.")  # fmt: skip
def main() -> None:
    """Turn raw X-ray scanner exports into datasets that can be trusted.

    xqdata works in the current folder: tables go to manifests/, settings come from xqdata.toml.

    \b
    Start with
      xqdata ingest raw/        a folder of scans in, Parquet tables out
      xqdata dedup              what is there twice
      xqdata split              parts that do not leak
      xqdata audit              whether they really do not
      xqdata status             what stands now
    """
