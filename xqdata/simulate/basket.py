"""A plastic basket with ribbed rim, bail handles and dense ballast along its two short sides."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np

from xqdata.simulate.boxes import Cut, Triple, bar, block, plate, void
from xqdata.simulate.canvas import Canvas, filaments
from xqdata.simulate.geometry import Body, Matrix, Part, scale, shift, turn

PLASTIC = "polypropylene"
Room = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class _Form:
    """One basket's dimensions in mm: half its floor, height, how far each wall leans out, radius of the floor's
    corners, thickness, how far the middle of the long walls is set in and half its length, the rim's width and depth.
    """

    half: tuple[float, float]
    height: float
    lean: float
    corner: float
    wall: float
    inset: float
    middle: float
    rim: float
    skirt: float

    @property
    def top(self) -> tuple[float, float]:
        """Half the opening."""
        return self.half[0] + self.lean, self.half[1] + self.lean


def basket(rng: np.random.Generator) -> tuple[Body, Room, tuple[Body, ...]]:
    """One basket: its body, the room on its floor between the ballast, and the pieces of ballast."""
    form = _Form(
        half=(float(rng.uniform(298, 312)), float(rng.uniform(193, 200))),
        height=float(rng.uniform(108, 126)),
        lean=float(rng.uniform(8, 11)),
        corner=float(rng.uniform(24, 34)),
        wall=float(rng.uniform(1.5, 1.9)),
        inset=float(rng.uniform(7, 11)),
        middle=float(rng.uniform(160, 195)),
        rim=float(rng.uniform(13, 17)),
        skirt=float(rng.uniform(15, 21)),
    )
    body = (
        _floor(form, rng),
        *_short_walls(form),
        *_long_walls(form),
        *_corners(form),
        *_rim(form, rng),
        *_handles(form, rng),
    )
    ballast = _ballast(form, rng)
    x = form.half[0] - (62.0 if ballast else 12.0)
    y = form.half[1] - form.inset - 6.0
    return body, ((-x, x), (-y, y), (form.wall + 1.5, form.height + 60.0)), ballast


def _floor(form: _Form, rng: np.random.Generator) -> Part:
    """A plate with low ribs in a pattern."""
    canvas = Canvas((2 * form.half[0] + 4, 2 * form.half[1] + 4), 1.0)
    plate_cover = canvas.cover(canvas.box(form.half, form.corner))
    # Around the pattern the floor is smooth, and thicker at the very edge, where it bends into the wall.
    pattern = canvas.cover(canvas.box((form.half[0] - 14, form.half[1] - 12), form.corner))
    ribs = canvas.line(_pattern(canvas, rng), float(rng.uniform(2.2, 2.8))) * float(rng.uniform(1.2, 1.8))
    edge = 1.2 * form.wall * np.clip(1 + canvas.box(form.half, form.corner) / 4, 0, 1)
    thickness = plate_cover * (1.6 * form.wall + edge + ribs * pattern)
    return canvas.sheet(thickness, PLASTIC, shift(0, 0, form.wall / 2))


def _pattern(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Distance to the nearest rib: a honeycomb, mostly, or squares, or lozenges."""
    kind, cell = rng.choice(["honeycomb", "honeycomb", "honeycomb", "squares", "lozenges"]), float(rng.uniform(44, 54))
    x, y = canvas.x + float(rng.uniform(0, 99)), canvas.y + float(rng.uniform(0, 99))
    if kind == "honeycomb":
        return _honeycomb(x, y, cell)
    if kind == "lozenges":
        x, y = (x + y * 1.7) / math.hypot(1, 1.7), (x - y * 1.7) / math.hypot(1, 1.7)
    return np.minimum(np.abs(x % cell - cell / 2), np.abs(y % cell - cell / 2))


def _honeycomb(x: np.ndarray, y: np.ndarray, across: float) -> np.ndarray:
    """Distance to the edges of hexagons `across` mm from flat to flat, two flats along x."""
    period = (across * math.sqrt(3), across)
    best = np.full(np.broadcast(x, y).shape, np.inf)
    second = best.copy()
    # The edge between two cells is where their centres are equally far.
    for shift_x, shift_y in ((0.0, 0.0), (period[0] / 2, period[1] / 2)):
        dx = (x + shift_x) % period[0] - period[0] / 2
        dy = (y + shift_y) % period[1] - period[1] / 2
        for step_x, step_y in ((0, 0), (0, 1), (0, -1)):
            away = np.hypot(dx + step_x * period[0], dy + step_y * period[1])
            second = np.minimum(second, np.maximum(best, away))
            best = np.minimum(best, away)
    return np.asarray((second**2 - best**2) / (2 * across))


