"""Electronics that travel: telephone, laptop, charger, headphones, power bank, camera."""

from __future__ import annotations

import numpy as np

from xqdata.simulate.boxes import Triple, bar, block, pipe, void
from xqdata.simulate.canvas import Canvas, Field, curve
from xqdata.simulate.geometry import Body, Part, scale, shift, turn
from xqdata.simulate.hardware import cord, loop, placed, screw, star


def phone(rng: np.random.Generator) -> Body:
    """Glass on both sides, a metal frame, a battery, boards, camera and loudspeakers."""
    hx, hy, tall = float(rng.uniform(69, 82)), float(rng.uniform(33.5, 38.5)), float(rng.uniform(7.4, 9.0))
    z = tall / 2
    metal = str(rng.choice(["aluminium", "aluminium", "stainless_steel"]))
    parts: list[Part] = [*loop((hx - 1, hy - 1), 9, z, 1.9, metal)]
    parts += [block((0, 0, height), (hx - 2, hy - 2, 0.4), "glass") for height in (0.5, tall - 0.5)]
    parts.append(block((0, 0, z), (hx - 3, hy - 3, 0.3), "aluminium"))
    cell = (hx * float(rng.uniform(0.46, 0.58)), hy * float(rng.uniform(0.58, 0.72)), 2.2)
    parts.append(block((-hx * 0.12, -hy + cell[1] + 5, z), cell, "lithium_battery"))
    board = Canvas((2 * hx - 8, 2 * hy - 8), 0.6)
    outline = np.maximum(
        board.box((hx - 5, hy - 5), 4), -board.box((cell[0] + 3, cell[1] + 3), 3, (-hx * 0.12, -hy + cell[1] + 5))
    )
    parts.append(board.sheet(_board(board, outline, 26, rng), "circuit_board", shift(0, 0, z)))
    for x, y in ((hx - 14, hy - 13), (hx - 28, hy - 13)):
        parts += _lens((x, y, z), 6.0, 5.0)
    parts.append(block((-hx + 9, hy * 0.35, z), (5, 8, 2.2), "iron"))
    parts.append(block((-hx + 4, 0, z), (3.5, 4.5, 1.6), "steel", density=0.5))
    return tuple(parts)


def laptop(rng: np.random.Generator) -> Body:
    """Shut: display, keyboard, board with its cooling, and a row of battery cells."""
    hx, hy = float(rng.uniform(145, 165)), float(rng.uniform(102, 115))
    shell, wall = ("aluminium", 0.9) if rng.random() < 0.6 else ("abs", 1.8)
    parts: list[Part] = []
    parts += [block((0, 0, z), (hx, hy, wall / 2), shell) for z in (0.7, 11.0, 17.0)]
    parts += loop((hx - 1, hy - 1), 8, 5.5, 2.2, shell)
    parts.append(block((0, 2, 15), (hx - 7, hy - 9, 1.3), "glass", density=0.55))
    parts.append(_keyboard(hx, hy))
    count = int(rng.integers(3, 5))
    for i in range(count):
        width = (hx - 18) / count
        at = (-hx + 18 + width * (2 * i + 1), -hy + 32, 5.5)
        parts.append(block(at, (width - 2.0, 22, 2.6), "lithium_battery"))
    board = Canvas((2 * hx - 30, hy * 0.95), 0.9)
    outline = np.maximum(board.box((hx - 18, hy * 0.46), 4), -board.box((40, 40), 4, (hx - 60, 10)))
    parts.append(board.sheet(_board(board, outline, 60, rng), "circuit_board", shift(0, hy * 0.45, 5.5)))
    parts += _cooling((hx - 60, hy * 0.5, 6.0), hy)
    for s in (-1, 1):
        parts.append(bar((s * hx * 0.72 - 20, hy - 4, 12), (s * hx * 0.72 + 20, hy - 4, 12), 2.6, "steel"))
        parts.append(block((s * (hx - 24), -hy * 0.2, 5), (13, 22, 2.2), "abs"))
        parts.append(Part("tube", shift(s * (hx - 24), -hy * 0.2, 5) @ scale(9, 9, 2.4), "iron", density=0.8))
    parts.append(block((hx * 0.1, -hy * 0.15, 5.5), (35, 11, 1.2), "circuit_board"))
    for x, y, _ in star(8, (hx - 8, hy - 8), rng):
        parts += screw((x, y, 1.0), (x, y, 6.0), 2.2)
    return tuple(parts)


