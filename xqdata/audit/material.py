"""What an audit looks at: the images of a split with their effective labels, their parts, and what joins them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xqdata import compared, groups, manifest, schema
from xqdata.audit.sides import Sides, sides
from xqdata.errors import InputError, TableError
from xqdata.groups import IDENTITY, ON_REQUEST, Ints, Ties
from xqdata.manifest import Project
from xqdata.schema import COPY_KINDS, TIE_KINDS
from xqdata.splits import Request, expression
from xqdata.splits.material import judged
from xqdata.taxonomy import Taxonomy

Flags = NDArray[np.bool_]

# What the findings are about.
_LOOKED_AT = (
    *("image_id", "missing", "object", "objects", "scan_type", "container", "multiplicity", "clutter", "specimens"),
    *("format", "bytes", "bit_depth", "width", "height"),
    *("acquired_at", "scanner_make", "scanner_model", "scanner_serial", "operator"),
    *("scan_id", "bag", "session", "series", "container_id"),
)


@dataclass(frozen=True)
class Claims:
    """What a split says of itself. `apart`: columns no value of which lies in two parts. `axes`: those of them that cut
    through the classes on purpose. `given_up`: what it knowingly lets leak. `test_where`, `test_after`: the condition
    for the test part. `random`: drawn at random, so that it claims nothing. `stratify`: what it holds in proportion.
    `own`: made by xqdata split. `mendable`: xqdata split --repair can make it clean.
    """

    apart: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()
    given_up: tuple[str, ...] = ()
    test_where: str | None = None
    test_after: str | None = None
    random: bool = False
    stratify: tuple[str, ...] = ()
    own: bool = False
    mendable: bool = True


@dataclass(frozen=True)
class Material:
    """The rows of images by image_id, with effective labels.

    `part`: (rows,) number of the part among `sides.names`; -1 for rows without, and for images that are missing or
    were rejected since. `a`, `b`: (links,) the rows that each row of `links` joins; `copies`: (rows,) the cluster of
    copies by the table `duplicates`, its number, or -1. `inputs`: digests of the tables that stand, of all that an
    audit reads. `repair`: what to type to have the split mended; empty where that cannot be done. `unseen`: why copies
    are not known of all pictures; empty where dedup has compared them all.
    """

    images: pa.Table
    part: Ints
    sides: Sides
    claims: Claims
    links: pa.Table
    a: Ints
    b: Ints
    copies: Ints
    undecided: tuple[Ints, Ints]
    inputs: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    repair: str = ""
    unseen: str = ""
    _last: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def has_part(self) -> Flags:
        """Rows that have a part."""
        return np.asarray(self.part >= 0)

    @cached_property
    def tested(self) -> Flags:
        """Rows of a part that is tested."""
        return self.sides.of(self.part)

    @cached_property
    def against(self) -> Flags:
        """Rows that tested ones are tested against; all that have a part where every part is tested once."""
        return self.has_part if self.sides.rotates else self.has_part & ~self.tested

    @cached_property
    def ids(self) -> list[str]:
        """The image ids."""
        found: list[str] = self.images["image_id"].to_pylist()
        return found

    @property
    def deduplicated(self) -> bool:
        """Whether dedup has compared all pictures that are there."""
        return not self.unseen

    @cached_property
    def component(self) -> Ints:
        """(rows,) what may not be separated: the first row of what identity columns, links and copies join."""
        return self._joined(self.has_part)

    def families(self, rows: Ints) -> Ints:
        """The component of each of `rows`, joined by the values of these rows only.

        Scans of mixed kinds join nearly all specimens of a collection to one component. Where they are not looked at,
        they make what is looked at no less independent.
        """
        looked_at = np.zeros(len(self.part), bool)
        looked_at[rows] = True
        # One finding after another looks at the same rows.
        told = self._last
        if "rows" not in told or not np.array_equal(told["rows"], looked_at):
            told["rows"], told["component"] = looked_at, self._joined(looked_at)
        found: Ints = told["component"][rows]
        return found

    def _joined(self, looked_at: Flags) -> Ints:
        ties = [ties.only(looked_at[ties.image]) for ties in self._tying]
        return groups.components(self.images.num_rows, [*ties, self.tie(*COPY_KINDS, *TIE_KINDS), self.copy_tie])

    @cached_property
    def _tying(self) -> list[Ties]:
        """The ties of all rows by the columns that may not be separated, whatever the values are called."""
        every = np.ones(len(self.part), bool)
        tying = [name for name in (*IDENTITY, *ON_REQUEST) if name in IDENTITY or name in self.claims.apart]
        found = (groups.column_ties(self.images, name, every) for name in tying)
        return [replace(ties, names=pa.nulls(len(ties.names))) for ties in found]

    def column(self, name: str) -> Ties:
        """The ties of one column among the rows that have a part."""
        return groups.column_ties(self.images, name, self.has_part)

    def tie(self, *kinds: str) -> Ties:
        """The links of some kinds as ties, each link a value."""
        mine = np.isin(self.links["kind"].to_numpy(zero_copy_only=False), kinds) if len(self.a) else np.zeros(0, bool)
        number = np.arange(int(mine.sum()))
        ends, twice = np.append(self.a[mine], self.b[mine]), np.append(number, number)
        return Ties("links", ends, twice, pa.array([""] * len(number)))

    @cached_property
    def copy_tie(self) -> Ties:
        """The clusters of `duplicates` as ties."""
        rows = np.flatnonzero(self.copies >= 0)
        return Ties("copies", rows, self.copies[rows], pa.array([""] * (int(self.copies.max(initial=-1)) + 1)))


def gather(project: Project, taxonomy: Taxonomy, name: str, apart: tuple[str, ...] = (), repair: str = "") -> Material:
    """Read what an audit of `splits/NAME` needs. Raises TableError where images or the split do not stand, InputError
    where the split holds images that images does not, or no part. `repair`: what to type to have it mended, if it is
    not what one types in the project's folder.
    """
    _check_stands(project, name)
    split = manifest.read(project, f"splits/{name}", ["image_id", "part"])
    claims = _claims(manifest.provenance(project, f"splits/{name}").options, apart)
    unseen = compared.unseen(project)
    images, out = _images(project, taxonomy, claims, exact=bool(unseen))
    unknown = pc.invert(pc.is_in(split["image_id"], images["image_id"].combine_chunks()))
    if pc.any(unknown).as_py():
        count = pc.sum(unknown).as_py()
        hint = (
            "run xqdata split again" if name == "default" else f"run xqdata split --name {name} again, with its options"
        )
        raise InputError(f"holds {count:,} images that the table images lacks", where=f"splits/{name}", hint=hint)
    parts = split["part"].take(pc.index_in(images["image_id"], split["image_id"].combine_chunks())).combine_chunks()
    found = sides(set(pc.unique(split["part"]).to_pylist()) - {None})
    if not found.names:
        raise InputError("gives no image a part, so there is nothing to audit", where=f"splits/{name}")
    part = pc.index_in(parts, pa.array(found.names)).fill_null(-1).to_numpy().astype(np.int64)
    notes = _notes(images, split, out & (part >= 0))
    part[out] = -1
    links = _table(project, "links")
    if unseen:
        links = _with(links, _exact(images, ~out))
    links = links.sort_by([(key, "ascending") for key in schema.LINKS.key])
    a, b, known = _ends(images, links)
    undecided = _table(project, "undecided", "image_a", "image_b")
    return Material(
        images,
        part,
        found,
        claims,
        links.filter(pa.array(known)),
        a,
        b,
        _clusters(images, _table(project, "duplicates", "image_id", "cluster")),
        _ends(images, undecided)[:2],
        _inputs(project, name),
        notes,
        (repair or f"xqdata split --repair {name}") if claims.mendable else "",
        unseen,
    )


def _check_stands(project: Project, name: str) -> None:
    """Raise TableError, with the first step that is missing, where there is no such split."""
    standing = manifest.standing(project)
    where = str(project.path(f"splits/{name}"))
    if "images" not in standing:
        hint = "run xqdata ingest RAW first, then dedup, split and this again"
        raise TableError("nothing was ingested here, so there is no split yet", where=str(project.folder), hint=hint)
    if "links" not in standing and not manifest.splits(project):
        hint = "run xqdata dedup first, so that copies stay together, then split and this again"
        raise TableError("there is no such split", where=where, hint=hint)
    manifest.provenance(project, f"splits/{name}")  # raises where it does not stand, and says which splits there are


def _inputs(project: Project, name: str) -> dict[str, str]:
    wanted = ("images", "labels", "links", "undecided", "masks", "duplicates", f"splits/{name}")
    return {t: manifest.provenance(project, t).digest for t in wanted if manifest.exists(project, t)}


def _claims(options: Mapping[str, Any], apart: tuple[str, ...]) -> Claims:
    """What the provenance of a split claims; one that xqdata did not make claims nothing but `apart`."""
    told = options.get("request")
    if not isinstance(told, Mapping):
        return Claims(apart)
    known = {key: value for key, value in told.items() if key in Request.__dataclass_fields__}
    lists = {key: tuple(value) for key, value in known.items() if isinstance(value, list)}
    request = Request(**{**known, **lists, "parts": tuple(told["parts"].items())})
    claims = Claims(
        apart,
        random=request.method == "random",
        stratify=request.stratify,
        own=True,
        # A repair keeps whole families together, and no axis or condition besides.
        mendable=not (request.axes or request.leave_one_out or request.fixes_test or (request.folds and request.by)),
    )
    if claims.random:
        return claims
    return replace(
        claims,
        apart=tuple(dict.fromkeys((*request.identity, *request.axes, *apart))),
        axes=request.axes,
        given_up=request.allow_leak,
        test_where=request.test_where,
        test_after=request.test_after,
    )


def _images(project: Project, taxonomy: Taxonomy, claims: Claims, *, exact: bool) -> tuple[pa.Table, Flags]:
    """All rows of images by image_id with effective labels; and which are missing or rejected. `exact`: with what tells
    equal files.
    """
    asked = [*claims.apart, *expression.all_columns([claims.test_where])]
    asked += ["sha256", "page", "pixel_hash", "std"] if exact else []
    images, rejected = judged(project, taxonomy, list(dict.fromkeys([*_LOOKED_AT, *asked])))
    return images, images["missing"].to_numpy() | rejected


def _notes(images: pa.Table, split: pa.Table, gone: Flags) -> tuple[str, ...]:
    """What makes the split another one than its table says."""
    new = pc.invert(pc.is_in(images["image_id"], split["image_id"].combine_chunks()))
    told = []
    if count := pc.sum(pc.and_(new, pc.invert(images["missing"]))).as_py():
        told.append(f"{count:,} images are not in the split: they came later and were not looked at")
    if gone.any():
        told.append(f"{int(gone.sum()):,} images of the split are missing or were rejected since, and do not count")
    return tuple(told)


def _table(project: Project, name: str, *columns: str) -> pa.Table:
    wanted = columns or schema.table(name).names
    return manifest.read(project, name, wanted) if manifest.exists(project, name) else schema.empty(name).select(wanted)


def _with(links: pa.Table, exact: pa.Table) -> pa.Table:
    """The links that stand, and those of equal files between pairs that have none."""
    known, found = (pc.binary_join_element_wise(table["image_a"], table["image_b"], " ") for table in (links, exact))
    return pa.concat_tables([links, exact.filter(pc.invert(pc.is_in(found, known.combine_chunks())))])


def _exact(images: pa.Table, present: Flags) -> pa.Table:
    """Where dedup has not seen all: links between images of equal bytes or pixels, each with the first of its like.

    As in dedup, pictures of one value are equal without being copies.
    """
    shows = pc.fill_null(pc.greater(images["std"], 0), True).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(present & shows)
    ids = images["image_id"].to_pylist()
    by_bytes: dict[tuple[str, int], int] = {}
    by_pixels: dict[str, int] = {}
    found = []
    listed = images.select(["sha256", "page", "pixel_hash"]).take(pa.array(rows)).to_pylist()
    for row, told in zip(rows.tolist(), listed, strict=True):
        one = by_bytes.setdefault((told["sha256"], told["page"]), row)
        other = by_pixels.setdefault(told["pixel_hash"], row)
        if one != row:
            found.append({"image_a": ids[one], "image_b": ids[row], "kind": "bytes", "proposed_by": ["bytes"]})
        elif other != row:
            found.append({"image_a": ids[other], "image_b": ids[row], "kind": "pixels", "proposed_by": ["pixels"]})
    return schema.from_rows("links", found)


def _ends(images: pa.Table, pairs: pa.Table) -> tuple[Ints, Ints, Flags]:
    """The rows at both ends of each pair whose images are both known, and which pairs those are."""
    ids = images["image_id"].combine_chunks()
    a, b = (pc.index_in(pairs[end], ids).fill_null(-1).to_numpy().astype(np.int64) for end in ("image_a", "image_b"))
    known = (a >= 0) & (b >= 0)
    return a[known], b[known], known


def _clusters(images: pa.Table, duplicates: pa.Table) -> Ints:
    number = np.full(images.num_rows, -1)
    place = pc.index_in(duplicates["image_id"], images["image_id"].combine_chunks()).fill_null(-1).to_numpy()
    known = place >= 0
    names = duplicates["cluster"].to_numpy(zero_copy_only=False)[known]
    if known.any():
        number[place[known]] = np.unique(names, return_inverse=True)[1]
    return number.astype(np.int64)
