"""`xqdata ingest`: raw folders in; `images`, `rejects`, `sources` and `detections` out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from xqdata import manifest, memory, remote, schema
from xqdata.config import FILE, Config
from xqdata.errors import InputError
from xqdata.ingest import assemble, merge
from xqdata.ingest.describe import Describer, check_defaults
from xqdata.ingest.measuring import measuring
from xqdata.ingest.roots import Root
from xqdata.ingest.walk import UNLISTED, Listing, copies, crawl, listing
from xqdata.manifest import Origin, Project
from xqdata.readers import BadRow, Outside, Tree, choose
from xqdata.remote import Location
from xqdata.scans import rules
from xqdata.taxonomy import Taxonomy
from xqdata.words import several

# Seconds that a listing may take before its files are measured while it goes on: until then what readers understood is
# told before files are opened.
PATIENCE = 2.0

Announce = Callable[["Account"], None]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Options:
    """How one ingest runs.

    `taxonomy_file`: where the taxonomy was read from, for provenance. `forgotten`: raw folders whose rows are dropped.
    `announce` is called with the account of a raw folder when its readers are chosen, before its files are opened,
    unless listing them takes long; `progress` with (root, files done, files to do as far as is known) while they are.
    """

    dry_run: bool = False
    workers: int | None = None
    readers: tuple[str, ...] = ()
    taxonomy_file: str | None = None
    forgotten: tuple[str, ...] = ()
    announce: Announce = lambda account: None
    progress: Progress = lambda root, done, total: None

    def told(self) -> dict[str, Any]:
        """The options that the result depends on, as provenance records them."""
        return {"readers": list(self.readers), "taxonomy_file": self.taxonomy_file}


@dataclass
class Account:
    """What one ingest made of one raw folder.

    `readers`: (name, why it was chosen). `examples`: what was understood of a few paths. `found`: files below the
    folder; `read`: those that were opened in this run; `unchanged`: those whose earlier measurements hold; `missing`:
    rows of files that are gone.
    """

    root: Root
    readers: list[tuple[str, str]]
    examples: list[tuple[str, dict[str, Any]]]
    found: int
    read: int = 0
    unchanged: int = 0
    missing: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass
class Result:
    """The tables that were (or, in a dry run, would be) written, and an account for each raw folder."""

    tables: dict[str, pa.Table]
    accounts: list[Account] = field(default_factory=list)
    changed: bool = True

    def of_this_run(self, name: str, *, outside: bool = False) -> pa.Table:
        """The rows of a table that belong to the raw folders of this run; `outside`: and those of no raw folder."""
        table = self.tables[name]
        roots = pa.array([a.root.name for a in self.accounts], pa.string())
        mine = pc.is_in(table["root"], roots)
        return table.filter(pc.or_(mine, pc.is_null(table["root"])) if outside else mine)


def ingest(
    project: Project, roots: Sequence[Root], config: Config, taxonomy: Taxonomy, options: Options = Options()
) -> Result:
    """Read `roots` and write the tables of `project`; rows of other roots stay as they are.

    Raises XqdataError where a root, the config or a table of the project cannot be used; a file that cannot be used
    is a row of `rejects` instead.
    """
    check_defaults(config.ingest.defaults)
    for table in config.ingest.tables:
        remote.location(table.path)  # a password in an address must not get into provenance
    with nullcontext() if options.dry_run else manifest.lock(project.state, "ingest"):
        before = _before(project, options.forgotten)
        places = [root.location for root in roots]
        parts = [
            _ingest_root(project, root, [p for p in places if p != root.location], config, taxonomy, options, before)
            for root in roots
        ]
        result = Result(_together(before, parts, [root.name for root in roots]), [part.account for part in parts])
        if not options.dry_run:
            told = {**told_options(config, taxonomy), **options.told()}
            origin = _origin(project, roots, told, options.forgotten)
            result.changed = _write(project, result.tables, origin)
        return result


def told_options(config: Config, taxonomy: Taxonomy) -> dict[str, Any]:
    """What an ingest's result depends on besides the files and the command line, as provenance records it."""
    named = [taxonomy.objects, taxonomy.scan_types, taxonomy.factors]
    spelled = json.dumps(named, default=lambda m: m.model_dump(), sort_keys=True)
    return {
        "config": config.ingest.model_dump(mode="json"),
        "taxonomy": f"{taxonomy.name} {xxhash.xxh3_64_hexdigest(spelled.encode())}",
    }