def _keyboard(hx: float, hy: float) -> Part:
    """Keys in rows on a steel plate, as thickness of plastic."""
    canvas = Canvas((2 * hx - 30, hy), 0.8)
    keys = canvas.cover(np.maximum(np.abs(canvas.x % 19 - 9.5) - 8, np.abs(canvas.y % 18.5 - 9.2) - 7.6))
    dome = canvas.cover(np.hypot(canvas.x % 19 - 9.5, canvas.y % 18.5 - 9.2) - 3.5)
    return canvas.sheet(1.0 + keys * 1.4 + dome * 1.0, "abs", shift(0, hy * 0.35, 10))


def _cooling(at: Triple, hy: float) -> list[Part]:
    """A fan in its ring, and a heat pipe to it."""
    x, y, z = at
    parts = [*pipe(shift(x, y, z), 27, 25.6, 4, "polycarbonate")]
    parts.append(Part("tube", shift(x, y, z) @ scale(9, 9, 3.6), "iron", density=0.5))
    fan = Canvas((54, 54), 0.6)
    angle, away = np.arctan2(fan.y, fan.x), np.hypot(fan.x, fan.y)
    blades = fan.cover(np.abs(away - 17) - 8) * (np.sin(angle * 17 + away / 5) > 0.3) * 3.0
    parts.append(fan.sheet(blades, "polycarbonate", shift(x, y, z)))
    route = curve([(x, min(y + 34, hy - 8), z), (x - 40, y + 30, z), (x - 110, y + 4, z)], steps=5)
    parts += cord(route, 2.6, "copper", density=0.55)
    parts.append(block((x, min(y + 33, hy - 9), z), (24, 4.5, 3.5), "copper", density=0.35))
    return parts


def _board(canvas: Canvas, outline: Field, count: int, rng: np.random.Generator) -> Field:
    """A circuit board within `outline`: chips with their legs, rows of small parts, and holes."""
    thickness = 0.55 + 0.12 * np.sign(np.sin(canvas.x * 1.7) * np.sin(canvas.y * 1.9))
    wide, tall = canvas.size
    for x, y, _ in star(count, (wide / 2, tall / 2), rng):
        half = rng.uniform(1.0, 3.2, 2) if rng.random() < 0.7 else rng.uniform(3.5, 8.5, 2)
        rows, columns = canvas.window((x, y), (float(half[0]), float(half[1])))
        chip = thickness[rows, columns]
        inner = chip[1:-1, 1:-1].copy()
        chip += 0.45
        chip[1:-1, 1:-1] = np.maximum(inner, float(rng.uniform(0.7, 1.7)))
    holes = canvas.dots(np.array([(x, y) for x, y, _ in star(6, (wide / 2 - 3, tall / 2 - 3), rng)]), 3.0)
    return np.asarray(thickness * canvas.cover(outline) * (1 - canvas.cover(holes - 1.5)))


def _lens(at: Triple, radius: float, depth: float) -> list[Part]:
    """A lens barrel, upright: a metal ring, glass, a sensor."""
    x, y, z = at
    barrel = pipe(shift(x, y, z), radius, radius - 0.9, depth / 2, "stainless_steel")
    return [*barrel, Part("tube", shift(x, y, z) @ scale(radius * 0.6, radius * 0.6, depth * 0.25), "glass")]


