"""Small things from pockets and toilet bags: paper, metal, leather and plastic."""

from __future__ import annotations

import itertools
import math

import numpy as np

from xqdata.simulate.boxes import bar, block, pipe, shell, void
from xqdata.simulate.canvas import Canvas, curve
from xqdata.simulate.geometry import Body, Part, Texture, moved, scale, shift, turn
from xqdata.simulate.hardware import cord, placed, stud


def book(rng: np.random.Generator) -> Body:
    """A block of paper between boards, or a notebook on a spiral of steel."""
    hx, hy, hz = float(rng.uniform(85, 118)), float(rng.uniform(58, 82)), float(rng.uniform(6, 17))
    texture = Texture(0.02, (400.0, 40.0, 1.0), int(rng.integers(2**31)))
    density = float(rng.uniform(0.75, 1.15))
    block_ = Part("cube", shift(0, 0, hz + 1) @ scale(hx, hy, hz), "paper", density=density, texture=texture)
    if rng.random() < 0.3:
        coil = Canvas((2 * hx, 18), 0.6)
        turns = coil.wire(coil.y - 6.5 * np.sin(coil.x * 2 * math.pi / 8.4), 1.6)
        holes = void(block((0, -hy + 5, hz + 1), (hx, 0.9, hz), "paper", density * 0.5))
        return block_, holes, coil.sheet(turns, "steel", shift(0, -hy + 2, hz + 1))
    board, thick = ("cardboard", 1.2) if rng.random() < 0.5 else ("paper", 0.5)
    covers = [block((0, 1, z), (hx + 3, hy + 2, thick), board, 3.0) for z in (thick, 2 * hz + 2)]
    spine = block((0, -hy - 1.5, hz + 1), (hx + 3, 1.4, hz + 1), board, 3.0)
    return (block_, spine, *covers)


def keys(rng: np.random.Generator) -> Body:
    """Three to seven keys fanned on a ring, with a fob."""
    parts: list[Part] = []
    circle = Canvas((40, 40), 0.5)
    away = np.hypot(circle.x, circle.y)
    parts.append(circle.sheet(circle.wire(away - 14, 2.0) + circle.wire(away - 15.5, 1.6), "steel", shift(0, 0, 2)))
    angle = float(rng.uniform(0, 360))
    for i in range(int(rng.integers(3, 8))):
        angle += float(rng.uniform(14, 50))
        spot = (14 * math.cos(math.radians(angle)), 14 * math.sin(math.radians(angle)), 1.2 + 1.3 * i)
        parts += placed(_key(rng), spot, angle + float(rng.normal(0, 12)), float(rng.normal(0, 6)))
    angle += float(rng.uniform(50, 120))
    fob = (15 * math.cos(math.radians(angle)), 15 * math.sin(math.radians(angle)), 4.0)
    if rng.random() < 0.5:
        remote = (
            block((32, 0, 0), (24, 14, 5), "abs", 0.6),
            block((34, 0, 0), (15, 10, 0.6), "circuit_board"),
            bar((26, 0, -1.6), (26, 0, 1.6), 10, "steel", 0.55),
        )
        parts += placed(remote, (fob[0], fob[1], 5.5), angle)
    else:
        parts += placed(
            (block((32, 0, 0), (26, 13, 2.5), "leather"), *placed(stud(4, "brass"), (10, 0, 0))), fob, angle
        )
    return tuple(parts)


def _key(rng: np.random.Generator) -> Part:
    """One key, its hole at the origin, its blade along +x."""
    length, bow = float(rng.uniform(22, 34)), float(rng.uniform(9, 12.5))
    canvas = Canvas((2 * (length + 2 * bow) + 4, 2 * bow + 4), 0.5)
    x, y = canvas.x, canvas.y
    head = canvas.box((bow, bow * float(rng.uniform(0.8, 1.0))), float(rng.uniform(4, 8)), (bow - 4, 0))
    hole = np.hypot(x, y) - 2.6
    depths = rng.uniform(0.2, 2.6, 8)
    cut = np.interp(x[0], 2 * bow + np.linspace(0, length, 8), depths)[None, :]
    blade = np.maximum(np.maximum(2 * bow - 6 - x, x - (2 * bow - 4 + length)), np.maximum(y - 3.8 + cut, -y - 3.8))
    thickness = canvas.cover(np.minimum(np.maximum(head, -hole), blade)) * 2.1
    groove = canvas.cover(np.abs(y + 0.8) - 0.7) * canvas.cover(2 * bow - 4 - x) * 0.9
    return canvas.sheet((thickness - groove).clip(0), str(rng.choice(["brass", "steel"])))


