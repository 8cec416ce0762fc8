"""Soft bags, lying down: a holdall that sags into facets, and a backpack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xqdata.simulate.boxes import plate
from xqdata.simulate.canvas import Canvas, Field, curve, filaments, noise
from xqdata.simulate.geometry import Body, Part, shift, turn
from xqdata.simulate.hardware import buckle, cord, hook, placed, pull, stud

# Most zips are plastic and hardly show.
_METAL_ZIPS = 0.4
Room = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class _Bag:
    """One bag: corners of its lower and upper face (n, 2), its height in mm, the cloth's material and thickness."""

    low: Field
    high: Field
    height: float
    cloth: str
    thick: float

    @property
    def size(self) -> tuple[float, float]:
        """What a canvas needs to hold both faces and what sticks out a little."""
        reach = np.abs(np.concatenate([self.low, self.high])).max(0)
        return 2 * float(reach[0]) + 24, 2 * float(reach[1]) + 24


def softbag(rng: np.random.Generator) -> tuple[Body, Room, tuple[Body, ...]]:
    """A holdall or a backpack: its body, the room in it, and the fittings that hang loose."""
    return _holdall(rng) if rng.random() < 0.5 else _backpack(rng)


def _cloth(rng: np.random.Generator) -> tuple[str, float]:
    """Plain nylon, or thicker cloth coated with PVC, which turns the picture towards green."""
    if rng.random() < 0.5:
        return "coated_cloth", float(rng.uniform(0.85, 1.1))
    return "nylon", float(rng.uniform(0.85, 1.15))


def _holdall(rng: np.random.Generator) -> tuple[Body, Room, tuple[Body, ...]]:
    cloth, thick = _cloth(rng)
    hx, hy = float(rng.uniform(215, 250)), float(rng.uniform(125, 150))
    corners = np.array(
        [
            (1, 0.62),
            (0.78, 1),
            (0.1, 0.96),
            (-0.72, 1),
            (-1, 0.55),
            (-1, -0.6),
            (-0.7, -1),
            (0.05, -0.97),
            (0.8, -1),
            (1, -0.5),
        ]
    )
    low = corners * (hx, hy) + rng.normal(0, 7, corners.shape)
    high = corners * (hx * 0.9, hy * 0.72) + rng.normal(0, 10, corners.shape)
    bag = _Bag(low, high, float(rng.uniform(120, 165)), cloth, thick)
    zip_line = curve([(-0.82 * hx, rng.normal(0, 5)), (0, rng.normal(0, 7)), (0.82 * hx, rng.normal(0, 5))])
    straps = [s * hx * float(rng.uniform(0.36, 0.44)) for s in (-1, 1)]
    body = (*_sides(bag, rng), *_holdall_faces(bag, zip_line, straps, rng), *_holdall_ends(bag, rng))
    room = ((-hx * 0.85, hx * 0.85), (-hy * 0.78, hy * 0.78), (6.0, bag.height - 4))
    return body, room, _holdall_loose(bag, straps, hy, rng)


def _sides(bag: _Bag, rng: np.random.Generator) -> list[Part]:
    """Upright walls between the two faces, edge by edge, and a fold in some of the corners."""
    parts = []
    for i in range(len(bag.low)):
        a, b, c, d = bag.low[i - 1], bag.low[i], bag.high[i - 1], bag.high[i]
        # Where a wall's edges are not of one length it overlaps its neighbour: a seam.
        middle, along, up = (a + b + c + d) / 4, (b - a + d - c) / 4 * 1.08, (c + d - a - b) / 4
        parts.append(plate((*middle, bag.height / 2), (*along, 0.0), (*up, bag.height / 2), bag.thick, bag.cloth))
        if rng.random() < 0.45:
            bend = (b + d) / 2 + rng.normal(0, 6, 2)
            fold = curve([(*b, 2.0), (*bend, bag.height * 0.45), (*d, bag.height)], steps=3)
            parts += cord(fold, float(rng.uniform(0.7, 1.3)), bag.cloth)
    return parts


