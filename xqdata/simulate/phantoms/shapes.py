"""Shapes that grow: rounded lumps, bent limbs, turned profiles and hollows, put together from the solids of `geometry`.

The pieces of one shape meet without a gap and without an overlap, so that its density is even.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xqdata.simulate import geometry as g
from xqdata.simulate.geometry import Body, Matrix, Part

Array = NDArray[np.float64]
Cut = tuple[float, float, float, float]
_THIN = 1e-3  # mm; a radius of zero would make a frame that has no inverse


def cut(matrix: Matrix, normal: ArrayLike, point: ArrayLike) -> Cut:
    """The half space behind a plane through `point` (mm), for a part of this matrix: what lies along `normal` goes."""
    n, p = np.asarray(normal, float), np.asarray(point, float)
    across = n @ matrix[:3, :3]
    size = np.linalg.norm(across)
    a, b, c = across / size
    return float(a), float(b), float(c), float(n @ (p - matrix[:3, 3]) / size)


def ball(material: str, centre: ArrayLike, half: ArrayLike, spin: Matrix | None = None, **looks: Any) -> Part:
    """An ellipsoid about `centre` of three half axes, mm. `looks`: any other field of a Part."""
    frame = np.eye(4) if spin is None else spin.copy()
    frame[:3, :3] *= np.asarray(half, float)
    frame[:3, 3] = centre
    return Part("ball", frame, material, **looks)


def rod(material: str, start: ArrayLike, end: ArrayLike, radius: float, tip: float | None = None, **looks: Any) -> Part:
    """A straight rod from `start` to `end` (mm), getting thinner, or wider, to the radius `tip`."""
    a, b = np.asarray(start, float), np.asarray(end, float)
    wide, thin = max(radius, _THIN), max(radius if tip is None else tip, _THIN)
    if thin > wide:
        a, b, wide, thin = b, a, thin, wide
    frame = _frames(a[None], b[None], np.array([wide]), 1.0)[0]
    return Part("cone", frame, material, taper=1.0 - thin / wide, **looks)


def lump(material: str, low: ArrayLike, high: ArrayLike, **looks: Any) -> Body:
    """A smooth lump about the origin that reaches `low` mm against and `high` mm along x, y and z.

    Octants of ellipsoids; axes that reach equally far on both sides are not split.
    """
    reach = np.array([low, high], float)
    parts = []
    for signs in product(*((0,) if a == b else (-1, 1) for a, b in reach.T)):
        half = [reach[int(sign > 0), axis] for axis, sign in enumerate(signs)]
        cuts = tuple(_side(axis, sign) for axis, sign in enumerate(signs) if sign)
        parts.append(Part("ball", g.scale(*half), material, cuts=cuts, **looks))
    return tuple(parts)


def _side(axis: int, sign: int) -> Cut:
    a, b, c = (-float(sign) if i == axis else 0.0 for i in range(3))
    return a, b, c, 0.0


def limb(
    points: ArrayLike,
    radii: ArrayLike,
    material: str,
    *,
    flat: float = 1.0,
    caps: tuple[float, float] = (1.0, 1.0),
    **looks: Any,
) -> Body:
    """A bent rod through `points` (n, 3), mm, with the `radii` (n) there.

    `flat`: the upright half axis of its section as a share of the level one. `caps`: how far its two ends bulge, as a
    share of the radius; 0 leaves one flat. Neighbours are cut where they meet, halfway between their directions.
    """
    p, r = np.asarray(points, float), np.maximum(np.asarray(radii, float), _THIN)
    ways = np.diff(p, axis=0)
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    parts = _pieces(p, r, ways, flat, material, looks)
    for at, way, bulge in ((0, -ways[0], caps[0]), (-1, ways[-1], caps[1])):
        if bulge > 0.0:
            reach = way * r[at] * bulge
            frame = _frames((p[at] - reach)[None], (p[at] + reach)[None], r[[at]], flat)[0]
            parts.append(Part("ball", frame, material, cuts=((0.0, 0.0, -1.0, 0.0),), **looks))
    return tuple(parts)


def _pieces(p: Array, r: Array, ways: Array, flat: float, material: str, looks: dict[str, Any]) -> list[Part]:
    """A cone between each point and the next, longer by what its slanting cuts need."""
    normals = np.concatenate([ways[:1], ways[:-1] + ways[1:], ways[-1:]])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    sides = np.stack([-normals[:-1], normals[1:]])  # (2, pieces, 3), outwards
    places = np.stack([p[:-1], p[1:]])
    cosine = np.minimum(np.abs((sides * ways).sum(2)), 1.0)
    radii = np.stack([r[:-1], r[1:]])
    slanting = cosine < 1.0 - 1e-9
    over = np.where(slanting, 1.05 * radii * np.sqrt(1.0 - cosine**2) / cosine, 0.0) * [[-1.0], [1.0]]
    slope = (r[1:] - r[:-1]) / np.linalg.norm(np.diff(p, axis=0), axis=1)
    ends, radii = places + over[..., None] * ways, np.maximum(radii + over * slope, _THIN)
    first = np.argmax(radii, axis=0)  # a cone begins at its wide end
    each = np.arange(len(ways))
    wide, thin = radii[first, each], radii[1 - first, each]
    frames = _frames(ends[first, each], ends[1 - first, each], wide, flat)
    cuts = _cuts(frames, sides, places)
    return [
        Part(
            "cone",
            frames[i],
            material,
            taper=1.0 - float(thin[i] / wide[i]),
            cuts=tuple(cuts[side][i] for side in (0, 1) if slanting[side, i]),
            **_grained(looks, i),
        )
        for i in range(len(ways))
    ]


def _frames(start: Array, end: Array, radius: Array, flat: float) -> Array:
    """`geometry.along` for many rods at once, (n, 4, 4)."""
    axis = (end - start) / 2
    x, y, z = (axis / np.linalg.norm(axis, axis=1, keepdims=True)).T
    steep, zero = np.abs(z) >= 0.9, np.zeros_like(z)
    across = np.where(steep, [zero, -z, y], [-y, x, zero])
    across /= np.sqrt((across**2).sum(0))
    u, v, w = across
    frames = np.zeros((len(start), 4, 4))
    frames[:, :3, 0] = across.T * radius[:, None]
    frames[:, :3, 1] = np.stack([y * w - z * v, z * u - x * w, x * v - y * u], 1) * (flat * radius)[:, None]
    frames[:, :3, 2] = axis
    frames[:, :3, 3] = (start + end) / 2
    frames[:, 3, 3] = 1.0
    return frames


def _cuts(frames: Array, normals: Array, points: Array) -> list[list[Cut]]:
    """`cut` for two planes of many parts at once."""
    across = np.einsum("sni,nij->snj", normals, frames[:, :3, :3])
    size = np.linalg.norm(across, axis=2, keepdims=True)
    depth = (normals * (points - frames[:, :3, 3])).sum(2, keepdims=True)
    return [[(a, b, c, d) for a, b, c, d in side] for side in (np.concatenate([across, depth], 2) / size).tolist()]


def _grained(looks: dict[str, Any], i: int) -> dict[str, Any]:
    """The looks of piece i: a texture starts anew in each, and the same one over and over would show."""
    texture = looks.get("texture")
    return looks if texture is None else {**looks, "texture": replace(texture, seed=texture.seed + i)}


def lathe(profile: Sequence[tuple[float, float]] | NDArray[np.float64], material: str, **looks: Any) -> Body:
    """What a lathe turns about z: `profile` is (z, radius) in mm, z rising."""
    z, radius = np.asarray(profile, float).T
    return limb(np.stack([0 * z, 0 * z, z], 1), radius, material, caps=(0.0, 0.0), **looks)


def emptied(parts: Iterable[Part], material: str, density: float = 1.0) -> Body:
    """The same shapes, taking `material` of this density factor away."""
    return tuple(replace(part, material=material, within=None, density=-density, texture=None) for part in parts)


def arc(length: float, bend: float, count: int = 8) -> NDArray[np.float64]:
    """`count` points along a level arc of `length` mm that turns by `bend` degrees, about the origin, chord along x."""
    s = np.linspace(-0.5, 0.5, count)
    if abs(bend) < 1e-6:
        return np.stack([s * length, 0 * s, 0 * s], 1)
    angle = np.radians(bend)
    radius = length / angle
    return np.stack([radius * np.sin(s * angle), radius * (np.cos(s * angle) - np.cos(angle / 2)), 0 * s], 1)