@dataclass(frozen=True)
class _Part:
    """One raw folder's share of the tables."""

    account: Account
    tables: Mapping[str, pa.Table]
    outside: Sequence[Outside]
    bad_outside: Sequence[BadRow]


def _together(before: Mapping[str, pa.Table], parts: Sequence[_Part], roots: Sequence[str]) -> dict[str, pa.Table]:
    pieces = {name: [part.tables[name] for part in parts] for name in manifest.TOGETHER}
    pieces["rejects"].append(assemble.bad(None, _bad_everywhere(parts)))
    pieces["sources"].append(_outside(parts))
    names = ("images", "rejects", "sources")
    tables = {name: merge.others_kept(name, before[name], pieces[name], roots) for name in names}
    boxes = pa.concat_tables(pieces["detections"])
    return {**tables, "detections": merge.boxes_kept(before["detections"], boxes, tables["images"], roots)}


def _bad_everywhere(parts: Sequence[_Part]) -> list[BadRow]:
    """Bad rows of logs outside the raw folders, each once; one that names no file only if no raw folder has it."""
    told = Counter(row for part in parts for row in part.bad_outside)
    return sorted(
        (row for row, count in told.items() if not row.nowhere or count == len(parts)), key=lambda r: (r.path, r.item)
    )


def _outside(parts: Sequence[_Part]) -> pa.Table:
    named = {o.path: {"path": o.path, "role": o.role, "sha256": o.sha256} for part in parts for o in part.outside}
    return schema.from_rows("sources", [row for _, row in sorted(named.items())])


def _origin(project: Project, roots: Sequence[Root], told: Mapping[str, Any], forgotten: Sequence[str]) -> Origin:
    """Options and place of each raw folder, those of other roots as the run that read them left them."""
    known = manifest.provenance(project, "images") if manifest.exists(project, "images") else None
    options = dict(known.options.get("roots", {})) if known else {}
    places = dict(known.roots) if known else {}
    options |= {root.name: told for root in roots}
    places |= {root.name: str(root.location) for root in roots}
    for name in forgotten:
        options.pop(name, None)
        places.pop(name, None)
    return Origin("ingest", {"roots": options}, roots=places)


def _ingest_root(
    project: Project,
    root: Root,
    others: Sequence[Location],
    config: Config,
    taxonomy: Taxonomy,
    options: Options,
    before: Mapping[str, pa.Table],
) -> _Part:
    own = {project.manifests, project.state, project.folder / FILE}
    with (
        measuring(project, root, rules(config.ingest), options) as measures,
        crawl(root.location, config.ingest.ignore, own) as found,
    ):
        if not found.wait(PATIENCE):
            measures.while_listing(found)
        listed = listing(found)
        _check_listed(root, listed, before["images"])
        files = [f.path for f in listed.files]
        fetched = copies(root.location, measures.fetched, listed.files)
        tree = Tree(root.name, root.location, files, taxonomy, config.ingest, project.folder, others, fetched)
        chosen = choose(tree, options.readers or config.ingest.readers)
        readings = [(reader.name, reader.read(tree)) for reader, _ in chosen]
        describer = Describer(readings, taxonomy, config.ingest.defaults)
        roles = {path: role for _, reading in readings for path, role in reading.sources.items()}
        account = Account(
            root=root,
            readers=[(reader.name, why) for reader, why in chosen],
            examples=_examples(describer, [path for path in tree.pictures if path not in roles]),
            found=len(listed.files) + len(listed.refused),
        )
        options.announce(account)
        measured, account.read = measures.finish(listed, roles)
        if fetched:
            fetched.sweep()
    account.unchanged = len(listed.files) - account.read
    images = assemble.images(root.name, measured, describer)
    boxes = [pair for _, reading in readings for pair in reading.boxes.items()]
    detections, unfit = assemble.detections(images, boxes, taxonomy)
    bad_rows = [bad for _, reading in readings for bad in reading.bad_rows] + unfit
    rejects = assemble.rejects(root.name, measured, listed.refused, [row for row in bad_rows if not row.outside])
    sources = assemble.sources(root.name, measured, roles)
    assemble.check_accounts(account.found, images, rejects, sources)
    lost = merge.gone(before["images"], root.name, images, rejects, sources)
    images = merge.moves(before["images"], images, lost)
    spoken = {path for _, reading in readings for path in reading.boxes}
    stood = (before["images"], before["detections"])
    images, detections, kept = merge.carried(stood, images, lost, detections, spoken)
    account.missing = lost.num_rows
    account.notes = [note for _, reading in readings for note in reading.notes] + describer.notes()
    account.notes += _moved(kept) + _lost_logs(before["sources"], root.name, files)
    return _Part(
        account,
        {"images": pa.concat_tables([images, lost]), "rejects": rejects, "sources": sources, "detections": detections},
        [outside for _, reading in readings for outside in reading.outside],
        [row for row in bad_rows if row.outside],
    )


