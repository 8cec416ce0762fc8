"""What lies in a scan besides its container: a mask at full size, and its box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from xqdata.containers.empty import Container
from xqdata.containers.fitting import best_fit, fits, turned, turned_back
from xqdata.containers.maps import Map, attenuation
from xqdata.containers.pieces import content, over_air, over_container
from xqdata.containers.rle import rle
from xqdata.images import Page


@dataclass(frozen=True)
class Mask:
    """One scan's foreground: `mask`, (height, width) of the page, and `box`, x, y, width, height of what it holds.

    Both are None where it was not estimated; `box` also where nothing lies there. `method`: how it was estimated, or
    why not.
    """

    mask: NDArray[np.bool_] | None
    box: list[int] | None
    method: str

    def row(self, image_id: str) -> dict[str, object]:
        """The row of `masks`."""
        text = None if self.mask is None else rle(self.mask)
        return {"image_id": image_id, "rle": text, "box": self.box, "method": self.method}


def foreground(page: Page, polarity: str, containers: Sequence[Container], *, sure: bool = False) -> Mask:
    """What lies in `page` besides its container.

    `polarity`: as in the table `images`. `containers`: those that may be meant; the one that fits best is taken away.
    `sure`: the scan is known to show it, so that it may fit less well. A copy that was turned or mirrored is
    recognised.
    """
    full = attenuation(page, polarity)
    best = best_fit(full, containers)
    if best is None or not fits(best, sure=sure):
        told = f", fit {best.pose.fit:.2f}" if best else ""
        return Mask(None, None, f"not estimated: does not register to {'its' if sure else 'a known'} container{told}")
    height, ballast = content(over_container(turned(full, best.orientation), best.container, best.pose))
    told = f"container of {best.container.scans} scans taken away, fit {best.pose.fit:.2f}"
    if best.orientation != "r0":
        told += f", turned {best.orientation}"
    if ballast:
        told += f", loose ballast of {ballast / full.size:.1%} set aside"
    return _enlarged(turned_back(height, best.orientation), page, told)


def without_container(page: Page, polarity: str) -> Mask:
    """What lies in a scan without a container: what is not air."""
    height, _ = content(over_air(attenuation(page, polarity)))
    return _enlarged(height, page, "not air, no container")


def _enlarged(height: Map, page: Page, method: str) -> Mask:
    mask = cv2.resize(height, (page.width, page.height), interpolation=cv2.INTER_LINEAR) > 0
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return Mask(mask, None, method)
    left, top = int(columns[0]), int(rows[0])
    return Mask(mask, [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1], method)
