"""Scans of one group to the containers that they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from xqdata.containers.empty import Container, empty
from xqdata.containers.maps import Map
from xqdata.containers.register import Picture, Pose, Template

# Fewest scans that one container is estimated from. A spot counts as seen where three scans agree; where contents cover
# it in three scans of ten, as the middle of a basket with several things in, three of five show it empty in 84% of
# the spots, three of four in 65%.
MINIMUM = 5
# The least fit of a scan to another one, whose contents are edges too, and to an estimated container.
_FIT_SCAN, FIT = 0.25, 0.4
# The middle scan of a container fits better than this. Pictures that have nothing in common reach 0.6, soft bags 0.7.
_FIT_MIDDLE = 0.65
# A scan of one and the same container fits by at most so much less than its fellows do. Another basket of the same make
# may fit by 0.15 less.
BEHIND, FELLOWS = 0.25, 0.13
# Where several containers may be mixed, the first estimate is made from so many scans that fit best.
_SEED = 6
# Scans that are tried as the first one, those in the middle of the group before the others.
_REFERENCES = 4
# A container shows at least so many edges, in working pixels: the outline of a tray has three times as many.
_EDGES = 400
_ROUNDS = 2
# Margin round a scan, as a share of its longer side: another scan may show what this one cuts off.
_MARGIN = 0.06


@dataclass(frozen=True)
class Estimate:
    """What came of one group: its containers, and which of them each scan shows (None: no one)."""

    containers: tuple[Container, ...]
    shown: tuple[int | None, ...]


def estimate(scans: Sequence[Map], most: int = 1) -> Estimate:
    """The containers that `scans`, attenuation maps of one group, show: those with MINIMUM scans each.

    `most`: how many there may be. 1: the scans are known to show one container, and those that register to it at all
    do. More: several that look alike may be mixed, and only scans that fit as well as the best ones show one. The order
    of the scans does not matter.
    """
    order = sorted(range(len(scans)), key=lambda i: (float(scans[i].sum(dtype=np.float64)), scans[i].tobytes()))
    pictures = {i: Picture(scans[i]) for i in order}
    shown: list[int | None] = [None] * len(scans)
    found: list[Container] = []
    left = order
    while len(left) >= MINIMUM and len(found) < most:
        made = _next({i: pictures[i] for i in left}, mixed=most > 1)
        if made is None:
            break
        for i in made[1]:
            shown[i] = len(found)
        found.append(made[0])
        left = [i for i in left if shown[i] is None]
    return Estimate(tuple(found), tuple(shown))


def _next(pictures: Mapping[int, Picture], mixed: bool) -> tuple[Container, list[int]] | None:
    """The container that most of the scans seem to show, and which of them do."""
    for reference in _typical(pictures)[:_REFERENCES]:
        framed, inside = _framed(pictures[reference].full)
        poses = _registered(Template(framed, inside), pictures, {}, _FIT_SCAN)
        if mixed:
            poses = dict(sorted(poses.items(), key=lambda item: -item[1].fit)[:_SEED])
        container = _from(pictures, poses, framed.shape)
        for _ in range(_ROUNDS):
            if container is None:
                break
            poses = _registered(container.template, pictures, poses, FIT, FELLOWS if mixed else BEHIND)
            container = _from(pictures, poses, framed.shape)
        if container is not None and container.fit >= _FIT_MIDDLE and container.template.edges >= _EDGES:
            # A copy: it leaves behind the template, which need not travel to other processes.
            return replace(container), list(poses)
    return None


def _typical(pictures: Mapping[int, Picture]) -> list[int]:
    """The scans, those that are nearest to the middle one of the group first."""
    small = [cv2.resize(p.sizes[0], (48, 48), interpolation=cv2.INTER_AREA) for p in pictures.values()]
    away = np.minimum(np.abs(small - np.median(small, axis=0)), 0.2).mean(axis=(1, 2))
    order = np.argsort(away, kind="stable").tolist()
    names = list(pictures)
    return [names[k] for k in order]


def _framed(full: Map) -> tuple[Map, NDArray[np.bool_]]:
    """A picture with a margin, and where it is picture."""
    margin = round(_MARGIN * max(full.shape))
    inside = np.pad(np.ones(full.shape, np.bool_), margin)
    return np.pad(full, margin, "edge"), inside


def _registered(
    template: Template,
    pictures: Mapping[int, Picture],
    before: Mapping[int, Pose],
    least: float,
    behind: float = 1.0,
) -> dict[int, Pose]:
    """How the template lies in each scan that it fits: at least by `least`, and `behind` less than in the scans of
    `before`, from whose poses the search starts.
    """
    poses = {
        i: template.register(picture, before[i].matrix if i in before else None) for i, picture in pictures.items()
    }
    if before:
        least = max(least, float(np.median([poses[i].fit for i in before])) - behind)
    return {i: pose for i, pose in poses.items() if pose.fit >= least}


def _from(pictures: Mapping[int, Picture], poses: Mapping[int, Pose], shape: tuple[int, ...]) -> Container | None:
    if len(poses) < MINIMUM:
        return None
    stack = [pose.bring(pictures[i].full - np.float32(pose.offset), shape) for i, pose in poses.items()]
    return replace(empty(stack), fit=float(np.median([pose.fit for pose in poses.values()])))
