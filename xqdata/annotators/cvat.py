"""CVAT: tags on images, in the format "CVAT for images 1.1".

Source: https://docs.cvat.ai/docs/other/xml_format. CVAT matches images by their number or by their name, depending on
its version; both agree here, since pictures are numbered in the order of their names, which is CVAT's default.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from xqdata.annotators.answer import FLAGS, Answer, Answers, in_xml, utc
from xqdata.exports.format import Export, Format
from xqdata.exports.pictures import Place
from xqdata.exports.selection import Selection
from xqdata.exports.table import PICTURES

ANNOTATIONS = "annotations.xml"
LABELS = "labels.json"
# CVAT knows `manual` and `auto`, later versions `file`, too: what nobody drew by hand is a proposal.
_PROPOSED = ("auto", "file")
_LARGEST = 1 << 30  # bytes of the XML in an archive


class Cvat:
    """The tool."""

    def tasks(self, classes: Sequence[str]) -> Format:
        """images/, the labels for the constructor's tab Raw, and the present labels as tags to start from."""
        return _Tasks(classes)

    def read(self, data: bytes) -> Answers:
        """From XML, or an archive with it. Tags that nobody set by hand are no answers."""
        root = _root(_unpacked(data))
        by, at = _text(root, "meta/*/assignee/username"), utc(_text(root, "meta/dumped"))
        found, silent, untouched = [], 0, 0
        for image in root.iter("image"):
            tags = list(image.iter("tag"))
            names = tuple(t.get("label", "") for t in tags if t.get("source", "manual") not in _PROPOSED)
            if names:
                found.append(Answer(image.get("name", ""), names, by, at))
            elif tags:
                untouched += 1
            else:
                silent += 1
        return Answers(found, silent, untouched)


class _Tasks:
    name = "cvat"
    kinds: tuple[str, ...] = ("PNG", "JPEG", "BMP")
    deep = False
    usage = "a new task in CVAT, with the labels of {folder}/labels.json and the files of {folder}/images"

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes

    def places(self, selection: Selection) -> list[Place]:
        """All in one folder."""
        return [Place(f"{PICTURES}/{item.image_id}") for item in selection.items]

    def finish(self, export: Export) -> None:
        """Write the labels and the tags."""
        offered = [*self._classes, *(name for name in FLAGS if name not in self._classes)]
        labels = [{"name": name, "type": "tag", "attributes": []} for name in offered]
        export.save(LABELS, json.dumps(labels, ensure_ascii=False, indent=1) + "\n")
        export.save(ANNOTATIONS, _document(export, offered))


def _document(export: Export, offered: Sequence[str]) -> str:
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    task = SubElement(SubElement(root, "meta"), "task")
    for name, value in (("name", "xqdata"), ("size", str(len(export.images))), ("mode", "annotation")):
        SubElement(task, name).text = value
    labels = SubElement(task, "labels")
    for name in offered:
        label = SubElement(labels, "label")
        SubElement(label, "name").text = in_xml(name)
        SubElement(label, "type").text = "tag"
        SubElement(label, "attributes")
    for number, image in enumerate(sorted(export.images, key=lambda image: image.written.file)):
        width, height = image.item.size
        name = image.written.file.rpartition("/")[2]
        entry = SubElement(root, "image", id=str(number), name=name, width=str(width), height=str(height))
        for told in image.item.objects:
            SubElement(entry, "tag", label=in_xml(told), source="auto")
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _unpacked(data: bytes) -> str:
    if data[:2] != b"PK":
        return data.decode("utf-8-sig")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            inside = [file for file in archive.infolist() if file.filename.rpartition("/")[2] == ANNOTATIONS]
            if len(inside) != 1:
                raise ValueError(f"holds {len(inside)} files called {ANNOTATIONS}: export one task")
            if inside[0].file_size > _LARGEST:
                raise ValueError(f"its {ANNOTATIONS} is too large")
            return archive.read(inside[0]).decode("utf-8-sig")
    except zipfile.BadZipFile as error:
        raise ValueError(f"is no whole archive ({error})") from error


def _root(text: str) -> Element:
    if "<!ENTITY" in text:
        raise ValueError("declares entities, which are not read")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"is not well-formed XML ({error})") from error
    version = _text(root, "version")
    if root.tag != "annotations" or version is None:
        raise ValueError("is no export in the format CVAT for images 1.1")
    if next(_tracks(root), None) is not None:
        raise ValueError("holds tracks: export it as CVAT for images 1.1, not for video")
    return root


def _tracks(root: Element) -> Iterator[Element]:
    return root.iter("track")


def _text(root: Element, path: str) -> str | None:
    found = root.find(path)
    return found.text.strip() if found is not None and found.text and found.text.strip() else None