def charger(rng: np.random.Generator) -> Body:
    """A mains charger: transformer, capacitors and board in a plastic case, prongs, and its cable in loops."""
    half: Triple = (float(rng.uniform(20, 28)), float(rng.uniform(14, 20)), float(rng.uniform(12, 15)))
    hx, hy, hz = half
    parts = [
        block((0, 0, hz), half, "polycarbonate"),
        void(block((0, 0, hz), (hx - 2, hy - 2, hz - 2), "polycarbonate")),
    ]
    board = Canvas((2 * hx - 6, 2 * hy - 6), 0.5)
    parts.append(board.sheet(_board(board, board.box((hx - 3, hy - 3), 1), 14, rng), "circuit_board", shift(0, 0, 6)))
    parts.append(block((hx * 0.2, 0, hz + 2), (8.5, 7.5, 7), "iron", density=0.55))
    winding = shift(hx * 0.2, 0, hz + 2) @ turn("x", 90) @ scale(5.5, 5.5, 6.0)
    parts.append(Part("tube", winding, "copper", density=0.4))
    parts += [bar((-hx * 0.75, y * hy, hz), (-hx * 0.2, y * hy, hz), 4.6, "aluminium", 0.75) for y in (-0.45, 0.4)]
    parts += [bar((-hx - 19, s * 9.5, hz), (-hx + 5, s * 9.5, hz), 2.3, "brass") for s in (-1, 1)]
    return (*parts, *_cable((hx, 0.0, 3.0), rng))


def _cable(start: Triple, rng: np.random.Generator) -> Body:
    """Loops of cable from `start` towards +x: copper in soft PVC, a plug of steel and plastic at its end."""
    canvas = Canvas((190, 140), 0.8)
    count = int(rng.integers(2, 5))
    wide, tall = float(rng.uniform(26, 42)), float(rng.uniform(34, 52))
    angles = np.linspace(np.pi, np.pi + 2 * np.pi * count, 7 * count)
    wander = np.cumsum(rng.normal(0, 2.0, (len(angles), 2)), 0) * 0.5
    coil = np.stack([10 + wide * np.cos(angles), tall * np.sin(angles)], 1) + wander
    line = curve(
        [
            (-92, 0),
            (-65, float(rng.normal(0, 14))),
            *coil,
            (60, float(rng.normal(0, 40))),
            (84, float(rng.normal(0, 30))),
        ]
    )
    inside = np.clip(line, [-93, -66], [90, 66])
    away = canvas.path(inside, 5.0)
    at = shift(start[0] + 92, start[1], start[2])
    tie = canvas.box((5, tall * 0.5), 2, (10, 0))
    plug = inside[-1]
    return (
        canvas.sheet(canvas.wire(away, 3.6) + canvas.cover(tie) * 0.8, "soft_pvc", at),
        canvas.sheet(canvas.wire(away, 1.25), "copper", at),
        block((start[0] + 92 + plug[0] + 8, start[1] + plug[1], 3.5), (9, 5, 3.4), "soft_pvc"),
        block((start[0] + 92 + plug[0] + 19, start[1] + plug[1], 3.5), (5, 4, 1.6), "steel", density=0.6),
    )


def headphones(rng: np.random.Generator) -> Body:
    """A steel band with two cups: magnets, rings of plastic, cushions, and a cable."""
    reach, spread, z = float(rng.uniform(72, 88)), float(rng.uniform(70, 82)), 22.0
    bow = curve(
        [
            (0, -spread, z),
            (reach * 0.6, -spread, z),
            (reach * 1.35, -spread * 0.6, z),
            (reach * 1.6, 0, z),
            (reach * 1.35, spread * 0.6, z),
            (reach * 0.6, spread, z),
            (0, spread, z),
        ],
        steps=4,
    )
    parts: list[Part] = [*cord(bow, 1.3, "steel"), *cord(bow + np.array([0, 0, 3]), 4.5, "soft_pvc", density=0.4)]
    for s in (-1, 1):
        cup = [
            *pipe(shift(0, 0, 0), 36, 32, 6, "abs"),
            *pipe(shift(0, 0, 9), 38, 22, 6, "soft_pvc", 0.35),
            *pipe(shift(0, 0, 3), 34, 32, 1.0, "copper"),
            Part("tube", shift(0, 0, -8) @ scale(33, 33, 1.2), "abs"),
            Part("tube", scale(14, 14, 3.0), "iron"),
            Part("tube", shift(0, 0, 2) @ scale(19, 19, 0.6), "steel"),
        ]
        lean = float(rng.uniform(55, 85)) * s
        parts += placed(tuple(cup), (-8, s * spread, 38), 0, lean)
    return tuple(parts)


