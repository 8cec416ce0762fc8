"""What pairs are proposed from: hashes in memory, low-resolution pixels and patches in files that every node reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xqdata import features
from xqdata.containers.rle import unrle
from xqdata.dedup import patches, thumbs
from xqdata.dedup.patches import Patches
from xqdata.dedup.thumbs import Thumbs
from xqdata.errors import writing_to
from xqdata.features import SIDE, Sketches

# Below this standard deviation of grey values, as a share of their range, a picture shows next to nothing.
_LEAST_CONTRAST = 0.004
_BLUR = 0.8  # pixels of a thumbnail
# Scans that agree in these were made one after another.
_MACHINE = ("root", "scanner_serial", "scanner_model", "view", "channel")
# All that is read of images.
COLUMNS = ("phash256", "std", *_MACHINE, "acquired_at", "sequence", "scan_id")

Row = dict[str, Any]
Rows = Callable[[Sequence[str]], Iterator[Row]]
Masks = Callable[[int], str | None]


@dataclass(frozen=True)
class Pictures:
    """What is known of n pictures, row by row.

    `phash8`, `content8`, `foreground8`: (n, 8) uint64, the hash of the picture, of what is not air, and of what is not
    container, in all orientations; `has_foreground`: (n,) bool. `phash256`: (n, 4) uint64. `informative`: (n,) bool,
    false for pictures that show next to nothing. `machine`: (n,) int64, equal for one scanner, view and channel.
    `order`: (n,) float64, time or running number, NaN where unknown. `scan`: (n,) int64, equal for one scan_id, -1
    where unknown. On disk: `thumbs`, `foreground_thumbs`, n low-resolution pictures each, and `patches`, see
    `xqdata.shingles`.
    """

    phash8: NDArray[np.uint64]
    content8: NDArray[np.uint64]
    foreground8: NDArray[np.uint64]
    has_foreground: NDArray[np.bool_]
    phash256: NDArray[np.uint64]
    informative: NDArray[np.bool_]
    machine: NDArray[np.int64]
    order: NDArray[np.float64]
    scan: NDArray[np.int64]
    thumbs: Thumbs
    foreground_thumbs: Thumbs
    patches: Patches


def laid_out(rows: Rows, sketches: Sketches, masks: Masks, folder: Path) -> Pictures:
    """What is known of the pictures of `sketches`, whose rows `rows` gives for some COLUMNS.

    `masks`: the run lengths of a picture's foreground, by position, None where it is not known. `folder`: an empty one
    for the files. Raises XqdataError where they cannot be written.
    """
    unread = np.isin(np.arange(len(sketches.file)), list(sketches.unread))
    with writing_to(folder):
        of_sketches = _of_sketches(sketches, masks, folder)
    return Pictures(
        **of_sketches,
        phash256=np.frombuffer(b"".join(r["phash256"] for r in rows(["phash256"])), np.uint64).reshape(-1, 4),
        informative=np.array([informative(row) for row in rows(["std"])], bool) & ~unread,
        machine=_numbered(tuple(row[name] for name in _MACHINE) for row in rows(_MACHINE)),
        order=np.array([_moment(row) for row in rows(["acquired_at", "sequence"])]),
        scan=_numbered(row["scan_id"] for row in rows(["scan_id"])),
    )


def informative(row: Row) -> bool:
    """Whether the picture of a row of `images` shows more than next to nothing."""
    return row["std"] is None or row["std"] >= _LEAST_CONTRAST


def _of_sketches(sketches: Sketches, masks: Masks, folder: Path) -> dict[str, Any]:
    count = len(sketches.file)
    phash8, content8, foreground8 = (np.zeros((count, 8), np.uint64) for _ in range(3))
    has_foreground = np.zeros(count, bool)
    whole, fore = Thumbs(folder / "thumbs"), Thumbs(folder / "foregrounds")
    with (
        thumbs.writing(whole.path, count) as put,
        thumbs.writing(fore.path, count) as put_foreground,
        patches.writing(folder, count) as (shared, add),
    ):
        for part in sketches.parts():
            phash8[part.at], content8[part.at] = part.phash8, part.crop8
            add(part.shingles, np.repeat(part.at, part.counts))
            for at, thumb in zip(part.at.tolist(), part.thumbs, strict=True):
                put(at, _soft(thumb))
                if (text := masks(at)) is None:
                    continue
                foreground = _foreground(thumb, text)
                foreground8[at], has_foreground[at] = features.orientations(foreground), foreground.any()
                put_foreground(at, _soft(foreground))
    return {"phash8": phash8, "content8": content8, "foreground8": foreground8, "has_foreground": has_foreground,
            "thumbs": whole, "foreground_thumbs": fore, "patches": shared}  # fmt: skip


def _foreground(thumb: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    """The thumbnail without its container, by the run lengths of what is none."""
    mask = unrle(text)
    step = max(1, min(mask.shape) // (4 * SIDE))  # of a large mask every other pixel tells enough
    shown = cv2.resize(mask[::step, ::step].astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(np.rint(thumb * shown), np.uint8)


def _soft(thumb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Blurred a little, so that small things that moved by a pixel of the thumbnail still correlate."""
    return np.asarray(cv2.GaussianBlur(thumb, (0, 0), _BLUR), np.uint8)


def _numbered(values: Iterable[Any]) -> NDArray[np.int64]:
    """Equal values have equal numbers; None is -1."""
    numbers: dict[Any, int] = {}
    return np.array([-1 if v is None else numbers.setdefault(v, len(numbers)) for v in values], np.int64)


def _moment(row: Row) -> float:
    """When a scan was made, in seconds; else its running number; NaN where neither is known."""
    if row["acquired_at"] is not None:
        return float(row["acquired_at"].timestamp())
    return float("nan") if row["sequence"] is None else float(row["sequence"])
