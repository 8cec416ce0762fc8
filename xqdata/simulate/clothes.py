"""Clothes in a bag: folded or crumpled cloth, shoes, a belt."""

from __future__ import annotations

import itertools
import math

import numpy as np

from xqdata.simulate.boxes import plate, void
from xqdata.simulate.canvas import Canvas, Field, curve, filaments, noise
from xqdata.simulate.geometry import Body, Part, Texture, moved, scale, shift, turn
from xqdata.simulate.hardware import buckle, placed, pull, stud

# Pitch of cloth in mm: its folds are wider than a scanner's pixel.
_COARSE = 1.5
# A right sole's outline from the heel, as shares of half its length and width.
# fmt: off
_SOLE = ((-1, 0), (-0.84, 0.66), (-0.25, 0.62), (0.45, 1), (0.85, 0.72), (1, 0.15), (0.9, -0.45), (0.4, -0.9),
         (-0.2, -0.55), (-0.85, -0.66))
# fmt: on
_CLOTHS = ("cotton_cloth", "cotton_cloth", "polyester_cloth", "wool_cloth")


def shirt(rng: np.random.Generator) -> Body:
    """Folded to a rectangle, sleeves behind, a collar and a row of buttons in front."""
    hx, hy = float(rng.uniform(120, 150)), float(rng.uniform(95, 120))
    canvas = _around(hx, hy)
    layer = float(rng.uniform(0.7, 1.1))
    back = _panel(canvas, (hx, hy), rng) * 3
    for s in (-1, 1):
        # A sleeve, folded over the back at a slant.
        top = np.array(
            [
                (hx * 0.9, s * hy * 0.95),
                (hx * 0.95, s * hy * 0.3),
                (-hx * 0.75, s * hy * 0.05),
                (-hx * 0.7, s * hy * 0.55),
            ]
        )
        back += 2 * _flap(canvas, top + rng.normal(0, 5, (4, 2)))
    front = _panel(canvas, (hx * float(rng.uniform(0.95, 1.0)), hy * 0.98), rng) * 2
    collar = np.array(
        [(hx, -0.42 * hy), (hx * 0.72, -0.5 * hy), (hx * 0.62, 0), (hx * 0.72, 0.5 * hy), (hx, 0.42 * hy)]
    )
    front += 3 * _flap(canvas, collar) + 1.5 * canvas.line(canvas.y + 0 * canvas.x, 26) * canvas.cover(
        canvas.box((hx, hy), 8)
    )
    material, high = str(rng.choice(_CLOTHS[:3])), float(rng.uniform(16, 32))
    buttons = np.array([(hx * (0.55 - 0.28 * i), float(rng.normal(0, 1))) for i in range(6)])
    dots = Canvas((2 * hx, 24), 0.6)
    thick = 2.4 * dots.cover(dots.dots(buttons) - 5) - 0.8 * dots.cover(dots.dots(buttons) - 2)
    return (
        canvas.sheet(layer * _creased(canvas, back, rng), material, shift(0, 0, 0.5)),
        canvas.sheet(layer * _creased(canvas, front, rng), material, shift(0, 0, high)),
        dots.sheet(thick, "nylon", shift(0, 0, high)),
    )


def trousers(rng: np.random.Generator) -> Body:
    """Folded in three: legs over each other, a waistband with a button, rivets and a zip."""
    hx, hy, leg = float(rng.uniform(150, 180)), float(rng.uniform(85, 105)), float(rng.uniform(1.0, 1.5))
    canvas = _around(hx, hy)
    lower = _panel(canvas, (hx, hy), rng) * 4
    upper = np.zeros_like(lower)
    for share in (float(rng.uniform(0.55, 0.75)), float(rng.uniform(0.8, 0.95))):
        at = (hx * (1 - share), float(rng.normal(0, 4)))
        outline = canvas.box((hx * share, hy * 0.92), 8, at)
        upper += 2 * canvas.cover(outline) + 1.2 * canvas.line(outline + 1, 2.5)
    for s in (-1, 1):
        upper += (
            1.4
            * canvas.line(canvas.path([(-hx, s * hy * 0.45), (hx, s * hy * 0.35)]), 5)
            * canvas.cover(canvas.box((hx, hy), 8))
        )
    band = canvas.box((18, hy * 0.95), 4, (hx - 20, 0))
    upper += 2 * canvas.cover(band) + canvas.line(band, 2)
    high = float(rng.uniform(22, 38))
    parts: list[Part] = [
        canvas.sheet(leg * _creased(canvas, lower, rng), "cotton_cloth", shift(0, 0, 0.5)),
        canvas.sheet(leg * _creased(canvas, upper, rng), "cotton_cloth", shift(0, 0, high)),
    ]
    parts += placed(stud(8.0, "brass"), (hx - 20, 0, high))
    for _ in range(int(rng.integers(3, 7))):
        parts += placed(stud(4.2, "brass"), (hx - float(rng.uniform(30, 75)), float(rng.uniform(-0.9, 0.9)) * hy, high))
    if rng.random() < 0.5:
        teeth = Canvas((float(rng.uniform(90, 130)), 14), 0.6)
        pattern = 0.5 + 0.5 * np.sign(np.sin(teeth.x * 2.9))
        thickness = teeth.cover(np.abs(teeth.y) - 2.6) * pattern * 1.6
        parts.append(teeth.sheet(thickness, "brass", shift(hx - 35 - teeth.size[0] / 2, 6, high)))
        parts += placed(pull(16, "brass"), (hx - 38, 6, high), 180)
    return tuple(parts)


