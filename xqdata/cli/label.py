"""The group `xqdata label`: its commands are imported when they are asked for, as those of `xqdata` are."""

from __future__ import annotations

import click

from xqdata.cli.lazy import LazyGroup

# Command: (module that holds it as `command`, the line that `xqdata label --help` shows). In the order of the work.
COMMANDS = {
    "suspects": ("xqdata.cli.label_suspects", "Rank the labels that are probably wrong, with the reason."),
    "export": ("xqdata.cli.label_export", "Write tasks for an annotation tool: CVAT or Label Studio."),
    "import": ("xqdata.cli.label_import", "Append an annotation tool's answers to the label log."),
    "agreement": ("xqdata.cli.label_agreement", "Say how far two people agree, and where they do not."),
    "pull": ("xqdata.cli.label_pull", "Append to the label log what people changed and said in FiftyOne."),
    "push": ("xqdata.cli.label_push", "Tell FiftyOne what changed in the label log."),
    "log": ("xqdata.cli.label_log", "Show the label log: who said what, when and why."),
    "diff": ("xqdata.cli.label_diff", "Show what the log changes of the export's labels, and its conflicts."),
    "undo": ("xqdata.cli.label_undo", "Take verdicts back, by new ones that restore what stood before."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def command() -> None:
    """Find wrong labels, have people judge them, and keep what they say.

    Verdicts are appended to the label log, manifests/labels.parquet, and never changed. Every later step uses the
    labels that follow from it. Taking a verdict back appends another one.

    \b
    Start with
      xqdata label suspects           what is probably wrong
      xqdata view                     judge it in FiftyOne
      xqdata label pull               bring home what was said there
      xqdata label export cvat tasks  or have it judged in a tool of your own
      xqdata label import cvat tasks.zip --by kim
      xqdata label diff               what it changed
    """
