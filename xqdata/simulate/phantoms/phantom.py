"""One specimen of an object, and the ways in which it may lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xqdata.simulate.geometry import Body, Matrix, extent, moved, shift, turn

Rests = tuple[Matrix, ...]


@dataclass(frozen=True, eq=False)
class Phantom:
    """One specimen.

    `object`: its name in the reference taxonomy. `body`: its parts in mm, in a frame whose origin is the middle of the
    box around it. `rests`: rotations (4, 4) in which it may lie on a floor z = constant, about equally likely; turns
    about z come on top of them.
    """

    object: str
    body: Body
    rests: Rests


def centred(body: Body) -> Body:
    """The body, the middle of its box at the origin."""
    low, high = extent(body)
    return moved(body, shift(*(-(low + high) / 2)))


def rolled(axis: Literal["x", "y"], *degrees: float) -> Rests:
    """Rests that differ by a roll about a horizontal axis."""
    return tuple(turn(axis, angle) for angle in degrees)


FLAT = rolled("x", 0, 180)  # what lies on either of two sides
ROUND = (*rolled("x", 0, 55, 90, 140, 180, 270), *rolled("y", 60, 90, 120, 270))  # what lies anyhow
LYING = rolled("x", 0, 60, 120, 180, 240, 300)  # long along x: any roll about it
