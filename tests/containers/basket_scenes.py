"""Small scans of baskets that were drawn, not measured: a container, what lies in it, and where."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from xqdata.images import Page, deep_grey

HEIGHT, WIDTH = 220, 320
Map = NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """One scan: its attenuation, and where contents lie."""

    full: Map
    contents: NDArray[np.bool_]


def basket(seed: int) -> Map:
    """An empty basket with a thick rim, walls, and a floor with ribs in a pattern that is its own; air around it."""
    draw = np.random.default_rng(seed)
    level = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.rectangle(level, (28, 24), (292, 196), 0.25, -1)
    cv2.rectangle(level, (40, 36), (280, 184), 0.12, -1)
    for x in range(46, 280, int(draw.integers(13, 24))):
        cv2.line(level, (x, 36), (x + int(draw.integers(-30, 30)), 184), 0.19, 2)
    for y in range(44, 184, int(draw.integers(13, 24))):
        cv2.line(level, (40, y), (280, y + int(draw.integers(-20, 20))), 0.19, 2)
    for x, y in draw.integers((45, 40), (275, 180), (12, 2)):
        cv2.circle(level, (int(x), int(y)), 3, 0.35, -1)
    cv2.rectangle(level, (8, 85), (28, 135), 0.3, 3)
    return cv2.GaussianBlur(level, (0, 0), 0.8)


def things(draw: np.random.Generator, count: int = 2, *, middle: bool = False) -> Map:
    """What lies in the basket: ellipses and bars of any attenuation, anywhere or all over the middle."""
    lying = np.zeros((HEIGHT, WIDTH), np.float32)
    for _ in range(count):
        one = np.zeros_like(lying)
        x, y = (160, 110) if middle else (int(v) for v in draw.integers((80, 65), (240, 155)))
        axes = tuple(int(v) for v in (draw.integers(22, 50, 2) if middle else draw.integers(8, 26, 2)))
        amount = float(draw.uniform(0.1, 1.2))
        if draw.random() < 0.5:
            cv2.ellipse(one, (x, y), axes, float(draw.uniform(0, 180)), 0, 360, amount, -1)
        else:
            box = cv2.boxPoints(((x, y), (2.0 * axes[0], 2.0 * axes[1]), float(draw.uniform(0, 90))))
            cv2.fillPoly(one, [box.astype(np.int32)], amount)
        lying += one
    return lying


def scene(
    empty: Map,
    lying: Map | None = None,
    *,
    shift: tuple[float, float] = (0, 0),
    degrees: float = 0.0,
    noise: float = 0.003,
    draw: np.random.Generator | None = None,
) -> Scene:
    """A basket and what lies in it, moved together: `shift` in pixels, right and down."""
    nothing = np.zeros_like(empty)
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, 1.0)
    matrix[:, 2] += shift
    moved, contents = (
        cv2.warpAffine(part, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        for part in (empty + (nothing if lying is None else lying), nothing if lying is None else lying)
    )
    if draw is not None:
        moved = moved + draw.normal(0, noise, moved.shape).astype(np.float32)
    return Scene(np.maximum(moved, 0).astype(np.float32), contents > 0.05)


def passes(empty: Map, count: int, seed: int, *, middle: bool = False, least: int = 1) -> list[Scene]:
    """Scans of one basket, each with other things in it and a little elsewhere on the belt."""
    draw = np.random.default_rng(seed)
    return [
        scene(
            empty,
            things(draw, int(draw.integers(least, 4)), middle=middle),
            shift=(float(draw.normal(0, 4)), float(draw.normal(0, 3))),
            degrees=float(draw.normal(0, 1)),
            draw=draw,
        )
        for _ in range(count)
    ]


@dataclass(frozen=True)
class Shot:
    """How a scene becomes a picture: values of air, bits, and which end of them is air."""

    bits: int = 8
    air: int = 250
    polarity: str = "air_bright"
    scale: float = 1.0


EIGHT, DEEP, DARK = Shot(), Shot(16, 60000), Shot(8, 250, "air_dark")


def page(full: Map, shot: Shot = EIGHT) -> Page:
    """The scan as a decoded page, enlarged by the scale of `shot`."""
    if shot.scale != 1.0:
        full = cv2.resize(full, None, fx=shot.scale, fy=shot.scale, interpolation=cv2.INTER_LINEAR)
    dtype = np.uint8 if shot.bits == 8 else np.uint16
    values = np.rint(shot.air * np.exp(-full)).astype(dtype)
    if shot.polarity == "air_dark":
        values = (np.iinfo(dtype).max - values).astype(dtype)
    grey = values if shot.bits == 8 else deep_grey(values, None)
    return Page(0, values, grey, "PNG", "L" if shot.bits == 8 else "I;16", shot.bits)
