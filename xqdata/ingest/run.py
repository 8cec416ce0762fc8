"""`xqdata ingest`: raw folders in; `images`, `rejects`, `sources` and `detections` out."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from xqdata import manifest, schema
from xqdata.config import FILE, Config
from xqdata.engine import default_workers, map_shards
from xqdata.images import Limits, RawLayout
from xqdata.ingest import assemble
from xqdata.ingest.describe import Describer
from xqdata.ingest.measure import Rules, Shard, compact, load, measure_shard, reusable
from xqdata.ingest.roots import Root
from xqdata.ingest.walk import Listing, walk
from xqdata.manifest import Origin, Project
from xqdata.readers import Reading, Tree, choose
from xqdata.taxonomy import Taxonomy

SHARD_FILES = 32
# Below this many files, starting worker processes takes longer than they save.
_FEW = 48

Announce = Callable[["Account"], None]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Options:
    """How one ingest runs.

    `taxonomy_file`: where the taxonomy was read from, for provenance. `announce` is called with the account of a raw
    folder when its readers are chosen and before its files are opened; `progress` with (root, files done, files to do)
    while they are.
    """

    dry_run: bool = False
    workers: int | None = None
    readers: tuple[str, ...] = ()
    taxonomy_file: str | None = None
    announce: Announce = lambda account: None
    progress: Progress = lambda root, done, total: None


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

    def of_this_run(self, name: str) -> pa.Table:
        """The rows of a table that belong to the raw folders of this run."""
        table = self.tables[name]
        return table.filter(pc.is_in(table["root"], pa.array([a.root.name for a in self.accounts], pa.string())))


def ingest(
    project: Project, roots: Sequence[Root], config: Config, taxonomy: Taxonomy, options: Options = Options()
) -> Result:
    """Read `roots` and write the tables of `project`; rows of other roots stay as they are.

    Raises XqdataError where a root, the config or a table of the project cannot be used; a file that cannot be used
    is a row of `rejects` instead.
    """
    with nullcontext() if options.dry_run else manifest.lock(project.state, "ingest"):
        before = _before(project)
        result = Result({})
        pieces: dict[str, list[pa.Table]] = {name: [] for name in manifest.TOGETHER}
        for root in roots:
            account, tables = _ingest_root(project, root, config, taxonomy, options, before["images"])
            result.accounts.append(account)
            for name, table in tables.items():
                pieces[name].append(table)
        names = [root.name for root in roots]
        joined = {n: _joined(n, before[n], pieces[n], names) for n in ("images", "rejects", "sources")}
        boxes = _detections(before["detections"], pa.concat_tables(pieces["detections"]), joined["images"], names)
        result.tables = {**joined, "detections": boxes}
        if not options.dry_run:
            told = told_options(config, taxonomy)
            told |= {"readers": list(options.readers), "taxonomy_file": options.taxonomy_file}
            origin = Origin("ingest", told, roots=_places(project, roots))
            result.changed = _write(project, result.tables, origin)
        return result


def told_options(config: Config, taxonomy: Taxonomy) -> dict[str, Any]:
    """What an ingest's result depends on besides the files, as provenance records it."""
    spelled = json.dumps([taxonomy.objects, taxonomy.scan_types], default=lambda m: m.model_dump(), sort_keys=True)
    return {
        "config": config.ingest.model_dump(mode="json"),
        "taxonomy": f"{taxonomy.name} {xxhash.xxh3_64_hexdigest(spelled.encode())}",
    }


def _places(project: Project, roots: Sequence[Root]) -> dict[str, str]:
    known = manifest.provenance(project, "images").roots if project.path("images").exists() else {}
    return {**known, **{root.name: str(root.location) for root in roots}}


