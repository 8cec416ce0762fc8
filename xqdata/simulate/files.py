"""Which files a simulated export consists of: the scans, and the copies, crops and broken files planted among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from xqdata.simulate.plan import FAULTS, Scan, objects, rng
from xqdata.simulate.settings import COPIES, Settings

MODEL = "SIM640"
# The 16-bit energies that `deep` adds to the colour picture.
ENERGIES = ("high", "low")
_QUALITIES = (75, 96)


@dataclass(frozen=True)
class File:
    """One file of the export.

    `kind`: `scan`, one of COPIES, `crop`, `truncated` or `empty`. `source`: the file that it was made from. `turn`:
    quarter turns anticlockwise; `mirror`: left and right changed before turning. `window`: left, top, right, bottom
    that were kept, as shares of the source. `factor`: of its size. `quality`: of a JPEG. `share`: of a broken file's
    bytes that are left. `conflicting`: filed under another object than its source.
    """

    path: str
    number: int
    view: str = "top"
    channel: str = "colour"
    kind: str = "scan"
    source: str | None = None
    turn: int = 0
    mirror: bool = False
    window: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    factor: float = 1.0
    quality: int | None = None
    share: float = 1.0
    conflicting: bool = False
    told_object: str = field(default="", compare=False)

    @property
    def orientation(self) -> str:
        """How it is turned against its source, as `links` spells it."""
        return f"{'m' if self.mirror else 'r'}{self.turn * 90}"


def files(settings: Settings, scans: Sequence[Scan]) -> dict[int, list[File]]:
    """The files made from each scan, by its running number; a source stands before what is made from it."""
    made = {scan.number: _of_scan(settings, scan) for scan in scans}
    first = [scan for scan in scans if scan.again == 0]
    draw = rng(settings, FAULTS, 2)
    planted: list[tuple[Scan, File]] = []
    for kind in COPIES:
        count = settings.rates.count(kind, settings.scans)
        planted += [(scan, _copy(draw, kind, made[scan.number][0], n)) for n, scan in _some(draw, first, count)]
    chosen = draw.permutation(len(planted))[: settings.rates.count("conflicting_labels", settings.scans)]
    for i in chosen.tolist():
        planted[i] = planted[i][0], _filed_elsewhere(draw, *planted[i])
    for kind in ("crops", "truncated", "empty"):
        count = settings.rates.count(kind, settings.scans)
        planted += [(scan, _copy(draw, kind, made[scan.number][0], n)) for n, scan in _some(draw, first, count)]
    for scan, file in planted:
        made[scan.number].append(file)
    return made


def _some(draw: np.random.Generator, scans: Sequence[Scan], count: int) -> list[tuple[int, Scan]]:
    return list(enumerate(scans[i] for i in np.sort(draw.permutation(len(scans))[:count])))


def _of_scan(settings: Settings, scan: Scan) -> list[File]:
    """The pictures of one pass: every view, and where asked for its energies."""
    folder = f"{scan.told_object}/{scan.scan_type}"
    stem = f"{folder}/{MODEL}_{scan.at:%Y%m%d}_{scan.number:06}"
    made = []
    for view in settings.views:
        name = stem if view == "top" else f"{stem}_{view}"
        ending = "jpg" if scan.misnamed and view == "top" else "png"
        made.append(File(f"{name}.{ending}", scan.number, view, told_object=scan.told_object))
        if settings.deep:
            made += [File(f"{name}_{c}.tif", scan.number, view, c, told_object=scan.told_object) for c in ENERGIES]
    return made


def _copy(draw: np.random.Generator, kind: str, source: File, serial: int) -> File:
    stem, ending = source.path.rsplit(".", 1)
    copy = replace(source, kind=kind, source=source.path)
    if kind == "byte_copies":
        return replace(copy, path=f"{stem} ({serial % 3 + 1}).{ending}")
    if kind == "pixel_copies":
        return replace(copy, path=f"{stem}_saved.{('png', 'bmp', 'tif')[serial % 3]}")
    if kind == "reencoded":
        return replace(copy, path=f"{stem}_mail.jpg", quality=int(draw.integers(*_QUALITIES)))
    if kind == "resized":
        return replace(copy, path=f"{stem}_small.png", factor=float(draw.uniform(0.4, 0.95)))
    if kind == "trimmed":
        return replace(copy, path=f"{stem}_trim.png", window=_trim(draw))
    if kind == "turned":
        return replace(copy, path=f"{stem}_turned.png", turn=int(draw.integers(1, 4)))
    if kind == "mirrored":
        return replace(
            copy, path=f"{stem}_flip.png", mirror=True, turn=int(draw.integers(4)) if draw.random() < 0.3 else 0
        )
    if kind == "crops":
        return replace(copy, path=f"{stem}_detail.png", kind="crop", window=_crop(draw))
    if kind == "truncated":
        return replace(copy, path=f"{stem}_part.{ending}", kind=kind, share=float(draw.uniform(0.2, 0.9)))
    return replace(copy, path=f"{stem}_new.{ending}", kind="empty", share=0.0)


def _trim(draw: np.random.Generator) -> tuple[float, float, float, float]:
    """Up to 2% off each side's length: more than 95% of the picture stays, so it is a copy."""
    left, top = draw.uniform(0, 0.01, 2)
    right, bottom = draw.uniform(0.002, 0.01, 2)
    return float(left), float(top), float(1 - right), float(1 - bottom)


def _crop(draw: np.random.Generator) -> tuple[float, float, float, float]:
    """30 to 80% of the picture: a tie, no copy."""
    width, height = draw.uniform(0.6, 0.9, 2)
    left, top = draw.uniform(0, 1 - width), draw.uniform(0, 1 - height)
    return float(left), float(top), float(left + width), float(top + height)


def _filed_elsewhere(draw: np.random.Generator, scan: Scan, file: File) -> File:
    others = [name for name in objects() if name not in (scan.told_object, *scan.objects)]
    other = others[int(draw.integers(len(others)))]
    path = f"{other}/{file.path.split('/', 1)[1]}"
    return replace(file, path=path, conflicting=True, told_object=other)
