"""A scan's file as the formats' readers can read it: as it is wherever that is possible, else coded anew as PNG."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xqdata.exports.stripping import without_texts
from xqdata.images import HEAD_BYTES, BadImage, Page, sniff
from xqdata.images.sniff import png_bits
from xqdata.remote import Location
from xqdata.scans import Scan

# What is done with a file.
AS_IS = "as they are"
STRIPPED = "as they are, without the texts inside"
CODED = "coded anew as PNG, the same pixels"
SCALED = "coded anew as PNG of 16 bits, scaled to their own range or window"
PREVIEW = "8-bit PNG made from deeper pictures, scaled to their own range or window"
WAYS = (AS_IS, STRIPPED, CODED, SCALED, PREVIEW)
_ENDINGS = {"PNG": ".png", "JPEG": ".jpg", "BMP": ".bmp", "WEBP": ".webp"}
# Formats that the readers of almost all tools read.
USUAL = tuple(_ENDINGS)


@dataclass(frozen=True)
class Place:
    """Where a picture goes: its path (relative, without ending), in the tar file `archive` where that is named.

    `beside`: texts that stand beside it in the archive, by their ending.
    """

    path: str
    archive: str = ""
    beside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """One picture to be written. `sha256`: of the raw file when it was ingested."""

    scan: Scan
    place: Place
    sha256: str


@dataclass(frozen=True)
class Rules:
    """How pictures are written.

    `kinds`: formats that stay. `deep`: all bits are kept; else pictures of more than 8 bits become previews. `texts`:
    what stands in the files beside the pixels stays. `link`: hard links to files that stay as they are.
    """

    kinds: tuple[str, ...]
    deep: bool
    texts: bool
    link: bool


@dataclass(frozen=True)
class Picture:
    """A picture as bytes, its ending, and what was done with it."""

    data: bytes
    ending: str
    way: str


@dataclass(frozen=True)
class Written:
    """A picture that was written: its path in the export, its SHA-256 and size, and what was done with it."""

    image_id: str
    file: str
    sha256: str
    bytes: int
    way: str
    linked: bool = False


@dataclass(frozen=True)
class Failed:
    """A picture that cannot be exported, and why."""

    file: Location
    why: str


@dataclass(frozen=True)
class Shard:
    """Pictures that one worker writes below `folder`, all of them to one archive or none to any."""

    folder: Path
    orders: Sequence[Order]
    rules: Rules


def write(shard: Shard) -> list[Written | Failed]:
    """Write the pictures of `shard`."""
    archive = shard.orders[0].place.archive
    if archive:
        with tarfile.open(shard.folder / archive, "w", format=tarfile.USTAR_FORMAT) as tar:
            return [_packed(tar, shard, order) for order in shard.orders]
    return [_written(shard, order) for order in shard.orders]


def _packed(tar: tarfile.TarFile, shard: Shard, order: Order) -> Written | Failed:
    try:
        picture = made(order, shard.rules)
    except BadImage as error:
        return Failed(order.scan.file, error.message)
    path = order.place.path
    _add(tar, f"{path}{picture.ending}", picture.data)
    for ending, text in order.place.beside.items():
        _add(tar, f"{path}{ending}", text.encode())
    return _told(order, picture)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    # A fresh entry has no owner, no time and the same rights everywhere: the same input gives the same bytes.
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _told(order: Order, picture: Picture, linked: bool = False) -> Written:
    file = f"{order.place.path}{picture.ending}"
    digest = hashlib.sha256(picture.data).hexdigest()
    return Written(order.scan.image_id, file, digest, len(picture.data), picture.way, linked)


def _written(shard: Shard, order: Order) -> Written | Failed:
    try:
        picture = made(order, shard.rules)
    except BadImage as error:
        return Failed(order.scan.file, error.message)
    target = shard.folder / f"{order.place.path}{picture.ending}"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # of a worker that was lost: it may be a link to the scan, which is never written to
    linked = shard.rules.link and picture.way == AS_IS and _linked(order.scan.file, target)
    if not linked:
        target.write_bytes(picture.data)
    return _told(order, picture, linked)


def _linked(source: Location, target: Path) -> bool:
    if not isinstance(source, Path):  # at an address
        return False
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without such links
        return False
    return True


def made(order: Order, rules: Rules) -> Picture:
    """The picture that `order` asks for. Raises BadImage for a file that is gone, changed or damaged since ingest."""
    scan = order.scan
    data = scan.load()
    if hashlib.sha256(data).hexdigest() != order.sha256:
        raise BadImage("unreadable", "changed since ingest: run xqdata ingest again")
    kind = "RAW" if scan.layout else sniff(data[:HEAD_BYTES])
    if kind in rules.kinds and (rules.deep or kind != "PNG" or png_bits(data[:HEAD_BYTES]) <= 8):
        plain = without_texts(data, kind)
        if plain == data or (rules.texts and _is_one(data, plain)):
            return Picture(data, _ENDINGS[kind], AS_IS)
        if plain is not None:
            return Picture(plain, _ENDINGS[kind], STRIPPED)
    return coded(scan.decode(data), rules.deep)


def _is_one(data: bytes, plain: bytes | None) -> bool:
    """True if the file holds one picture: others behind it would be taken along unseen."""
    if plain is None:
        return False
    with Image.open(io.BytesIO(data)) as image:
        return getattr(image, "n_frames", 1) == 1


def coded(page: Page, deep: bool) -> Picture:
    """A decoded page as PNG: the same pixels where PNG can hold them, and where more than 8 bits are wanted."""
    pixels = page.pixels
    holds = pixels.ndim == 2 or pixels.shape[2] in (2, 3, 4)
    if pixels.dtype == np.uint8 and holds:
        return Picture(_png8(page), ".png", CODED)
    if not deep:
        return Picture(_png(np.rint(page.grey).astype(np.uint8)), ".png", PREVIEW)
    if pixels.dtype == np.uint16 and holds:
        return Picture(_png16(pixels), ".png", CODED)
    return Picture(_png16(np.rint(page.grey.astype(np.float64) * 257).astype(np.uint16)), ".png", SCALED)


def _png8(page: Page) -> bytes:
    if page.mode == "CMYK":
        size = (page.width, page.height)
        rgb = Image.frombytes("CMYK", size, np.ascontiguousarray(page.pixels).tobytes()).convert("RGB")
        return _png(np.asarray(rgb))
    return _png(page.pixels)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG")
    return buffer.getvalue()


def _png16(pixels: NDArray[np.uint16]) -> bytes:
    return bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels)))