def coins(rng: np.random.Generator) -> Body:
    """Five to sixteen coins, spilt."""
    parts: list[Part] = []
    for i in range(int(rng.integers(5, 17))):
        radius, metal = (
            float(rng.choice([8.5, 9.8, 11.0, 12.2, 13.2])),
            str(rng.choice(["copper", "brass", "steel", "copper"])),
        )
        x, y = rng.normal(0, 16, 2)
        tilt = turn("x", float(rng.normal(0, 5))) @ turn("y", float(rng.normal(0, 5)))
        flat = shift(float(x), float(y), 1.3 + 0.5 * (i % 5)) @ tilt
        parts.append(Part("tube", flat @ scale(radius, radius, 0.78), metal))
        parts += pipe(flat, radius, radius - 1.0, 0.95, metal)
    return tuple(parts)


def cutlery(rng: np.random.Generator) -> Body:
    """A fork, a spoon and a knife of stainless steel, or two of them."""
    parts: list[Part] = []
    chosen = rng.permutation(3)[: int(rng.integers(2, 4))]
    for i, which in enumerate(chosen):
        lean = float(rng.normal(0, 7))
        parts += placed(
            _cutler(int(which), float(rng.uniform(0.88, 1.05))), (float(rng.normal(0, 8)), 27.0 * i, 3.0), lean
        )
    return tuple(parts)


def _cutler(which: int, size: float) -> Part:
    canvas = Canvas((206 * size, 48), 0.6)
    x, y = canvas.x / size, canvas.y
    handle = np.interp(x[0], [-98, -92, -60, 20, 40], [5.0, 8.5, 6.5, 3.0, 4.0])[None, :]
    outline = np.maximum(np.abs(y) - handle, np.maximum(-98 - x, x - 42))
    thickness = canvas.cover(outline) * 2.3
    if which == 0:  # fork
        head = np.maximum(
            np.abs(y) - np.interp(x[0], [38, 52, 98], [3.5, 11.5, 10.0])[None, :], np.maximum(38 - x, x - 98)
        )
        gaps = np.maximum(np.abs((y + 3.1) % 6.2 - 3.1) - 1.3, 60 - x)
        thickness = np.maximum(thickness, canvas.cover(np.maximum(head, -gaps)) * 2.0)
    elif which == 1:  # spoon: its bowl is seen steeper at its rim
        bowl = np.hypot((x - 68) / 31, y / 20) - 1
        thickness = np.maximum(thickness, canvas.cover(bowl * 20) * (1.4 + 1.1 * np.clip(1 + bowl * 1.4, 0, 1)))
    else:  # knife
        blade = np.maximum(
            np.maximum(y - 9.5, -y - np.interp(x[0], [30, 85, 99], [9.5, 8.0, -6.0])[None, :]),
            np.maximum(38 - x, x - 99),
        )
        thickness = np.maximum(thickness * 1.9, canvas.cover(blade) * (1.9 + 0.06 * (y - 6)).clip(0.4))
    return canvas.sheet(thickness, "stainless_steel")


def glasses(rng: np.random.Generator) -> Body:
    """Spectacles in a hard case, or without."""
    z = 21.0
    parts: list[Part] = []
    if rng.random() < 0.65:
        metal, wall = ("steel", 0.45) if rng.random() < 0.5 else ("polypropylene", 1.8)
        parts += moved(shell((82, 31, 20), 24, 14, wall, metal), shift(0, 0, z))
        parts += [block((0, 0, height), (58, 7, wall / 2), metal) for height in (z - 20 + wall / 2, z + 20 - wall / 2)]
        parts += cord(np.array([(-58.0, 31, z), (58.0, 31, z)]), 1.4, "steel")
    rims = Canvas((146, 60), 0.6)
    frame, metal = (2.2, "stainless_steel") if rng.random() < 0.6 else (4.5, "polycarbonate")
    wire = rims.empty()
    for s in (-1, 1):
        lens = rims.box((25, 18), 13, (s * 34.0, 2))
        wire = np.maximum(wire, rims.wire(lens, frame))
        wire = np.maximum(
            wire,
            rims.wire(
                rims.path(curve([(s * 60, 10), (s * 66, 2), (-s * 20, -19 - 2 * s), (-s * 58, -22 - 2 * s)])),
                frame * 0.8,
            ),
        )
        lens_sheet = rims.cover(lens) * (1.9 + 0.0012 * ((rims.x - s * 34) ** 2 + rims.y**2))
        parts.append(rims.sheet(lens_sheet, "polycarbonate", shift(0, 0, z - 2)))
        parts.append(block((s * 61.0, 11, z), (2, 3, 2.2), "stainless_steel"))
    bridge = rims.wire(rims.path(curve([(-10, 6), (0, 10), (10, 6)])), frame)
    parts.append(rims.sheet(np.maximum(wire, bridge), metal, shift(0, 0, z)))
    return tuple(parts)