def jumper(rng: np.random.Generator) -> Body:
    """Crumpled: several layers of irregular outline, much creased."""
    return _heap(
        rng,
        (float(rng.uniform(110, 155)), float(rng.uniform(85, 115))),
        str(rng.choice(_CLOTHS)),
        float(rng.uniform(30, 55)),
    )


def towel(rng: np.random.Generator) -> Body:
    """Rolled up: a spiral seen from its side, looped cloth."""
    half, radius = float(rng.uniform(95, 150)), float(rng.uniform(32, 48))
    lying = shift(0, 0, radius) @ turn("y", 90)
    texture = Texture(0.10, (7.0, 7.0, 60.0), int(rng.integers(2**31)))
    roll = Part("tube", lying @ scale(radius, radius * 0.95, half), "cotton_cloth", density=0.62, texture=texture)
    canvas = Canvas((2 * half + 6, 2 * radius + 6), 1.0)
    outline = canvas.box((half, radius), 5)
    edges = sum(
        canvas.line(canvas.y - float(rng.uniform(-0.9, 0.9)) * radius - 3 * np.sin(canvas.x / 40 + i), 2.2)
        for i in range(4)
    )
    band = canvas.line(np.abs(canvas.x) - half * 0.8, 14) * 1.2
    thickness = canvas.cover(outline) * (1.6 * edges + band + 2.5 * filaments(canvas, rng, (70, 16)))
    return roll, canvas.sheet(thickness, "cotton_cloth", shift(0, 0, radius))


