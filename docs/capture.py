"""Terminal pictures for the documentation, made by running the commands: `python docs/capture.py`.

Each runs on the generated export of tests/assets, in a folder of its own, and what it prints becomes an SVG.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
WIDTH = 116
PICTURES = {"ingest": ["xqdata", "ingest", "raw"], "status": ["xqdata", "status"]}


def main() -> None:
    """Write every picture anew."""
    with tempfile.TemporaryDirectory() as folder:
        export = [sys.executable, str(HERE.parent / "tests" / "assets" / "export.py"), f"{folder}/raw"]
        subprocess.run(export, check=True, capture_output=True)
        for name, command in PICTURES.items():
            shown = run(command, Path(folder)).replace(folder, "/data")
            (HERE / "images").mkdir(exist_ok=True)
            (HERE / "images" / f"{name}.svg").write_text(picture(" ".join(command), shown), encoding="utf-8")


def run(command: list[str], folder: Path) -> str:
    """What `command` prints on a colour terminal of WIDTH columns."""
    program = str(Path(sys.executable).with_name(command[0]))
    colours = {"FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    environment = {**os.environ, **colours}
    done = subprocess.run(
        [program, *command[1:]], cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def picture(command: str, printed: str) -> str:
    """`printed`, with its colours, below its command line, as an SVG that needs no network."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
    console.print(Text.from_ansi(printed))
    svg = console.export_svg(title="xqdata")
    # Rich names fonts on the net; without them the viewer's own monospace font serves.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    main()