def _ingest_root(
    project: Project, root: Root, config: Config, taxonomy: Taxonomy, options: Options, before: pa.Table
) -> tuple[Account, dict[str, pa.Table]]:
    own = {project.manifests, project.state, project.folder / FILE}
    listing = walk(root.location, config.ingest.ignore, own)
    tree = Tree(root.name, root.location, [f.path for f in listing.files], taxonomy, config.ingest, project.folder)
    chosen = choose(tree, options.readers or config.ingest.readers)
    readings = [(reader.name, reader.read(tree)) for reader, _ in chosen]
    describer = Describer(readings, taxonomy, config.ingest.defaults)
    account = Account(
        root=root,
        readers=[(reader.name, why) for reader, why in chosen],
        examples=_examples(describer, tree.pictures),
        found=len(listing.files) + len(listing.refused),
    )
    options.announce(account)

    roles = {path: role for _, reading in readings for path, role in reading.sources.items()}
    measured, account.read = _measure(project, root, listing, roles, config, options)
    account.unchanged = len(listing.files) - account.read
    images = assemble.images(root.name, measured, describer)
    bad_rows = [bad for _, reading in readings for bad in reading.bad_rows]
    boxes = [pair for _, reading in readings for pair in reading.boxes.items()]
    detections, unfit = assemble.detections(images, boxes, taxonomy)
    rejects = assemble.rejects(root.name, measured, listing.refused, bad_rows + unfit)
    sources = assemble.sources(root.name, measured, roles)
    assemble.check_accounts(account.found, images, rejects, sources)
    gone = _gone(before, root.name, images, rejects, sources)
    account.missing = gone.num_rows
    account.notes = [note for _, reading in readings for note in reading.notes] + describer.notes()
    return account, {
        "images": pa.concat_tables([images, gone]),
        "rejects": rejects,
        "sources": pa.concat_tables([sources, _outside(readings)]),
        "detections": detections,
    }


