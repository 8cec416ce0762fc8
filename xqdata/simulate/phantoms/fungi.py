"""Tree ears and shiitake: thin curled bowls, thick caps with gills on a stem."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from xqdata.simulate import geometry as g
from xqdata.simulate.geometry import Body, Part
from xqdata.simulate.phantoms.draws import Draw
from xqdata.simulate.phantoms.phantom import FLAT, Phantom
from xqdata.simulate.phantoms.portion import bagged, handful
from xqdata.simulate.phantoms.shapes import ball, cut, limb, rod


def tree_ear_mushroom(draw: Draw) -> Phantom:
    """Four to nine ears, each of thin bowls that open from one foot and lie in folds; fresh, or dried and curled."""
    dried = draw.chance(0.5)
    count = draw.count(5, 9) if dried else draw.count(4, 7)
    ears = [
        g.moved(_ear(draw, dried), g.turn("z", draw.uniform(0, 360)) @ g.turn("x", draw.normal(28)))
        for _ in range(count)
    ]
    body = handful(draw, ears, gap=-6.0)
    if draw.chance(0.5):
        body = bagged(draw, body, draw.uniform(10, 45))
    return Phantom("tree_ear_mushroom", body, FLAT)


def _ear(draw: Draw, dried: bool) -> Body:
    """A bowl and two or three ragged flaps that grow from one foot."""
    radius = draw.size(22.0 if dried else 32.0, 27.0, 0.18)
    wall = draw.size(1.3, 1.6, 0.2) if dried else draw.size(2.3, 3.0, 0.2)
    material, density = ("dried_mushroom", 1.9) if dried else ("fresh_mushroom", 1.45)
    parts: list[Part] = [*_bowl(draw, radius, wall, material, density)]
    for flap in range(draw.count(2, 3)):
        size = radius * draw.uniform(0.7, 1.15)
        pose = (
            g.turn("z", 75.0 * flap - 75 + draw.normal(20))
            @ g.turn("y", -draw.uniform(-10, 45))
            @ g.turn("x", draw.normal(22))
        )
        frame = pose @ g.shift(0.75 * size) @ g.scale(1.15 * size, 1.15 * size, 1.0)
        parts.append(Part("sheet", frame, material, density=density, raster=_ragged(draw, size, wall, dried)))
    foot = ball(material, (0, 0, 0), (0.2 * radius, 0.16 * radius, 0.12 * radius), density=density)
    return (*parts, foot)


def _bowl(draw: Draw, radius: float, wall: float, material: str, density: float) -> Body:
    """A shell of an ellipsoid that two planes cut, its side towards the foot at the origin."""
    half = radius * np.array([draw.uniform(0.75, 1.0), draw.uniform(0.55, 0.85), draw.uniform(0.35, 0.6)])
    turned = g.turn("x", draw.normal(25)) @ g.turn("y", draw.normal(15))
    pose = g.turn("z", draw.uniform(-50, 50)) @ g.shift(0.62 * half[0], 0, 0) @ turned
    up = pose[:3, 2] + 0.5 * pose[:3, 0] * draw.uniform(-1, 0.6) + 0.5 * pose[:3, 1] * draw.uniform(-1, 1)
    rim = pose[:3, 3] + pose[:3, 2] * half[2] * draw.uniform(-0.4, 0.1)
    side = pose[:3, 0] + pose[:3, 1] * draw.uniform(-0.9, 0.9)
    lobe = pose[:3, 3] + side * half[0] * draw.uniform(0.35, 0.75)
    shells = ((pose @ g.scale(*half), density), (pose @ g.scale(*(half - wall)), -density))
    return tuple(
        Part("ball", frame, material, density=sign, cuts=(cut(frame, up, rim), cut(frame, side, lobe)))
        for frame, sign in shells
    )


def _ragged(draw: Draw, size: float, wall: float, dried: bool) -> NDArray[np.float32]:
    """A flap as a picture of how thick it is seen from above: the steeper a fold, the thicker."""
    cells = max(24, round(2.3 * size / 1.1))
    axis = np.linspace(-1.15, 1.15, cells)
    x, y = axis, axis[:, None]
    far, angle = np.hypot(x, y), np.arctan2(y, x)
    outline = np.full(far.shape, 0.82)
    folds, rising = 0.0 * far, far**1.4
    for k in range(1, 8):
        outline += draw.normal(0.11) / k**0.7 * np.cos(k * angle + draw.uniform(0, 2 * np.pi))
        swell = draw.normal(0.5 if dried else 0.32) / k**0.5
        folds += swell * rising * np.cos(k * angle + draw.uniform(0, 2 * np.pi) + draw.normal(1.5) * far)
    folds += draw.uniform(0.2, 0.9) * far**2  # it curls up all round
    step = axis[1] - axis[0]
    down, across = np.gradient(folds, step)
    steep = np.minimum(np.sqrt(1 + 0.8 * (down**2 + across**2)), 4.5)
    edge = np.clip((np.minimum(outline, 1.08) - far) * 9, 0, 1)
    rolled = 1 + 0.7 * np.exp(-(((outline - far) / 0.08) ** 2))
    return np.asarray(wall * steep * edge * rolled, np.float32)


def shiitake_mushroom(draw: Draw) -> Phantom:
    """Three to six caps, in any posture; fresh ones thick, dried ones shrunk and leathery with the rim rolled in."""
    dried = draw.chance(0.4)
    pieces = []
    for _ in range(draw.count(3, 6)):
        lean = draw.uniform(70, 110) if draw.chance(0.25) else draw.uniform(-30, 30) + 180 * draw.count(0, 1)
        pieces.append(g.moved(_shiitake(draw, dried), g.turn("z", draw.uniform(0, 360)) @ g.turn("x", lean)))
    body = handful(draw, pieces, gap=-3.0)
    if draw.chance(0.35):
        body = bagged(draw, body, draw.uniform(10, 45))
    return Phantom("shiitake_mushroom", body, FLAT)


def _shiitake(draw: Draw, dried: bool) -> Body:
    radius = draw.size(23.0 if dried else 30.0, 27.0, 0.15)
    height = radius * draw.size(0.42, 0.5, 0.12)
    material, density = ("dried_mushroom", 0.95) if dried else ("fresh_mushroom", 1.0)
    under = height * min(draw.size(0.46, 0.75, 0.15), 0.85)
    squash = draw.uniform(0.86, 1.0)
    upper = ((0.0, 0.0, -1.0, 0.0),)
    grain = draw.texture(0.1 if dried else 0.03, 4.0)
    dome = g.scale(radius, radius * squash, height)
    flesh = Part("ball", dome, material, density=density, cuts=upper, texture=grain)
    rim = 0.86 * radius
    hollow = Part(
        "ball", g.scale(rim, rim * squash, under), material, density=-density * 0.75, cuts=((0.0, 0.0, -1.0, 0.0),)
    )
    rolled = _rim(draw, radius, squash, height, material, density)
    length = draw.size(30.0, 14.0, 0.25) * (0.7 if dried else 1.0)
    stout = draw.size(5.4, 4.4, 0.18) * (0.7 if dried else 1.0)
    foot = np.array([draw.normal(3), draw.normal(3), under * 0.8])
    bend = foot + np.array([draw.normal(2.5), draw.normal(2.5), -0.5 * length])
    stem = limb(
        [foot, bend, bend + np.array([draw.normal(4), draw.normal(4), -0.5 * length])],
        [stout * 1.15, stout, stout * 0.8],
        material,
        density=density * 1.35,
    )
    return (flesh, hollow, *rolled, _gills(draw, 0.8 * radius, squash, under, density, material), *stem)


def _rim(draw: Draw, radius: float, squash: float, height: float, material: str, density: float) -> Body:
    """The margin, rolled in under the cap."""
    angles = np.linspace(0, 2 * np.pi, 13)
    sag = draw.waves(13, 0.12 * height)
    ring = np.stack([0.9 * radius * np.cos(angles), 0.9 * radius * squash * np.sin(angles), 0.02 * height + sag], 1)
    ring[-1] = ring[0]
    return tuple(rod(material, a, b, 0.1 * radius, density=density * 0.9) for a, b in pairwise(ring))


def _gills(draw: Draw, radius: float, squash: float, under: float, density: float, material: str) -> Part:
    """The plates under the cap as one sheet: they run from the stem outwards."""
    cells = max(40, round(2 * radius))
    axis = (np.arange(cells) + 0.5) / cells * 2 - 1
    x, y = axis, axis[:, None]
    far, angle = np.hypot(x, y), np.arctan2(y, x)
    plates = 0.5 + 0.5 * np.cos(draw.count(34, 46) * angle + 0.8 * np.sin(3 * angle))
    picture = 0.55 * under * plates * np.clip((1 - far) * 8, 0, 1) * np.clip((far - 0.2) * 6, 0, 1)
    frame = g.shift(0, 0, 0.35 * under) @ g.scale(radius, radius * squash, 1.0)
    return Part("sheet", frame, material, density=density, raster=picture.astype(np.float32))
