"""What lies on the belt in one pass: container, specimens and belongings, each at its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from xqdata.simulate import clutter, containers, phantoms
from xqdata.simulate.containers import Container
from xqdata.simulate.geometry import Body, Matrix, extent, moved, shift, turn
from xqdata.simulate.phantoms import Phantom
from xqdata.simulate.plan import CLUTTER, CONTAINER, PACKING, PASS, SPECIMEN, Scan, Specimen, rng
from xqdata.simulate.settings import Settings, scan_types

# Belt that one picture shows, mm: 847 columns at nominal speed.
BELT = 746.0
# How the belt carries things, standard deviations: mm along, mm across, degrees.
_LOAD = (7.0, 5.0, 1.2)
# What a second pass changes in an unopened bag: mm, degrees.
_SLIP, _SLIP_TURN = 2.0, 1.5
_NEIGHBOUR = 0.06
# Room on the bare belt: its own and the tunnel's.
_BELT_ROOM = ((-230.0, 230.0), (-180.0, 180.0), (0.0, 300.0))
_TRIES = 24
# Travellers' things that a laboratory keeps to pack with: they recur.
_THINGS = 60

Room = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Scene:
    """All parts of one pass, in mm of the belt: specimens and belongings; what is around them; each specimen's alone
    (in the scan's order).
    """

    contents: Body
    around: Body
    specimens: tuple[Body, ...]


def scene(settings: Settings, scan: Scan) -> Scene:
    """The packing of `scan` as it lies on the belt in this pass."""
    draw = rng(settings, PACKING, scan.packing)
    kind = scan_types()[scan.scan_type].factors["container"]
    box = _container(settings, kind, scan.container) if kind != "none" else None
    room: Room = box.room if box else _BELT_ROOM
    lying = [_laid(draw, _phantom(settings, specimen)) for specimen in scan.specimens]
    belongings = _belongings(settings, draw, room) if scan_types()[scan.scan_type].factors["clutter"] != "none" else []
    placed = _arranged(draw, lying + belongings, room)
    outer = containers.settle(box, draw) if box else ()
    carried = rng(settings, PASS, scan.packing, scan.again)
    on_belt = _on_belt(carried)
    if scan.again:
        placed = [_slipped(carried, body) for body in placed]
    placed = [moved(body, on_belt) for body in placed]
    neighbour = _neighbour(carried) if carried.random() < _NEIGHBOUR else ()
    contents = tuple(part for body in placed for part in body)
    return Scene(contents, (*moved(outer, on_belt), *neighbour), tuple(placed[: len(lying)]))


@lru_cache(maxsize=512)
def _phantom(settings: Settings, specimen: Specimen) -> Phantom:
    return phantoms.build(specimen.object, rng(settings, SPECIMEN, *specimen.key), settings.difficulty)


@lru_cache(maxsize=_THINGS)
def _thing(settings: Settings, number: int) -> Body:
    return clutter.draw(rng(settings, CLUTTER, number))[1]


@lru_cache(maxsize=32)
def _container(settings: Settings, kind: str, number: int) -> Container:
    return containers.build(kind, rng(settings, CONTAINER, ("basket", "carrier").index(kind), number))


def _laid(draw: np.random.Generator, phantom: Phantom) -> Body:
    """A specimen at rest, turned anyhow, its middle over the origin and its lowest point at 0."""
    rest = phantom.rests[int(draw.integers(len(phantom.rests)))]
    wobble = turn("x", float(draw.normal(0, 4))) @ turn("y", float(draw.normal(0, 4)))
    return _grounded(moved(phantom.body, turn("z", float(draw.uniform(0, 360))) @ wobble @ rest))


def _grounded(body: Body) -> Body:
    low, high = extent(body)
    middle = (low + high) / 2
    return moved(body, shift(-middle[0], -middle[1], -low[2]))


def _belongings(settings: Settings, draw: np.random.Generator, room: Room) -> list[Body]:
    """Two to six of the laboratory's things that fit in."""
    things: list[Body] = []
    wanted = int(draw.integers(2, 7))
    for number in draw.permutation(_THINGS):
        body = _grounded(moved(_thing(settings, int(number)), turn("z", float(draw.uniform(0, 360)))))
        low, high = extent(body)
        if all(high[i] - low[i] <= room[i][1] - room[i][0] for i in range(3)):
            things.append(body)
        if len(things) == wanted:
            break
    return things


def _arranged(draw: np.random.Generator, bodies: Sequence[Body], room: Room) -> list[Body]:
    """Each where it covers least of what lies already; on top of that, as far as the room is high."""
    taken: list[tuple[float, float, float, float, float]] = []
    placed = []
    for body in bodies:
        low, high = extent(body)
        size = high - low
        best = min((_try(draw, size, room, taken) for _ in range(_TRIES)), key=lambda t: t[0])
        _, x, y, z = best
        taken.append((x, y, size[0], size[1], z + size[2]))
        placed.append(moved(body, shift(x, y, z)))
    return placed


def _try(
    draw: np.random.Generator,
    size: np.ndarray,
    room: Room,
    taken: Sequence[tuple[float, float, float, float, float]],
) -> tuple[float, float, float, float]:
    """A place in the room: how much of others it covers (mm²), x, y, z."""
    spots = []
    for axis in range(2):
        low, high = room[axis][0] + size[axis] / 2, room[axis][1] - size[axis] / 2
        middle = (room[axis][0] + room[axis][1]) / 2
        spots.append(float(draw.uniform(low, high)) if low < high else middle)
    x, y = spots
    covered, top = 0.0, room[2][0]
    for ox, oy, width, depth, height in taken:
        over = max(0.0, (width + size[0]) / 2 - abs(x - ox)) * max(0.0, (depth + size[1]) / 2 - abs(y - oy))
        covered += min(over, width * depth)
        # What lies half on another thing leans on it.
        share = min(1.0, over / min(width * depth, size[0] * size[1]))
        top = max(top, room[2][0] + share * (height - room[2][0]))
    return covered, x, y, max(room[2][0], min(top, room[2][1] - size[2]))


def _slipped(draw: np.random.Generator, body: Body) -> Body:
    low, high = extent(body)
    x, y = (low[:2] + high[:2]) / 2
    spin = shift(x, y) @ turn("z", float(draw.normal(0, _SLIP_TURN))) @ shift(-x, -y)
    return moved(body, shift(float(draw.normal(0, _SLIP)), float(draw.normal(0, _SLIP))) @ spin)


def _on_belt(draw: np.random.Generator) -> Matrix:
    along, across, degrees = (float(draw.normal(0, spread)) for spread in _LOAD)
    return shift(BELT / 2 + along, across) @ turn("z", degrees)


def _neighbour(draw: np.random.Generator) -> Body:
    """The edge of what lies before or behind on the belt, a little of it in the picture."""
    body = _grounded(clutter.edge(draw))
    low, high = extent(body)
    reach = (high[0] - low[0]) / 2
    seen = float(draw.uniform(3, 30))
    x = seen - reach if draw.random() < 0.5 else BELT - seen + reach
    return moved(body, shift(x, float(draw.normal(0, 30))))
