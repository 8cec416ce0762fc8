"""A split as a table of files, for programs that know nothing of xqdata."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from xqdata import manifest, paths
from xqdata.errors import InputError
from xqdata.manifest import Project


def listed(project: Project, table: pa.Table, file: Path) -> int:
    """Write the images of the split `table` that have a part to `file`, a CSV; returns how many they are.

    Columns: file (its path below the raw folder, as on disk) and split; the root too where there are several, and the
    page where a file has several. `xqdata audit --split-file` reads it. Raises InputError where it cannot be written.
    """
    images = manifest.read(project, "images", ["image_id", "root", "path", "page"])
    place = pc.index_in(images["image_id"], table["image_id"].combine_chunks())
    placed = images.append_column("split", table["part"].take(place))
    rows = manifest.ordered(placed.filter(pc.is_valid(placed["split"])), ("root", "path", "page"))
    columns = ["path", "split"]
    columns += ["root"] if len(pc.unique(rows["root"])) > 1 else []
    columns += ["page"] if pc.any(pc.greater(rows["page"], 0)).as_py() else []
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(["file" if name == "path" else name for name in columns])
            for path, *others in zip(*(rows[name].to_pylist() for name in columns), strict=True):
                writer.writerow([paths.unspell(path), *others])
        temporary.replace(file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"cannot be written ({error.strerror})", where=str(file)) from error
    return int(rows.num_rows)