def umbrella(rng: np.random.Generator) -> Body:
    """Folded: a telescopic shaft in a bundle of ribs, furled cloth, a handle."""
    length, bundle = float(rng.uniform(190, 250)), float(rng.uniform(13, 18))
    z = bundle + 6
    parts: list[Part] = []
    for start, end, radius in ((-0.5, 0.5, 5.2), (-0.45, 0.46, 4.2)):
        frame = shift((start + end) / 2 * length, 0, z) @ turn("y", 90)
        parts += pipe(frame, radius, radius - 0.6, (end - start) / 2 * length, "steel")
    count = int(rng.choice([6, 7, 8]))
    for i in range(count):
        a = 2 * math.pi * i / count + float(rng.normal(0, 0.1))
        near, far = bundle * 0.45, bundle * float(rng.uniform(0.75, 1.0))
        way = np.array([0.0, math.cos(a), math.sin(a)])
        middle = np.array([0.0, 0.0, z])
        for reach, radius in (((-0.46, 0.42), 1.3), ((-0.38, 0.5), 1.1)):
            points = [middle + way * near + (reach[0] * length, 0, 0), middle + way * far + (reach[1] * length, 0, 0)]
            parts += cord(np.array(points), radius, "steel")
    for x in (-0.46, -0.2, 0.44):
        parts += pipe(shift(x * length, 0, z) @ turn("y", 90), 8.0, 5.2, 9.0, "nylon")
    texture = Texture(0.25, (60.0, 5.0, 5.0), int(rng.integers(2**31)))
    cloth = shift(0.02 * length, 0, z) @ turn("y", 90) @ scale(bundle + 5, bundle + 5, length * 0.46)
    parts.append(Part("tube", cloth, "polyester_cloth", density=0.75, texture=texture))
    parts.append(bar((-0.5 * length - 62, 0, z), (-0.48 * length, 0, z), 14.0, "abs", 0.75))
    parts.append(bar((-0.5 * length - 30, 4, z), (-0.5 * length - 8, 4, z), 3.0, "steel", 0.7))
    return tuple(parts)


def wallet(rng: np.random.Generator) -> Body:
    """Leather, folded once, with cards, notes and a few coins in it."""
    hx, hy = float(rng.uniform(54, 62)), float(rng.uniform(44, 50))
    canvas = Canvas((2 * hx + 6, 2 * hy + 6), 0.7)
    outline = canvas.box((hx, hy), 6)
    stitch = canvas.line(outline + 3.5, 1.2) * (np.sin((canvas.x + canvas.y) * 1.6) > 0)
    leather = canvas.cover(outline) * 3.4 + canvas.line(outline + 1.2, 2.4) * 1.6 + stitch * 1.2
    for y in (-0.3, 0.0, 0.3):
        leather += canvas.cover(canvas.box((hx - 5, hy * 0.3), 2, (0, y * hy - 8))) * 0.9
    parts = [canvas.sheet(leather, "leather", shift(0, 0, 2)), block((0, 3, 9), (hx - 5, hy - 14, 1.0), "paper")]
    for i in range(int(rng.integers(3, 8))):
        spot = shift(float(rng.normal(0, 4)), float(rng.normal(-6, 4)), 5 + 1.4 * i) @ turn(
            "z", float(rng.normal(0, 1.5))
        )
        parts.append(Part("cube", spot @ scale(42.8, 27, 0.38), "pvc"))
        parts.append(Part("cube", spot @ shift(-24, 3, 0) @ scale(5.5, 5, 0.3), "brass", density=0.5))
    for _ in range(int(rng.integers(0, 6))):
        at = shift(float(rng.normal(0, 14)), hy * 0.45 + float(rng.normal(0, 7)), 15)
        parts.append(Part("tube", at @ scale(11, 11, 0.8), "copper"))
    return tuple(parts)