def _face(bag: _Bag, canvas: Canvas, corners: Field, rng: np.random.Generator) -> Field:
    """Cloth over a polygon with a hem, folds that cross it, and a few pleats where a layer lies on another."""
    outline = canvas.shape(corners, 12.0)
    shape = (canvas.rows, canvas.columns)
    thickness = 1 + 0.2 * noise(shape, (50.0, 50.0), rng)
    for grain, width, height in (((120, 40), 2.0, 5.0), ((40, 90), 1.5, 4.0), ((30, 24), 1.0, 2.5)):
        thickness += height * filaments(canvas, rng, grain, width)
    for _ in range(int(rng.integers(4, 8))):
        thickness += _pleat(canvas, corners, rng)
    return np.asarray(bag.thick * (thickness.clip(0.3) * canvas.cover(outline) + 2.5 * canvas.line(outline + 1.5, 3.0)))


def _pleat(canvas: Canvas, corners: Field, rng: np.random.Generator) -> Field:
    """A triangle from one corner to two points inside: one more layer, a fold along its edges."""
    at = corners[int(rng.integers(len(corners)))]
    triangle = np.stack([at, at * rng.uniform(0.35, 0.8, 2) + rng.normal(0, 18, 2), at * rng.uniform(0.3, 0.9, 2)])
    outline = canvas.shape(triangle, 6.0)
    return 0.8 * canvas.cover(outline) + 2.2 * canvas.line(outline, 1.8)


def _webbing(canvas: Canvas, line: Field, width: float, thick: float = 1.5) -> Field:
    """A woven band along a line, thicker at its two edges."""
    away = canvas.path(line, width)
    return canvas.cover(away - width / 2) * thick + canvas.line(away - width / 2 + 1.2, 1.6) * thick * 0.5


def _teeth(canvas: Canvas, line: Field) -> Field:
    """A zip along a line: its tape, and a coil with its turns 2.6 mm apart."""
    away = canvas.path(line, 14.0)
    pattern = 0.65 + 0.35 * np.sign(np.sin(canvas.x * 2.4) + 0.5 * np.sin(canvas.y * 2.4))
    return canvas.cover(away - 12) * 0.5 + canvas.line(away - 12, 1.0) * 0.7 + canvas.cover(away - 2.6) * 2.6 * pattern


def _metal_teeth(line: Field, height: float) -> Part:
    """The teeth alone of a zip made of metal."""
    low, high = line.min(0) - 4, line.max(0) + 4
    canvas = Canvas((float(high[0] - low[0]), float(high[1] - low[1])), 0.9)
    middle = (low + high) / 2
    pattern = 0.5 + 0.5 * np.sign(np.sin(canvas.x * 2.1) + np.sin(canvas.y * 2.1))
    teeth = canvas.cover(canvas.path(line - middle, 4.0) - 2.2) * pattern * 1.5
    return canvas.sheet(teeth, "zinc", shift(float(middle[0]), float(middle[1]), height))


def _holdall_faces(bag: _Bag, zip_line: Field, straps: list[float], rng: np.random.Generator) -> list[Part]:
    """Bottom with a stiffening board's edge and straps; top with zip, straps and the handles' loops."""
    floor, canvas = Canvas(bag.size, 1.2), Canvas((bag.size[0] * 0.95, bag.size[1] * 1.4), 1.2)
    reach = bag.size[1] / 2
    bottom = _face(bag, floor, bag.low, rng)
    top = _face(bag, canvas, bag.high, rng) + _teeth(canvas, zip_line)
    for x in straps:
        lean = float(rng.normal(0, 6))
        bottom += _webbing(floor, np.array([(x, -reach), (x + lean, reach)]), 32) * (bottom > 0)
        top += _webbing(canvas, np.array([(x, -reach), (x + lean, reach)]), 32) * (top > 0)
    for s in (-1, 1):
        out = s * float(rng.uniform(0.95, 1.25)) * reach
        near, far = [(x, s * reach * 0.55) for x in straps], [(x * 0.9, out * 0.9) for x in straps]
        loop = curve([near[0], far[0], (0, out), far[1], near[1]])
        top += _webbing(canvas, loop, 24, 2.4)
    metal = [_metal_teeth(zip_line, bag.height + 1)] if rng.random() < _METAL_ZIPS else []
    return [
        floor.sheet(bottom, bag.cloth, shift(0, 0, 3.0)),
        canvas.sheet(top, bag.cloth, shift(0, 0, bag.height) @ turn("y", float(rng.normal(0, 3)))),
        *metal,
    ]


# The piping round one end of a holdall, as shares of its half length, half width and height.
# fmt: off
_END = ((0.9, -0.5, 0.05), (0.97, -0.62, 0.5), (0.8, -0.25, 1), (0.8, 0.25, 1), (0.97, 0.62, 0.5), (0.9, 0.5, 0.05))
# fmt: on


