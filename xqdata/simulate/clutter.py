"""Belongings that share a basket or bag with what is looked for, and what enters the picture from next door."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from xqdata.simulate import belongings, clothes, containers, devices, vessels
from xqdata.simulate.containers import Container
from xqdata.simulate.geometry import Body, extent, moved, shift

Draw = Callable[[np.random.Generator], Body]

# What a traveller carries: how to draw one, and how often it is met.
KINDS: Mapping[str, tuple[Draw, float]] = MappingProxyType(
    {
        "shirt": (clothes.shirt, 3.0),
        "trousers": (clothes.trousers, 2.5),
        "jumper": (clothes.jumper, 3.0),
        "towel": (clothes.towel, 1.5),
        "socks": (clothes.socks, 2.0),
        "shoes": (clothes.shoes, 1.5),
        "belt": (clothes.belt, 1.0),
        "bottle": (vessels.bottle, 2.5),
        "toiletry": (vessels.toiletry, 2.5),
        "aerosol": (vessels.aerosol, 1.0),
        "flask": (vessels.flask, 0.7),
        "can": (vessels.can, 0.7),
        "phone": (devices.phone, 1.5),
        "laptop": (devices.laptop, 0.8),
        "charger": (devices.charger, 2.5),
        "headphones": (devices.headphones, 0.8),
        "power_bank": (devices.power_bank, 1.2),
        "camera": (devices.camera, 0.6),
        "book": (belongings.book, 2.5),
        "keys": (belongings.keys, 2.0),
        "coins": (belongings.coins, 1.2),
        "cutlery": (belongings.cutlery, 0.6),
        "glasses": (belongings.glasses, 1.2),
        "umbrella": (belongings.umbrella, 1.0),
        "wallet": (belongings.wallet, 1.2),
        "watch": (belongings.watch, 0.8),
        "toothbrush": (belongings.toothbrush, 0.9),
        "pills": (belongings.pills, 1.0),
        "pens": (belongings.pens, 1.0),
        "toy": (belongings.toy, 0.6),
    }
)
# The bags and baskets that others put on the belt: few, so that they too recur.
_STRANGERS = 6


def draw(rng: np.random.Generator) -> tuple[str, Body]:
    """One thing of daily life: the name of its kind and its body, at rest on z = 0 with its middle over the origin."""
    names = tuple(KINDS)
    weights = np.array([KINDS[name][1] for name in names])
    name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    return name, one(name, rng)


def one(name: str, rng: np.random.Generator) -> Body:
    """A thing of the kind called `name`, as `draw` gives it; KeyError for other names."""
    body = KINDS[name][0](rng)
    low, high = extent(body)
    return moved(body, shift(-(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, -low[2]))


def edge(rng: np.random.Generator) -> Body:
    """A stranger's basket or bag as it lies before or behind on the belt: the whole of it, its middle over the origin.

    Whoever places it lets an end of it into the picture.
    """
    return containers.settle(_stranger(int(rng.integers(_STRANGERS))), rng)


@lru_cache(maxsize=_STRANGERS)
def _stranger(number: int) -> Container:
    return containers.build("basket" if number < 2 else "carrier", np.random.default_rng([number, 8191]))
