"""The tables of a project: their columns, types, allowed values and versions, spelled here and nowhere else.

Null means unknown in every column that may be null. A table's name is its path under `manifests/` without the
ending; the tables `splits/NAME` and `audits/NAME` share one schema per folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from xqdata.errors import TableError

STRING = pa.string()
# "element" is what Parquet calls it: another name would not survive being written and read.
STRINGS = pa.list_(pa.field("element", pa.string()))
TIME = pa.timestamp("us")
BOX = pa.list_(pa.field("element", pa.int32()), 4)


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type, what it means, and which values it may hold.

    `required`: null is not allowed. `digest`: part of the table's digest; False for what depends on the machine
    rather than on the data. `group`: columns of one meaning are documented together under this word.
    """

    name: str
    type: pa.DataType
    doc: str
    required: bool = False
    allowed: tuple[str, ...] = ()
    digest: bool = True
    group: str = ""


@dataclass(frozen=True)
class Table:
    """One table: its columns in order, the columns that identify a row, and the version of this layout."""

    name: str
    doc: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    version: int = 1

    @property
    def arrow(self) -> pa.Schema:
        """The Arrow schema, without metadata."""
        return pa.schema([pa.field(c.name, c.type, nullable=not c.required) for c in self.columns])

    def column(self, name: str) -> Column:
        """The column called `name`; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """All column names in order."""
        return tuple(c.name for c in self.columns)

    def check(self, data: pa.Table | pa.RecordBatch) -> None:
        """Raise TableError if `data` has other columns or types, a null where none is allowed, or a value outside
        the allowed ones.
        """
        if not data.schema.equals(self.arrow, check_metadata=False):
            raise TableError(_schema_difference(self, data.schema), where=self.name)
        for column in self.columns:
            values = data.column(column.name)
            if column.required and values.null_count:
                raise TableError(f"column {column.name} holds {values.null_count} nulls", where=self.name)
            if column.allowed:
                _check_allowed(self.name, column, values)


REJECT_REASONS = (
    "ignored",
    "empty",
    "truncated",
    "not_an_image",
    "unsupported",
    "too_large",
    "unreadable",
    "outside_root",
    "vanished",
    "bad_annotation",
)
SOURCE_ROLES = ("log", "sidecar", "annotation")
MULTIPLICITIES = ("single", "multiple", "mixed")
CONTAINERS = ("basket", "carrier", "none")
CHANNELS = ("colour", "grey", "high", "low", "density", "zeff")
POLARITIES = ("air_bright", "air_dark")
COPY_KINDS = ("bytes", "pixels", "re-encoded", "transformed")
TIE_KINDS = ("rescan", "same-bag", "same-scan", "crop")
ORIENTATIONS = ("r0", "r90", "r180", "r270", "m0", "m90", "m180", "m270")
LABEL_FIELDS = ("object", "objects", "scan_type", "specimens", "reject", "second_look", "pair")
SEVERITIES = ("high", "medium", "info")


def _identity() -> tuple[Column, ...]:
    group = "identity"
    return (
        Column("image_id", STRING, "xxh3-128 of root, path and page, in hex", True, group=group),
        Column("root", STRING, "the raw folder's own name, or its alias", True, group=group),
        Column(
            "path",
            STRING,
            "path below the root, forward slashes; bytes that are not UTF-8 stand as %XX",
            True,
            group=group,
        ),
        Column("page", pa.int32(), "page of a multi-page file, from 0", True, group=group),
        Column("sha256", STRING, "SHA-256 of the file's bytes, in hex", True, group=group),
        Column(
            "pixel_hash",
            STRING,
            "xxh3-128 over shape, dtype and decoded pixels, in hex: equal for two encodings of the same pixels",
            True,
            group=group,
        ),
        Column("missing", pa.bool_(), "seen by an earlier ingest, gone at the latest", True, group=group),
        Column(
            "moved_from",
            STRING,
            "image_id of the file's earlier place, which is missing now; verdicts on that one count for this",
            group=group,
        ),
    )


def _file() -> tuple[Column, ...]:
    group = "file"
    return (
        Column("bytes", pa.int64(), "file size in bytes", True, group=group),
        Column("mtime", pa.timestamp("ns"), "the file's modification time (UTC)", digest=False, group=group),
        Column("format", STRING, "encoding, by content: PNG, JPEG, BMP, TIFF, WEBP, DICOM, RAW", True, group=group),
        Column("width", pa.int32(), "pixels", True, group=group),
        Column("height", pa.int32(), "pixels", True, group=group),
        Column("channels", pa.int32(), "values per decoded pixel", True, group=group),
        Column("bit_depth", pa.int32(), "bits per value in the file: 1, 2, 4, 8, 12, 16, 32, 64", True, group=group),
        Column("mode", STRING, "colour mode of the file: 1, L, LA, P, RGB, RGBA, CMYK, I;16, RGB;16, I, F, …", True,
               group=group),
    )  # fmt: skip


def _content() -> tuple[Column, ...]:
    group = "what"
    return (
        Column("object", STRING, "class of the object scanned, where there is exactly one", group=group),
        Column("objects", STRINGS, "every class in the scan, each once", group=group),
        Column("scan_type", STRING, "how the object was presented, a name of the taxonomy", group=group),
        Column("container", STRING, f"what the object lies in: {', '.join(CONTAINERS)}, or the taxonomy's own",
               group=group),
        Column("multiplicity", STRING, "one object, several of one kind, or mixed kinds", allowed=MULTIPLICITIES,
               group=group),
        Column("clutter", STRING, "what else lies in the scan, a word of the taxonomy: none, belongings", group=group),
    )  # fmt: skip


def _belonging() -> tuple[Column, ...]:
    group = "what belongs together"
    return (
        Column("specimens", STRINGS, "the physical objects in the scan", group=group),
        Column("scan_id", STRING, "one pass through the tunnel: all its views and energies", group=group),
        Column("bag", STRING, "one packed bag or arrangement", group=group),
        Column("session", STRING, "one sitting at the scanner", group=group),
        Column("series", STRING, "a run of scans that the source numbers together", group=group),
        Column("container_id", STRING, "which physical basket or carrier", group=group),
        Column("sequence", pa.int64(), "running number that the scanner or the operator gave: orders the scans of "
               "one scanner in time", group=group),
    )  # fmt: skip


def _acquisition() -> tuple[Column, ...]:
    group = "acquisition"
    return (
        Column("scanner_make", STRING, "manufacturer", group=group),
        Column("scanner_model", STRING, "model", group=group),
        Column("scanner_serial", STRING, "serial number of the machine", group=group),
        Column("kvp", pa.float64(), "peak tube voltage in kV", group=group),
        Column("ma", pa.float64(), "tube current in mA", group=group),
        Column("belt_speed", pa.float64(), "m/s", group=group),
        Column("view", STRING, "direction of projection: top, side, …", group=group),
        Column("channel", STRING, "what the pixels show", allowed=CHANNELS, group=group),
        Column("polarity", STRING, "whether air is the bright or the dark end of the values: declared, or measured "
               "on the picture's border", allowed=POLARITIES, group=group),
        Column("palette", STRING, "name of the pseudo-colour palette", group=group),
        Column("acquired_at", TIME, "the scanner's own clock, no time zone; a day without a time of day stands at "
               "00:00 and extra says acquired_precision = day", group=group),
        Column("operator", STRING, "who operated the scanner", group=group),
        Column("site", STRING, "where", group=group),
    )  # fmt: skip


def _measured() -> tuple[Column, ...]:
    group = "measured"
    return (
        Column("phash", pa.uint64(), "ImageHash's phash, its first bit the most significant", True, group=group),
        Column("dhash", pa.uint64(), "ImageHash's dhash, its first bit the most significant", True, group=group),
        Column("phash256", pa.binary(32), "ImageHash's phash with hash_size 16", True, group=group),
        Column("mean", pa.float64(), "mean of the grey values; integer images as a share of the dtype's range",
               group=group),
        Column("std", pa.float64(), "standard deviation of the grey values, same unit", group=group),
        Column("air_fraction", pa.float64(), "share of pixels at the air end of the picture's range; null where the "
               "polarity is unknown", group=group),
        Column("opaque_fraction", pa.float64(), "share of pixels at the other end; null where the polarity is "
               "unknown", group=group),
        Column("sharpness", pa.float64(), "variance of the Laplacian over the variance of the grey values; null for "
               "a blank picture", group=group),
        Column("content_box", BOX, "x, y, width, height in pixels of what is not air (the basket included); null "
               "where the polarity is unknown or all is air", group=group),
    )  # fmt: skip


IMAGES = Table(
    "images",
    "One decoded page of one image file.",
    ("image_id",),
    (
        *_identity(),
        *_file(),
        *_content(),
        *_belonging(),
        *_acquisition(),
        Column("reader", STRING, "the readers that described the file, the strongest first", group="provenance"),
        Column("label_source", STRING, "the reader that named the object", group="provenance"),
        Column("licence", STRING, "licence of the picture", group="provenance"),
        *_measured(),
        Column("extra", STRING, "JSON: what a reader found and no column holds", True, group="provenance"),
    ),
)

REJECTS = Table(
    "rejects",
    "One file that is no row of images, or one row or page of a file (`item`), and why.",
    ("root", "path", "item"),
    (
        Column("root", STRING, "as in images; null for a row of a file outside the raw folders, named by the config"),
        Column("path", STRING, "as in images; as the config names it where root is null", True),
        Column("item", STRING, "null: the file itself; else the row or page of it, as in `row 14` or `page 2`"),
        Column("reason", STRING, "why", True, REJECT_REASONS),
        Column("message", STRING, "the particulars, one line", True),
        Column("bytes", pa.int64(), "file size in bytes, where it could be had"),
        Column("sha256", STRING, "of the file's bytes, where they could be read"),
    ),
)

SOURCES = Table(
    "sources",
    "One file that was read for its metadata.",
    ("root", "path"),
    (
        Column("root", STRING, "as in images; null for a file outside the raw folders, named by the config"),
        Column("path", STRING, "as in images; as the config names it where root is null", True),
        Column("role", STRING, "an operator's log, a file beside an image, or annotations", True, SOURCE_ROLES),
        Column("sha256", STRING, "of the file's bytes", True),
    ),
)

DETECTIONS = Table(
    "detections",
    "One box that an export brought along.",
    ("image_id", "label", "x", "y", "width", "height"),
    (
        Column("image_id", STRING, "row of images", True),
        Column("label", STRING, "class as the export names it, or the taxonomy's name for it", True),
        Column("x", pa.float64(), "left edge, pixels from the left", True),
        Column("y", pa.float64(), "top edge, pixels from the top", True),
        Column("width", pa.float64(), "pixels", True),
        Column("height", pa.float64(), "pixels", True),
    ),
)

LABELS = Table(
    "labels",
    "One event of the label log: a person's verdict on an image or on a pair of images.",
    ("event_id",),
    (
        Column("event_id", STRING, "xxh3-128 of the event's content, in hex: the same event twice is one", True),
        Column("number", pa.int64(), "place in the log, from 0: later events win", True),
        Column("at", TIME, "when (UTC)", True),
        Column("by", STRING, "who", True),
        Column("source", STRING, "which tool wrote it: cli, fiftyone, cvat, …", True),
        Column("field", STRING, "what the verdict is about", True, LABEL_FIELDS),
        Column("image_id", STRING, "row of images", True),
        Column("sha256", STRING, "bytes of the file that was judged: another file in its place is not meant", True),
        Column("other_image_id", STRING, "the second image of a pair, else null"),
        Column("before", STRING, "JSON: the effective value that the person saw; null where nobody recorded it"),
        Column("after", STRING, "JSON: the value from now on; for a pair: same or different", True),
        Column("why", STRING, "the person's reason"),
        Column("undoes", STRING, "event_id of the verdict that this one takes back; null for any other"),
    ),
)

LINKS = Table(
    "links",
    "One verified pair of images.",
    ("image_a", "image_b", "kind"),
    (
        Column("image_a", STRING, "the smaller image_id of the two", True),
        Column("image_b", STRING, "the larger image_id of the two", True),
        Column("kind", STRING, "copies: " + ", ".join(COPY_KINDS) + "; ties: " + ", ".join(TIE_KINDS), True,
               COPY_KINDS + TIE_KINDS),
        Column("orientation", STRING, "how b is turned (r) or mirrored and turned (m), in degrees, to lie on a",
               allowed=ORIENTATIONS),
        Column("phash_distance", pa.int32(), "bits between the hashes, each picture as it is"),
        Column("phash256_distance", pa.int32(), "bits between the hashes, each picture as it is"),
        Column(
            "ncc",
            pa.float64(),
            "normalised cross-correlation over what is not air, -1 to 1; of windows of one scan, equal pixels' share",
        ),
        Column(
            "worst_tile",
            pa.float64(),
            "1 - difference / variance of the tile that agrees least, at most 1; of a rescan, of its worst part",
        ),
        Column("overlap", pa.float64(), "share of the larger picture that the other shows, 0 to 1"),
        Column("inliers", pa.int32(), "local features that agree on one geometry"),
        Column("proposed_by", STRINGS, "the channels that proposed the pair", True),
    ),
)  # fmt: skip

UNDECIDED = Table(
    "undecided",
    "One candidate pair that the pixels could not decide.",
    ("image_a", "image_b"),
    (
        Column("image_a", STRING, "the smaller image_id of the two", True),
        Column("image_b", STRING, "the larger image_id of the two", True),
        Column("reason", STRING, "why, one line", True),
    ),
)

MASKS = Table(
    "masks",
    "One image's foreground: what remains when its container is taken away.",
    ("image_id",),
    (
        Column("image_id", STRING, "row of images", True),
        Column("rle", STRING, "COCO run lengths, JSON: size and counts, column by column"),
        Column("box", BOX, "x, y, width, height in pixels"),
        Column("method", STRING, "how it was estimated, or why not", True),
    ),
)

DUPLICATES = Table(
    "duplicates",
    "One member of a cluster of two or more copies.",
    ("image_id",),
    (
        Column("image_id", STRING, "row of images", True),
        Column("cluster", STRING, "the smallest image_id of the cluster", True),
        Column("kept", pa.bool_(), "true for one member of each cluster", True),
        Column("reason", STRING, "why this one was kept, or not", True),
    ),
)

SPLITS = Table(
    "splits",
    "One image and its part.",
    ("image_id",),
    (
        Column("image_id", STRING, "row of images", True),
        Column("part", STRING, "train, val, test or a fold's number; null where the image takes no part"),
        Column("reason", STRING, "why the part is null; or, of a copy, which image it follows: `copy of ID`"),
        Column("group", STRING, "the component that may not be torn: its smallest image_id"),
    ),
)

AUDITS = Table(
    "audits",
    "One finding about a split.",
    ("kind",),
    (
        Column("kind", STRING, "what crosses the parts: bytes, pixels, specimens, scan_id, …", True),
        Column("severity", STRING, "how much it harms the test score", True, SEVERITIES),
        Column("images_test", pa.int64(), "images of the test part concerned", True),
        Column("images_train", pa.int64(), "images of the training part concerned", True),
        Column("pairs", pa.int64(), "pairs that cross", True),
        Column("detail", STRING, "one sentence, with what to do", True),
    ),
)

EVIDENCE = Table(
    "evidence",
    "One pair of images behind a finding; lies beside its audit as `audits/NAME.evidence`.",
    ("kind", "image_test", "image_train"),
    (
        Column("kind", STRING, "the finding's kind", True),
        Column("image_test", STRING, "row of images", True),
        Column("image_train", STRING, "row of images; null where the finding concerns one image"),
        Column("detail", STRING, "one line"),
    ),
)

TABLES = (
    IMAGES,
    REJECTS,
    SOURCES,
    DETECTIONS,
    LABELS,
    LINKS,
    UNDECIDED,
    MASKS,
    DUPLICATES,
    SPLITS,
    AUDITS,
    EVIDENCE,
)


def table(name: str) -> Table:
    """The schema of the table called `name`, as in `images`, `splits/default` or `audits/default.evidence`.

    Raises TableError for a name that no table bears.
    """
    folder, _, rest = name.partition("/")
    if folder == "audits" and rest.endswith(".evidence"):
        return EVIDENCE
    for known in TABLES:
        if known.name == folder and bool(rest) == (known in (SPLITS, AUDITS)) and known is not EVIDENCE:
            return known
    raise TableError(f"there is no table {name!r}", hint=f"tables are {', '.join(t.name for t in TABLES)}")


def empty(name: str) -> pa.Table:
    """The table called `name` without rows."""
    return table(name).arrow.empty_table()


def from_rows(name: str, rows: Iterable[Mapping[str, object]]) -> pa.Table:
    """An Arrow table from dictionaries; columns that a row lacks are null. ValueError for a key that is no column."""
    listed = [dict(row) for row in rows]
    unknown = {key for row in listed for key in row}.difference(table(name).names)
    if unknown:
        raise ValueError(f"{name} has no column {sorted(unknown)[0]}")
    return pa.Table.from_pylist(listed, schema=table(name).arrow)


def _schema_difference(expected: Table, found: pa.Schema) -> str:
    missing = [n for n in expected.names if n not in found.names]
    surplus = [n for n in found.names if n not in expected.names]
    if missing or surplus:
        return f"columns missing: {missing or 'none'}, unknown: {surplus or 'none'}"
    for field in expected.arrow:
        if found.field(field.name) != field:
            other = found.field(field.name)
            return f"column {field.name} is {other.type} (null allowed: {other.nullable}), not {field.type}"
    return f"columns stand in another order: {found.names}"


def _check_allowed(where: str, column: Column, values: pa.ChunkedArray) -> None:
    wrong = pc.unique(values).to_pylist()
    bad = [v for v in wrong if v is not None and v not in column.allowed]
    if bad:
        raise TableError(
            f"column {column.name} holds {bad[0]!r}",
            where=where,
            hint=f"allowed are {', '.join(column.allowed)}",
        )