def _holdall_ends(bag: _Bag, rng: np.random.Generator) -> list[Part]:
    """Piping round the two ends and feet below."""
    parts: list[Part] = []
    hx, hy = np.abs(bag.low).max(0)
    for s in (-1, 1):
        end = np.array(_END) * (s * hx, hy, bag.height) + rng.normal(0, 4, (6, 3))
        parts += cord(curve(end, closed=True, steps=3), 1.6, "soft_pvc")
    for x, y in ((-0.6, -0.5), (-0.6, 0.5), (0.6, -0.5), (0.6, 0.5), (0.0, 0.5), (0.0, -0.5)):
        parts += placed(stud(5.0), (x * hx, y * hy, 2.0))
    return parts


def _holdall_loose(bag: _Bag, straps: list[float], hy: float, rng: np.random.Generator) -> tuple[Body, ...]:
    """Rectangular rings of the handles, the shoulder strap's hooks and rings, zip pulls."""
    pieces: list[Body] = []
    for x in straps:
        for s in (-1, 1):
            at = (x + float(rng.normal(0, 2)), s * hy * 0.62, bag.height - 6)
            pieces.append(
                placed(buckle((16, 11), 3.6, bars=()), at, 90 + float(rng.normal(0, 8)), float(rng.normal(0, 30)))
            )
            pieces.append(placed(stud(5.5), (at[0], at[1] - s * 22, bag.height)))
    for s in (-1, 1):
        at = (s * float(np.abs(bag.high[:, 0]).max()), float(rng.normal(0, 30)), bag.height * 0.6)
        pieces.append(placed(buckle((13, 12), 4.0, bars=(-0.9,)), at, float(rng.uniform(0, 360)), 25))
        pieces.append(placed(hook(52, 4.2), (at[0] - s * 20, at[1] + 12, at[2]), float(rng.uniform(0, 360)), 20))
        pieces.append(
            placed(
                pull(24),
                (s * float(rng.uniform(20, 150)), float(rng.normal(0, 4)), bag.height + 2),
                float(rng.uniform(0, 360)),
                20,
            )
        )
    pieces.append(
        placed(
            buckle((19, 14), 3.0, bars=(0.0,)),
            (float(rng.uniform(-80, 80)), float(rng.uniform(-60, 60)), bag.height * 0.7),
            float(rng.uniform(0, 360)),
            35,
        )
    )
    return tuple(pieces)


