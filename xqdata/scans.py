"""From a row of `images` back to its pixels, for the steps after ingest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from xqdata import manifest, paths, remote
from xqdata.config import IngestConfig
from xqdata.errors import InputError
from xqdata.images import BadImage, Limits, Page, RawLayout, pages, raw_page
from xqdata.manifest import Project
from xqdata.remote import Address, Location

# Columns of `images` that opening a row takes.
COLUMNS = ("image_id", "root", "path", "page", "bytes", "mtime", "sha256", "polarity")
_Data = bytes  # which a Scan has a field of the name of
_CHANGED = "changed since ingest: run xqdata ingest again"


@dataclass(frozen=True)
class Rules:
    """What decoding and measuring depend on besides the file."""

    limits: Limits = field(default_factory=Limits)
    polarity: str | None = None
    raw: tuple[tuple[str, RawLayout], ...] = ()  # glob pattern on name or path, layout

    def layout(self, path: str) -> RawLayout | None:
        """How the pixels of the file called `path` lie, where the config says that it has no header."""
        return next((lay for glob, lay in self.raw if paths.matches(path, glob)), None)


def rules(config: IngestConfig) -> Rules:
    """The rules that `xqdata.toml` gives."""
    window = (config.window[0], config.window[1]) if config.window else None
    raw = tuple(
        (r.files, RawLayout(r.width, r.height, f"{'<' if r.byte_order == 'little' else '>'}u{r.bits // 8}", r.skip))
        for r in config.raw
    )
    return Rules(Limits(config.max_pixels, config.max_bytes, window), config.polarity, raw)


@dataclass(frozen=True)
class Scan:
    """One row of `images` and where its pixels are: small, and fit to be sent to a worker process.

    `file`: a path of this machine or an address. `polarity`: `air_bright`, `air_dark` or None where it is unknown.
    `bytes`, `mtime_ns`, `sha256`: of the file when it was ingested; another size or time means other pixels, perhaps.
    """

    image_id: str
    file: Location
    page: int
    bytes: int
    mtime_ns: int | None
    sha256: str
    polarity: str | None
    limits: Limits
    layout: RawLayout | None

    def check(self) -> None:
        """Raises BadImage: `vanished` for a file that is gone, `unreadable` for one that changed since ingest.

        Says nothing of a file at an address: that costs a request, which `load` makes anyway. See `changes`.
        """
        if not isinstance(self.file, Path):
            return
        try:
            info = self.file.stat()
        except FileNotFoundError:
            raise BadImage("vanished", "gone since ingest") from None
        except OSError as error:
            raise BadImage("unreadable", error.strerror or str(error)) from None
        if (info.st_size, info.st_mtime_ns) != (self.bytes, self.mtime_ns):
            raise BadImage("unreadable", _CHANGED)

    def load(self) -> _Data:
        """The file's bytes. Raises BadImage as `check` does, and RemoteError where a store does not answer."""
        self.check()
        if isinstance(self.file, Address):
            return _fetched(self.file, self.sha256)
        try:
            return self.file.read_bytes()
        except OSError as error:
            raise BadImage("unreadable", error.strerror or str(error)) from None

    def decode(self, data: _Data) -> Page:
        """The page in the bytes of its file. Raises BadImage for what cannot be decoded."""
        found = [raw_page(data, self.layout, self.limits)] if self.layout else pages(data, self.limits)
        for page in found:
            if isinstance(page, Page) and page.index == self.page:
                return page
            if not isinstance(page, Page) and page[0] == self.page:
                raise page[1]
        raise BadImage("unreadable", f"has no page {self.page}")

    def read(self) -> Page:
        """Decode the page. Raises as `load` and `decode` do."""
        return self.decode(self.load())


def _fetched(address: Address, sha256: str) -> bytes:
    try:
        data = remote.read(address)
    except FileNotFoundError:
        remote.check_store(address)
        raise BadImage("vanished", "gone since ingest") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BadImage("unreadable", _CHANGED)
    return data


def changes(project: Project, found: Sequence[Scan]) -> dict[int, str]:
    """What changed since ingest, by position in `found`: files that are gone or other ones than then.

    Files at an address are compared with one listing of their raw folders. Raises RemoteError where there is none.
    """
    told = {}
    for n, scan in enumerate(found):
        try:
            scan.check()
        except BadImage as error:
            told[n] = error.message
    far = {n: scan.file for n, scan in enumerate(found) if isinstance(scan.file, Address)}
    places = manifest.provenance(project, "images").roots.values() if far else ()
    roots = [root for root in map(remote.location, places) if isinstance(root, Address)]
    now = {root / one.path: (one.bytes, one.mtime_ns) for root in roots for one in remote.listed(root)}
    for n, address in far.items():
        if now.get(address) != (found[n].bytes, found[n].mtime_ns):
            told[n] = _CHANGED if address in now else "gone since ingest"
    return told


def located(project: Project, rows: pa.Table) -> list[Scan]:
    """Rows of `images` (a table that holds COLUMNS) as scans that can be opened, by the rules of their ingest.

    Raises TableError where the table `images` does not stand, InputError where a raw folder is not where it was.
    """
    return locator(project)(rows)


def locator(project: Project) -> Callable[[pa.Table], list[Scan]]:
    """`located`, for a caller that asks again and again: each raw folder is looked for once. Raises as that does."""
    told = manifest.provenance(project, "images")

    @cache
    def by_root(root: str) -> tuple[Location, Rules]:
        config = IngestConfig.model_validate(told.options["roots"][root]["config"])
        folder = remote.location(told.roots[root])
        if not remote.stands(told.roots[root]):
            hint = f"if it moved, say where it is: xqdata ingest {root}=FOLDER"
            raise InputError(f"the raw folder {root} is gone since ingest", where=str(folder), hint=hint)
        return folder, rules(config)

    def locate(rows: pa.Table) -> list[Scan]:
        # Nanoseconds do not fit Python's datetime.
        rows = rows.select(COLUMNS).set_column(COLUMNS.index("mtime"), "mtime", rows["mtime"].cast(pa.int64()))
        found = []
        for row in rows.to_pylist():
            location, decoding = by_root(row["root"])
            file = remote.locate(location, row["path"])
            layout = decoding.layout(row["path"])
            facts = (row["page"], row["bytes"], row["mtime"], row["sha256"], row["polarity"])
            found.append(Scan(row["image_id"], file, *facts, decoding.limits, layout))
        return found

    return locate


def witnesses(project: Project, found: Sequence[Scan]) -> list[Path]:
    """Files by which a worker on another machine knows that it sees the project and its raw folders: the table images,
    and one of `found` in each raw folder of this machine.
    """
    files = [project.path("images")]
    local = [scan.file for scan in found if isinstance(scan.file, Path)]
    for place in manifest.provenance(project, "images").roots.values():
        files += [*islice((file for file in local if file.is_relative_to(place)), 1)]
    return files


def standing(project: Project) -> list[Scan]:
    """Every image that is not missing, in the order of the table."""
    table = manifest.read(project, "images", [*COLUMNS, "missing"])
    return located(project, table.filter(pc.invert(table["missing"])))