def _examples(describer: Describer, paths: Sequence[str], count: int = 3) -> list[tuple[str, dict[str, Any]]]:
    """A few paths spread over the folder, with what was understood of each."""
    last = len(paths) - 1
    picked = sorted({n * last // max(1, count - 1) for n in range(count)}) if paths else []
    return [(paths[n], describer.explain(paths[n])) for n in picked]


def _measure(
    project: Project, root: Root, listing: Listing, roles: Mapping[str, str], config: Config, options: Options
) -> tuple[pa.Table, int]:
    """Measurements of every listed file, sorted by path and page, and how many files were read for them."""
    rules = _rules(config)
    kept = project.state / "measured" / root.name / rules.fingerprint()
    known = reusable(load(kept.glob("*.parquet")), listing.files, roles)
    done = set(known["path"].to_pylist())
    waiting = [f for f in listing.files if f.path not in done]
    workers = 1 if len(waiting) < _FEW else options.workers or default_workers()
    with _store(kept, options.dry_run) as store:
        shards = (
            Shard(root.location, tuple(waiting[n : n + SHARD_FILES]), frozenset(roles), rules, store)
            for n in range(0, len(waiting), SHARD_FILES)
        )
        written = []
        count = 0
        options.progress(root.name, count, len(waiting))
        for shard, path in map_shards(measure_shard, shards, workers=workers):
            written.append(path)
            count += len(shard.files)
            options.progress(root.name, count, len(waiting))
        fresh = load(written)
        order = [("path", "ascending"), ("page", "ascending"), ("item", "ascending")]
        measured = pa.concat_tables([known, fresh]).sort_by(order)
        if written and not options.dry_run:
            compact(store, measured)
    return measured, len(waiting)


def _rules(config: Config) -> Rules:
    ingest = config.ingest
    window = (ingest.window[0], ingest.window[1]) if ingest.window else None
    raw = tuple(
        (r.files, RawLayout(r.width, r.height, f"{'<' if r.byte_order == 'little' else '>'}u{r.bits // 8}", r.skip))
        for r in ingest.raw
    )
    return Rules(Limits(ingest.max_pixels, ingest.max_bytes, window), ingest.polarity, raw)


@contextmanager
def _store(kept: Path, dry_run: bool) -> Iterator[Path]:
    if dry_run:
        with tempfile.TemporaryDirectory(prefix="xqdata-") as folder:
            yield Path(folder)
    else:
        yield kept


def _before(project: Project) -> dict[str, pa.Table]:
    """The tables as they stand. They need not come from one run: a new run is what mends that."""
    return {
        name: manifest.read(project, name, together=False) if project.path(name).exists() else schema.empty(name)
        for name in manifest.TOGETHER
    }


def _joined(name: str, before: pa.Table, pieces: Sequence[pa.Table], roots: Sequence[str]) -> pa.Table:
    """The rows of other roots as they were, and those of this run, sorted so that the file does not depend on order."""
    new = pa.concat_tables(pieces)
    replaced = pc.is_in(before["root"], pa.array(roots, pa.string()))
    if name == "sources":  # a log outside the raw folders has no root: the one just read replaces the row of its path
        again = pc.and_(pc.is_null(before["root"]), pc.is_in(before["path"], new["path"].combine_chunks()))
        replaced = pc.or_(replaced, again)
    table = pa.concat_tables([before.filter(pc.invert(replaced)), new])
    keys = [c for c in ("root", "path", "page", "item") if c in table.column_names]
    return table.sort_by([(column, "ascending") for column in keys])


def _detections(before: pa.Table, new: pa.Table, images: pa.Table, roots: Sequence[str]) -> pa.Table:
    """The boxes of this run, and those of images that it did not see: of other roots, and of files that are gone."""
    mine = pc.and_(pc.is_in(images["root"], pa.array(roots, pa.string())), pc.invert(images["missing"]))
    unseen = images.filter(pc.invert(mine))["image_id"].combine_chunks()
    kept = before.filter(pc.is_in(before["image_id"], unseen))
    keys = [(column, "ascending") for column in schema.DETECTIONS.key]
    return pa.concat_tables([kept, new]).sort_by(keys)


def _gone(before: pa.Table, root: str, images: pa.Table, rejects: pa.Table, sources: pa.Table) -> pa.Table:
    """Rows of images that an earlier run saw below `root` and whose file is no longer there, marked missing."""
    refused = rejects.filter(pc.not_equal(rejects["reason"], "vanished"))
    here = pa.chunked_array([*images["path"].chunks, *refused["path"].chunks, *sources["path"].chunks], pa.string())
    mine = before.filter(pc.equal(before["root"], root))
    gone = mine.filter(pc.invert(pc.is_in(mine["path"], here.combine_chunks())))
    position = schema.IMAGES.names.index("missing")
    return gone.set_column(position, schema.IMAGES.arrow.field("missing"), pa.array([True] * gone.num_rows, pa.bool_()))


def _outside(readings: Sequence[tuple[str, Reading]]) -> pa.Table:
    named = {o.path: o for _, reading in readings for o in reading.outside}
    rows: list[dict[str, object]] = [
        {
            "root": None,
            "path": o.path,
            "role": o.role,
            "sha256": hashlib.sha256(o.location.read_bytes()).hexdigest(),
        }
        for o in named.values()
    ]
    return schema.from_rows("sources", rows)


def _write(project: Project, tables: Mapping[str, pa.Table], origin: Origin) -> bool:
    """Write the tables unless they stand already with the same content and origin; True if they were written."""
    standing = [manifest.provenance(project, name) for name in tables if project.path(name).exists()]
    digests = {p.table: p.digest for p in standing}
    same = (
        digests == {name: str(manifest.digest(schema.table(name), table)) for name, table in tables.items()}
        and len({p.run for p in standing}) == 1
        and all((p.options, p.roots) == (origin.options, origin.roots) for p in standing)
    )
    if not same:
        manifest.write(project, tables, origin)
    return not same
