"""A split that someone else made: read in place, into tables of its own, and audited there.

Nothing is written to the folder itself nor to the tables of the project in the current folder. The scratch project of a
folder is always the same one, so that a second audit, of another split or by other columns, opens only new files.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import shlex
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xqdata import ingest, manifest, schema
from xqdata.audit.finding import HIGH, Evidence, Finding
from xqdata.audit.lists import listed
from xqdata.audit.parts import UNDERSTOOD, dearest, in_order, part_called
from xqdata.audit.run import Audit, Options, audit
from xqdata.audit.telling import count
from xqdata.config import Config, IngestConfig
from xqdata.dedup.run import Options as DedupOptions
from xqdata.dedup.run import dedup
from xqdata.errors import ConfigError, InputError
from xqdata.groups import ON_REQUEST
from xqdata.ingest.describe import DESCRIBED
from xqdata.manifest import Origin, Project
from xqdata.readers.patterns import pattern_regex
from xqdata.remote import Location
from xqdata.splits import Request
from xqdata.splits.material import REASONS, TAKES_PART, gather
from xqdata.taxonomy import Taxonomy

NAMED_TWICE = "named-twice"
# What a layout's {split} is called in extra: no column of anybody's table is.
_SPLIT = "layout_split"
_FIELD = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_FLAGS = re.compile(r"\(\?([aiLmsux]+)\)")
_SHOWN = 3
_EXAMPLE = '--layout "{split}/{object}/{file}"'


@dataclass(frozen=True)
class Claimed:
    """What is said of a split that someone else made.

    `folder`: a path, or NAME=PATH. `layout`: a pattern of the paths below it, whose field {split} names the part.
    `files`: split files instead, FILE or PART=FILE. `group_from`: a regular expression, searched in the paths, whose
    named groups are columns of images that the split is to keep apart. `name`: what the split is called in its tables.
    """

    folder: str
    layout: str | None = None
    files: tuple[str, ...] = ()
    group_from: str | None = None
    name: str = "default"

    def __post_init__(self) -> None:
        ingest.resolve([self.folder], {})  # raises where there is no such folder, whatever else is wrong
        if not self.files and self.layout is None:
            hint = f"say it as in {_EXAMPLE}, or name its lists with --split-file"
            raise InputError("nothing says which part a file is in", where=self.folder, hint=hint)
        fields = _FIELD.findall(self.layout or "")
        if self.files and "split" in fields:
            hint = "leave {split} out of --layout, or leave --split-file out"
            raise InputError("both the layout and the split files say which part a file is in", hint=hint)
        if not self.files and "split" not in fields:
            raise InputError(f"{self.layout!r} has no field {{split}}", where="--layout", hint=f"as in {_EXAMPLE}")
        if self.group_from is not None:
            _check_expression(self.group_from)

    @property
    def apart(self) -> tuple[str, ...]:
        """The columns of images that `group_from` fills."""
        return tuple(map(_column, re.compile(self.group_from).groupindex)) if self.group_from is not None else ()

    def told(self) -> dict[str, Any]:
        """As provenance records it."""
        return {"layout": self.layout, "split_files": list(self.files), "group_from": self.group_from}


@dataclass
class Foreign:
    """A split that someone else made, in tables of its own.

    `project`: its scratch project. `read`: files opened in this run. `images`: that have a part; `outside`: that have
    none. `twice`: images named in several parts, by image_id, with those parts. `notes`: one line each.
    """

    project: Project
    claimed: Claimed
    read: int = 0
    images: int = 0
    outside: int = 0
    twice: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def repair(self, *more: str) -> str:
        """What to type to have the split mended, wherever one is."""
        words = shlex.join(["xqdata", "split", "--repair", self.claimed.name, *more])
        return f"(cd {shlex.quote(str(self.project.folder))} && {words})"


def foreign(
    claimed: Claimed,
    here: Path,
    settings: Config,
    taxonomy: Taxonomy,
    options: Options,
    taxonomy_file: str | None = None,
) -> tuple[Foreign, Audit]:
    """Audit the split that `claimed` describes, as `xqdata audit` does one of our own.

    `here`: the folder that the scratch project goes to, into `.xqdata/audits`; a cache folder where that cannot be
    written. Of `settings` only what decoding depends on is used. Raises InputError where the folder, the layout or a
    split file cannot be used, and where fewer than two parts are found.
    """
    (root,) = ingest.resolve([claimed.folder], {})
    config = Config(ingest=_config(claimed, settings.ingest, taxonomy, root.location, here))
    made = Foreign(Project(_scratch(here, root)), claimed)
    reading = ingest.Options(
        workers=options.workers,
        taxonomy_file=taxonomy_file,
        progress=lambda _, done, total: options.progress("reading", done, total),
    )
    before = _digest(made.project)
    result = ingest.ingest(made.project, [root], config, taxonomy, reading)
    if _digest(made.project) != before:
        # A split of other images, or of other columns, is not to be repaired, should this audit fail.
        for table in (made.project.manifests / "splits").glob("*.parquet"):
            table.unlink()
    made.read = sum(account.read for account in result.accounts)
    images = result.tables["images"].filter(pc.invert(result.tables["images"]["missing"]))
    if not images.num_rows:
        raise InputError("holds no picture that can be read", where=str(root.location))
    parts, why = _parts(made, images, root.location)
    _check_parts(made, images, parts)
    _check_groups(made, images)
    _deduplicated(made.project, taxonomy, options)
    _write(made, taxonomy, parts, why)
    made.outside = images.num_rows - made.images
    given = _named_twice(made)
    apart = tuple(dict.fromkeys((*options.apart, *claimed.apart)))
    asked = replace(
        options, name=claimed.name, apart=apart, given=given, repair=made.repair("--csv", str(here / "repaired.csv"))
    )
    return made, audit(made.project, taxonomy, asked)


# --- where it is read from, and into


def _scratch(here: Path, root: ingest.Root) -> Path:
    """The scratch project's folder: the same one for the same folder, whatever is asked of it."""
    key = hashlib.sha256(os.fsencode(str(root.location))).hexdigest()[:12]
    name = f"{re.sub(r'[^A-Za-z0-9_.-]', '_', root.name)[:40]}-{key}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xqdata"
    for state in (here / ".xqdata", cache):
        place = state / "audits" / name
        try:
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place):
                return place
        except OSError:
            continue
    hint = "go to a folder that you may write to, or set XDG_CACHE_HOME"
    raise InputError("the audit's tables cannot be written here, nor in the cache folder", where=str(cache), hint=hint)


