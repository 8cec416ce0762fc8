"""Which of several containers a scan shows, in whatever way it is turned, and where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xqdata.containers.empty import Container
from xqdata.containers.estimation import BEHIND, FELLOWS, FIT
from xqdata.containers.maps import Map
from xqdata.containers.register import Picture, Pose

# How much formats, as logarithms of height over width, may differ.
_FORMAT = 0.25
# A distorted scan of a known container fits by at most so much less than the others.
_DISTORTED = 0.4
# Containers that are tried in full, of those that may be meant.
_TRIED = 6
_ORIENTATIONS = ("r0", "r90", "r180", "r270", "m0", "m90", "m180", "m270")


@dataclass(frozen=True)
class Fit:
    """How a scan shows a container.

    `orientation`: how the scan has to be turned (r), or mirrored and turned (m), in degrees anticlockwise, to lie as
    the container does. `pose`: where it then lies.
    """

    orientation: str
    container: Container
    pose: Pose

    @property
    def lack(self) -> float:
        """By how much it fits worse than the scans that the container was estimated from."""
        return self.container.fit - self.pose.fit


def is_shown(full: Map, containers: Sequence[Container]) -> bool:
    """True if a scan's attenuation, turned in whatever way, registers to one of `containers`."""
    best = best_fit(full, containers)
    return best is not None and fits(best, sure=False)


def fits(fit: Fit, *, sure: bool) -> bool:
    """True if a scan shows the container. `sure`: it is known to, and may be distorted."""
    return fit.pose.fit >= FIT and fit.lack < (_DISTORTED if sure else FELLOWS)


def best_fit(full: Map, containers: Sequence[Container]) -> Fit | None:
    """The container of which a scan's attenuation lacks least; None where none has its format.

    Turned and mirrored it is tried only where it does not fit as it is: copies are rare.
    """
    picture = Picture(full)
    found = _registered([_Try("r0", picture, c) for c in containers if _alike(full, c)])
    if not any(fit.lack < BEHIND for fit in found):
        others = [(o, Picture(turned(full, o))) for o in _ORIENTATIONS[1:]]
        found += _registered([_Try(o, p, c) for o, p in others for c in containers if _alike(p.full, c)])
    return min(found, key=lambda fit: fit.lack, default=None)


def turned(picture: NDArray[Any], orientation: str) -> NDArray[Any]:
    """Mirrored left to right first (m), then turned anticlockwise by the degrees."""
    flipped = picture[:, ::-1] if orientation[0] == "m" else picture
    return np.ascontiguousarray(np.rot90(flipped, int(orientation[1:]) // 90))


def turned_back(picture: NDArray[Any], orientation: str) -> NDArray[Any]:
    """What `turned` made the picture from."""
    straight = np.rot90(picture, -(int(orientation[1:]) // 90))
    return np.ascontiguousarray(straight[:, ::-1] if orientation[0] == "m" else straight)


@dataclass(frozen=True)
class _Try:
    """A scan turned in one way, and a container that it may show."""

    orientation: str
    picture: Picture
    container: Container


def _registered(tries: Sequence[_Try]) -> list[Fit]:
    """How the likeliest tries fit: those whose coarse pictures correlate best."""
    if len(tries) > _TRIED:
        tries = sorted(tries, key=lambda t: -t.container.template.first(t.picture)[1])[:_TRIED]
    return [Fit(t.orientation, t.container, t.container.template.register(t.picture)) for t in tries]


def _alike(full: Map, container: Container) -> bool:
    """True for a picture of about the container's format."""
    formats = [math.log(shape[0] / shape[1]) for shape in (full.shape, container.level.shape)]
    return abs(formats[0] - formats[1]) < _FORMAT
