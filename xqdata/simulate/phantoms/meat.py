"""Sausage and pork ribs: meat and fat in a casing, meat on curved bones."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from xqdata.simulate import geometry as g
from xqdata.simulate.geometry import Body, Part
from xqdata.simulate.phantoms.draws import Draw
from xqdata.simulate.phantoms.phantom import FLAT, Phantom
from xqdata.simulate.phantoms.portion import bagged
from xqdata.simulate.phantoms.shapes import arc, ball, cut, limb, rod


def sausage(draw: Draw) -> Phantom:
    """One dry sausage with grains of fat and clips of metal, or two to five fresh links; at times in a sealed film."""
    dry = draw.chance(0.5, 0.4)
    body = _dry(draw) if dry else _links(draw)
    if draw.chance(0.4, 0.15):
        body = bagged(draw, body, draw.uniform(18, 34), thickness=0.18, seam=0.7)
    return Phantom("sausage", body, FLAT)


def _dry(draw: Draw) -> Body:
    radius, long = draw.size(22.0, 13.0, 0.14), draw.size(200.0, 165.0, 0.16)
    line = arc(long, draw.normal(38.0), 9)
    radii = radius * np.array([0.72, 0.95, 1, 1, 1, 1, 1, 0.95, 0.72]) * (1 + draw.waves(9, 0.06))
    meat = limb(
        line,
        radii,
        "sausage",
        flat=draw.uniform(0.9, 1.0),
        caps=(0.7, 0.7),
        texture=draw.texture(draw.towards(0.065, 0.03), 3.2),
    )
    grains = []
    for _ in range(draw.count(25, 45)):
        at, f = draw.count(0, 7), draw.uniform(0.1, 0.9)
        about, far = draw.uniform(0, 2 * np.pi), 0.72 * min(radii[at : at + 2]) * draw.rng.random() ** 0.5
        x, y, z = line[at] * (1 - f) + line[at + 1] * f + far * np.array([0, np.cos(about), 0.9 * np.sin(about)])
        half = (draw.uniform(1.6, 3.4), draw.uniform(1.4, 2.6), draw.uniform(1.4, 2.4))
        grains.append(ball("adipose", (x, y, z), half, draw.spin(), within="sausage"))
    ends = [
        _end(draw, line[at], line[at] - line[other], radius, draw.chance(0.75, 0.35))
        for at, other in ((0, 1), (-1, -2))
    ]
    return (*meat, *grains, *ends[0], *ends[1])


def _end(draw: Draw, tip: np.ndarray, way: np.ndarray, radius: float, clip: bool) -> Body:
    """The twisted casing beyond a sausage's end, with a clip of aluminium or tied."""
    ahead = way / np.linalg.norm(way)
    root = tip + 0.38 * radius * ahead
    out = root + draw.uniform(14, 24) * ahead + [0, draw.normal(3), 0]
    casing = rod("cellulose", root, out, min(3.2, 0.28 * radius), 1.8, density=0.8)
    if not clip:
        return (casing,)
    at = root + 7.0 * ahead
    across = np.array([-ahead[1], ahead[0], 0.0])
    return casing, rod("aluminium", at - 4.5 * across, at + 4.5 * across, 1.7)


def _links(draw: Draw) -> Body:
    """Fresh links side by side, twisted off from one another."""
    count, radius, long = draw.count(2, 5), draw.size(13.5, 11.5, 0.12), draw.size(112.0, 120.0, 0.12)
    bend = draw.normal(34.0)
    parts: list[Part] = []
    y = 0.0
    for i in range(count):
        size = draw.uniform(0.93, 1.07)
        line = arc(long * size, bend + draw.normal(9), 7)
        radii = radius * size * np.array([0.8, 0.98, 1, 1, 1, 0.98, 0.8])
        meat = limb(line, radii, "fresh_sausage", caps=(0.9, 0.9), texture=draw.texture(0.035, 3.5))
        twist = line[0] if i % 2 else line[-1]
        outwards = np.sign(twist[0]) * np.array([1.0, 0.0, 0.0])
        joint = rod(
            "cellulose", twist + 0.6 * radius * outwards, twist + (0.7 * radius + 8) * outwards, 2.4, 1.4, density=0.7
        )
        parts += g.moved((*meat, joint), g.shift(draw.normal(4), y, 0) @ g.turn("z", draw.normal(3)))
        y += 2 * radius * draw.uniform(0.99, 1.12)
    return tuple(parts)


def pork_rib(draw: Draw) -> Phantom:
    """A rack of three to seven curved bones in meat and fat; or two to four pieces of one bone each."""
    body = _rack(draw) if draw.chance(0.65) else _pieces(draw)
    if draw.chance(0.35):
        body = bagged(draw, body, draw.uniform(16, 36), thickness=0.16)
    return Phantom("pork_rib", body, FLAT)


