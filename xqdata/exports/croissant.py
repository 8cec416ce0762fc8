"""Croissant 1.1: pictures and their table, described in JSON-LD for catalogues and loaders, with its RAI vocabulary."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from xqdata.exports.columns import TOLD
from xqdata.exports.format import Export
from xqdata.exports.listing import BOXES, LISTING, save_boxes, save_listing
from xqdata.exports.pictures import Place
from xqdata.exports.selection import Selection
from xqdata.exports.table import PICTURES
from xqdata.words import several

FILE = "croissant.json"
_VERSIONS = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
_MIME = {"png": "image/png", "jpg": "image/jpeg", "bmp": "image/bmp", "webp": "image/webp"}
_SPLITS = {"train": "cr:TrainingSplit", "val": "cr:ValidationSplit", "test": "cr:TestSplit"}
# The context that the specification prescribes.
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
} | {
    word: f"cr:{word}"
    for word in (
        "arrayShape citeAs column containedIn equivalentProperty extract field fileProperty fileObject fileSet format "
        "includes isArray isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated replace "
        "samplingRate separator source subField transform"
    ).split()
}


class Croissant:
    """images/ID, images.csv, boxes.csv where there are boxes, and croissant.json.

    The description holds the checksum of the tables, and images.csv that of each picture.
    """

    name = "croissant"
    kinds: tuple[str, ...] = ("PNG", "JPEG")
    # Its library turns every picture to RGB of 8 bits, and clips deeper ones.
    deep = False
    usage = "mlcroissant.Dataset('{folder}/croissant.json').records('images')"

    def places(self, selection: Selection) -> list[Place]:
        """All in one folder: the description tells the rest."""
        return [Place(f"{PICTURES}/{item.image_id}") for item in selection.items]

    def finish(self, export: Export) -> None:
        """Write the tables and their description."""
        save_listing(export)
        save_boxes(export)
        export.save(FILE, json.dumps(describe(export), ensure_ascii=False, indent=2) + "\n")


def describe(export: Export) -> dict[str, Any]:
    """The JSON-LD document."""
    counted = f"{len(export.images):,} X-ray scans of {len(_objects(export)):,} kinds of objects."
    said = export.selection.card
    return {
        "@context": dict(sorted(_CONTEXT.items())),
        "@type": "sc:Dataset",
        "name": said.name.strip() or "X-ray scans",
        "description": "\n\n".join(filter(None, (said.description.strip(), counted))),
        "conformsTo": _VERSIONS,
        **_published(export),
        **_responsible(export),
        "distribution": list(_distribution(export)),
        "recordSet": list(_record_sets(export)),
    }


def _published(export: Export) -> dict[str, Any]:
    """Who made it, how it is cited, and under which licence: what card.toml answers. The scans' own licence counts
    where that says none.
    """
    said = export.selection.card
    licences = sorted({image.item.told["licence"] for image in export.images} - {None})
    facts: dict[str, Any] = {
        # Whether a name is a person's or a laboratory's is not known; both are agents.
        "creator": [{"@type": "sc:Organization", "name": name.strip()} for name in said.creators if name.strip()],
        "datePublished": said.published,
        "license": [said.licence.strip()] if said.licence.strip() else licences,
        "citeAs": said.citation.strip(),
    }
    return {key: value for key, value in facts.items() if value} | {"version": said.version.strip() or "1.0.0"}


# --- what is there


def _distribution(export: Export) -> Iterator[dict[str, Any]]:
    for name in (LISTING, *([BOXES] if export.boxes else [])):
        data = (export.folder / name).read_bytes()
        yield {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": name,
            "contentSize": f"{len(data)} B",
            "encodingFormat": "text/csv",
            "sha256": hashlib.sha256(data).hexdigest(),
        }
    endings = sorted({image.written.file.rpartition(".")[2] for image in export.images})
    yield {
        "@type": "cr:FileSet",
        "@id": "pictures",
        "name": "pictures",
        "description": f"One file for each row of {LISTING}, which holds its SHA-256.",
        "encodingFormat": [_MIME[ending] for ending in endings],
        "includes": [f"{PICTURES}/*.{ending}" for ending in endings],
    }


def _record_sets(export: Export) -> Iterator[dict[str, Any]]:
    if export.selection.split:
        yield _splits(export)
    yield _images(export)
    if export.boxes:
        yield _box_records()


def _splits(export: Export) -> dict[str, Any]:
    fields = [_field("splits/name", "sc:Text")]
    data = [{"splits/name": part} for part in export.selection.parts]
    if set(export.selection.parts) <= _SPLITS.keys():  # folds have no name of their own there
        # The specification says cr:Split, and mlcroissant wants one of schema.org's types.
        fields.append(_field("splits/url", "sc:URL") | {"dataType": ["sc:URL", "cr:Split"]})
        data = [{**row, "splits/url": _SPLITS[row["splits/name"]]} for row in data]
    return {**_record_set("splits", fields), "dataType": "cr:Split", "key": {"@id": "splits/name"}, "data": data}


def _images(export: Export) -> dict[str, Any]:
    # The table names paths; what can be joined with the pictures' content is the name alone.
    file = _from_table("images/file", "sc:Text", LISTING, "file")
    file["source"]["transform"] = {"regex": f"^{PICTURES}/(.*)$"}
    file["references"] = {"fileSet": {"@id": "pictures"}, "extract": {"fileProperty": "filename"}}
    fields = [file]
    if export.selection.split:
        split = _from_table("images/split", "sc:Text", LISTING, "split")
        fields += [{**split, "references": {"field": {"@id": "splits/name"}}}]
        fields += [_from_table("images/group", "sc:Text", LISTING, "group")]
    for column in export.selection.columns.arrow:
        fields.append(_from_table(f"images/{column.name}", _data_type(column.type), LISTING, column.name))
    fields += [_from_table(f"images/{name}", "sc:Text", LISTING, name) for name in ("sha256", "source_sha256")]
    pixels = {"fileSet": {"@id": "pictures"}, "extract": {"fileProperty": "content"}}
    fields.append({**_field("images/image", "sc:ImageObject"), "source": pixels})
    return {**_record_set("images", fields), "key": {"@id": "images/image_id"}}


def _box_records() -> dict[str, Any]:
    image = _from_table("boxes/image_id", "sc:Text", BOXES, "image_id")
    fields = [{**image, "references": {"field": {"@id": "images/image_id"}}}]
    fields.append(_from_table("boxes/label", "sc:Text", BOXES, "label"))
    fields += [_from_table(f"boxes/{edge}", "sc:Float", BOXES, edge) for edge in ("x", "y", "width", "height")]
    return _record_set("boxes", fields)


def _record_set(name: str, fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "field": fields}


def _field(name: str, kind: str) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": name, "name": name, "dataType": kind}


def _from_table(name: str, kind: str, table: str, column: str) -> dict[str, Any]:
    return {**_field(name, kind), "source": {"fileObject": {"@id": table}, "extract": {"column": column}}}


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind):
        return "sc:Integer"
    if pa.types.is_floating(kind):
        return "sc:Float"
    return "sc:DateTime" if pa.types.is_timestamp(kind) else "sc:Text"


# --- what a person must know before using it


def _responsible(export: Export) -> dict[str, Any]:
    """What the tables know and what card.toml says, in the RAI vocabulary. What nobody said is not made up."""
    said = export.selection.card
    told = [image.item.told for image in export.images]
    times = sorted(row["acquired_at"] for row in told if row["acquired_at"] is not None)
    machines = Counter(" ".join(filter(None, (row["scanner_make"], row["scanner_model"]))) for row in told)
    named = ", ".join(f"{name or 'a scanner that is not named'} ({number:,})" for name, number in _sorted(machines))
    facts: dict[str, Any] = {
        "dataCollection": _one(f"{len(told):,} X-ray scans; scanners: {named}.", said.collection.procedure),
        "dataCollectionTimeFrame": [f"{time:%Y-%m-%dT%H:%M:%S}" for time in (times[:1] + times[-1:])],
        "dataCollectionMissingData": _missing(export),
        "dataCollectionRawData": _one("Each record holds the SHA-256 of its raw file (source_sha256).",
                                      said.preprocessing.raw),
        "dataPreprocessingProtocol": _with(_preparation(export), said.preprocessing.steps),
        "dataAnnotationProtocol": _with(_annotation(export), said.collection.labels, said.collection.people),
        "dataBiases": _with(_biases(export), said.uses.risks),
        "dataLimitations": _with(_limitations(export), said.composition.absent, said.composition.errors,
                                 said.uses.unfit),
        "dataUseCases": _with([], said.motivation.purpose, said.uses.done, said.uses.fit),
        "personalSensitiveInformation": _with(_personal(export), said.composition.sensitive, said.collection.consent),
        "dataReleaseMaintenancePlan": _one(said.maintenance.maintainer, said.maintenance.updates,
                                           said.maintenance.older),
    }  # fmt: skip
    return {f"rai:{name}": value for name, value in facts.items() if value}


def _with(known: list[str], *said: str) -> list[str]:
    """What the tables know, then people's answers, each an entry."""
    return [*known, *(text.strip() for text in said if text.strip())]