def socks(rng: np.random.Generator) -> Body:
    """Two to four pairs, each rolled into a ball."""
    parts: list[Part] = []
    for i in range(int(rng.integers(2, 5))):
        rx, ry, rz = float(rng.uniform(38, 50)), float(rng.uniform(28, 36)), float(rng.uniform(20, 27))
        at = shift((i % 2) * 84 - 42 + float(rng.normal(0, 6)), (i // 2) * 66 - 33 + float(rng.normal(0, 5)), rz)
        at = at @ turn("z", float(rng.uniform(0, 360)))
        texture = Texture(0.16, (9.0, 9.0, 9.0), int(rng.integers(2**31)))
        parts.append(Part("ball", at @ scale(rx, ry, rz), "cotton_cloth", density=0.7, texture=texture))
        # The cuff that is turned over the ball.
        parts.append(Part("ball", at @ shift(rx * 0.25) @ scale(rx * 0.8, ry * 1.04, rz), "cotton_cloth", density=0.25))
        parts.append(
            Part("ball", at @ shift(rx * 0.5) @ scale(rx * 0.42, ry * 0.8, rz * 0.8), "cotton_cloth", density=0.3)
        )
    return tuple(parts)


def shoes(rng: np.random.Generator) -> Body:
    """A pair, side by side and head to tail: a sole with its tread, a hollow upper, laces with eyelets."""
    length, wide = float(rng.uniform(245, 295)), float(rng.uniform(88, 104))
    formal = bool(rng.random() < 0.4)
    one = _shoe(length, wide, formal, rng)
    mirror = np.diag([1.0, -1.0, 1.0, 1.0])
    apart = wide * float(rng.uniform(0.55, 0.62))
    left = moved(one, shift(0, apart, 0) @ turn("z", float(rng.normal(0, 4))))
    return (
        *left,
        *moved(one, shift(float(rng.normal(0, 8)), -apart, 0) @ turn("z", 180 + float(rng.normal(0, 5))) @ mirror),
    )


def _shoe(length: float, wide: float, formal: bool, rng: np.random.Generator) -> Body:
    heel, toe = -length / 2, length / 2
    half = wide / 2
    rim = curve(np.array(_SOLE) * (length / 2, half), closed=True)
    canvas = Canvas((length + 12, wide + 12), 0.8)
    outline = canvas.shape(rim, 60.0)
    depth = np.where(outline > 0, 0.0, -outline)
    if formal:
        sole = 5.0 + 14.0 * canvas.cover(canvas.x - heel * 0.45)
        tread = canvas.line(outline + 4, 1.5) * 1.5
    else:
        sole = 12.0 + 6.0 * canvas.cover(canvas.x)
        tread = 3.5 * np.sign(np.sin(depth / float(rng.uniform(1.2, 1.9)) + 0.6 * np.sin(canvas.x / 9)))
    parts = [
        canvas.sheet(
            canvas.cover(outline) * (sole + tread).clip(0), "rubber", shift(0, 0, 9), density=0.8 if formal else 0.45
        )
    ]
    cut = ((0.0, 0.0, -1.0, 0.0),)
    for x, rx, tall in ((toe * 0.42, length * 0.29, 44.0), (heel * 0.5, length * 0.25, 72.0)):
        upper = Part("ball", shift(x, 0, 16) @ scale(rx, half * 0.92, tall), "leather", cuts=cut)
        less = Part("ball", shift(x, 0, 16) @ scale(rx - 2.6, half * 0.92 - 2.6, tall - 2.6), "leather", cuts=cut)
        parts += [upper, void(less)]
    tongue = (length * 0.1, 0.0, 62.0)
    if formal:
        parts.append(plate((heel * 0.1, 0, 6), (48, 0, 0), (0, 6, 0), 1.1, "steel"))
    for i in range(5):
        for s in (-1, 1):
            at = (tongue[0] - 24 + 12 * i, s * 12.0, tongue[2] - 3 * i)
            parts += placed(stud(3.2, "brass" if formal else "steel"), at, 0, s * 25)
    laces = Canvas((76, 60), 0.7)
    zigzag = np.array([(-28 + 6 * i, 12.0 * (-1) ** i) for i in range(10)])
    parts.append(laces.sheet(laces.wire(laces.path(zigzag), 2.4), "polyester_cloth", shift(*tongue), density=2.5))
    return tuple(parts)


def belt(rng: np.random.Generator) -> Body:
    """Rolled up, standing on its edge: a spiral of leather with a metal buckle at its end."""
    wide, thick = float(rng.uniform(26, 38)), float(rng.uniform(3.0, 4.2))
    turns = float(rng.uniform(2.6, 3.6))
    angles = np.linspace(0, turns * 2 * math.pi, int(turns * 13))
    radius = 24 + (thick + float(rng.uniform(1.0, 4.0))) * angles / (2 * math.pi)
    squeeze = float(rng.uniform(0.75, 1.0))
    spiral = np.stack([radius * np.cos(angles), radius * squeeze * np.sin(angles)], 1)
    parts = []
    for start, end in itertools.pairwise(spiral):
        middle, along = (start + end) / 2, (end - start) * 0.505
        parts.append(plate((*middle, wide / 2), (*along, 0.0), (0, 0, wide / 2), thick, "leather"))
    out, way = spiral[-1], math.degrees(math.atan2(*(spiral[-1] - spiral[-2])[::-1]))
    metal = str(rng.choice(["zinc", "steel", "brass"]))
    ring = moved(placed(buckle((22, wide / 2 + 4), 4.2, metal, (0.2,)), (0, 0, 0)), turn("x", 82))
    return (*parts, *placed(ring, (float(out[0]), float(out[1]), wide / 2 + 6), way))


def _around(hx: float, hy: float) -> Canvas:
    return Canvas((2 * hx + 16, 2 * hy + 16), _COARSE)


def _panel(canvas: Canvas, half: tuple[float, float], rng: np.random.Generator) -> Field:
    """A layer of cloth with wavy edges, doubled at its folded edges."""
    wave = 2.5 * noise((canvas.rows, canvas.columns), (30.0, 30.0), rng)
    outline = canvas.box(half, 9) + wave
    return canvas.cover(outline) + 0.5 * canvas.line(outline + 2, 3.5)


def _flap(canvas: Canvas, corners: Field) -> Field:
    outline = canvas.shape(corners, 6.0)
    return canvas.cover(outline) + 0.7 * canvas.line(outline + 1, 2.2)


def _creased(canvas: Canvas, layers: Field, rng: np.random.Generator) -> Field:
    """Layers with creases across them, and areas that lie looser."""
    shape = (canvas.rows, canvas.columns)
    creases = 4.5 * filaments(canvas, rng, (90, 20), 1.5) + 3.5 * filaments(canvas, rng, (22, 60), 1.2)
    creases += 2.5 * filaments(canvas, rng, (20, 15), 0.9)
    loose = 1 + 0.12 * noise(shape, (20.0, 20.0), rng)
    return np.asarray(layers * loose + creases * (layers > 0.5))


def _heap(rng: np.random.Generator, half: tuple[float, float], material: str, high: float) -> Body:
    """Layers of irregular outline at two heights, with folds that bend round one another."""
    canvas = Canvas((2.5 * half[0], 2.5 * half[1]), _COARSE)
    layer = float(rng.uniform(1.1, 1.8))
    parts = []
    for height in (0.5, high):
        thickness = canvas.empty()
        for _ in range(4):
            angles = np.sort(rng.uniform(0, 2 * math.pi, 11))
            reach = rng.uniform(0.6, 1.12, 11) * (1.0 if height < high else 0.88)
            blob = curve(
                np.stack([np.cos(angles) * reach * half[0], np.sin(angles) * reach * half[1]], 1), closed=True, steps=5
            )
            outline = canvas.shape(blob, 5.0)
            thickness += canvas.cover(outline) + 1.1 * canvas.line(outline + 1.5, 3.2)
        drape = 6.0 * filaments(canvas, rng, (110, 30), 2.0) + 4.0 * filaments(canvas, rng, (30, 80), 1.6)
        parts.append(
            canvas.sheet(
                layer * (_creased(canvas, thickness, rng) + drape * (thickness > 0.5)), material, shift(0, 0, height)
            )
        )
    return tuple(parts)
