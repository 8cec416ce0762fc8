"""The table `masks`: every image's foreground, its container estimated and taken away."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from xqdata import manifest, scans
from xqdata.containers import lengths
from xqdata.containers.empty import Container
from xqdata.containers.estimation import MINIMUM, estimate
from xqdata.containers.fitting import is_shown
from xqdata.containers.grouping import COLUMNS, Group, groups, polarities, speakers
from xqdata.containers.lengths import Masks
from xqdata.containers.lifting import Mask, foreground, without_container
from xqdata.containers.maps import Map, attenuation
from xqdata.engine import map_shards
from xqdata.images import BadImage
from xqdata.manifest import Project
from xqdata.scans import Scan

SHARD_SCANS = 32
# Scans that a container is estimated from at most: more make it no better, and memory is bounded. Where several
# containers may be mixed, each needs a few.
_SAMPLE, _SAMPLE_MIXED = 32, 96
# Containers that are looked for in a group whose containers are not told apart.
_MOST = 12
_NEARLY_ALL = 0.8
# Below this many images, starting worker processes takes longer than they save.
_FEW = 64

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Sample:
    """Scans of one group; containers that some of them may show already, and how many others there may be."""

    group: Group
    scans: tuple[Scan, ...]
    known: tuple[Container, ...]
    most: int


@dataclass(frozen=True)
class _Shard:
    """Scans of one group, and the containers that they may show."""

    group: Group
    scans: tuple[Scan, ...]
    containers: tuple[Container, ...]
    sure: bool


def masks(
    project: Project, folder: Path, *, workers: int | None = None, progress: Progress = lambda done, total: None
) -> Masks:
    """The table `masks` for every image that is not missing, in the order of their image_id.

    `folder`: where its rows are kept, in a file that must stay for as long as they are read. A row whose image cannot
    be opened any more says so in `method`. Raises TableError where the table `images` does not stand, XqdataError
    where the file cannot be written.
    """
    rows = manifest.read(project, "images", list(dict.fromkeys((*COLUMNS, *scans.COLUMNS, "missing"))))
    rows = manifest.ordered(rows.filter(pc.invert(rows["missing"])), ["image_id"])
    polarity = polarities(rows)
    opened = {s.image_id: replace(s, polarity=polarity.get(s.image_id)) for s in scans.located(project, rows)}
    sees = scans.witnesses(project, list(opened.values()))
    standing = {row["pixel_hash"]: row["image_id"] for row in speakers(rows.select(COLUMNS).to_pylist()).values()}
    same = pa.array([standing[pixels] for pixels in rows["pixel_hash"].to_pylist()], pa.string())
    file = folder / "masks.arrow"
    work = _Work(groups(rows), opened, sees, 1 if rows.num_rows < _FEW else workers, progress)
    work.estimate()
    with closing(work.lift()) as made:
        lengths.write(file, made)
    return Masks(rows["image_id"].combine_chunks(), file, same)


class _Work:
    """One run over all groups: first their containers, then the masks."""

    def __init__(
        self,
        listed: Sequence[Group],
        opened: dict[str, Scan],
        sees: Sequence[Path],
        workers: int | None,
        progress: Progress,
    ) -> None:
        self.groups = listed
        self.opened = opened
        self.workers = workers
        self.sees = sees
        self.progress = progress
        self.containers: dict[Group, tuple[Container, ...]] = {}
        self.done = 0
        self.total = sum(len(g.images) + len(self._sampled(g)) for g in listed)

    def estimate(self) -> None:
        """The containers of every group: of known ones, then of those that may show a known one or others."""
        self._estimated([g for g in self.groups if g.container_id is not None])
        self._estimated([g for g in self.groups if g.container_id is None])

    def lift(self) -> Generator[dict[str, Any], None, None]:
        """The rows of `masks` of all images of the groups, as they are made."""
        with closing(map_shards(_lifted, self._shards(), workers=self.workers, sees=self.sees)) as finished:
            for shard, found in finished:
                yield from found
                self._advance(len(shard.scans))

    def _estimated(self, listed: Sequence[Group]) -> None:
        samples = [_Sample(g, s, self._candidates(g), self._most(g)) for g in listed if (s := self._sampled(g))]
        with closing(map_shards(_containers, samples, workers=self.workers, sees=self.sees)) as finished:
            for sample, found in finished:
                self.containers[sample.group] = found
                self._advance(len(sample.scans))

    def _sampled(self, group: Group) -> tuple[Scan, ...]:
        """Some scans of a group. An image_id is a hash: the first ones are a fair sample."""
        if group.bare or len(group.images) < MINIMUM:
            return ()
        return self._opened(group.images[: _SAMPLE_MIXED if group.container_id is None else _SAMPLE])

    def _opened(self, images: Sequence[str]) -> tuple[Scan, ...]:
        return tuple(self.opened[i] for i in images)

    def _candidates(self, group: Group) -> tuple[Container, ...]:
        """The containers of other groups that scans of this one may show: only those told apart, where it is not."""
        if group.container_id is not None:
            return ()
        return tuple(c for g, own in self.containers.items() if g is not group and group.may_show(g) for c in own)

    def _sure(self, group: Group) -> bool:
        """True if all scans of a group show its container: that is told, or nearly all of a sample do."""
        if group.container_id is not None:
            return True
        own = self.containers.get(group, ())
        return len(own) == 1 and own[0].scans >= _NEARLY_ALL * len(self._sampled(group))

    def _most(self, group: Group) -> int:
        return 1 if group.container_id is not None else _MOST

    def _shards(self) -> Iterator[_Shard]:
        for group in self.groups:
            own = self.containers.get(group, ())
            others = () if own and group.container_id is not None else self._candidates(group)
            for start in range(0, len(group.images), SHARD_SCANS):
                part = self._opened(group.images[start : start + SHARD_SCANS])
                yield _Shard(group, part, own + others, self._sure(group))

    def _advance(self, count: int) -> None:
        self.done += count
        self.progress(self.done, self.total)


def _containers(sample: _Sample) -> tuple[Container, ...]:
    """In a worker: the containers that a sample shows besides known ones."""
    maps: list[Map] = []
    for scan in sample.scans:
        try:
            full = attenuation(scan.read(), scan.polarity) if scan.polarity else None
        except BadImage:
            continue  # told with its mask
        if full is not None and not is_shown(full, sample.known):
            maps.append(full)
    return estimate(maps, sample.most).containers


def _lifted(shard: _Shard) -> list[dict[str, Any]]:
    """In a worker: the rows of `masks` of a shard."""
    return [_mask(shard, scan).row(scan.image_id) for scan in shard.scans]


def _mask(shard: _Shard, scan: Scan) -> Mask:
    if scan.polarity is None:
        return Mask(None, None, "not estimated: which end of the values is air is not known")
    try:
        page = scan.read()
    except BadImage as error:
        return Mask(None, None, f"not read: {error.message}")
    if shard.group.bare:
        return without_container(page, scan.polarity)
    if not shard.containers:
        return Mask(None, None, _why_none(shard.group))
    return foreground(page, scan.polarity, shard.containers, sure=shard.sure)


def _why_none(group: Group) -> str:
    count = len(group.images)
    if count < MINIMUM:
        return f"not estimated: {count} scan{'s' if count > 1 else ''} of this container, {MINIMUM} are needed"
    return f"not estimated: fewer than {MINIMUM} of {count} scans show one container"