def _one(*texts: str) -> str:
    """Several texts as one, for what holds only one."""
    return "\n\n".join(_with([], *texts))


def _missing(export: Export) -> str:
    counts = {
        name: sum(image.item.told[name] is None for image in export.images)
        for name in ("objects", "scan_type", "acquired_at", "scanner_model")
    }
    return "; ".join(
        f"{name} is unknown of {several(number, 'scan', 'scans')}" for name, number in counts.items() if number
    )


def _preparation(export: Export) -> list[str]:
    ways = Counter(image.written.way for image in export.images)
    left = export.selection.left_out
    return [f"{several(number, 'picture', 'pictures')} {way}." for way, number in _sorted(ways)] + [
        f"{several(number, 'scan is', 'scans are')} left out: {reason}." for reason, number in _sorted(left) if number
    ]


def _annotation(export: Export) -> list[str]:
    sources = Counter(image.item.label_source for image in export.images if image.item.label_source)
    return [
        f"{several(number, 'scan has its', 'scans have their')} objects from: {source}."
        for source, number in _sorted(sources)
    ]


def _biases(export: Export) -> list[str]:
    found = _sorted(_objects(export))
    if len(found) < 2:
        return []
    (most, many), (least, few) = found[0], found[-1]
    return [f"Kinds of objects are not equally frequent: {most} {several(many, 'scan', 'scans')}, {least} {few:,}."]


def _limitations(export: Export) -> list[str]:
    told = []
    if export.selection.leaky:
        told.append("The split was made at random: its test part shares specimens or copies with its training part.")
    bare = [part for part in export.selection.parts if {n for i in export.of(part) for n in i.item.objects} !=
            set(_objects(export))]  # fmt: skip
    return told + [f"The part {part} does not have all kinds of objects." for part in bare]


def _personal(export: Export) -> list[str]:
    if export.selection.columns.names == TOLD:
        return ["Operators, sites, serial numbers and the raw files' names were left out by the export."]
    return ["Operators, sites, serial numbers and the raw files' names are in it, where they are known."]


def _objects(export: Export) -> Counter[str]:
    return Counter(name for image in export.images for name in image.item.objects)


def _sorted(counts: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent first; of equals by name."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
