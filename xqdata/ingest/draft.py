"""A first `xqdata.toml` from what raw folders look like, for a person to correct.

What is certain stands as a setting; what is only likely stands as a comment with what it rests on.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from xqdata import remote, schema
from xqdata.config import Config, IngestConfig, parse_toml
from xqdata.errors import InputError, XqdataError
from xqdata.ingest.describe import Describer
from xqdata.ingest.roots import Root
from xqdata.ingest.walk import copies, walk
from xqdata.readers import Tree, choose, sheets
from xqdata.readers.fields import FILE_WORDS, coerce, column_called
from xqdata.taxonomy import Taxonomy, fold

_SAMPLE = 5000
_WIDTH = 77  # xqdata init shows the draft indented by two
# Readers of what people wrote for this folder, and of folders.
_NO_DIALECTS = ("tables", "patterns", "sidecars", "imagefolder", "folders")
_SEPARATORS = re.compile(r"([_\-\s.+]+)")
# Share of file names that must have the same separators before a pattern is proposed.
_COMMON = 0.6
_VIEWS = {"top", "side", "front", "bottom", "left", "right", "oblique", "view1", "view2", "v1", "v2"}


def draft(roots: Sequence[Root], taxonomy: Taxonomy, folder: Path) -> str:
    """The text of an `xqdata.toml` for `roots`. Raises InputError for a folder that cannot be listed."""
    with tempfile.TemporaryDirectory(prefix="xqdata-") as temporary:
        return _draft([_tree(root, taxonomy, folder, Path(temporary) / root.name) for root in roots], folder)


def _tree(root: Root, taxonomy: Taxonomy, folder: Path, fetched: Path) -> Tree:
    listed = walk(root.location).files
    made = copies(root.location, fetched, listed)
    return Tree(root.name, root.location, [f.path for f in listed], taxonomy, IngestConfig(), folder, copies=made)


def _draft(trees: Sequence[Tree], folder: Path) -> str:
    lines = [
        "# What xqdata is told about this project. Correct it and try it with:",
        "# xqdata ingest --dry-run RAW",
        "# Every key is explained in docs/reference/config.md, the page xqdata.toml.",
        "",
        f"name = {_quoted(folder.resolve().name or 'project')}",
        "",
        "[ingest]",
        "# A taxonomy of your own objects and scan types, not the reference one:",
        '# taxonomy = "taxonomy.toml"',
    ]
    for tree in trees:
        lines += ["", *_about(tree)]
    lines += ["", *_pattern_lines(trees)]
    lines += ["", "# Files that are no scans, by name or path:", '# ignore = ["*_thumb.png", "old/*"]']
    tables = [line for tree in trees for line in _table_lines(tree)]
    lines += ["", "# What holds for every scan and stands nowhere else:", "# [ingest.defaults]"]
    lines += ['# scanner_make = "Gilardoni"', '# site = "Incheon"', *tables]
    text = "\n".join(lines) + "\n"
    parse_toml(text, Config, where="the draft")  # what we write must be what we read
    return text


def propose_pattern(names: Sequence[str], taxonomy: Taxonomy) -> tuple[str, float] | None:
    """A pattern for file names, such as `{object}_{specimen}-{shot}.{ext}`, and the share of names it was seen in.

    None where the names have no common build, or only one part.
    """
    split = [_SEPARATORS.split(PurePosixPath(name).stem) for name in names[:_SAMPLE]]
    shapes = Counter(tuple(parts[1::2]) for parts in split)
    if not shapes:
        return None
    shape, count = shapes.most_common(1)[0]
    if not shape or count < _COMMON * len(split):
        return None
    positions = list(zip(*(parts[::2] for parts in split if tuple(parts[1::2]) == shape), strict=True))
    fields = _distinct([_field(values, taxonomy) for values in positions])
    built = fields[0] + "".join(separator + field for separator, field in zip(shape, fields[1:], strict=True))
    return built + ".{ext}", count / len(split)


def _field(values: Sequence[str], taxonomy: Taxonomy) -> str:
    distinct = set(values)
    if sum(taxonomy.find_object(v) is not None for v in distinct) * 2 >= len(distinct):
        return "object"
    if sum(taxonomy.find_scan_type(v) is not None for v in distinct) * 2 >= len(distinct):
        return "scan_type"
    if distinct <= _VIEWS:
        return "view"
    if all(_is_channel(v) for v in distinct):
        return "channel"
    if all(re.fullmatch(r"(19|20)\d{6}", v) for v in distinct):
        return "acquired_at"
    if all(v.isdigit() for v in distinct):
        return "shot" if len(distinct) > len(values) / 4 else "number"
    return "part"


def _is_channel(value: str) -> bool:
    try:
        coerce("channel", value)
    except ValueError:
        return False
    return True


def _distinct(names: list[str]) -> list[str]:
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append("{" + (name if seen[name] == 1 else f"{name}{seen[name]}") + "}")
    return out


def _about(tree: Tree) -> list[str]:
    endings = Counter(PurePosixPath(p).suffix.lower() or "no ending" for p in tree.paths)
    told = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(6)) or "no files"
    lines = [f"# {tree.root}: {told}"]
    for reader, why in choose(tree):
        lines.append(f"# reader {reader.name}: {why}")
    return [part for line in lines for part in _comment(json.dumps(line, ensure_ascii=False)[1:-1].replace('\\"', '"'))]


def _comment(line: str) -> list[str]:
    """A line that begins with a mark, as lines of the width of a terminal."""
    return textwrap.wrap(line, _WIDTH, subsequent_indent="#   ", break_long_words=False, break_on_hyphens=False)


def _pattern_lines(trees: Sequence[Tree]) -> list[str]:
    """One list of patterns for all folders; the first that fits a file's name counts."""
    lines = ["# File names that carry meaning are described by patterns with named fields."]
    if all(_understood(tree) for tree in trees):
        told = "# The names are understood: no pattern is needed; a pattern would override them."
        return [*lines, *_comment(told)]
    found = {t.root: propose_pattern([PurePosixPath(p).name for p in t.pictures], t.taxonomy) for t in trees}
    proposed = {root: pattern for root, pattern in found.items() if pattern}
    columns = [n for n in schema.IMAGES.names if schema.IMAGES.column(n).group in ("what", "acquisition")]
    known = ["specimen", "scan_id", "bag", "session", "series", "container_id", "sequence", *columns]
    lines += _comment(f"# Known names are {', '.join(known)};")
    lines += ["# others are kept in extra. A field named _x is dropped."]
    if not proposed:
        example = '# patterns = ["{object}_{specimen}-{shot}.{ext}"]'
        return [*lines, "# No common build was found here. An example:", example]
    for root, (pattern, share) in proposed.items():
        lines += _comment(f"# {root}: {share:.0%} of the names are built like {pattern}")
    listed = ", ".join(dict.fromkeys(_quoted(pattern) for pattern, _ in proposed.values()))
    return [*lines, "# Give the fields their right names and take the mark away:", f"# patterns = [{listed}]"]