def _config(claimed: Claimed, own: IngestConfig, taxonomy: Taxonomy, location: Location, here: Path) -> IngestConfig:
    """Decoding as the project in `here` has it; what it says of its own raw folders says nothing of this one."""
    ignore = list(own.ignore)
    if isinstance(location, Path) and here.is_relative_to(location):
        inside = here.relative_to(location).as_posix()
        before = "" if inside == "." else f"{glob.escape(inside)}/"
        ignore += [f"{before}{name}/*" for name in (".xqdata", "manifests")]
    changes = {"ignore": ignore, "patterns": [], "tables": [], "readers": [], "defaults": {}}
    return own.model_copy(update={**changes, "regex": _expressions(claimed, taxonomy)})


def _expressions(claimed: Claimed, taxonomy: Taxonomy) -> list[str]:
    """Layout and groups as regular expressions to be searched in paths: both at once first, for one match counts."""
    layout = _layout(claimed.layout, taxonomy) if claimed.layout else None
    group = _group(claimed.group_from) if claimed.group_from else None
    if layout and group:
        shared = set(re.compile(layout).groupindex) & set(re.compile(group).groupindex)
        if shared:
            hint = "leave it out of one of them"
            raise InputError(f"the layout says {min(shared)}, too", where="--group-from", hint=hint)
    both = [rf"\A(?=(?s:.*?)(?:{group})){layout}"] if layout and group else []
    return [*both, *([rf"\A{layout}"] if layout else []), *([group] if group else [])]


