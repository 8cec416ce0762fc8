"""Ginseng: a root with legs."""

from __future__ import annotations

import numpy as np

from xqdata.simulate.geometry import Body, Part
from xqdata.simulate.phantoms.draws import Draw
from xqdata.simulate.phantoms.phantom import LYING, Phantom
from xqdata.simulate.phantoms.shapes import limb, rod


def ginseng(draw: Draw) -> Phantom:
    """A body that forks into legs, on them rootlets, and at the head the knotty neck of former stems."""
    stout, long = draw.size(13.0, 10.5, 0.13), draw.size(75.0, 105.0, 0.14)
    count = 6
    line = np.stack([np.linspace(0, long, count), draw.waves(count, 7.0), draw.waves(count, 5.0)], 1)
    radii = stout * np.array([0.62, 0.97, 1.05, 1.0, 0.92, 0.8]) * (1 + draw.waves(count, 0.09))
    trunk = limb(line, radii, "ginseng_root", flat=0.94, caps=(0.6, 0.1), texture=draw.texture(0.03, 2.5, 5.0, 5.0))
    parts: list[Part] = [*trunk, *_neck(draw, line[0], stout)]
    legs = draw.count(2, 4)
    shares = np.array([draw.uniform(0.8, 1.2) for _ in range(legs)])
    if draw.chance(0.0, 0.6):  # one leg only, next to it hardly more than rootlets
        shares[1:] *= 0.3
    widths = radii[-1] * np.minimum(1.15 * shares / shares.sum(), 0.9) ** 0.85
    sides = np.cumsum(widths) - widths / 2
    for width, side in zip(widths, sides - sides.mean(), strict=True):
        # The legs begin side by side on the trunk's end, or their common root would be too dense.
        start = line[-1] + np.array([0.15 * radii[-1], 1.5 * side, draw.normal(0.12) * radii[-1]])
        heading = np.radians(draw.uniform(30, 75)) * side / radii[-1] + draw.normal(0.12)
        parts += _leg(draw, start, heading, width, long * draw.uniform(0.7, 1.25))
    for _ in range(draw.count(2, round(draw.towards(8, 4)))):
        at = draw.count(1, count - 1)
        parts += _rootlet(draw, line[at], draw.uniform(-2.2, 2.2), 0.85 * radii[at])
    return Phantom("ginseng", tuple(parts), LYING)


def _leg(draw: Draw, start: np.ndarray, heading: float, width: float, long: float) -> Body:
    steps = 7
    angles = heading * np.linspace(0.7, 1.0, steps - 1) + draw.waves(steps - 1, 0.5)
    rise = draw.normal(0.35) + draw.waves(steps - 1, 0.3)
    run = np.stack([np.cos(angles), np.sin(angles), rise], 1) * long / (steps - 1)
    line = start + np.concatenate([np.zeros((1, 3)), np.cumsum(run, axis=0)])
    radii = np.maximum(width * np.array([1.0, 0.95, 0.8, 0.6, 0.4, 0.24, 0.1]), 0.5)
    leg = limb(line, radii, "ginseng_root", caps=(0.15, 1), texture=draw.texture(0.03, 2.5, 5.0, 5.0))
    tails = [
        part
        for at in range(2, steps)
        for _ in range(draw.count(0, 2))
        for part in _rootlet(draw, line[at], float(angles[at - 1]) + draw.normal(0.7), 0.8 * radii[at])
    ]
    return (*leg, *tails)


def _rootlet(draw: Draw, start: np.ndarray, heading: float, depth: float) -> Body:
    """A thin root from just under the skin."""
    long, steps = draw.uniform(18, 55), 4
    angles = heading + draw.waves(steps, 0.9)
    run = np.stack([np.cos(angles), np.sin(angles), draw.waves(steps, 0.5)], 1) * long / steps
    way = run[0] / np.linalg.norm(run[0])
    line = start + way * depth + np.concatenate([np.zeros((1, 3)), np.cumsum(run, axis=0)])
    radii = draw.uniform(1.0, 1.9) * np.array([1.0, 0.8, 0.6, 0.4, 0.25])
    return tuple(
        rod("ginseng_root", a, b, r, s) for a, b, r, s in zip(line[:-1], line[1:], radii[:-1], radii[1:], strict=True)
    )


def _neck(draw: Draw, start: np.ndarray, stout: float) -> Body:
    steps = draw.count(3, 6)
    line = start - np.stack(
        [np.linspace(0.3 * stout, 0.3 * stout + steps * 6.0, steps), draw.waves(steps, 4.0), 0 * np.arange(steps)], 1
    )
    radii = np.array([draw.uniform(2.6, 4.6) for _ in range(steps)])
    return limb(line, radii, "ginseng_root", density=0.95, caps=(0, 0.8))
