"""The measurements of one raw folder: what is kept of earlier runs, and what workers measure now.

Where a listing takes long, files are measured while it goes on: what is measured follows from a file's bytes alone.
Only what readers make of the folder needs the whole listing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from xqdata import engine, manifest, paths
from xqdata.crawl import Crawl
from xqdata.ingest.measured import as_sources, compact, fingerprint, load, reusable, sweep
from xqdata.ingest.roots import Root
from xqdata.ingest.shard import Shard, measure_shard
from xqdata.ingest.walk import Found, Listing, Refused
from xqdata.manifest import Project
from xqdata.scans import Rules

if TYPE_CHECKING:
    from xqdata.ingest.run import Options

SHARD_FILES = 32
# Below this many files, starting worker processes takes longer than they save.
_FEW = 48


class Measuring:
    """Measures the files of `root` by `rules`. `store`: where finished shards go; `fetched`: copies of files at an
    address.
    """

    def __init__(
        self, project: Project, root: Root, rules: Rules, options: Options, store: Path, fetched: Path
    ) -> None:
        self.project = project
        self.root = root
        self.rules = rules
        self.options = options
        self.store = store
        self.fetched = fetched
        self.stored = list(_kept(project, root, rules).glob("*.parquet"))
        self.before = load(self.stored)
        self.ahead: pa.Table = self.before.slice(0, 0)

    def while_listing(self, found: Crawl[str, Found | Refused]) -> None:
        """Measure what is new of the files that are listed so far, until the listing ends."""
        names = ("path", "bytes", "mtime_ns", "tag")
        known = set(zip(*(self.before[name].to_pylist() for name in names), strict=True))
        listed = (one for one in found.stream() if isinstance(one, Found))
        new = (f for f in listed if (f.path, f.bytes, f.mtime_ns, f.tag) not in known)
        written = self._measure(new, lambda: len(found.items), frozenset(), self.options.workers)
        self.ahead = load(written)

    def finish(self, listing: Listing, roles: Mapping[str, str]) -> tuple[pa.Table, int]:
        """Measurements of every listed file, sorted by path and page, and how many files were read for them."""
        ahead = as_sources(self.ahead, roles)
        read = set(ahead["path"].to_pylist())
        left = [f for f in listing.files if f.path not in read]
        known = reusable(as_sources(self.before, roles), left, roles)
        done = set(known["path"].to_pylist())
        waiting = [f for f in left if f.path not in done]
        count = len(read) + len(waiting)
        self.options.progress(self.root.name, len(read), count)
        sources = frozenset(f.path for f in waiting if f.path in roles)
        workers = 1 if len(waiting) < _FEW else self.options.workers
        ends = [waiting[n] for n in (0, -1)] if waiting else []
        written = self._measure(waiting, lambda: count, sources, workers, ends, len(read))
        measured = manifest.ordered(pa.concat_tables([known, ahead, load(written)]), ("path", "page", "item"))
        if (count or len(self.stored) > 1) and not self.options.dry_run:
            compact(self.store, measured)
        return measured, count

    def _measure(
        self,
        files: Iterable[Found],
        total: Callable[[], int],
        sources: frozenset[str],
        workers: int | None,
        ends: Sequence[Found] = (),
        done: int = 0,
    ) -> list[Path]:
        """Measure `files`; returns where the results are. `ends`: files that every worker must see."""
        coming = iter(files)
        first = list(islice(coming, 1))
        if not first:
            return []
        shards = (
            Shard(self.root.location, some, sources & {f.path for f in some}, self.rules, self.store)
            for some in _pieces(chain(first, coming))
        )
        written = []
        with closing(engine.map_shards(measure_shard, shards, workers=workers, sees=self._sees(ends or first))) as made:
            for shard, path in made:
                written.append(path)
                done += len(shard.files)
                self.options.progress(self.root.name, done, total())
        return written

    def _sees(self, some: Sequence[Found]) -> list[Path]:
        lock, location = self.project.state / "lock", self.root.location
        return [lock, *(paths.locate(location, f.path) for f in some)] if isinstance(location, Path) else [lock]


@contextmanager
def measuring(project: Project, root: Root, rules: Rules, options: Options) -> Iterator[Measuring]:
    """A Measuring whose finished shards are kept for later runs, but for a dry run."""
    if not options.dry_run:
        kept = _kept(project, root, rules)
        sweep(kept)
        yield Measuring(project, root, rules, options, kept, project.state / "fetched" / root.name)
        return
    # Other machines see the project's folder, and not this one's folder for temporary files.
    beside = project.folder if engine.chosen().is_cluster else None
    with tempfile.TemporaryDirectory(prefix=".xqdata-", dir=beside) as folder:
        yield Measuring(project, root, rules, options, Path(folder), Path(folder) / "fetched")


def _kept(project: Project, root: Root, rules: Rules) -> Path:
    return project.state / "measured" / root.name / fingerprint(rules)


def _pieces(files: Iterator[Found]) -> Iterator[tuple[Found, ...]]:
    while piece := tuple(islice(files, SHARD_FILES)):
        yield piece
