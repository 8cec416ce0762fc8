"""Reading and writing the tables of a project: whole or not at all, and with where they came from."""

from __future__ import annotations

import difflib
import json
import os
import shlex
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import xqdata
from xqdata import schema
from xqdata.errors import TableError
from xqdata.manifest.digest import digest, nothing
from xqdata.manifest.gather import taken

KEY = b"xqdata"
ROW_GROUP = 1 << 16
# What is meant where nobody names a split.
DEFAULT_SPLIT = "default"
# Written by one run and only true together.
TOGETHER = ("images", "rejects", "sources", "detections")

Data: TypeAlias = pa.Table | Iterable[pa.Table | pa.RecordBatch]


@dataclass(frozen=True)
class Project:
    """A folder in which xqdata works: tables in `manifests/`, locks and caches in `.xqdata/`."""

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", self.folder.resolve())

    @property
    def manifests(self) -> Path:
        """Where the tables lie."""
        return self.folder / "manifests"

    @property
    def state(self) -> Path:
        """Where locks, finished shards and caches lie; may be deleted at any time."""
        return self.folder / ".xqdata"

    def path(self, name: str) -> Path:
        """The file of the table called `name`."""
        return self.manifests / f"{name}.parquet"


@dataclass(frozen=True)
class Provenance:
    """Where a table came from. `inputs` are digests by table name, `roots` locations by root name."""

    table: str
    version: int
    command: str
    options: Mapping[str, Any]
    xqdata: str
    time: str
    run: str
    digest: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    roots: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """The table's number of rows."""
        return int(self.digest.split("-")[1])


@dataclass(frozen=True)
class Origin:
    """What the writer of tables knows of their provenance before they are written."""

    command: str
    options: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    roots: Mapping[str, str] = field(default_factory=dict)


def standing(project: Project) -> list[str]:
    """The names of the tables that stand, sorted."""
    finish_commit(project)
    found = project.manifests.rglob("*.parquet") if project.manifests.is_dir() else []
    return sorted(
        p.relative_to(project.manifests).with_suffix("").as_posix() for p in found if not p.name.startswith(".")
    )


def exists(project: Project, name: str) -> bool:
    """True if the table called `name` stands, also where its writer was killed just before the last rename."""
    finish_commit(project)
    return project.path(name).exists()


def provenance(project: Project, name: str) -> Provenance:
    """Where the table called `name` came from. Raises TableError if it is absent or not xqdata's."""
    finish_commit(project)
    try:
        metadata = pq.read_metadata(project.path(name)).metadata or {}
        told = json.loads(metadata[KEY])
        known = Provenance.__dataclass_fields__
        return Provenance(**{key: value for key, value in told.items() if key in known})
    except FileNotFoundError:
        raise _absent(project, name) from None
    except (KeyError, TypeError, ValueError, OSError, pa.ArrowException) as error:
        raise _damaged(project, name, error) from error


def read(
    project: Project,
    name: str,
    columns: Sequence[str] | None = None,
    *,
    only: pa.Array | pa.ChunkedArray | None = None,
    together: bool = True,
) -> pa.Table:
    """The table called `name`, or some of its columns. Raises TableError as `batches` does.

    `only`: ids of images; rows of others (by `image_id`) are dropped while they are read, the rest keeps its order.
    `together=False` takes a table whose neighbours come from another run: only ingest, which writes them anew, may.
    """
    wanted = _readable(project, name, columns, together)
    ids = only.combine_chunks() if isinstance(only, pa.ChunkedArray) else only
    with _damage_told(project, name):
        fits = None if ids is None else pc.field("image_id").isin(ids)
        table = pq.read_table(project.path(name), columns=wanted, filters=fits, partitioning=None)
    return table.replace_schema_metadata(None)