def _short_walls(form: _Form) -> list[Part]:
    """The short sides: steep, so that the beam runs along them, with a step outwards to stack on."""
    parts = []
    (fx, fy), h, lean = form.half, form.height, form.lean
    step, reach = 0.7 * h, fy - form.corner
    for s in (1, -1):
        for low, high, near, far in ((0.0, step, 0.05, 0.35), (step, h, 0.8, 1.0)):
            middle = (s * (fx + lean * (near + far) / 2), 0.0, (low + high) / 2)
            up = (s * lean * (far - near) / 2, 0.0, (high - low) / 2)
            parts.append(plate(middle, (0, reach, 0), up, form.wall * 1.7, PLASTIC))
        parts.append(block((s * (fx + lean * 0.57), 0, step), (lean * 0.26, reach, form.wall * 0.6), PLASTIC))
        # The hollow behind the step is stiffened by upright ribs.
        rib = (lean * 0.6, form.wall * 0.5, h * 0.3)
        parts += [block((s * (fx + lean), y * reach, h * 0.4), rib, PLASTIC) for y in (-0.8, -0.3, 0.3, 0.8)]
    return parts


def _long_walls(form: _Form) -> list[Part]:
    """The long sides: leaning plates, each in three with its middle set in, and two ledges along the middle."""
    parts = []
    (fx, fy), (_, ty), h, r = form.half, form.top, form.height, form.corner
    for s in (1, -1):
        lean = (0.0, s * form.lean / 2, h / 2)
        middle = s * ((fy + ty) / 2 - form.inset)
        parts.append(plate((0, middle, h / 2), (form.middle, 0, 0), lean, form.wall * 1.4, PLASTIC))
        for side in (1, -1):
            half = (fx - r - form.middle) / 2
            at = (side * (form.middle + half), s * (fy + ty) / 2, h / 2)
            parts.append(plate(at, (half, 0, 0), lean, form.wall * 1.4, PLASTIC))
            jog = (side * form.middle, s * ((fy + ty) / 2 - form.inset / 2), h / 2)
            parts.append(plate(jog, (0, form.inset / 2, 0), lean, form.wall * 1.8, PLASTIC))
    for s, share in product((1, -1), (0.7, 0.95)):
        at = (0.0, s * (fy + form.lean * share - form.inset), h * share)
        parts.append(block(at, (form.middle, 3.0, form.wall * 0.8), PLASTIC))
    return parts


def _corners(form: _Form) -> list[Part]:
    """A quarter of a leaning cone in each corner, with two ribs behind it."""
    parts: list[Part] = []
    top = form.corner + form.lean
    for sx, sy in product((1, -1), (1, -1)):
        axis = (sx * (form.half[0] - form.corner), sy * (form.half[1] - form.corner))
        cuts: tuple[Cut, ...] = ((-float(sx), 0, 0, 0), (0, -float(sy), 0, 0))
        # A cone is widest at its unit z = -1: stood on its head, which turns y round as well.
        frame = shift(*axis, form.height / 2) @ np.diag([1.0, 1.0, -1.0, 1.0]) @ scale(top, top, form.height / 2)
        outer = Part("cone", frame, PLASTIC, taper=1 - form.corner / top, cuts=cuts)
        inner = frame @ scale((top - form.wall) / top, (top - form.wall) / top, 1)
        parts += [outer, void(Part("cone", inner, PLASTIC, taper=1 - form.corner / top, cuts=cuts))]
        foot = (axis[0] + sx * form.corner * 0.71, axis[1] + sy * form.corner * 0.71, form.height * 0.86)
        parts.append(plate(foot, (sx * 9, sy * 9, 0), (0, 0, form.height * 0.12), form.wall, PLASTIC))
    return parts