def power_bank(rng: np.random.Generator) -> Body:
    """Two flat cells or four round ones, a board and sockets in a case."""
    hx, hy = float(rng.uniform(60, 76)), float(rng.uniform(33, 38))
    flat = bool(rng.random() < 0.5)
    hz = 7.0 if flat else 11.0
    case = "aluminium" if rng.random() < 0.5 else "abs"
    wall = 1.0 if case == "aluminium" else 2.0
    parts = [block((0, 0, hz), (hx, hy, hz), case), void(block((0, 0, hz), (hx - wall, hy - wall, hz - wall), case))]
    if flat:
        parts += [block((-7, 0, z), (hx - 12, hy - 4, 2.3), "lithium_battery") for z in (hz - 2.6, hz + 2.6)]
    else:
        for i in range(3):
            y = (i - 1) * 20.0
            ends: tuple[Triple, Triple] = ((-hx + 5, y, hz), (-hx + 70, y, hz))
            parts.append(bar(*ends, 9.2, "lithium_battery"))
            parts += [bar(*ends, 9.3, "steel"), void(bar(*ends, 9.1, "steel"))]
            parts.append(bar((-hx + 4, y, hz), (-hx + 5, y, hz), 3.0, "steel"))
    board = Canvas((22, 2 * hy - 8), 0.5)
    parts.append(
        board.sheet(_board(board, board.box((10, hy - 5), 1), 20, rng), "circuit_board", shift(hx - 13, 0, hz - 2))
    )
    parts += [block((hx - 8, y * hy, hz), (7, 6.5, 3), "steel", density=0.35) for y in (-0.45, 0.0, 0.45)]
    return tuple(parts)


def camera(rng: np.random.Generator) -> Body:
    """Lying on its back: a body with boards and a battery, an objective of lenses in a barrel."""
    hx, hy, hz = float(rng.uniform(56, 66)), float(rng.uniform(36, 44)), float(rng.uniform(18, 24))
    parts = [
        block((0, 0, hz), (hx, hy, hz), "polycarbonate"),
        void(block((0, 0, hz), (hx - 2.4, hy - 2.4, hz - 2.4), "polycarbonate")),
    ]
    board = Canvas((2 * hx - 10, 2 * hy - 10), 0.6)
    parts += [
        board.sheet(_board(board, board.box((hx - 7, hy - 7), 2), 34, rng), "circuit_board", shift(0, 0, z))
        for z in (7.0, hz + 6)
    ]
    parts.append(block((-hx + 13, -4, hz), (8.5, hy - 10, 12), "lithium_battery"))
    axis, radius = (8.0, -2.0), float(rng.uniform(27, 33))
    for z, r, tall in ((2 * hz + 14, radius, 15.0), (2 * hz - 6, radius * 0.88, 9.0)):
        parts += pipe(shift(*axis, z), r, r - 2.2, tall, "polycarbonate")
        parts += pipe(shift(*axis, z), r - 1, r - 4, 1.6, "brass")
    parts += [
        Part("ball", shift(*axis, z) @ scale(radius * r, radius * r, float(rng.uniform(2.0, 4.5))), "glass")
        for z, r in ((2 * hz + 26, 0.8), (2 * hz + 14, 0.6), (2 * hz, 0.55), (2 * hz - 10, 0.5))
    ]
    parts.append(block((8, -2, 9), (13, 9, 0.8), "ceramic"))
    parts.append(bar((hx - 14, hy - 6, 2 * hz), (hx - 14, hy + 5, 2 * hz), 6, "aluminium"))
    parts.append(bar((-hx + 12, hy - 4, hz), (-hx + 40, hy - 4, hz), 5, "aluminium", 0.5))
    parts += [bar((s * hx, hy - 14, hz - 6), (s * hx, hy - 14, hz + 6), 2.0, "steel") for s in (-1, 1)]
    return tuple(parts)