def _layout(layout: str, taxonomy: Taxonomy) -> str:
    names = {"split": _SPLIT, "file": "_file"}
    renamed = _FIELD.sub(lambda m: f"{{{names.get(m[1], m[1])}}}", layout)
    try:
        expression = pattern_regex(renamed, taxonomy)
    except ConfigError as error:
        raise InputError(error.message.replace(_SPLIT, "split"), where="--layout", hint=error.hint) from error
    if re.search(r"[{}]", _FIELD.sub("", layout)):
        hint = f"names in braces are of small letters, digits and _, as in {_EXAMPLE}"
        raise InputError(f"{layout!r} is no pattern", where="--layout", hint=hint)
    # Without a slash a layout speaks of the file's name only.
    return rf"{expression}\Z" if "/" in layout else rf"(?s:.*/)?{expression}\Z"


def _group(written: str) -> str:
    """The expression, with flags that must stand at the beginning put where they may stand anywhere."""
    flags = _FLAGS.match(written)
    return f"(?{flags[1]}:{written[flags.end() :]})" if flags else written


def _check_expression(written: str) -> None:
    """Raise InputError for an expression that is none, or whose groups are no columns of images."""
    where = "--group-from"
    try:
        names = tuple(re.compile(written).groupindex)
    except re.error as error:
        raise InputError(f"{written!r} is no regular expression ({error})", where=where) from error
    if not names:
        hint = r'name the groups after columns of images, as in "(?P<series>B\d+)_"'
        raise InputError(f"{written!r} has no named group", where=where, hint=hint)
    for name in names:
        if _column(name) not in DESCRIBED:
            raise InputError(f"images has no column {name}", where=where, hint=f"columns: {', '.join(DESCRIBED)}")


def _column(group: str) -> str:
    return {"specimen": "specimens", "object": "objects"}.get(group.rstrip("0123456789"), group)


# --- which part each image is in


def _parts(made: Foreign, images: pa.Table, location: Location) -> tuple[dict[str, set[str]], str]:
    """By path the parts that a picture is in, and why others are in none."""
    paths = images["path"].to_pylist()
    if made.claimed.files:
        found = listed(made.claimed.files, location, sorted(set(paths)))
        made.notes += found.notes
        return found.parts, "no split file names it"
    named = [json.loads(extra).get(_SPLIT) for extra in images["extra"].to_pylist()]
    called = {path: {part} for path, name in zip(paths, named, strict=True) if name and (part := part_called(name))}
    unknown = Counter(name for name in named if name is not None and part_called(name) is None)
    if unknown:
        told = ", ".join(f"{name} ({many:,})" for name, many in unknown.most_common(_SHOWN))
        more = f" and {len(unknown) - _SHOWN:,} more" if len(unknown) > _SHOWN else ""
        made.notes.append(f"no names of parts, so left out: {told}{more}; understood are {UNDERSTOOD}")
    lost = [path for path, name in zip(paths, named, strict=True) if name is None]
    if lost:
        made.notes.append(f"the layout does not fit {count(len(lost), 'image')}, left out, the first is {lost[0]}")
    return called, "its path does not name a part as the layout has it"


def _check_parts(made: Foreign, images: pa.Table, parts: Mapping[str, set[str]]) -> None:
    """Raise InputError where there are not two parts to compare."""
    found = in_order({part for named in parts.values() for part in named})
    if len(found) > 1:
        return
    told = f"all are in {found[0]}" if found else f"as {images['path'][0].as_py()}"
    more = f" ({'; '.join(made.notes)})" if made.notes else ""
    if made.claimed.files:
        hint = "name the other parts' files with more --split-file"
        raise InputError(f"the split files give only one part: {told}{more}", where="--split-file", hint=hint)
    hint = "the field {split} must hold names of parts" + ("" if made.notes else f": {UNDERSTOOD}")
    raise InputError(f"the paths give no two parts: {told}{more}", where="--layout", hint=hint)


