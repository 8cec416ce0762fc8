"""The group `xqdata label`: its commands are imported when they are asked for, as those of `xqdata` are."""

from __future__ import annotations

import importlib

import click

# Command: (module that holds it as `command`, the line that `xqdata label --help` shows). In the order of the work.
COMMANDS = {
    "suspects": ("xqdata.cli.label_suspects", "Rank the labels that are probably wrong, with the reason."),
    "export": ("xqdata.cli.label_export", "Write tasks for an annotation tool: CVAT or Label Studio."),
    "import": ("xqdata.cli.label_import", "Append an annotation tool's answers to the label log."),
    "agreement": ("xqdata.cli.label_agreement", "Say how far two people agree, and where they do not."),
    "log": ("xqdata.cli.label_log", "Show the label log: who said what, when and why."),
    "diff": ("xqdata.cli.label_diff", "Show what the log changes of the export's labels, and its conflicts."),
    "undo": ("xqdata.cli.label_undo", "Take verdicts back, by new ones that restore what stood before."),
}


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=_Group)
def command() -> None:
    """Find wrong labels, have people judge them, and keep what they say.

    Verdicts are appended to the label log, manifests/labels.parquet, and never changed. Every later step uses the
    labels that follow from it. Taking a verdict back appends another one.

    \b
    Start with
      xqdata label suspects           what is probably wrong
      xqdata label export cvat tasks  have it judged
      xqdata label import cvat tasks.zip --by kim
      xqdata label diff               what it changed
    """
