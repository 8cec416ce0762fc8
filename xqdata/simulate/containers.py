"""What specimens are scanned in: a few baskets and carriers that recur, each scan finding them slightly changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xqdata.simulate.basket import basket
from xqdata.simulate.geometry import Body, Matrix, extent, moved, shift, turn
from xqdata.simulate.softbag import softbag
from xqdata.simulate.trolley import trolley
from xqdata.simulate.warping import Sway, warped

Room = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
BUILDERS = {"basket": basket, "trolley": trolley, "softbag": softbag}
KINDS = {"basket": ("basket",), "carrier": ("trolley", "softbag")}
# How far loose pieces lie from where they lay: mm and degrees, standard deviations; and how far cloth gives.
_MOVES, _TURNS = 3.0, 4.0
_SAG = 2.0
# Now and then somebody has tidied up, or tipped the basket.
_SHAKEN, _SHAKEN_MOVES, _SHAKEN_TURNS = 0.12, 9.0, 14.0


@dataclass(frozen=True)
class Container:
    """One physical basket or carrier, its middle over the origin of its own frame and resting on z = 0.

    `kind`: as the taxonomy calls it; `build`: of which make it is. `body`: what is fixed. `room`: the box inside where
    items may lie, (low, high) in mm along x, y and z. `ballast`: what lies or hangs loose, each piece a body. `limp`:
    how much its cloth gives from scan to scan, standard deviation in mm; 0 for a rigid one.
    """

    kind: str
    build: str
    body: Body
    room: Room
    ballast: tuple[Body, ...]
    limp: float = 0.0


def build(kind: str, rng: np.random.Generator) -> Container:
    """A new instance: `kind` is `basket` or `carrier` (of which half are hard and half soft), or one of BUILDERS.

    Raises KeyError for other kinds.
    """
    makes = KINDS.get(kind, (kind,))
    make = makes[int(rng.integers(len(makes)))]
    body, room, ballast = BUILDERS[make](rng)
    return Container(
        "basket" if make == "basket" else "carrier", make, body, room, ballast, _SAG if make == "softbag" else 0.0
    )


def settle(container: Container, rng: np.random.Generator) -> Body:
    """All parts of a container in one scan: the fixed ones, and the loose ones each moved a little.

    A soft bag is bent too, smoothly and as a whole. Loose pieces of a basket stay within its floor.
    """
    shaken = rng.random() < _SHAKEN
    spread, spin = (_SHAKEN_MOVES, _SHAKEN_TURNS) if shaken else (_MOVES, _TURNS)
    loose = [_jostled(piece, rng, spread, spin) for piece in container.ballast]
    if container.build == "basket":
        low, high = extent(part for part in container.body if part.shape == "sheet")
        loose = [_kept_in(piece, low, high) for piece in loose]
    parts = (*container.body, *(part for piece in loose for part in piece))
    return warped(parts, Sway(rng, container.limp)) if container.limp else parts


def _jostled(piece: Body, rng: np.random.Generator, spread: float, spin: float) -> Body:
    """A piece shifted along the floor and turned about its middle."""
    low, high = extent(piece)
    x, y = (low[:2] + high[:2]) / 2
    by: Matrix = shift(x + float(rng.normal(0, spread)) * 0.35, y + float(rng.normal(0, spread)))
    # A long piece turns less: it lies between its neighbours.
    degrees = float(rng.normal(0, spin)) * min(1.0, 30.0 / max(1.0, float(max(high[:2] - low[:2]))))
    return moved(piece, by @ turn("z", degrees) @ shift(-x, -y))


def _kept_in(piece: Body, low: np.ndarray, high: np.ndarray) -> Body:
    """Pushed back by as much as it sticks out of the box from `low` to `high`."""
    own_low, own_high = extent(piece)
    back = np.maximum(low - own_low, 0) + np.minimum(high - own_high, 0)
    return moved(piece, shift(back[0], back[1]))
