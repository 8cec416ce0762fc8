"""Run the commands of the pages, and hold what they print against what the pages say.

`python docs/examples.py` runs the pages that have examples and writes what is printed now into them; with `--check` it
writes nothing, shows what differs and exits 1. Names of pages, such as `tutorial.md`, choose among them.

A fenced block of `console` or `text` below the comment `<!-- run -->` is an example: each line that begins with `$ ` is
a command, and what follows it is what it prints. The commands of a page run one after the other in a folder that is
empty at first, as on a terminal of WIDTH columns that shows no colours; the folder is called FOLDER on the page. Words
in the comment change that:

- `cut "FROM" "TO"`: the lines from the first that matches FROM to before the next that matches TO are left out, and a
  line `…` stands for them. May be repeated. TO may be `end`
- `exit N`: the last command ends with this code, and its messages are shown, too
- `loose`: figures may differ, as those of a network may on another machine
- `vary "PATTERN"`: what the pattern matches may differ, in words as well. May be repeated

Blocks that are `loose` or `vary` are written anew together when any block of the page is, so that they tell of one run.

A comment `<!-- run hidden` holds commands, a line each, which the page does not show. A block of any language below
`<!-- file NAME -->` is written to that file, below the folder in which the last command ended.

A page that simulates prints what follows from pixels, and is compared on x86-64 processors with AVX2. On others, and on
those with AVX-512, where nobody has seen yet that nothing differs, its commands must run; what differs is shown, but
makes no page stale.

Times, rates, dates, sizes of files, versions, and names of audits and of events of the label log differ from run to
run: those are not compared, nor does a page change because of them; nor are widths of columns and line breaks.
Everything else is.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xqdata.processor import has_avx512
from xqdata.simulate.check import versions

DOCS = Path(__file__).parent
WIDTH = 92
PROCESSOR = "x86_64 with AVX2"  # which the pages were made on
FOLDER = "/home/kim"
# Longer than any command of the pages takes on a machine that does other things, too.
_PATIENCE = 1800

_PIECE = re.compile(
    r"^<!-- run hidden\n(?P<hidden>.*?)^-->$"
    r"|^<!-- file (?P<file>\S+) -->\n+```\w*\n(?P<content>.*?)^```$"
    r"|^<!-- run(?P<words>[^\n]*) -->\n+(?P<fence>```)(?P<language>console|text)\n(?P<body>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_CUT = re.compile(r'cut "([^"]+)" "([^"]+)"')
_VARY = re.compile(r'vary "([^"]+)"')
# What differs from run to run, and what stands for it in a comparison.
_VARIES = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?"), "DATE"),
    (re.compile(r"\b[\d,.]+ (s|min|MB|kB|images/s)\b"), r"N \1"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "EVENT"),
    (re.compile(r"\b(audits/[\w-]+)-[0-9a-f]{6,}"), r"\1-KEY"),
    (re.compile(r"Python 3\.\d+\.\d+|\b0\.\d+\.\d+(\.dev\d+)?\b"), "VERSION"),
)
_FIGURE = re.compile(r"[+-]?[–\d][\d.,]*%?")  # a difference may change its sign, too


@dataclass(frozen=True)
class Example:
    """One block of a page, or hidden commands. `body`: what stands between the fences."""

    body: str
    hidden: bool = False
    language: str = "console"
    cuts: tuple[tuple[str, str], ...] = ()
    code: int = 0
    loose: bool = False
    varying: tuple[str, ...] = ()

    def says(self, made: str) -> bool:
        """Whether what was printed now, `made`, is what the page has, but for what may differ."""
        return _masked(self.body, self.loose, self.varying) == _masked(made, self.loose, self.varying)

    @property
    def commands(self) -> list[str]:
        """The commands; a line that begins with `> ` goes on with the one before."""
        if self.hidden:
            return [line for line in self.body.splitlines() if line.strip()]
        return [found.replace("\n> ", "\n") for found in re.findall(r"^\$ (.*(?:\n> .*)*)$", self.body, re.MULTILINE)]


@dataclass
class Shell:
    """Commands one after the other, each in the folder in which the one before it ended."""

    home: Path
    place: Path = field(init=False)

    def __post_init__(self) -> None:
        self.place = self.home

    def run(self, command: str, code: int = 0) -> str:
        """What `command` prints; where `code` is not 0 its messages, too. Raises RuntimeError for any other code."""
        terminal = {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": str(WIDTH), "LINES": "50", "TERM": "dumb"}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, **terminal, "PATH": path, "HOME": str(self.home)}
        ended = self.home.with_name("ended")
        done = subprocess.run(
            ["bash", "-c", f'{command}\ncode=$?; pwd > "{ended}"; exit $code'],
            cwd=self.place, env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=False,
        )  # fmt: skip
        if done.returncode != code:
            raise RuntimeError(f"$ {command}\nended with {done.returncode}, not {code}:\n{done.stdout}{done.stderr}")
        self.place = Path(ended.read_text().strip())
        printed = done.stdout + (done.stderr if code else "")
        return "\n".join(line.rstrip() for line in printed.replace(str(self.home), FOLDER).splitlines())


def pages() -> list[str]:
    """The pages with examples, by their paths below docs/."""
    found = sorted(DOCS.rglob("*.md"))
    return [p.relative_to(DOCS).as_posix() for p in found if _PIECE.search(p.read_text(encoding="utf-8"))]


def renewed(text: str, home: Path | None = None) -> str:
    """A page's text with what its commands print now. What differs only in times and the like stays as it stands.

    `home`: an empty folder in which they run, and which is kept.
    """
    if home is None:
        with tempfile.TemporaryDirectory() as folder:
            (made := Path(folder, "home")).mkdir()
            return renewed(text, made)
    shell = Shell(home)
    made = [_made(match, shell) for match in _PIECE.finditer(text)]
    stale = any(example and not example.says(printed) for example, printed in made)
    told = iter(made)
    return _PIECE.sub(lambda match: _piece(match, *next(told), stale), text)


def _made(match: re.Match[str], shell: Shell) -> tuple[Example | None, str]:
    """The example that stands on the page, if one does, and what it prints now."""
    if match["file"] is not None:
        (shell.place / match["file"]).write_text(match["content"], encoding="utf-8")
        return None, ""
    example = _example(match)
    made = "\n".join(_block(example, shell))
    return None if example.hidden else example, made


def _piece(match: re.Match[str], example: Example | None, made: str, stale: bool) -> str:
    if example is None or (example.says(made) and not (stale and (example.loose or example.varying))):
        return match.group()
    head = match.group()[: match.start("body") - match.start()]
    return f"{head}{made}\n```"


def _example(match: re.Match[str]) -> Example:
    if match["hidden"] is not None:
        return Example(match["hidden"], hidden=True)
    words = match["words"]
    cuts = tuple((start, end) for start, end in _CUT.findall(words))
    shown = match["body"].rstrip("\n")
    settled = _VARY.sub("", _CUT.sub("", words))  # without what stands in quotes
    code = re.search(r"exit (\d+)", settled)
    number = int(code[1]) if code else 0
    return Example(shown, False, match["language"], cuts, number, "loose" in settled, tuple(_VARY.findall(words)))


def _block(example: Example, shell: Shell) -> Iterator[str]:
    commands = example.commands
    for number, command in enumerate(commands, start=1):
        printed = shell.run(command, example.code if number == len(commands) else 0)
        if not example.hidden:
            yield "$ " + command.replace("\n", "\n> ")
            yield from _shortened(printed.splitlines(), example.cuts)


def _shortened(lines: Sequence[str], cuts: Sequence[tuple[str, str]]) -> list[str]:
    kept = list(lines)
    for start, end in cuts:
        first = next((n for n, line in enumerate(kept) if re.search(start, line)), None)
        if first is None:
            continue
        after = (n for n, line in enumerate(kept[first + 1 :], first + 1) if end != "end" and re.search(end, line))
        kept[first : next(after, len(kept))] = ["…"]
    return kept


def _masked(text: str, loose: bool, varying: Sequence[str]) -> str:
    for pattern, instead in _VARIES:
        text = pattern.sub(instead, text)
    # Columns are as wide as what stands in them, and lines with the name of a folder break where that name lets them.
    text = re.sub(r"\s+", " ", text)
    for pattern in varying:
        text = re.sub(pattern, "WHAT VARIES", text)
    return re.sub(r"\s+", " ", _FIGURE.sub("#", text)) if loose else text


def main(arguments: Sequence[str]) -> int:
    """Write or check the pages; the exit code."""
    check, stale = "--check" in arguments, 0
    for name in [a for a in arguments if not a.startswith("-")] or pages():
        path = DOCS / name
        old = path.read_text(encoding="utf-8")
        new = renewed(old)
        if old != new and check and "xqdata simulate" in old and processor() != PROCESSOR:
            told = f"docs/{name} is of a processor {PROCESSOR}: its commands ran, what they print was not compared"
            print(f"{differences(name, old, new)}\n{told}", file=sys.stderr)
            continue
        stale += old != new
        if old != new and check:
            print(
                f"{differences(name, old, new)}\ndocs/{name} is stale: python docs/examples.py {name}", file=sys.stderr
            )
        elif old != new:
            path.write_text(new, encoding="utf-8")
            print(f"wrote docs/{name}")
    return 1 if stale and check else 0


def processor() -> str:
    """The sort of this machine's processor."""
    return versions()["processor"] + " and AVX-512" * has_avx512()


def differences(name: str, old: str, new: str) -> str:
    """What a page says and its commands no longer print, line by line."""
    pieces = (old.splitlines(), new.splitlines())
    return "\n".join(difflib.unified_diff(*pieces, f"docs/{name}", "what is printed now", lineterm="", n=2))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
