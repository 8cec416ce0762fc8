"""Soybeans: a bag of beans."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xqdata.simulate import geometry as g
from xqdata.simulate.phantoms.draws import Draw
from xqdata.simulate.phantoms.phantom import FLAT, Phantom
from xqdata.simulate.phantoms.portion import film
from xqdata.simulate.phantoms.shapes import ball

_LAYERS, _REACH = 6, 12  # of the lattice that beans are taken from


def soybean(draw: Draw) -> Phantom:
    """Eighty to two hundred beans in a thin bag, heaped two or three deep in the middle."""
    count, size = draw.count(80, 200), draw.size(3.9, 4.2, 0.09)
    shape = size * np.array([1.0, draw.uniform(0.84, 0.97), draw.uniform(0.8, 0.95)])
    places = _heap(draw, count, 2.05 * size)
    beans = [
        ball("seed", at, shape * draw.size(1.0, spread=0.05), draw.spin(), density=draw.uniform(0.96, 1.04))
        for at in places
    ]
    long, wide = 2 * (np.abs(places[:, :2]).max(0) + size) * [draw.uniform(1.15, 1.5), draw.uniform(1.1, 1.35)]
    bag = film(draw, long, wide, float(places[:, 2].mean()), thickness=0.2, seam=1.2)
    return Phantom("soybean", (*beans, bag), FLAT)


def _heap(draw: Draw, count: int, step: float) -> NDArray[np.float64]:
    """`count` places in layers of a jittered triangular lattice: those nearest to the middle under a dome."""
    long, tall = draw.uniform(1.0, 1.7), draw.uniform(0.6, 1.1)
    i, j = np.mgrid[-_REACH : _REACH + 1, -_REACH : _REACH + 1].reshape(2, -1)
    layers = []
    for layer in range(_LAYERS):
        x, y = (i + 0.5 * j + draw.uniform(0, 1)) * step, (j + draw.uniform(0, 1)) * step * 0.866
        layers.append(np.stack([x, y, np.full(x.size, layer * step * 0.8)], 1))
    points = np.concatenate(layers) @ g.turn("z", draw.uniform(0, 60))[:3, :3].T
    points += draw.rng.normal(0, 0.16 * step, points.shape)
    far = np.hypot(points[:, 0] / long, points[:, 1] * long**0.5) + points[:, 2] / tall
    far += draw.rng.normal(0, 0.3 * step, len(points))
    return np.asarray(points[np.argsort(far, kind="stable")[:count]])