def _rim(form: _Form, rng: np.random.Generator) -> list[Part]:
    """A flange round the opening, a skirt that hangs from it, and ribs between skirt and wall."""
    tx, ty = form.top
    radius, inner = form.corner + form.lean + form.rim, form.corner + form.lean
    straight = (tx - inner, ty - inner)
    half = form.wall * 2.0  # stands for a hollow profile
    z, low = form.height - half, form.height - form.skirt / 2
    parts = []
    for s in (1, -1):
        parts.append(block((s * (tx + form.rim / 2), 0, z), (form.rim / 2, straight[1], half), PLASTIC))
        parts.append(block((0, s * (ty + form.rim / 2), z), (straight[0], form.rim / 2, half), PLASTIC))
        parts.append(block((0, s * (ty - form.inset / 2), z), (form.middle, form.inset / 2, half), PLASTIC))
        parts.append(block((s * (tx + form.rim), 0, low), (half, straight[1], form.skirt / 2), PLASTIC))
        parts.append(block((0, s * (ty + form.rim), low), (straight[0], half, form.skirt / 2), PLASTIC))
    for sx, sy in product((1, -1), (1, -1)):
        axis = shift(sx * straight[0], sy * straight[1])
        parts += _bend(axis @ shift(0, 0, z), (inner, radius), half, (sx, sy))
        parts += _bend(axis @ shift(0, 0, low), (radius - form.wall * 1.4, radius), form.skirt / 2, (sx, sy))
    return parts + _ribs(form, float(rng.uniform(50, 66)))


def _bend(at: Matrix, radii: tuple[float, float], half: float, side: tuple[int, int]) -> list[Part]:
    """A quarter of an upright pipe, from the inner to the outer radius."""
    cuts: tuple[Cut, ...] = ((-float(side[0]), 0.0, 0.0, 0.0), (0.0, -float(side[1]), 0.0, 0.0))
    inner, outer = (Part("tube", at @ scale(r, r, half), PLASTIC, cuts=cuts) for r in radii)
    return [outer, void(inner)]


def _ribs(form: _Form, spacing: float) -> list[Part]:
    """Small plates under the flange: straight ones along the long sides, slanting ones near the corners."""
    parts = []
    tx, ty = form.top
    depth, z = form.skirt * 0.42, form.height - form.skirt * 0.45
    count = int((tx - form.corner) / spacing)
    for s, i in product((1, -1), range(-count, count + 1)):
        x = i * spacing
        inset = form.inset if abs(x) < form.middle else 0.0
        half = (form.rim + inset) / 2
        parts.append(block((x, s * (ty - inset + half), z), (form.wall * 0.9, half, depth), PLASTIC))
    for s, side in product((1, -1), (1, -1)):
        parts += [
            block((s * (tx + form.rim / 2), side * y * ty, z), (form.rim / 2, form.wall * 0.6, depth), PLASTIC)
            for y in (0.38, 0.72)
        ]
        at = (s * (form.middle + 30), side * (ty + form.rim / 2), z)
        parts.append(plate(at, (s * 13, side * form.rim / 2, 0), (0, 0, depth), form.wall * 0.8, PLASTIC))
    return parts


def _handles(form: _Form, rng: np.random.Generator) -> list[Part]:
    """A bail on each short side, hinged in two lugs."""
    parts = []
    reach, span = float(rng.uniform(56, 68)), float(rng.uniform(11, 16))
    z = form.height - form.skirt - 4
    for s in (1, -1):
        x = s * (form.top[0] + form.rim)
        out = x + s * span
        corners: list[Triple] = [(x - s * 6, -reach, z), (out, -reach, z), (out, reach, z), (x - s * 6, reach, z)]
        # The grip is a trough, so its two rails show.
        parts += [bar(start, end, 4.5, PLASTIC) for start, end in ((corners[0], corners[1]), (corners[2], corners[3]))]
        parts += [
            bar((out + rail, -reach * 0.72, z), (out + rail, reach * 0.72, z), 2.6, PLASTIC) for rail in (-4.0, 4.0)
        ]
        parts.append(block((out, 0, z + 3), (4.5, reach * 0.72, 1.2), PLASTIC))
        for side in (1, -1):
            parts.append(bar((out, side * reach * 0.72, z), (out, side * (reach + 6), z), 3.8, PLASTIC))
            lug = (x - s * form.rim * 0.5, side * reach, z + 2)
            parts.append(block(lug, (form.rim * 0.45, 11.0, 8.0), PLASTIC, density=0.55))
            parts.append(block((lug[0], side * (reach - 16), z), (form.rim * 0.5, 1.2, 12.0), PLASTIC))
        parts.append(block((x - s * form.rim, 0, z - 6), (1.3, reach - 18, 14.0), PLASTIC))
    return parts