def widened(project: Project, images: pa.Table, columns: Sequence[str]) -> pa.Table:
    """`images`, some rows and columns of that table, with those of `columns` that it lacks, read for these rows alone.

    Raises TableError as `batches` does.
    """
    lacking = [name for name in dict.fromkeys(columns) if name not in images.column_names]
    found = read(project, "images", ["image_id", *lacking], only=images["image_id"])
    place = pc.index_in(images["image_id"], found["image_id"].combine_chunks())
    more = taken(found.select(lacking), place)
    for name in lacking:
        images = images.append_column(name, more[name])
    return images


def batches(
    project: Project, name: str, columns: Sequence[str] | None = None, rows: int = ROW_GROUP
) -> Iterator[pa.RecordBatch]:
    """The table called `name` in pieces of at most `rows` rows, so that memory does not grow with it.

    Raises TableError if it is absent, of another layout version, lacks a column, or (for the tables that one ingest
    writes together) does not come from the same run as its neighbours.
    """
    wanted = _readable(project, name, columns, together=True)
    with _damage_told(project, name), pq.ParquetFile(project.path(name)) as file:
        yield from file.iter_batches(batch_size=rows, columns=wanted)


def write(project: Project, tables: Mapping[str, Data], origin: Origin) -> dict[str, Provenance]:
    """Write `tables` (Arrow tables, or pieces of them that fit in memory) so that all of them appear, or none.

    Each goes to a temporary file beside its place and is checked against its schema and flushed; then a journal names
    the renames, and they are done. A process killed at any moment leaves the old set or, by the journal that the next
    one finishes, the new set. Returns each table's provenance.
    """
    run = uuid.uuid4().hex
    written = {}
    renames = {}
    try:
        finish_commit(project)
        _remove_leftovers(project)
        for name, data in tables.items():
            final = project.path(name)
            temporary = final.with_name(f".{final.name}.{run}.tmp")
            final.parent.mkdir(parents=True, exist_ok=True)
            written[name] = _write_one(temporary, name, data, origin, run)
            renames[str(temporary.relative_to(project.folder))] = str(final.relative_to(project.folder))
        _write_journal(project, renames)
        _rename(project, renames)
    except OSError as error:
        with suppress(OSError):
            _remove_leftovers(project)
        raise TableError(
            # Arrow's own text would be a sentence around the same words.
            f"cannot be written ({os.strerror(error.errno) if error.errno else error})",
            where=str(project.manifests),
            hint="nothing was lost: mend it (free some space?) and run the command again",
        ) from error
    return written


