"""A hard trolley case, lying on its back: shell, rods, wheels, handles, lock, seam and lining."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from xqdata.simulate.boxes import Triple, bar, block, shell, void
from xqdata.simulate.canvas import Canvas, curve, filaments, noise, ring
from xqdata.simulate.geometry import Body, Part, moved, shift, turn
from xqdata.simulate.hardware import buckle, grip, loop, placed, pull, screw, star, stud, wheel

Room = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class _Case:
    """One case's dimensions in mm: half its outer size without wheels, radius of its upright edges, height over which
    walls bend into the faces, wall thickness, and what it is made of; `framed`: shut by a metal frame, not by a zip.
    """

    half: Triple
    corner: float
    edge: float
    wall: float
    material: str
    framed: bool
    rods: float

    @property
    def middle(self) -> float:
        """Height of its middle above the belt."""
        return self.half[2] + 7.0

    @property
    def face(self) -> tuple[float, float]:
        """Half its flat faces."""
        return self.half[0] - self.corner, self.half[1] - self.corner


def trolley(rng: np.random.Generator) -> tuple[Body, Room, tuple[Body, ...]]:
    """One case: its body, the room in it, and what hangs loose from it."""
    case = _Case(
        half=(float(rng.uniform(228, 252)), float(rng.uniform(162, 182)), float(rng.uniform(88, 104))),
        corner=float(rng.uniform(38, 62)),
        edge=float(rng.uniform(24, 44)),
        wall=float(rng.uniform(1.4, 2.1)),
        material=str(rng.choice(["polycarbonate", "abs"])),
        framed=bool(rng.random() < 0.4),
        rods=float(rng.uniform(52, 78)),
    )
    up = shift(0, 0, case.middle)
    parts = [*moved(shell(case.half, case.corner, case.edge, case.wall, case.material), up), *_faces(case, rng)]
    parts += _seam(case, rng)
    parts += _rods(case, rng)
    parts += _wheels(case, rng)
    parts += _handles(case)
    parts += _lock(case)
    parts.append(_lining(case, rng))
    parts += _studs(case, rng)
    # The corners of a box in a box with round edges: as far in as the edges' bends need.
    margin = max(26.0, 0.64 * case.corner)
    x, y = case.half[0] - margin, case.half[1] - margin
    room = ((-x, x), (-y, y), (7.0 + case.wall + 22, case.middle + case.half[2] - 14))
    return tuple(parts), room, _loose(case, rng)


def _faces(case: _Case, rng: np.random.Generator) -> list[Part]:
    """The two large faces: grooves in front, the rods' housing behind."""
    size = (2 * case.face[0], 2 * case.face[1])
    front = Canvas(size, 1.2)
    grooves = _grooves(front, rng)
    back = Canvas(size, 1.2)
    # The flat middle plate that covers the rods, the well of the grip, and the ribs of the foot.
    ends = (case.rods + 26, case.rods + 30)
    cover = back.box((case.face[0] - 8, ends[0]), 12)
    well = back.box((46, ends[1] * 0.75), 16, (case.face[0] - 40, 0.0))
    foot = back.cover(back.box((30, ends[1]), 4, (-case.face[0] + 26, 0.0))) * back.line((back.y % 17) - 8.5, 1.6)
    housing = back.line(cover, 2.0) * 2.5 + back.line(well, 2.2) * 7 + foot * 5 + back.cover(well) * 1.2
    return [
        front.sheet(case.wall * (1 + grooves), case.material, shift(0, 0, case.middle + case.half[2] - case.wall / 2)),
        back.sheet(case.wall * (1 + 0.5 * grooves) + housing, case.material, shift(0, 0, 7 + case.wall / 2)),
    ]