def _understood(tree: Tree) -> bool:
    """Whether readers of a dialect, which come after patterns, say what most pictures show.

    Not so the names of folders: a pattern may add to them what they leave open.
    """
    chosen = [reader for reader, _ in choose(tree) if reader.name not in _NO_DIALECTS]
    try:
        describer = Describer([(reader.name, reader.read(tree)) for reader in chosen], tree.taxonomy, {})
    except XqdataError:
        return False  # ingest will tell
    known = [bool(describer.explain(path).get("objects")) for path in tree.pictures[:_SAMPLE]]
    return bool(known) and sum(known) * 2 > len(known)


def _table_lines(tree: Tree) -> list[str]:
    lines: list[str] = []
    for path in tree.paths:
        if PurePosixPath(path).suffix.lower() not in sheets.SUFFIXES:
            continue
        try:
            every = sheets.load(tree.locate(path))
        except InputError as error:
            lines += ["", *_comment(f"# {json.dumps(str(error), ensure_ascii=False)[1:-1]}")]
            continue
        for sheet in every:
            lines += _sheet_lines(tree, path, sheet, named=len(every) > 1)
    return lines


def _sheet_lines(tree: Tree, path: str, sheet: sheets.Sheet, *, named: bool) -> list[str]:
    headers = [header for _, header in sheet.headings() if any(fold(h) in FILE_WORDS for h in header)]
    header = headers[0] if headers else sheet.header
    file_column = next((h for h in header if fold(h) in FILE_WORDS), None)
    mark = "" if file_column else "# "  # without a column of file names it cannot be joined
    lines = ["", f"{mark}[[ingest.tables]]", f"{mark}path = {_quoted(_written(tree, path))}"]
    lines += [f"{mark}root = {_quoted(tree.root)}"]
    lines += [f"{mark}sheet = {_quoted(sheet.name)}"] if named else []
    lines += [f"{mark}file_column = {_quoted(file_column)}" if file_column else '# file_column = ""']
    lines += [f"{mark}[ingest.tables.columns]"]
    for heading in dict.fromkeys(header):
        if heading and heading != file_column:
            known = column_called(heading)
            lines += [f"{mark}{_quoted(heading)} = {_quoted(known)}" if known else f'# {_quoted(heading)} = ""']
    return lines


def _written(tree: Tree, path: str) -> str:
    place = remote.locate(tree.location, path)
    if not isinstance(place, Path):
        return str(place)
    folder = tree.folder.resolve()
    # Where nothing but the root is common to both, they will hardly be moved together.
    beside = len(Path(os.path.commonpath([place, folder])).parts) > 1
    return Path(os.path.relpath(place, folder)).as_posix() if beside else place.as_posix()


def _quoted(text: str | None) -> str:
    return json.dumps(text or "", ensure_ascii=False)