def finish_commit(project: Project) -> None:
    """Do the renames of a set of tables whose writer was killed between them. Safe to run twice, or at once."""
    try:
        renames = json.loads(_journal(project).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    try:
        _rename(project, renames)
    except PermissionError as error:
        hint = "run the command as somebody who may write here"
        raise TableError("a set of tables waits to be put in place", where=str(project.manifests), hint=hint) from error


def _rename(project: Project, renames: Mapping[str, str]) -> None:
    for temporary, final in renames.items():
        try:
            (project.folder / temporary).replace(project.folder / final)
        except FileNotFoundError:
            continue  # renamed before the kill, or by a reader beside us
        _flush_folder((project.folder / final).parent)
    _remove_journal(project, renames)


def _remove_journal(project: Project, renames: Mapping[str, str]) -> None:
    # A reader that was slow must not take away the journal of the next writer: each names its own temporary files.
    journal = _journal(project)
    with suppress(FileNotFoundError):
        if json.loads(journal.read_text(encoding="utf-8")) == renames:
            journal.unlink()


def _readable(project: Project, name: str, columns: Sequence[str] | None, together: bool) -> list[str] | None:
    table = schema.table(name)
    found = provenance(project, name)
    if found.version != table.version:
        raise TableError(
            f"has layout version {found.version}, this xqdata reads {table.version}",
            where=str(project.path(name)),
            hint="move it away and run the command that makes it again",
        )
    unknown = [c for c in columns or () if c not in table.names]
    if unknown:
        raise TableError(f"has no column {unknown[0]}", where=name, hint=f"columns are {', '.join(table.names)}")
    if together and name in TOGETHER:
        _check_one_run(project, found)
    return None if columns is None else list(columns)


def _check_one_run(project: Project, found: Provenance) -> None:
    for other in TOGETHER:
        if provenance(project, other).run != found.run:
            raise TableError(
                f"{found.table} and {other} come from different runs of ingest",
                where=str(project.manifests),
                hint="run xqdata ingest again",
            )


def _write_one(temporary: Path, name: str, data: Data, origin: Origin, run: str) -> Provenance:
    table = schema.table(name)
    total = nothing(table)
    with pq.ParquetWriter(temporary, table.arrow, compression="zstd") as writer:
        for piece in [data] if isinstance(data, pa.Table) else data:
            table.check(piece)
            total += digest(table, piece)
            whole = piece if isinstance(piece, pa.Table) else pa.Table.from_batches([piece])
            writer.write_table(whole, row_group_size=ROW_GROUP)
        made = Provenance(
            table=name,
            version=table.version,
            command=origin.command,
            options=dict(origin.options),
            xqdata=xqdata.__version__,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            run=run,
            digest=str(total),
            inputs=dict(origin.inputs),
            roots=dict(origin.roots),
        )
        writer.add_key_value_metadata({KEY: json.dumps(made.__dict__, ensure_ascii=False)})
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    return made


def _write_journal(project: Project, renames: Mapping[str, str]) -> None:
    journal = _journal(project)
    journal.parent.mkdir(parents=True, exist_ok=True)
    temporary = journal.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(renames, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(journal)
    _flush_folder(journal.parent)


def _journal(project: Project) -> Path:
    # Beside the tables, because .xqdata may be deleted at any time.
    return project.manifests / ".commit.json"


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_leftovers(project: Project) -> None:
    # Only the holder of the lock writes, so temporary files that are here now belong to nobody.
    for leftover in project.manifests.rglob(".*.tmp") if project.manifests.is_dir() else []:
        leftover.unlink(missing_ok=True)


@contextmanager
def _damage_told(project: Project, name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise _damaged(project, name, error) from error


def _damaged(project: Project, name: str, error: Exception) -> TableError:
    return TableError(
        f"is not a table of xqdata or is damaged ({error})",
        where=str(project.path(name)),
        hint="move it away and run the command that makes it again",
    )


def splits(project: Project) -> list[str]:
    """The names of the splits that stand, sorted."""
    return [table.removeprefix("splits/") for table in standing(project) if table.startswith("splits/")]


def _absent(project: Project, name: str) -> TableError:
    if name.startswith("splits/"):
        return _no_such_split(project, name.removeprefix("splits/"))
    step = {
        "labels": "label",
        "links": "dedup",
        "duplicates": "dedup",
        "undecided": "dedup",
        "masks": "dedup",
    }
    command = step.get(name) or ("ingest RAW" if not name.startswith("audits/") else "audit" + _named(name))
    return TableError("there is no such table yet", where=str(project.path(name)), hint=f"run: xqdata {command}")


def _named(audit: str) -> str:
    split = audit.removeprefix("audits/").removesuffix(".evidence")
    return "" if split == DEFAULT_SPLIT else f" --name {shlex.quote(split)}"


def _no_such_split(project: Project, name: str) -> TableError:
    """Whoever misspells a split wants to hear which there are, and not to make another one of the wrong name."""
    made = splits(project)
    make = "xqdata split" if name == DEFAULT_SPLIT else f"xqdata split --name {shlex.quote(name)}"
    near = difflib.get_close_matches(name, made, n=1)
    more = f" and {len(made) - 8} more" if made[8:] else ""
    hint = f"splits are {', '.join(made[:8])}{more}; " if made else ""
    hint += f"did you mean {near[0]}?" if near else f"make it: {make}"
    return TableError("there is no such split", where=str(project.path(f"splits/{name}")), hint=hint)
