"""Small fittings of bags and clothes: buckles, zip pulls, studs, rings, screws, wheels.

Flat ones are one small sheet around the origin; `placed` turns and moves them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from xqdata.simulate.boxes import Triple, bar, void
from xqdata.simulate.canvas import Canvas, curve, ring
from xqdata.simulate.geometry import Body, Part, along, moved, scale, shift, turn

_FINE = 0.5


def placed(body: Body | Part, at: Triple, degrees: float = 0.0, tilt: float = 0.0, roll: float = 0.0) -> Body:
    """A body leant over by `tilt` about x and `roll` about y, turned by `degrees` about z, and brought to `at`."""
    parts = (body,) if isinstance(body, Part) else body
    return moved(parts, shift(*at) @ turn("z", degrees) @ turn("y", roll) @ turn("x", tilt))


def buckle(half: tuple[float, float], diameter: float, material: str = "steel", bars: Sequence[float] = (0.0,)) -> Part:
    """A wire rectangle with bars across at these shares of its half length."""
    canvas = Canvas((2 * half[0] + 2 * diameter, 2 * half[1] + 2 * diameter), _FINE)
    frame = canvas.path(ring(half, min(half) * 0.35), 2 * diameter)
    wire = canvas.wire(frame, diameter)
    for share in bars:
        across = canvas.path([(share * half[0], -half[1]), (share * half[0], half[1])], 2 * diameter)
        wire = np.maximum(wire, canvas.wire(across, diameter * 0.9))
    return canvas.sheet(wire, material)


def pull(length: float, material: str = "zinc") -> Part:
    """A zip's slider with its tab: the tab hangs along +x."""
    canvas = Canvas((2 * length + 8, 16), _FINE)
    slider = canvas.cover(canvas.box((5.5, 4.2), 2.0)) * 3.0 + canvas.cover(canvas.box((4.0, 1.6), 1.0)) * 2.0
    tab = canvas.box((length / 2 - 2, 3.4), 2.4, (length / 2 + 4, 0))
    hole = canvas.box((length / 2 - 5, 1.5), 1.2, (length / 2 + 5, 0))
    return canvas.sheet(slider + 1.8 * canvas.cover(np.maximum(tab, -hole)), material)


def stud(radius: float, material: str = "steel") -> Part:
    """A rivet: a disc with a thicker middle and a hole, or an eyelet."""
    canvas = Canvas((2 * radius + 3, 2 * radius + 3), _FINE)
    away = np.hypot(canvas.x, canvas.y)
    thickness = canvas.cover(away - radius) * 0.9 + canvas.cover(np.abs(away - radius * 0.5) - radius * 0.22) * 1.6
    return canvas.sheet(thickness, material)


def hook(length: float, diameter: float, material: str = "zinc") -> Part:
    """A snap hook: a swivelling eye, and a hook with its gate."""
    canvas = Canvas((length + 4 * diameter, length * 0.75), _FINE)
    far, wide = length / 2, length * 0.2
    bow = curve(
        [
            (-0.1 * far, 0.0),
            (0.2 * far, wide),
            (0.7 * far, wide),
            (far, 0.0),
            (0.7 * far, -wide),
            (0.2 * far, -wide * 0.8),
        ]
    )
    eye = canvas.path(ring((far * 0.22, wide * 1.1), wide * 0.5, (-far * 0.62, 0.0)), 2 * diameter)
    gate = canvas.path([(0.0, -wide * 0.3), (0.75 * far, -wide)], 2 * diameter)
    stem = canvas.box((far * 0.2, diameter), diameter * 0.8, (-0.25 * far, 0.0))
    thickness = np.maximum(canvas.wire(canvas.path(bow, 2 * diameter), diameter), canvas.wire(eye, diameter))
    thickness = np.maximum(thickness, canvas.wire(gate, diameter * 0.7))
    return canvas.sheet(np.maximum(thickness, canvas.cover(stem) * diameter * 1.6), material)


def screw(head: Triple, tip: Triple, diameter: float = 3.2, material: str = "steel") -> Body:
    """A screw from its head's face to its tip."""
    share = 2.0 / math.dist(head, tip)
    under = [a + (b - a) * share for a, b in zip(head, tip, strict=True)]
    cap = Part("tube", along(head, under, diameter * 1.45), material)
    return cap, Part("tube", along(under, tip, diameter / 2), material)


def wheel(radius: float, half: float, material: str) -> Body:
    """A castor's pair of wheels on a steel axle along y."""
    upright = turn("x", 90)
    parts: list[Part] = []
    for s in (-1, 1):
        tyre = Part("tube", shift(0, s * (half + 3), 0) @ upright @ scale(radius, radius, half), material)
        rim = Part("tube", shift(0, s * (half + 3), 0) @ upright @ scale(radius * 0.72, radius * 0.72, half), material)
        hub = Part(
            "tube", shift(0, s * (half + 3), 0) @ upright @ scale(radius * 0.72, radius * 0.72, half * 0.4), "nylon"
        )
        parts += [tyre, void(rim), hub]
    return (*parts, bar((0, -2 * half - 4, 0), (0, 2 * half + 4, 0), 2.6, "steel"))


def cord(points: np.ndarray, radius: float, material: str, density: float = 1.0) -> Body:
    """A round line in space through `points` (n, 3).

    Its pieces meet on their axes: at a bend what is missing outside lies double inside.
    """
    ends = itertools.pairwise(points)
    return tuple(Part("tube", along(start, end, radius), material, density=density) for start, end in ends)


def grip(line: np.ndarray, diameter: float, material: str, density: float = 1.0) -> Part:
    """A round handle that lies flat, bent along `line` (n, 2): one sheet."""
    reach = np.abs(line).max(0) + diameter
    canvas = Canvas((2 * float(reach[0]), 2 * float(reach[1])), 1.0)
    return canvas.sheet(canvas.wire(canvas.path(line, diameter), diameter), material, density=density)


def loop(half: tuple[float, float], corner: float, height: float, radius: float, material: str, steps: int = 7) -> Body:
    """A lying wire round a rectangle with round corners."""
    outline = ring(half, corner, steps=steps)
    return cord(np.column_stack([outline, np.full(len(outline), height)]), radius, material)


def star(count: int, spread: tuple[float, float], rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Random places: x, y within the half widths `spread`, and degrees."""
    return [
        (float(rng.uniform(-1, 1)) * spread[0], float(rng.uniform(-1, 1)) * spread[1], float(rng.uniform(0, 360)))
        for _ in range(count)
    ]