def _grooves(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """What a groove's steep sides add to the wall, as a share of it."""
    style, pitch = str(rng.choice(["along", "across", "rings", "lozenges", "plain"])), float(rng.uniform(22, 44))
    if style == "plain":
        return canvas.empty()
    if style == "rings":
        at = canvas.box((canvas.x[0, -1], canvas.y[-1, 0]), 30.0) + 400
    elif style == "along":
        at = canvas.y + 400 + 0 * canvas.x
    elif style == "across":
        at = canvas.x + 400 + 0 * canvas.y
    else:
        at = np.maximum(
            np.abs((canvas.x + canvas.y) % (2 * pitch) - pitch), np.abs((canvas.x - canvas.y) % (2 * pitch) - pitch)
        )
    return 0.8 * (canvas.line(at % pitch - pitch * 0.3, 2.4) + canvas.line(at % pitch - pitch * 0.7, 2.4))


def _seam(case: _Case, rng: np.random.Generator) -> list[Part]:
    """What shuts it: a frame of aluminium, or a zip with its tape; and the wires that stiffen the edges."""
    hx, hy, _ = case.half
    z = case.middle + float(rng.uniform(-12, 12))
    parts: list[Part] = []
    if case.framed:
        for height, inset in ((z - 7, 1.0), (z + 7, 1.0)):
            parts += loop((hx - inset, hy - inset), case.corner, height, 3.0, "aluminium")
        parts += loop((hx - 5, hy - 5), case.corner - 4, z, 3.6, "aluminium")
    else:
        parts += loop((hx, hy), case.corner, z - 4, 1.6, "steel")
        parts += loop((hx - 2, hy - 2), case.corner - 2, z + 6, 4.2, "soft_pvc", steps=5)
        parts += loop((hx - 9, hy - 9), case.corner - 9, 2 * case.middle - 12, 1.3, "steel", steps=5)
    parts += loop((hx - 9, hy - 9), case.corner - 9, 7 + case.edge * 0.4, 1.3, "steel", steps=5)
    return parts


def _rods(case: _Case, rng: np.random.Generator) -> list[Part]:
    """Two telescopic rods of aluminium, their latches' wires, feet and the grip that joins them."""
    hx = case.half[0]
    z = 7 + case.wall + 8
    metal = str(rng.choice(["aluminium", "aluminium", "steel"]))
    walls = (1.2, 1.0) if metal == "aluminium" else (0.7, 0.6)
    stages = (
        (9.5, 5.5, walls[0], hx - 46, -hx + 12),
        (7.6, 4.0, walls[1], hx - 16, -hx + float(rng.uniform(60, 130))),
    )
    parts: list[Part] = []
    for s in (1, -1):
        y = s * case.rods
        for wide, tall, wall, start, end in stages:
            middle, half = ((start + end) / 2, y, z), (start - end) / 2
            pipe = block(middle, (half, wide, tall), metal)
            parts += [pipe, void(block(middle, (half, wide - wall, tall - wall), metal))]
        parts.append(bar((hx - 20, y, z), (-hx * 0.35, y, z), 1.2, "steel"))
        parts.append(block((hx - 52, y, z), (8, 12, 7.5), "nylon"))
        parts.append(block((stages[1][4] + 9, y, z), (6, 7, 3.5), "nylon"))
        parts.append(block((stages[1][4] + 14, y, z), (1.5, 6, 3), "steel"))
        parts.append(block((-hx + 20, y, z), (10, 12, 7.5), "nylon"))
        for x, side in product((-hx + 26, hx - 58), (-1, 1)):
            parts += screw((x, y + side * 9, z - 6), (x, y + side * 9, z + 8), 2.8)
    grip = hx - 8
    parts.append(block((grip, 0, z + 1), (8, case.rods + 14, 8), case.material, density=0.6))
    parts.append(block((grip, 0, z + 4), (4, 13, 3), "abs"))
    parts.append(bar((grip, -case.rods, z), (grip, case.rods, z), 1.3, "steel"))
    return parts


def _wheels(case: _Case, rng: np.random.Generator) -> list[Part]:
    """Four castors at the foot, each swung its own way, in their housings."""
    hx, hy, hz = case.half
    radius, half = float(rng.uniform(19, 24)), float(rng.uniform(5.0, 7.5))
    tyre = str(rng.choice(["soft_pvc", "rubber", "polypropylene"]))
    twin = wheel(radius, half, tyre)
    parts: list[Part] = []
    for sy, height in product((1, -1), (7 + 30.0, case.middle + hz - 32)):
        y = sy * (hy - 44)
        swing = shift(-hx - radius - 7, y, height) @ turn("x", float(rng.uniform(0, 360))) @ shift(-5, 0, 0)
        parts += moved(twin, swing)
        fork = block((12, 0, 0), (radius * 0.75, 3.0, 7.0), "abs")
        parts += moved((fork,), swing)
        parts.append(bar((-hx - 6, y, height), (-hx + 18, y, height), 4.2, "steel"))
        parts.append(block((-hx + 1, y, height), (7, 24, 20), case.material, density=0.55))
        for side_y, side_z in product((-1, 1), (-1, 1)):
            at = (-hx - 1, y + side_y * 16, height + side_z * 12)
            parts += screw((at[0] + 14, at[1], at[2]), at, 3.4)
    return parts


def _handles(case: _Case) -> list[Part]:
    """A strap handle at the head and one at a long side, each screwed to the shell."""
    hx, hy, _ = case.half
    z = case.middle + 16
    arch = curve([(-62, -2), (-50, 12), (0, 19), (50, 12), (62, -2)])
    strap = grip(arch, 11.0, "soft_pvc", 0.7)
    parts: list[Part] = []
    for at in (shift(hx, 0, z) @ turn("z", -90), shift(-20, hy, z)):
        parts.append(strap.moved(at))
        for s in (-1, 1):
            parts += moved((block((s * 62, -1, 0), (13, 6, 9), case.material, 0.7),), at)
            for spread in (-6.0, 6.0):
                parts += moved(screw((s * 62 + spread, -10, 0), (s * 62 + spread, 4, 0)), at)
    return parts


def _lock(case: _Case) -> list[Part]:
    """A combination lock on one long side, hinges or feet on the other."""
    hy, z = case.half[1], case.middle
    parts = [
        block((70, hy - 1, z), (34, 7, 17), "abs", density=0.8),
        block((70, hy + 1, z + 6), (26, 3.5, 1.5), "zinc"),
        bar((84, hy - 8, z), (84, hy + 7, z), 6.0, "zinc"),
    ]
    parts += [
        Part("tube", shift(x, hy + 1, z) @ turn("y", 90) @ np.diag([5.0, 5.0, 2.6, 1.0]), "zinc")
        for x in (52.0, 60.0, 68.0)
    ]
    for x in (-0.55 * case.half[0], 0.55 * case.half[0]):
        parts.append(block((x, -hy - 1, z), (17, 3, 10), "abs"))
        parts.append(bar((x - 15, -hy, z), (x + 15, -hy, z), 1.8, "steel"))
        for spread in (-10.0, 10.0):
            parts += screw((x + spread, -hy + 9, z - 8), (x + spread, -hy - 5, z - 8))
    return parts


def _lining(case: _Case, rng: np.random.Generator) -> Part:
    """Cloth inside, with folds, seams, a zipped divider and crossed straps with a buckle."""
    canvas = Canvas((2 * case.half[0] - 12, 2 * case.half[1] - 12), 1.2)
    inside = canvas.box((case.half[0] - 8, case.half[1] - 8), case.corner - 6)
    folds = 6.0 * filaments(canvas, rng, (110, 26), 1.8) + 4.0 * filaments(canvas, rng, (36, 44), 1.2)
    soft = 1 + 0.3 * noise((canvas.rows, canvas.columns), (50.0, 50.0), rng)
    cloth = canvas.cover(inside) * (1.2 * soft.clip(0.3) + folds) + canvas.line(inside + 2, 4) * 2.0
    x, y = case.half[0] * 0.78, case.half[1] * 0.8
    for corner in (1, -1):
        band = canvas.path(curve([(-x, -corner * y), (0, corner * float(rng.normal(0, 8))), (x, corner * y)]), 20)
        cloth = cloth + canvas.cover(band - 11) * 2.2 + canvas.line(band - 10, 1.6) * 3.0
    pocket = canvas.path(ring((x, y * 0.9), 24), 12)
    teeth = 0.5 + 0.5 * np.sign(np.sin((canvas.x + canvas.y) * 2.1))
    cloth = cloth + canvas.cover(pocket - 7) * 0.7 + canvas.cover(pocket - 2) * teeth * 3.0
    return canvas.sheet(cloth, "polyester_cloth", shift(0, 0, case.middle), density=2.0)


def _studs(case: _Case, rng: np.random.Generator) -> list[Part]:
    """Rivets of the lining and of the shell."""
    parts: list[Part] = []
    for x, y, degrees in star(int(rng.integers(8, 16)), (case.half[0] - 30, case.half[1] - 25), rng):
        height = 12.0 if rng.random() < 0.5 else 2 * case.half[2]
        parts += placed(stud(float(rng.uniform(3.0, 5.0))), (x, y, height), degrees, float(rng.normal(0, 15)))
    return parts


def _loose(case: _Case, rng: np.random.Generator) -> tuple[Body, ...]:
    """Zip pulls, and the buckle of the straps, which lie differently each time."""
    hx, hy, _ = case.half
    pieces: list[Body] = [placed(buckle((19, 14), 3.2, "polypropylene", (-0.3, 0.4)), (0, 0, case.middle), 20)]
    pieces.append(placed(pull(18), (float(rng.uniform(-90, 90)), 0.72 * hy, case.middle + 2), 60))
    pieces.append(placed(pull(22), (0.78 * hx, float(rng.uniform(-60, 60)), case.middle + 3), 200))
    if not case.framed:
        x = float(rng.uniform(20, 110))
        pieces += [placed(pull(26), (x + spread, hy + 4, case.middle), 90 + spread, 40) for spread in (-16.0, 16.0)]
    return tuple(pieces)
