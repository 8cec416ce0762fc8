"""The command line: parse, one call, print. Commands load when they are run, so that `--help` answers at once."""

from xqdata.cli.main import main

__all__ = ["main"]