def _ballast(form: _Form, rng: np.random.Generator) -> tuple[Body, ...]:
    """A row of steel bars along one side; rods, a pouch of shot and loose nuts along the other."""
    x = form.half[0] - 22.0
    z = form.wall + 1.5
    left = _blocks(-x + float(rng.uniform(-3, 6)), form.half[1] - 8, z, rng)
    right: list[Body] = []
    y = -form.half[1] + 8
    right += [
        _rod(x + float(rng.normal(0, 7)), y + float(rng.uniform(22, 60)), z, rng)
        for _ in range(int(rng.integers(2, 5)))
    ]
    right.append(_pouch(x - 2, float(rng.uniform(-12, 22)), z, rng))
    for _ in range(int(rng.integers(4, 9))):
        spot = (x + float(rng.normal(0, 12)), form.half[1] - 16 - float(rng.uniform(0, 48)))
        right.append(_nut(*spot, z, rng))
    return (*left, *right)


def _blocks(x: float, reach: float, z: float, rng: np.random.Generator) -> list[Body]:
    """Bars of steel end to end along y, some with a hole, the last one lying across."""
    pieces: list[Body] = []
    y, width = -reach, float(rng.uniform(8.5, 10.5))
    while y < reach - 20:
        half = float(rng.uniform(13, 30))
        half = min(half, (reach - y) / 2)
        tall = float(rng.uniform(8.5, 13))
        at = shift(x + float(rng.normal(0, 0.8)), y + half, z + tall) @ turn("z", float(rng.normal(0, 2.5)))
        piece = [Part("cube", at @ scale(width * float(rng.uniform(0.85, 1.1)), half + 1.0, tall), "steel")]
        if rng.random() < 0.3:
            piece.append(void(Part("tube", at @ scale(3.0, 3.0, tall), "steel", density=0.8)))
        pieces.append(tuple(piece))
        y += 2 * half
    last = shift(x + 12, reach - 9, z + 8) @ turn("z", float(rng.normal(90, 8)))
    return [*pieces, (Part("cube", last @ scale(9, 20, 8), "steel"),)]


def _rod(x: float, y: float, z: float, rng: np.random.Generator) -> Body:
    radius, half = float(rng.uniform(5.5, 8.5)), float(rng.uniform(20, 38))
    at = shift(x, y, z + radius) @ turn("z", float(rng.normal(0, 12))) @ turn("x", 90)
    collar = Part("tube", at @ shift(0, 0, half * 0.6) @ scale(radius * 1.25, radius * 1.25, 4), "steel")
    return (Part("tube", at @ scale(radius, radius, half), "steel"), collar)


def _pouch(x: float, y: float, z: float, rng: np.random.Generator) -> Body:
    """Lead shot in a plastic bag, in two lumps, and the bag's loose ends."""
    parts: list[Part] = []
    half, wide, tall = float(rng.uniform(36, 44)), float(rng.uniform(16, 20)), float(rng.uniform(14, 18))
    for s in (-1, 1):
        middle, slant = (x + float(rng.normal(0, 1.5)), y + s * half), turn("z", float(rng.normal(0, 2)))
        at = shift(*middle, z + tall) @ slant
        parts.append(Part("tube", at @ turn("x", 90) @ scale(wide, tall, half * 0.62), "lead", density=0.55))
        parts += [
            Part("ball", at @ shift(0, end * half) @ scale(wide, half * 0.42, tall), "lead", density=0.5)
            for end in (-0.6, 0.6)
        ]
    canvas = Canvas((2 * wide + 24, 4 * half + 60), 0.8)
    outline = canvas.box((wide + 7, 2 * half + 22), 7)
    folds = sum(canvas.line(np.abs(canvas.x) - (wide + d), 1.4) for d in (1.0, 3.5, 5.5)) * 3.5
    ends = 2.0 * filaments(canvas, rng, (9, 40), 1.2) * (np.abs(canvas.y) > 2 * half)
    thickness = canvas.cover(outline) * (0.6 + folds + ends) + canvas.line(outline, 2.0) * 3.0
    parts.append(canvas.sheet(thickness, "polyethylene", shift(x, y, z + tall)))
    return tuple(parts)


def _nut(x: float, y: float, z: float, rng: np.random.Generator) -> Body:
    """A hexagonal nut of 19 mm, on its face or on its edge."""
    radius, half = float(rng.uniform(9.5, 11.5)), float(rng.uniform(6, 9))
    tip = 90.0 if rng.random() < 0.35 else float(rng.normal(0, 12))
    high = half if abs(tip) < 45 else radius
    at = shift(x, y, z + high) @ turn("z", float(rng.uniform(0, 180))) @ turn("x", tip)
    flats = tuple((math.cos(a), math.sin(a), 0.0, math.cos(math.pi / 6)) for a in np.arange(6) * math.pi / 3)
    return (Part("tube", at @ scale(radius, radius, half), "steel", cuts=flats),)
