"""Chilli pepper and potato: a hollow cone with seeds, a solid tuber."""

from __future__ import annotations

import numpy as np

from xqdata.simulate import geometry as g
from xqdata.simulate.geometry import Body, Part
from xqdata.simulate.phantoms.draws import Draw
from xqdata.simulate.phantoms.fruit import ROUNDISH
from xqdata.simulate.phantoms.phantom import FLAT, LYING, Phantom
from xqdata.simulate.phantoms.shapes import arc, ball, emptied, limb, rod


def potato(draw: Draw) -> Phantom:
    """A solid tuber of uneven outline, sometimes with sprouts, a hollow heart or soil on it."""
    radius = draw.size(62.0, ROUNDISH, 0.09) / 2
    long = radius * draw.size(1.5, 1.15, 0.12)
    line = np.sin(np.linspace(-1.3, 1.3, 13))
    # One gentle bow: where a spine bends more than its radius allows, the pieces at its inside would overlap.
    bow = np.outer(line**2, [0.0, draw.normal(0.16) * radius, draw.normal(0.08) * radius])
    spine = np.outer(line, [long, 0.0, 0.0]) + bow
    lean = draw.normal(0.13)
    radii = radius * (1 - np.abs(line) ** 2.3) ** 0.5 * (1 + lean * line + draw.waves(13, 0.12))
    flesh = limb(
        spine,
        radii,
        "starch_tuber",
        flat=draw.size(0.84, 0.9, 0.06),
        caps=(0.35, 0.35),
        texture=draw.texture(0.014, 9.0),
    )
    extras = _sprouts(draw, spine, radii) if draw.chance(0.25) else ()
    if draw.chance(0.08):
        hollow = ball("starch_tuber", (0, 0, 0), (0.3 * long, 0.1 * radius, 0.22 * radius), draw.spin(), density=-1.0)
        extras = (*extras, hollow)
    return Phantom("potato", (*flesh, *extras), LYING)


def _sprouts(draw: Draw, spine: np.ndarray, radii: np.ndarray) -> Body:
    parts: list[Part] = []
    for _ in range(draw.count(1, 4)):
        at = draw.count(2, len(spine) - 3)
        angle = draw.uniform(0, 2 * np.pi)
        out = np.array([draw.normal(0.3), np.cos(angle), 0.8 * np.sin(angle)])
        start = spine[at] + 0.93 * radii[at] * out
        parts += limb([start, start + draw.uniform(5, 13) * out], [2.2, 1.5], "fresh_plant", caps=(0, 1))
    return tuple(parts)


def chilli_pepper(draw: Draw) -> Phantom:
    """Two to six pods side by side: hollow, curved, with seeds near the stalk; fresh ones, or dried and flattened."""
    dried = draw.chance(0.35)
    count, length = draw.count(2, 6), draw.size(105.0, 125.0, 0.15)
    pods: list[Part] = []
    y = 0.0
    for _ in range(count):
        pod, radius = _pod(draw, length * draw.size(1.0, spread=0.08), dried)
        place = g.shift(draw.normal(9), y + radius, 0) @ g.turn("z", draw.normal(9) + 180 * draw.count(0, 1))
        pods += g.moved(pod, place @ g.turn("x", draw.uniform(-40, 40)))
        y += 2 * radius * draw.uniform(0.95, 1.3)
    return Phantom("chilli_pepper", tuple(pods), FLAT)


def _pod(draw: Draw, length: float, dried: bool) -> tuple[Body, float]:
    radius = draw.size(9.5, 11.0, 0.13)
    skin, wall, flat = ("dry_plant", 0.9, 0.55) if dried else ("chilli_flesh", draw.size(2.0, spread=0.15), 0.92)
    line = arc(length, draw.normal(42.0), 9)
    line[:, 2] += draw.waves(9, 0.03 * length)
    radii = radius * np.array([0.72, 0.95, 1.0, 0.96, 0.88, 0.76, 0.6, 0.4, 0.18])
    radii *= 1 + draw.waves(9, 0.28 if dried else 0.08)
    density = 1.9 if dried else 1.0  # dry skin is denser than the loose herb that the material stands for
    outer = limb(line, radii, skin, flat=flat, caps=(0.5, 1.0), density=density)
    inside = np.maximum(radii - (wall / flat), 0.4)
    hollow = emptied(limb(line[:-1], inside[:-1], skin, flat=flat, caps=(0.2, 0.6)), skin, 0.86 * density)
    return (*outer, *hollow, *_seeds(draw, line, inside, flat, dried), *_stalk(draw, line, radii)), radius


def _seeds(draw: Draw, line: np.ndarray, inside: np.ndarray, flat: float, dried: bool) -> Body:
    """The pale strand that bears the seeds, and a score of them around it."""
    strand = limb(line[:4], 0.3 * inside[:4], "dry_plant" if dried else "chilli_flesh", flat=flat)
    seeds = []
    for _ in range(draw.count(14, 24)):
        u = 0.3 + 6.2 * draw.rng.beta(1.2, 2.0)
        i, f = int(u), u - int(u)
        centre, room = line[i] * (1 - f) + line[i + 1] * f, inside[i] * (1 - f) + inside[i + 1] * f
        angle = draw.uniform(0, 2 * np.pi)
        off = 0.62 * room * np.array([0, np.cos(angle), flat * np.sin(angle)])
        x, y, z = centre + off
        seeds.append(ball("seed", (x, y, z), (1.9, 1.7, 0.6), draw.spin()))
    return (*strand, *seeds)


def _stalk(draw: Draw, line: np.ndarray, radii: np.ndarray) -> Body:
    way = line[0] - line[1]
    way /= np.linalg.norm(way)
    collar = rod("fresh_plant", line[0] - 1.0 * way, line[0] + 0.55 * radii[0] * way, 0.95 * radii[0], 2.2)
    base = line[0] + 0.5 * radii[0] * way
    side = np.array([-way[1], way[0], 0.0]) * draw.normal(6.0)
    return collar, *limb([base, base + 13 * way + 0.4 * side, base + 26 * way + side], [1.9, 1.5, 2.1], "green_wood")
