"""Plates and hollow boxes with round edges."""

from __future__ import annotations

from itertools import product

import numpy as np

from xqdata.simulate.geometry import Body, Matrix, Part, along, scale, shift

Triple = tuple[float, float, float]
Cut = tuple[float, float, float, float]


def block(middle: Triple, half: Triple, material: str, density: float = 1.0, within: str | None = None) -> Part:
    """A cuboid along the axes: its middle and half its edges in mm."""
    return Part("cube", shift(*middle) @ scale(*half), material, within=within, density=density)


def void(part: Part) -> Part:
    """The same part as a hole in a larger one of its material and density."""
    less = 1.0 - part.density
    return Part(part.shape, part.matrix, part.material, part.material, less, part.taper, None, part.cuts, part.raster)


def pipe(at: Matrix, outer: float, inner: float, half: float, material: str, density: float = 1.0) -> Body:
    """A hollow tube along the z axis of `at`, `half` its length."""
    whole, hole = (Part("tube", at @ scale(r, r, half), material, density=density) for r in (outer, inner))
    return whole, void(hole)


def bar(start: Triple, end: Triple, radius: float, material: str, density: float = 1.0) -> Part:
    """A round rod between two points."""
    return Part("tube", along(start, end, radius), material, density=density)


def plate(origin: Triple, first: Triple, second: Triple, thickness: float, material: str) -> Part:
    """A flat parallelogram of `thickness`: its middle, and the vectors from there to the middles of two edges."""
    a, b = np.asarray(first, float), np.asarray(second, float)
    normal = np.cross(a, b)
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1] = a, b
    matrix[:3, 2] = normal / np.linalg.norm(normal) * thickness / 2
    matrix[:3, 3] = origin
    return Part("cube", matrix, material)


def shell(half: Triple, corner: float, edge: float, wall: float, material: str) -> Body:
    """A hollow box around the origin with round edges, open where its flat top and bottom are.

    `half`: half its outer size; `corner`: radius of its four upright edges; `edge`: height over which the walls bend
    into top and bottom; `wall`: thickness. The flat faces, `half - corner` in size, are left to the caller: they often
    have a pattern.
    """
    hx, hy, hz = half
    straight = (hx - corner, hy - corner, hz - edge)
    parts = [block((s * (hx - wall / 2), 0, 0), (wall / 2, straight[1], straight[2]), material) for s in (1, -1)] + [
        block((0, s * (hy - wall / 2), 0), (straight[0], wall / 2, straight[2]), material) for s in (1, -1)
    ]
    for sx, sy in product((1, -1), (1, -1)):
        at = shift(sx * straight[0], sy * straight[1], 0)
        cuts = ((-float(sx), 0.0, 0.0, 0.0), (0.0, -float(sy), 0.0, 0.0))
        parts += _hollow("tube", at, (corner, corner, straight[2]), (wall, wall, 0), material, cuts)
        for sz in (1, -1):
            round_cuts = (*cuts, (0.0, 0.0, -float(sz), 0.0))
            parts += _hollow(
                "ball",
                at @ shift(0, 0, sz * straight[2]),
                (corner, corner, edge),
                (wall, wall, wall),
                material,
                round_cuts,
            )
    for axis, sign, sz in product((0, 1), (1, -1), (1, -1)):
        parts += _edge(axis, sign, sz, straight, (corner, edge), wall, material)
    return tuple(parts)


def _edge(
    axis: int, sign: int, sz: int, straight: Triple, radii: tuple[float, float], wall: float, material: str
) -> list[Part]:
    """A lying edge along `axis`: a quarter of a tube, flattened."""
    across = 1 - axis
    middle, along_axis = np.zeros(3), np.zeros(3)
    middle[across], middle[2], along_axis[axis] = sign * straight[across], sz * straight[2], straight[axis]
    frame = np.eye(4)
    # The tube's own axis becomes x or y; its first radius lies across, its second one upright.
    frame[:3, 0], frame[:3, 1], frame[:3, 2] = np.eye(3)[across], (0, 0, 1), np.eye(3)[axis]
    frame[:3, 3] = middle
    cuts = ((-float(sign), 0.0, 0.0, 0.0), (0.0, -float(sz), 0.0, 0.0))
    return _hollow("tube", frame, (*radii, straight[axis]), (wall, wall, 0), material, cuts)


def _hollow(shape: str, at: Matrix, radii: Triple, wall: Triple, material: str, cuts: tuple[Cut, ...]) -> list[Part]:
    outer = Part(shape, at @ scale(*radii), material, cuts=cuts)  # type: ignore[arg-type]
    inner = tuple(max(radius - w, 1e-3) for radius, w in zip(radii, wall, strict=True))
    return [outer, void(Part(shape, at @ scale(*inner), material, cuts=cuts))]  # type: ignore[arg-type]
