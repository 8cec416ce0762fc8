"""`xqdata completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from xqdata.cli.outline import ASKED


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete xqdata's commands, options, and names of splits, runs and recipes.

    \b
    SHELL
      bash   put into ~/.bashrc:  eval "$(xqdata completion bash)"
      zsh    put into ~/.zshrc, below compinit:  eval "$(xqdata completion zsh)"
      fish   xqdata completion fish > ~/.config/fish/completions/xqdata.fish

    \b
    Example
      xqdata completion bash
    """
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(ctx.find_root().command, {}, "xqdata", ASKED).source())