def _check_listed(root: Root, listed: Listing, images: pa.Table) -> None:
    """Raise InputError where there are more files than a project holds, and where a folder that cannot be listed, as on
    a share that fails, held images: none is gone.
    """
    memory.check_count("ingest", len(listed.files))
    for one in listed.refused:
        if one.message.startswith(UNLISTED):
            stood = images.filter(pc.and_(pc.equal(images["root"], root.name), pc.invert(images["missing"])))
            held = pc.sum(pc.starts_with(stood["path"], f"{one.path}/")).as_py()
            if held:
                what = f"{one.message.removeprefix('the folder ')}; {held:,} images of it stand in the tables"
                hint = "make it readable; or remove it, and they are marked as missing"
                raise InputError(what, where=str(root.location / one.path), hint=hint)


def _moved(kept: Sequence[str]) -> list[str]:
    if not kept:
        return []
    told = several(len(kept), "file that moved keeps", "files that moved keep")
    return [f"{told} what was said of it at the old place, as {kept[0]}; the new place says nothing else"]


def _lost_logs(before: pa.Table, root: str, files: Sequence[str]) -> list[str]:
    logs = before.filter(pc.and_(pc.equal(before["root"], root), pc.equal(before["role"], "log")))["path"].to_pylist()
    there = set(files)
    return [f"{path}, which told of these scans before, is gone" for path in logs if path not in there]


def _examples(describer: Describer, paths: Sequence[str], count: int = 3) -> list[tuple[str, dict[str, Any]]]:
    """A few paths spread over the folder, with what was understood of each."""
    last = len(paths) - 1
    picked = sorted({n * last // max(1, count - 1) for n in range(count)}) if paths else []
    return [(paths[n], describer.explain(paths[n])) for n in picked]


def _before(project: Project, forgotten: Sequence[str]) -> dict[str, pa.Table]:
    """The tables as they stand, without the rows of raw folders to be forgotten.

    They need not come from one run: a new run is what mends that.
    """
    tables = {
        name: manifest.read(project, name, together=False) if manifest.exists(project, name) else schema.empty(name)
        for name in manifest.TOGETHER
    }
    names = pa.array(forgotten, pa.string())
    kept = {n: t.filter(pc.invert(pc.is_in(t["root"], names))) for n, t in tables.items() if "root" in t.column_names}
    return {**tables, **kept}


def _same_times(project: Project, images: pa.Table) -> bool:
    """Whether the standing table, of the same digest, tells the same times: they are no part of it, but later steps
    know by them that a file is as it was.
    """
    columns, order = ["image_id", "mtime"], [("image_id", "ascending")]
    standing = manifest.read(project, "images", columns, together=False)
    return bool(standing.sort_by(order).equals(images.select(columns).sort_by(order)))


def _write(project: Project, tables: Mapping[str, pa.Table], origin: Origin) -> bool:
    """Write the tables unless they stand already with the same content and origin; True if they were written."""
    standing = [manifest.provenance(project, name) for name in tables if manifest.exists(project, name)]
    digests = {p.table: p.digest for p in standing}
    same = (
        digests == {name: str(manifest.digest(schema.table(name), table)) for name, table in tables.items()}
        and len({p.run for p in standing}) == 1
        and all((p.options, p.roots) == (origin.options, origin.roots) for p in standing)
        and _same_times(project, tables["images"])
    )
    if not same:
        manifest.write(project, tables, origin)
    return not same
