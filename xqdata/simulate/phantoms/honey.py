"""Honey: a jar."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from xqdata.simulate import geometry as g
from xqdata.simulate.geometry import Body, Part
from xqdata.simulate.phantoms.draws import Draw
from xqdata.simulate.phantoms.phantom import Phantom, rolled
from xqdata.simulate.phantoms.shapes import ball, cut, emptied, lathe

Profile = NDArray[np.float64]
# Standing twice and lying three ways: a jar is stable both ways.
_RESTS = (*rolled("x", 0, 0), *rolled("y", 90), *rolled("x", 90, 270))
_SIDES = {0: 1.0, 4: 0.84, 6: 0.9}  # corners of a jar: a flat side's distance from the axis, as a share of the radius


def honey(draw: Draw) -> Phantom:
    """A jar of glass with a lid of tin plate, or of plastic with a plastic lid; honey, and air above it."""
    plastic = draw.chance(0.1, 0.45)
    corners = 0 if plastic or draw.chance(0.6) else (4, 6)[draw.count(0, 1)]
    radius, high = draw.size(36.0, 30.0, 0.12), draw.size(112.0, 96.0, 0.13)
    wall, material = (draw.size(1.1, spread=0.12), "pet") if plastic else (draw.size(2.9, spread=0.12), "glass")
    neck = radius * draw.uniform(0.76, 0.9) * _SIDES[corners]
    outside, inside = _profile(high, radius, neck, 0.0), _profile(high, radius, neck, wall)
    jar = _cornered(lathe(outside, material), corners, radius, 0.0)
    hollow = _cornered(lathe(inside, material), corners, radius, wall)
    level = draw.uniform(0.76, 0.87) * high
    content = _cornered(lathe(_below(inside, level), "honey"), corners, radius, wall)
    body = (*jar, *emptied(hollow, material), *content, *_lid(draw, high, neck, plastic))
    if draw.chance(0.15):
        half, grain = (0.5 * neck, 0.4 * neck, 0.2 * high), draw.texture(0.3, 5.0)
        body = (*body, ball("polyethylene", (0, 0, 0.4 * high), half, within="honey", texture=grain))  # a piece of comb
    return Phantom("honey", body, _RESTS)


def _profile(high: float, radius: float, neck: float, wall: float) -> Profile:
    """(z, radius) of a jar's outside, or of its inside, `wall` mm further in: foot, belly, shoulder, open neck."""
    z = np.array([0.0, 0.03, 0.07, 0.72, 0.79, 0.85, 1.0]) * high
    r = np.array([0.86, 0.95, 1.0, 1.0, 0.94, 0.0, 0.0]) * radius
    r[5:], r[4] = neck, max(r[4], neck)
    z[0] += 1.5 * wall
    z[1] = max(z[1], z[0] + 0.3)
    z[2] = max(z[2], z[1] + 0.3)
    return np.stack([z, r - wall], 1)


def _below(profile: Profile, level: float) -> Profile:
    """What of a profile a jar holds that is filled to `level`."""
    at = np.interp(level, profile[:, 0], profile[:, 1])
    return np.concatenate([profile[profile[:, 0] < level - 0.1], [[level, at]]])


def _cornered(parts: Body, corners: int, radius: float, wall: float) -> Body:
    """The jar with flat sides, `wall` mm further in; as it is for no corners."""
    if not corners:
        return parts
    distance = _SIDES[corners] * radius - wall
    angles = np.arange(corners) * 2 * np.pi / corners
    ways = np.stack([np.cos(angles), np.sin(angles), 0 * angles], 1)
    return tuple(
        replace(part, cuts=(*part.cuts, *(cut(part.matrix, way, distance * way) for way in ways))) for part in parts
    )


def _lid(draw: Draw, high: float, neck: float, plastic: bool) -> Body:
    """A cap over the neck; of tin plate it is a quarter of a millimetre thick, with a ring of sealing inside."""
    material, wall = ("polypropylene", 1.5) if plastic else ("tin_plate", draw.uniform(0.22, 0.28))
    bottom, top, radius = 0.87 * high, high + 1.0, neck + 1.2

    def disc(r: float, low: float, up: float, of: str, density: float) -> Part:
        return Part("tube", g.along((0, 0, low), (0, 0, up), r), of, density=density)

    cap, room = disc(radius + wall, bottom, top + wall, material, 1.0), disc(radius, bottom, top, material, -1.0)
    curled = disc(radius + wall + 0.8, bottom, bottom + 1.6, material, 0.5 if plastic else 0.35)
    open_below = disc(radius + wall, bottom, bottom + 1.6, material, -0.5 if plastic else -0.35)
    seal = disc(neck, high, high + 0.9, "soft_pvc", 0.7)
    return cap, room, curled, open_below, seal