def _check_groups(made: Foreign, images: pa.Table) -> None:
    """Raise InputError where a group is found in no path; tell of images without one."""
    for name in made.claimed.apart:
        lacking = images.filter(pc.is_null(images[name]))
        if lacking.num_rows == images.num_rows:
            where, first = "--group-from", images["path"][0].as_py()
            raise InputError(f"fits no path, such as {first}", where=where, hint="it is searched below the folder")
        if lacking.num_rows:
            first = lacking["path"][0].as_py()
            made.notes.append(f"no {name} in the path of {count(lacking.num_rows, 'image')}, the first is {first}")


# --- the tables


def _digest(project: Project) -> str | None:
    return manifest.provenance(project, "images").digest if manifest.exists(project, "images") else None


def _deduplicated(project: Project, taxonomy: Taxonomy, options: Options) -> None:
    """Run dedup, unless its tables stand and were made from these images by these options."""
    asked = DedupOptions(workers=options.workers, progress=options.progress)
    if manifest.exists(project, "links"):
        known = manifest.provenance(project, "links")
        made_from = [name for name in ("images", "labels") if manifest.exists(project, name)]
        now = {name: manifest.provenance(project, name).digest for name in made_from}
        if (known.inputs, known.options) == (now, json.loads(json.dumps(asked.told()))):
            return
    dedup(project, taxonomy, asked)


def _write(made: Foreign, taxonomy: Taxonomy, parts: Mapping[str, set[str]], why: str) -> None:
    """Write the split's table. An image named in several parts is counted in the one where it does most harm."""
    tied = tuple(name for name in made.claimed.apart if name in ON_REQUEST)
    material = gather(made.project, taxonomy, Request(name=made.claimed.name, together=tied))
    ids, paths = material.ids, material.images["path"].to_pylist()
    part: list[str | None] = []
    reason: list[str | None] = []
    for image, path, state in zip(ids, paths, material.state.tolist(), strict=True):
        named = parts.get(path, set()) if state == TAKES_PART else set()
        part.append(dearest(named) if named else None)
        reason.append(None if named else REASONS[state] or f"in no part: {why}")
        if len(named) > 1:
            made.twice[image] = in_order(named)
    made.images = len(part) - part.count(None)
    counts = Counter(p for p in part if p)
    names = in_order(counts)
    if len(names) < 2:
        raise InputError("all images that are in a part are in one", where=made.claimed.folder)
    columns = {
        "image_id": pa.array(ids),
        "part": pa.array(part, pa.string()),
        "reason": pa.array(reason, pa.string()),
        "group": pa.array(np.array(ids, dtype=object)[material.component], pa.string()),
    }
    name = f"splits/{made.claimed.name}"
    arrow = schema.table(name).arrow
    table = pa.table([columns[column] for column in arrow.names], schema=arrow)
    shares = {p: f"{counts[p]}/{made.images}" for p in names}
    told = {"foreign": made.claimed.told(), "parts": shares, "together": list(tied)}
    with manifest.lock(made.project.state, "audit"):
        manifest.write(made.project, {name: table}, Origin("audit", told, material.inputs))


def _named_twice(made: Foreign) -> tuple[tuple[Finding, tuple[Evidence, ...]], ...]:
    """The finding about images that the split files name in several parts, if there are any."""
    if not made.twice:
        return ()
    together = Counter(" and ".join(named) for named in made.twice.values())
    told = ", ".join(f"{named} {many:,}" for named, many in together.most_common(_SHOWN))
    twice = len(made.twice)
    detail = (
        f"{count(twice, 'image')} {'is' if twice == 1 else 'are'} named in several parts ({told}), so training sees "
        "what is tested; take them out of all parts but one"
    )
    evidence = tuple(
        Evidence(NAMED_TWICE, image, None, f"named in {' and '.join(named)}")
        for image, named in sorted(made.twice.items())
    )
    return ((Finding(NAMED_TWICE, HIGH, twice, twice, 0, detail), evidence),)