def _rack(draw: Draw) -> Body:
    """Strips of meat side by side along x, each with its bone across in the middle; their ends make one outline."""
    ribs, pitch = draw.count(3, 7), draw.size(27.0, spread=0.06)
    thick, long = draw.size(26.0, spread=0.12) / 2, draw.size(128.0, 110.0, 0.14)
    slant = draw.waves(ribs + 1, 14.0)
    far = slant + long / 2 * (1 + draw.waves(ribs + 1, 0.16))
    near = slant - long / 2 * (1 + draw.waves(ribs + 1, 0.16))
    for edge in (far, near):
        edge[[0, -1]] = slant[[0, -1]] + (edge - slant)[[0, -1]] * draw.uniform(0.85, 0.97)
    x = (np.arange(ribs + 1) - ribs / 2) * pitch
    bow = draw.normal(0.9)
    parts: list[Part] = []
    for i in range(ribs):
        corners = np.array([[x[i], near[i]], [x[i + 1], near[i + 1]], [x[i], far[i]], [x[i + 1], far[i + 1]]])
        parts += _strip(draw, corners, thick * draw.uniform(0.97, 1.03))
        low, high = max(near[i], near[i + 1]) + draw.uniform(4, 11), min(far[i], far[i + 1]) - draw.uniform(4, 11)
        bone = _bone(draw, (high - low) / 2, thick, bow)
        parts += g.moved(bone, g.shift((x[i] + x[i + 1]) / 2, (low + high) / 2, 0))
    for end, way in ((0, -1.0), (-1, 1.0)):
        parts.append(_rounded((x[end], near[end]), (x[end], far[end]), thick, (way, 0.0), None))
        for y, side in ((near[end], -1.0), (far[end], 1.0)):
            frame = g.shift(x[end], y, 0) @ g.scale(0.7 * thick, 0.7 * thick, thick)
            parts.append(Part("ball", frame, "muscle", cuts=((-way, 0.0, 0.0, 0.0), (0.0, -side, 0.0, 0.0))))
    return tuple(parts)


def _strip(draw: Draw, corners: NDArray[np.float64], thick: float) -> Body:
    """Muscle between two near and two far corners (x, y), rounded beyond the near and the far edge; streaks of fat."""
    (left, _), (right, _) = corners[:2]
    low, high = corners[:, 1].min(), corners[:, 1].max()
    frame = g.shift((left + right) / 2, (low + high) / 2, 0) @ g.scale((right - left) / 2, (high - low) / 2, thick)
    parts: list[Part] = []
    cuts = []
    for a, b, side in ((corners[0], corners[1], -1.0), (corners[2], corners[3], 1.0)):
        out = side * np.array([-(b - a)[1], (b - a)[0]]) / np.linalg.norm(b - a)
        cuts.append(cut(frame, (*out, 0.0), (*a, 0.0)))
        parts.append(_rounded(tuple(a), tuple(b), thick, tuple(out), (left, right)))
    parts.append(Part("cube", frame, "muscle", cuts=tuple(cuts), texture=draw.texture(0.02, 3.0, 12.0, 5.0)))
    parts += _fat(draw, left, corners[:2, 1].max(), corners[2:, 1].min(), thick)
    return tuple(parts)


def _fat(draw: Draw, x: float, low: float, high: float, thick: float) -> Body:
    """Streaks of fat one after another along y, between two bones."""
    slots = np.linspace(low + 6, high - 6, draw.count(3, 6) + 1)
    streaks = []
    for start, end in pairwise(slots):
        half = (draw.uniform(1.3, 2.3), (end - start) / 2 * draw.uniform(0.4, 0.95), draw.uniform(0.2, 0.4) * thick)
        centre = (x, (start + end) / 2, draw.uniform(-0.3, 0.3) * thick)
        streaks.append(ball("adipose", centre, half, within="muscle"))
    return tuple(streaks)


def _rounded(
    a: tuple[float, ...],
    b: tuple[float, ...],
    thick: float,
    out: tuple[float, ...],
    between: tuple[float, float] | None,
) -> Part:
    """Half a rod along an edge from a to b (x, y), on the side of `out`; ending at two x, or at a and b."""
    start, end = np.array([*a, 0.0]), np.array([*b, 0.0])
    over = (end - start) * (0.3 if between else 0.0)
    frame = g.along(start - over, end + over, 0.7 * thick, thick)
    cuts = [cut(frame, (-out[0], -out[1], 0.0), start)]
    if between:
        cuts += [cut(frame, (-1.0, 0, 0), (between[0], 0, 0)), cut(frame, (1.0, 0, 0), (between[1], 0, 0))]
    return Part("tube", frame, "muscle", cuts=tuple(cuts))


def _bone(draw: Draw, half: float, thick: float, bow: float) -> Body:
    """A flat curved rib within muscle: a dense wall, a spongy core."""
    stout = min(draw.size(6.7, 6.0, 0.08), 0.58 * thick)
    s = np.linspace(-1, 1, 7)
    line = np.stack([bow * (1 - s**2) + draw.waves(7, 0.8), s * half, 0.3 * thick * (0.5 - s**2)], 1)
    radii = stout * (1 + 0.1 * s**2) * (1 + draw.waves(7, 0.05))
    wall = draw.size(2.0, spread=0.12)
    outer = limb(line, radii, "bone", flat=0.72, caps=(0, 0), within="muscle")
    core = limb(line, radii - wall / 0.72, "spongy_bone", flat=0.72, caps=(0, 0), within="bone")
    return (*outer, *core)


def _pieces(draw: Draw) -> Body:
    """Chopped ribs: a short bone through each lump of meat, cut flat at both ends."""
    parts: list[Part] = []
    y = 0.0
    for _ in range(draw.count(2, 5)):
        half, thick = draw.size(62.0, spread=0.12) / 2, draw.size(17.5, spread=0.06)
        line = np.stack([np.linspace(-half, half, 5), draw.waves(5, 1.0), 0 * np.arange(5)], 1)
        radii = thick * (1 + draw.waves(5, 0.14))
        meat = limb(line, radii, "muscle", flat=0.78, caps=(0, 0))
        fat = ball(
            "adipose", (draw.normal(5), 0.68 * thick, 0.0), (0.45 * half, 0.08 * thick, 0.3 * thick), within="muscle"
        )
        bone = g.moved(_bone(draw, 0.92 * half, 0.9 * thick, 0.0), g.turn("z", 90))
        parts += g.moved((*meat, fat, *bone), g.shift(draw.normal(10), y, 0) @ g.turn("z", draw.normal(12)))
        y += 2 * thick * draw.uniform(1.0, 1.25)
    return tuple(parts)