def watch(rng: np.random.Generator) -> Body:
    """A wrist watch: case, movement, glass, and a bracelet of steel or a strap of leather."""
    radius, z = float(rng.uniform(17, 21)), 12.0
    parts = [
        *pipe(shift(0, 0, z), radius, radius - 3.2, 4.5, "stainless_steel"),
        Part("tube", shift(0, 0, z - 1) @ scale(radius - 4, radius - 4, 2.2), "brass", density=0.6),
        Part("tube", shift(0, 0, z - 4) @ scale(radius - 1, radius - 1, 0.6), "stainless_steel"),
        Part("tube", shift(0, 0, z + 4) @ scale(radius - 2.5, radius - 2.5, 0.8), "glass"),
        bar((0, radius - 1, z), (0, radius + 4, z), 2.4, "stainless_steel"),
    ]
    bend = curve(
        [
            (-radius - 2, 0, z),
            (-radius - 30, 0, z - 4),
            (-radius - 52, 0, 5),
            (-radius - 70, float(rng.normal(0, 10)), 3),
        ],
        steps=5,
    )
    wide, metal = float(rng.uniform(8, 10.5)), bool(rng.random() < 0.55)
    for s in (-1, 1):
        for start, end in itertools.pairwise(bend):
            link = (start + end) / 2 * (s, 1, 1)
            lean = math.degrees(math.atan2(end[2] - start[2], end[0] - start[0])) * s
            half = float(np.linalg.norm(end - start)) / 2 * (0.88 if metal else 1.02)
            piece = Part("cube", scale(half, wide, 1.4), "stainless_steel" if metal else "leather", density=0.85)
            parts += placed(piece, tuple(link), 0, 0, -lean)
    parts.append(bar((-radius - 71, -wide, 4), (-radius - 71, wide, 4), 1.5, "steel"))
    return tuple(parts)


def toothbrush(rng: np.random.Generator) -> Body:
    """A brush of plastic in a travel tube, and a comb."""
    z, bend = 11.0, float(rng.normal(0, 4))
    handle = curve([(-92, 0, z), (-40, bend, z), (30, 0, z), (60, 0, z), (94, 0, z)], steps=3)
    parts: list[Part] = [*cord(handle[:9], 4.6, "polypropylene"), *cord(handle[8:], 2.8, "polypropylene")]
    parts.append(block((82, 0, z + 6), (13, 5, 5), "nylon", 0.5))
    parts += pipe(shift(0, 0, z) @ turn("y", 90), 11, 9.6, 104, "polypropylene")
    canvas = Canvas((150, 32), 0.5)
    back = canvas.cover(np.maximum(np.abs(canvas.x) - 70, np.abs(canvas.y - 9) - 4)) * 3.5
    teeth = (
        canvas.cover(
            np.maximum(np.maximum(np.abs(canvas.x) - 68, np.abs(canvas.y + 4) - 10), np.abs(canvas.x % 2.6 - 1.3) - 0.6)
        )
        * 2.2
    )
    parts += placed(
        canvas.sheet(np.maximum(back, teeth), "abs"), (float(rng.normal(0, 15)), 32.0, 2.0), float(rng.normal(0, 10))
    )
    return tuple(parts)


def pills(rng: np.random.Generator) -> Body:
    """One to three blister packs of tablets, in a box or loose."""
    parts: list[Part] = []
    columns, rows, radius = int(rng.integers(2, 4)) * 2, int(rng.integers(2, 4)), float(rng.uniform(3.8, 6.0))
    step = 2 * radius + 5
    canvas = Canvas((columns * step + 8, rows * step + 8), 0.5)
    spots = [((i - (columns - 1) / 2) * step, (j - (rows - 1) / 2) * step) for i in range(columns) for j in range(rows)]
    left = [spot for spot in spots if rng.random() < 0.85]
    away = canvas.dots(spots, radius + 4)
    plain = canvas.cover(canvas.box((columns * step / 2 + 2, rows * step / 2 + 2), 3)) * 0.28
    shells = plain + canvas.line(away - radius - 1, 1.2) * 1.0
    dome = canvas.cover(canvas.dots(left, radius + 4) - radius) * float(rng.uniform(3.0, 4.6))
    for i in range(int(rng.integers(1, 4))):
        at = shift(float(rng.normal(0, 6)), float(rng.normal(0, 6)), 1.0 + 6.0 * i) @ turn("z", float(rng.normal(0, 8)))
        parts += [canvas.sheet(shells, "pvc", at), canvas.sheet(plain * 0.1, "aluminium", at)]
        parts.append(canvas.sheet(dome, "calcium_carbonate", at, density=0.45))
    return tuple(parts)


