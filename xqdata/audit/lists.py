"""Split files: COCO's JSON, YOLO's data.yaml and lists, tables with a column of files and one of parts, plain lists."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import yaml

from xqdata import paths
from xqdata.audit.parts import UNDERSTOOD, part_called, part_of_file
from xqdata.errors import InputError
from xqdata.readers import sheets
from xqdata.readers.fields import FILE_WORDS
from xqdata.readers.files import Files
from xqdata.remote import Location
from xqdata.taxonomy import fold

_ALIAS = re.compile(r"(?P<part>[^/\\=]+)=(?P<path>.+)", re.DOTALL)
_ABSOLUTE = re.compile(r"/|\\\\|[A-Za-z]:[\\/]|\.\.[\\/]")
# Headings of a column of parts, folded.
_PART_WORDS = frozenset(fold(w) for w in "split part set subset partition fold phase dataset usage mode".split())
_SAMPLE = 200
_HINT = f"say which part it lists: PART=FILE, where PART is one of {UNDERSTOOD}"


@dataclass(frozen=True)
class Named:
    """One name in a split file: what it says, which part it is in (None: no name of a part), and where it stands."""

    name: str
    part: str | None
    item: str


@dataclass
class Listed:
    """What split files say. `parts`: by path the parts that it is named in. `notes`: what could not be used."""

    parts: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Folder:
    """The folder that is audited, and its pictures."""

    root: Location
    pictures: Sequence[str]
    files: Files


def listed(arguments: Sequence[str], root: Location, pictures: Sequence[str]) -> Listed:
    """The parts of `pictures`, paths below the folder `root`, by split files: FILE, or PART=FILE.

    Raises InputError for a file that cannot be read, that says nothing of parts, or none of whose names is a picture.
    """
    made = Listed()
    folder = _Folder(root, pictures, Files(pictures))
    for argument in arguments:
        alias = _ALIAS.fullmatch(argument)
        path = Path(argument)
        part = None
        if alias and not path.exists():
            part, path = part_called(alias["part"]), Path(alias["path"])
            if part is None:
                raise InputError(f"{alias['part']!r} is no name of a part", where=argument, hint=_HINT)
        if not path.is_file():
            raise InputError("there is no such file", where=argument, hint="name a split file, or PART=FILE")
        _read(made, path, part, folder)
    return made


def _read(made: Listed, path: Path, part: str | None, folder: _Folder) -> None:
    suffix = path.suffix.lower()
    if suffix in (".yaml", ".yml"):
        _yolo(made, path, folder)
        return
    if suffix == ".json":
        names = _coco(path, part)
    elif suffix in sheets.SUFFIXES:
        names = _table(path, part, folder.files)
    else:
        names = _lines(path, part)
    _join(made, path, list(names), folder)


def _join(made: Listed, path: Path, names: Sequence[Named], folder: _Folder) -> None:
    """Find the picture that each name means; tell of those that mean none, or one of several."""
    location = path.resolve()
    inside = isinstance(folder.root, Path) and location.is_relative_to(folder.root)
    beside = paths.spell(str(location.relative_to(str(folder.root)))) if inside else ""
    lost: list[tuple[str, Named]] = []
    unknown: Counter[str] = Counter(named.name for named in names if named.part is None)
    found = 0
    for named in names:
        if named.part is None:
            continue
        meant = _meant(named, beside, folder)
        if len(meant) == 1:
            made.parts[meant[0]].add(named.part)
            found += 1
        else:
            lost.append((f"may be any of {len(meant)} files" if meant else "is no file of the folder", named))
    if not found:
        first = f", as {lost[0][1].name!r} {lost[0][0]}" if lost else ""
        raise InputError(
            f"none of its {len(names):,} names is a picture below {folder.root}{first}",
            where=str(path),
            hint="names are paths below the folder, or names of files in it",
        )
    for why in dict.fromkeys(why for why, _ in lost):
        mine = [named for told, named in lost if told == why]
        made.notes.append(f"{path}: {_names(len(mine))} left out, the first, {mine[0].name!r} ({mine[0].item}), {why}")
    if unknown:
        made.notes.append(f"{path}: {_names(sum(unknown.values()))} in a part whose name is not understood, left out")


def _names(count: int) -> str:
    return f"{count:,} name" if count == 1 else f"{count:,} names"


def _meant(named: Named, beside: str, folder: _Folder) -> list[str]:
    """The pictures that a name may mean; of several those in a folder that is called as the part is."""
    written = named.name.replace("\\", "/")
    written = written.removeprefix(f"{folder.root}/")
    found = folder.files.find(paths.spell(written), beside)
    if not found and _ABSOLUTE.match(named.name):
        # A path on somebody else's machine: its last folders that are here, the more the better.
        steps = [step for step in written.split("/") if step not in ("", "..", ".")]
        tails = (folder.files.find(paths.spell("/".join(steps[n:]))) for n in range(1, len(steps)))
        found = next((tail for tail in tails if tail), [])
    if len(found) > 1:
        inside = [p for p in found if any(part_called(step) == named.part for step in PurePosixPath(p).parts[:-1])]
        found = inside or found
    return found


def _lines(path: Path, part: str | None) -> Iterator[Named]:
    """A name in each line; behind it may stand a label."""
    told = part or part_of_file(path)
    if told is None:
        raise InputError("its name does not tell which part it lists", where=str(path), hint=_HINT)
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if line.strip():
            yield Named(_without_label(line.strip()), told, f"line {number}")


def _without_label(line: str) -> str:
    """`a/1.png 3` and `a/1.png,cat` name a/1.png; a name may hold blanks, where an ending comes last."""
    if PurePosixPath(line).suffix and not re.search(r"[\s,;]", PurePosixPath(line).suffix):
        return line
    return re.split(r"[\s,;]", line, maxsplit=1)[0]


def _table(path: Path, part: str | None, files: Files) -> Iterator[Named]:
    for sheet in sheets.load(path):
        for number, header in sheet.headings():
            named = [n for n, text in enumerate(header) if fold(text) in FILE_WORDS]
            parted = [n for n, text in enumerate(header) if fold(text) in _PART_WORDS]
            if named and (parted or part):
                rows = (sheet.below(number) if number else sheet).rows
                column = max(named, key=lambda n: sum(bool(files.find(_cell(r, n))) for r in rows[:_SAMPLE]))
                split = max(parted, key=lambda n: sum(part_called(_cell(r, n)) is not None for r in rows), default=0)
                for row in rows:
                    told = part or part_called(_cell(row, split))
                    if _cell(row, column):
                        yield Named(_cell(row, column), told, f"row {row.number}")
                return
    hint = "give it a heading file and a heading split, or say PART=FILE"
    raise InputError("has no column of files beside a column of parts", where=str(path), hint=hint)


def _cell(row: sheets.Row, column: int) -> str:
    return str(row.cells[column]).strip() if column < len(row.cells) else ""


def _coco(path: Path, part: str | None) -> Iterator[Named]:
    told = part or part_of_file(path)
    try:
        document = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not JSON ({error})", where=str(path)) from error
    images = document.get("images") if isinstance(document, dict) else None
    if not isinstance(images, list):
        raise InputError("holds no list images, as COCO's files do", where=str(path))
    if told is None:
        raise InputError("its name does not tell which part it lists", where=str(path), hint=_HINT)
    for number, image in enumerate(images):
        name = image.get("file_name") if isinstance(image, dict) else None
        yield Named(str(name or ""), told, f"images {number}")


def _yolo(made: Listed, path: Path, folder: _Folder) -> None:
    """The folders and lists that data.yaml names under train, val and test."""
    try:
        document = yaml.load(_text(path), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"is not YAML ({' '.join(str(error).split())})", where=str(path)) from error
    named = {key: document[key] for key in document if part_called(key)} if isinstance(document, dict) else {}
    if not any(named.values()):
        hint = "name folders or lists under train, val and test"
        raise InputError("names no part, as YOLO's data.yaml does", where=str(path), hint=hint)
    root = folder.root
    if not isinstance(root, Path):
        hint = "say which part a file is in with --layout, or in a list of names"
        raise InputError("names folders, which are not looked for at an address", where=str(path), hint=hint)
    for key, entries in named.items():
        part = part_called(key)
        for entry in entries if isinstance(entries, list) else [entries] if entries else []:
            place = _place(path, str(document.get("path") or ""), str(entry), root)
            if place.is_file():
                _join(made, place, [Named(n.name, part, n.item) for n in _lines(place, part)], folder)
                continue
            below = f"{paths.spell(str(place.relative_to(root)))}/" if place != root else ""
            inside = [p for p in folder.pictures if p.startswith(below)]
            if not inside:
                raise InputError(f"{key} names {entry}, where no picture lies", where=str(path))
            for picture in inside:
                made.parts[picture].add(str(part))


def _place(path: Path, base: str, entry: str, root: Path) -> Path:
    """Where an entry of data.yaml lies: below `path` of the file, beside the file, or in the folder that is audited."""
    near = path.resolve().parent
    # Exports that were moved say ../train/images and mean train/images.
    plain = re.sub(r"^(\.{1,2}/)+", "", entry.replace("\\", "/"))
    for place in (near / base / entry, near / entry, root / entry, near / plain, root / plain):
        there = place.resolve()
        if there.is_file() or (there.is_dir() and there.is_relative_to(root)):
            return there
    raise InputError(f"there is neither a folder nor a list {entry}", where=str(path), hint=f"looked below {root}, too")


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from error
    for encoding in ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp949"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError("is not text in UTF-8, UTF-16 or CP949", where=str(path))
