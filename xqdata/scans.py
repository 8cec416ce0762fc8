"""From a row of `images` back to its pixels, for the steps after ingest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from xqdata import manifest, paths
from xqdata.config import IngestConfig
from xqdata.errors import InputError
from xqdata.images import BadImage, Limits, Page, RawLayout, pages, raw_page
from xqdata.manifest import Project

# Columns of `images` that opening a row takes.
COLUMNS = ("image_id", "root", "path", "page", "bytes", "mtime", "polarity")


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

    `polarity`: `air_bright`, `air_dark` or None where it is unknown. `bytes`, `mtime_ns`: of the file when it was
    ingested; another size or time means other pixels, perhaps.
    """

    image_id: str
    file: Path
    page: int
    bytes: int
    mtime_ns: int
    polarity: str | None
    limits: Limits
    layout: RawLayout | None

    def check(self) -> None:
        """Raises BadImage: `vanished` for a file that is gone, `unreadable` for one that changed since ingest."""
        try:
            info = self.file.stat()
        except FileNotFoundError:
            raise BadImage("vanished", "gone since ingest") from None
        except OSError as error:
            raise BadImage("unreadable", error.strerror or str(error)) from None
        if (info.st_size, info.st_mtime_ns) != (self.bytes, self.mtime_ns):
            raise BadImage("unreadable", "changed since ingest: run xqdata ingest again")

    def read(self) -> Page:
        """Decode the page. Raises BadImage as `check` does, and for what cannot be decoded."""
        self.check()
        try:
            data = self.file.read_bytes()
        except OSError as error:
            raise BadImage("unreadable", error.strerror or str(error)) from None
        found = [raw_page(data, self.layout, self.limits)] if self.layout else pages(data, self.limits)
        for page in found:
            if isinstance(page, Page) and page.index == self.page:
                return page
            if not isinstance(page, Page) and page[0] == self.page:
                raise page[1]
        raise BadImage("unreadable", f"has no page {self.page}")


def located(project: Project, rows: pa.Table) -> list[Scan]:
    """Rows of `images` (a table that holds COLUMNS) as scans that can be opened, by the rules of their ingest.

    Raises TableError where the table `images` does not stand, InputError where a raw folder is not where it was.
    """
    told = manifest.provenance(project, "images")

    @cache
    def by_root(root: str) -> tuple[Path, Rules]:
        config = IngestConfig.model_validate(told.options["roots"][root]["config"])
        folder = Path(told.roots[root])
        if not folder.is_dir():
            hint = f"if it moved, say where it is: xqdata ingest {root}=FOLDER"
            raise InputError(f"the raw folder {root} is gone since ingest", where=str(folder), hint=hint)
        return folder, rules(config)

    # Nanoseconds do not fit Python's datetime.
    rows = rows.select(COLUMNS).set_column(COLUMNS.index("mtime"), "mtime", rows["mtime"].cast(pa.int64()))
    found = []
    for row in rows.to_pylist():
        location, decoding = by_root(row["root"])
        file = paths.locate(location, row["path"])
        layout = decoding.layout(row["path"])
        facts = (row["page"], row["bytes"], row["mtime"], row["polarity"])
        found.append(Scan(row["image_id"], file, *facts, decoding.limits, layout))
    return found


def witnesses(project: Project, found: Sequence[Scan]) -> list[Path]:
    """Files by which a worker on another machine knows that it sees the project and its raw folders: the table images,
    and one of `found` in each raw folder.
    """
    files = [project.path("images")]
    for place in manifest.provenance(project, "images").roots.values():
        files += [*islice((scan.file for scan in found if scan.file.is_relative_to(place)), 1)]
    return files


def standing(project: Project) -> list[Scan]:
    """Every image that is not missing, in the order of the table."""
    table = manifest.read(project, "images", [*COLUMNS, "missing"])
    return located(project, table.filter(pc.invert(table["missing"])))