def _backpack(rng: np.random.Generator) -> tuple[Body, Room, tuple[Body, ...]]:
    cloth, thick = _cloth(rng)
    hx, hy, height = float(rng.uniform(215, 245)), float(rng.uniform(140, 165)), float(rng.uniform(105, 140))
    # Its bottom to the left, its round top to the right.
    upper = [(-1, 0.62), (-0.97, 0.9), (-0.85, 1.0), (-0.3, 1.02), (0.35, 0.95), (0.75, 0.78), (0.95, 0.42), (1.0, 0.0)]
    half = np.array(upper)
    corners = np.concatenate([half, half[-2::-1] * (1, -1)])
    low = curve(corners * (hx, hy) + rng.normal(0, 4, corners.shape), closed=True, steps=2)
    high = curve(corners * (hx * 0.93, hy * 0.86) + rng.normal(0, 5, corners.shape), closed=True, steps=2)
    bag = _Bag(low, high, height, cloth, thick)
    # The zips: round the top half of the sides, and round the pocket's top.
    main = high[len(high) // 7 : -len(high) // 7] * (1.03, 1.06)
    pocket = curve([(x * hx, y * hy) for x, y in _POCKET])
    body = (*_sides(bag, rng), _back(bag, (hx, hy), rng), *_front(bag, hx, main, pocket, rng))
    room = ((-hx * 0.9, hx * 0.72), (-hy * 0.82, hy * 0.82), (16.0, height - 4))
    return body, room, _backpack_loose(bag, (hx, hy), main, pocket, rng)


_POCKET = ((-0.8, 0.62), (-0.15, 0.66), (0.06, 0.35), (0.06, -0.35), (-0.15, -0.66), (-0.8, -0.62))


def _back(bag: _Bag, half: tuple[float, float], rng: np.random.Generator) -> Part:
    """The padded back with the shoulder straps folded below it, and the loop to hang it by."""
    hx, hy = half
    canvas = Canvas((bag.size[0] + 20, bag.size[1] + 30), 1.2)
    back = _face(bag, canvas, bag.low, rng)
    pad = canvas.box((hx * 0.78, hy * 0.72), 30, (-0.05 * hx, 0))
    back += canvas.cover(pad) * 0.8 + canvas.line(pad, 2.5) * 1.6
    for s in (-1, 1):
        knots = ((0.86, 0.16), (0.6, 0.42), (0.1, 0.5), (-0.4, float(rng.uniform(0.5, 0.8))))
        strap = curve([(x * hx, s * y * hy) for x, y in knots])
        padding = canvas.path(strap, 40)
        back += 0.45 * canvas.cover(padding - 31) + 1.2 * canvas.line(padding - 29, 3.0)
        back += 0.8 * canvas.line(padding - 8, 1.4)
        end = (-0.9 * hx, s * float(rng.uniform(0.9, 1.02)) * hy)
        back += _webbing(canvas, curve([strap[-1], (-0.7 * hx, s * 0.85 * hy), end]), 25, 1.6)
    loop = curve([(0.88 * hx, -18), (1.02 * hx, -12), (1.02 * hx, 12), (0.88 * hx, 18)])
    back += _webbing(canvas, loop, 16, 2.0)
    return canvas.sheet(back, bag.cloth, shift(0, 0, 4.0))


def _front(bag: _Bag, reach: float, main: Field, pocket: Field, rng: np.random.Generator) -> list[Part]:
    """The zip round the sides, and the front with a pocket and a label."""
    canvas = Canvas((bag.size[0] + 20, bag.size[1] + 30), 1.2)
    front = _face(bag, canvas, bag.high, rng)
    front += _teeth(canvas, pocket[len(pocket) // 5 : -len(pocket) // 5])
    front += canvas.line(canvas.path(pocket), 3) * bag.thick * 2 + canvas.cover(canvas.shape(pocket, 4)) * bag.thick
    sides = _teeth(canvas, main) + canvas.cover(canvas.box((0.2 * reach, 3), 2, (0.5 * reach, 0))) * 1.5
    label = canvas.box((17, 26), 3, (0.62 * reach, 0))
    sides += canvas.cover(label) * 0.6 + canvas.line(label, 1.5) * 1.2
    metal = [_metal_teeth(main, bag.height * 0.6 + 1)] if rng.random() < _METAL_ZIPS else []
    return [
        canvas.sheet(sides, "nylon", shift(0, 0, bag.height * 0.6)),
        canvas.sheet(front, bag.cloth, shift(0, 0, bag.height) @ turn("y", float(rng.normal(0, 2)))),
        *metal,
    ]


def _backpack_loose(
    bag: _Bag, half: tuple[float, float], main: Field, pocket: Field, rng: np.random.Generator
) -> tuple[Body, ...]:
    """Strap adjusters, zip pulls somewhere along their zips, studs, a chest buckle, perhaps a snap hook."""
    hx, hy = half
    pieces: list[Body] = []
    metal = str(rng.choice(["steel", "steel", "abs"]))
    for s in (-1, 1):
        at = (-0.55 * hx + float(rng.normal(0, 12)), s * hy * float(rng.uniform(0.82, 1.02)), 9.0)
        pieces.append(placed(buckle((19, 14), 3.8, metal), at, float(rng.normal(0, 12)), float(rng.normal(0, 20))))
        pieces.append(placed(stud(4.5), (float(rng.uniform(-0.5, 0.5)) * hx, s * 0.3 * hy, bag.height)))
    for line, height, first, last, length in (
        (main, 0.6 * bag.height, 0.1, 0.9, 24),
        (pocket, bag.height, 0.3, 0.7, 20),
    ):
        for _ in range(2):
            x, y = line[int(rng.uniform(first, last) * len(line))]
            spot = (float(x), float(y), height + 2)
            pieces.append(placed(pull(length), spot, float(rng.uniform(0, 360)), float(rng.uniform(0, 40))))
    chest = (0.35 * hx, float(rng.normal(0, 10)), 6.0)
    pieces.append(placed(buckle((15, 10), 2.8, "abs", (-0.4, 0.0, 0.4)), chest, 90 + float(rng.normal(0, 15))))
    if rng.random() < 0.6:
        spot = (float(rng.uniform(-0.3, 0.6)) * hx, float(rng.uniform(-0.5, 0.5)) * hy, bag.height)
        pieces.append(placed(hook(46, 3.8), spot, float(rng.uniform(0, 360)), 15))
    return tuple(pieces)