def pens(rng: np.random.Generator) -> Body:
    """Two to five pens and pencils, perhaps with scissors, as in a pencil case."""
    parts: list[Part] = []
    for i in range(int(rng.integers(2, 6))):
        lean = shift(float(rng.normal(0, 8)), 13.0 * i, 5.5) @ turn("z", float(rng.normal(0, 9)))
        parts += moved(_pencil() if rng.random() < 0.4 else _pen(rng), lean)
    cloth = Canvas((200, 90), 1.0)
    outline = cloth.box((98, 42), 12)
    thickness = cloth.cover(outline) * 1.1 + cloth.line(outline + 2, 3) * 1.8
    if rng.random() < 0.6:
        parts.append(cloth.sheet(thickness, "polyester_cloth", shift(0, 26, 5), density=2.0))
        teeth = Canvas((180, 10), 0.6)
        pattern = teeth.cover(np.abs(teeth.y) - 2.2) * (0.5 + 0.5 * np.sign(np.sin(teeth.x * 2.9))) * 2.0
        parts.append(teeth.sheet(pattern, str(rng.choice(["brass", "nylon"])), shift(0, 62, 9)))
    return tuple(parts)


def _pen(rng: np.random.Generator) -> Body:
    metal = bool(rng.random() < 0.35)
    coil = Canvas((30, 8), 0.4)
    spring = coil.line(coil.y - 2.0 * np.sin(coil.x * 2.0), 0.8) * 0.6
    return (
        *pipe(turn("y", 90), 5.0, 4.4 if metal else 3.6, 66, "brass" if metal else "polystyrene"),
        bar((-60, 0, 0), (64, 0, 0), 1.5, "polypropylene"),
        bar((62, 0, 0), (73, 0, 0), 1.4, "brass"),
        coil.sheet(spring, "steel", shift(52, 0, 0)),
        block((-45, 0, 5.5), (19, 1.6, 0.5), "steel"),
    )


def _pencil() -> Body:
    return (
        bar((-80, 0, 0), (70, 0, 0), 3.6, "wood"),
        bar((-80, 0, 0), (82, 0, 0), 1.0, "graphite"),
        Part("cone", shift(76, 0, 0) @ turn("y", 90) @ scale(3.6, 3.6, 6), "wood", taper=0.8),
        bar((-86, 0, 0), (-76, 0, 0), 3.8, "aluminium", 0.4),
    )


# Body, head, arms, legs and ears of a stuffed animal: middle and half axes in mm.
# fmt: off
_TOY = ((0, 0, 62, 50, 38), (78, 0, 40, 42, 34), (-20, 58, 26, 34, 22), (-20, -58, 26, 34, 22), (-62, 34, 38, 22, 20),
        (-62, -34, 38, 22, 20), (106, 32, 17, 17, 9), (106, -32, 17, 17, 9))
# fmt: on


def toy(rng: np.random.Generator) -> Body:
    """A stuffed animal: fibre in plush, with eyes of plastic."""
    size = float(rng.uniform(0.8, 1.2))
    seed = int(rng.integers(2**31))
    parts: list[Part] = []
    for x, y, rx, ry, rz in _TOY:
        at = shift(x * size, y * size, 38 * size) @ turn("z", float(rng.normal(0, 8)))
        soft = Texture(0.3, (11.0, 11.0, 11.0), seed)
        parts.append(
            Part("ball", at @ scale(rx * size, ry * size, rz * size), "polyester_cloth", density=0.12, texture=soft)
        )
        skin = at @ scale(rx * size, ry * size, rz * size)
        parts.append(Part("ball", skin, "polyester_cloth", density=0.7))
        parts.append(
            void(Part("ball", skin @ scale(1 - 2.2 / rx, 1 - 2.2 / ry, 1 - 2.2 / rz), "polyester_cloth", density=0.7))
        )
    parts += [Part("ball", shift(98 * size, y * size, 60 * size) @ scale(4.5), "abs") for y in (-13, 13)]
    return tuple(parts)
