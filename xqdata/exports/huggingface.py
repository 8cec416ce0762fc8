"""Hugging Face `datasets`: its imagefolder with metadata.parquet, and a README that names the parts."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from xqdata.exports.format import Export, Exported
from xqdata.exports.listing import save_listing
from xqdata.exports.naming import folder_names
from xqdata.exports.pictures import USUAL, Place
from xqdata.exports.selection import Selection
from xqdata.exports.table import PICTURES

# What `datasets` calls the parts; names of others must be letters, digits and _.
_CALLED = {"val": "validation"}
_BOXES = pa.list_(pa.struct([("label", pa.string()), ("bbox", pa.list_(pa.float64()))]))


class HuggingFace:
    """PART/ID and PART/metadata.parquet, README.md, and images.csv.

    The parts' names and places stand in README.md, so that nothing is guessed from the names of folders.
    """

    name = "huggingface"
    kinds = USUAL
    deep = True
    usage = "datasets.load_dataset('{folder}')"

    def places(self, selection: Selection) -> list[Place]:
        """PART/ID, or images/ID."""
        parts = folder_names(selection.parts)
        return [Place(f"{PICTURES if i.part is None else parts[i.part]}/{i.image_id}") for i in selection.items]

    def finish(self, export: Export) -> None:
        """Write the metadata of each part, the README, and images.csv."""
        save_listing(export)
        folders, called = folder_names(export.selection.parts), split_names(export.parts)
        boxes = any(image.item.boxes for image in export.images)
        configs = []
        for part in export.parts:
            folder = PICTURES if part is None else folders[part]
            sink = io.BytesIO()
            pq.write_table(_metadata(export, export.of(part), boxes), sink, compression="zstd")
            (export.folder / folder / "metadata.parquet").write_bytes(sink.getvalue())
            configs.append((called[part], f"{folder}/**"))
        export.save("README.md", _readme(configs))
        renamed = [f"{part} is {called[part]}" for part in export.selection.parts if called[part] != part]
        if renamed:
            export.notes.append(f"in datasets, {', '.join(renamed)}")


def split_names(parts: Iterable[str | None]) -> dict[str | None, str]:
    """The name that `datasets` takes for each part; what is in none is `train`."""
    found: dict[str | None, str] = {}
    for part in parts:
        name = "train" if part is None else f"fold_{part}" if part.isdecimal() else _CALLED.get(part, part)
        name = "".join(c if c.isalnum() else "_" for c in name)
        while name in found.values():
            name += "_"
        found[part] = name
    return found


def _metadata(export: Export, images: Sequence[Exported], boxes: bool) -> pa.Table:
    """What is told of the pictures of one part. The same columns and types in all parts."""
    columns = export.selection.columns.arrow
    told = pa.Table.from_pylist([dict(image.item.told) for image in images], schema=columns)
    table = told.add_column(0, "file_name", pa.array([i.written.file.rpartition("/")[2] for i in images], pa.string()))
    if export.selection.split:
        table = table.append_column("group", pa.array([image.item.group for image in images], pa.string()))
    if boxes:
        drawn = [
            [{"label": box.label, "bbox": [box.x, box.y, box.width, box.height]} for box in image.item.boxes]
            for image in images
        ]
        table = table.append_column("boxes", pa.array(drawn, _BOXES))
    return table


def _readme(configs: Sequence[tuple[str, str]]) -> str:
    lines = ["---", "configs:", "- config_name: default", "  data_files:"]
    for split, path in configs:
        lines += [f"  - split: {split}", f"    path: {json.dumps(path, ensure_ascii=False)}"]
    return "\n".join([*lines, "---", "", "Exported by xqdata.", ""])
