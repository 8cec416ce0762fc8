"""Figures of one scan in a basket: what can be measured on any pseudo-colour picture, whoever made it.

Every function takes one picture, (rows, columns, 3) uint8 RGB, and returns a number, or None where the picture does
not show what it takes. Luminance is 0.299 R + 0.587 G + 0.114 B, 0 to 255. Nothing here knows which machine, or which
program, a picture comes from, so a figure treats real and simulated ones alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Plane = NDArray[np.float32]
T = TypeVar("T")

TILE = 16  # pixels: fits between the ribs of a basket's floor
# Hue in degrees, from and to, of the three classes of material.
CLASSES = {"organic": (0.0, 60.0), "mixed": (85.0, 150.0), "metal": (165.0, 240.0)}

_FLOOR = (205.0, 245.0)  # luminance in which a basket's floor is looked for
_NEAR = 6.0  # a tile's mean may differ from the floor's by that much
_SMOOTH = 2.0  # more structure than that, after averaging over some pixels, and a tile shows a rib or a thing
_WHITE = 250.0
_FEWEST_TILES, _FEWEST_EDGES, _FEWEST_PIXELS = 30, 12, 150
_OPAQUE, _THIN = (0.0, 75.0), (95.0, 165.0)  # luminance of ballast and of one or two millimetres of steel
_SQUARE = 0.3  # an edge's slope along itself, as a share of that across it
_STEEP = 60.0  # Sobel's slope of an edge, blurred a little
_EVEN = 8.0  # standard deviation of luminance in an edge's plateau
_REACH = 5  # pixels from an edge to the plateaus on both sides
_BIN = 5.0  # of luminance, to each side


@dataclass(frozen=True, eq=False)
class Floor:
    """A basket's floor where it is smooth. `level`: its luminance. `tiles`: (n, TILE, TILE) less a plane fitted to
    each; `hues` and `rgb`: (n, TILE, TILE, 3), the same pixels' hue in degrees, saturation and value, and colours.
    """

    level: float
    tiles: Plane
    hues: Plane
    rgb: Picture


def _once(function: Callable[[Picture], T]) -> Callable[[Picture], T]:
    """Remember what a picture gave until another one comes: many figures need the same."""

    @lru_cache(maxsize=1)
    def made(data: bytes, shape: tuple[int, ...]) -> T:
        return function(np.frombuffer(data, np.uint8).reshape(shape))

    return wraps(function)(lambda picture: made(picture.tobytes(), picture.shape))


@_once
def luminance(picture: Picture) -> Plane:
    """(rows, columns) float32, 0 to 255."""
    return np.asarray(picture @ np.array([0.299, 0.587, 0.114], np.float32))


@_once
def hues(picture: Picture) -> Plane:
    """Hue in degrees, saturation and value 0 to 1: (rows, columns, 3) float32."""
    return np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255.0, cv2.COLOR_RGB2HSV), np.float32)


@_once
def floor(picture: Picture) -> Floor | None:
    """The smooth tiles of the floor; None if the picture shows fewer than 30."""
    light = luminance(picture)
    blurred = np.asarray(cv2.GaussianBlur(light, (0, 0), 3.0))
    level = _mode(blurred, *_FLOOR)
    rows, columns = picture.shape[0] // TILE, picture.shape[1] // TILE
    sharp, soft = _tiled(light, rows, columns), _tiled(blurred, rows, columns)
    near = np.abs(sharp.mean((1, 2)) - level) < _NEAR
    plane = _planes(sharp)
    smooth = np.abs(soft - plane).max((1, 2)) < _SMOOTH
    chosen = near & smooth
    if chosen.sum() < _FEWEST_TILES:
        return None
    told, shown = (_tiled(whole, rows, columns)[chosen] for whole in (hues(picture), picture))
    return Floor(float(sharp[chosen].mean()), (sharp - plane)[chosen], told, shown)


def _mode(values: NDArray[Any], low: float, high: float) -> float:
    counts, edges = np.histogram(values, bins=round(2 * (high - low)), range=(low, high))
    return float(edges[np.argmax(counts)] + 0.25)


def _tiled(plane: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    cut = plane[: rows * TILE, : columns * TILE]
    tiles = cut.reshape(rows, TILE, columns, TILE, -1).swapaxes(1, 2).reshape(rows * columns, TILE, TILE, -1)
    return tiles[..., 0] if plane.ndim == 2 else tiles


def _planes(tiles: Plane) -> Plane:
    """Least squares planes through each tile."""
    y, x = np.mgrid[:TILE, :TILE].reshape(2, -1) - (TILE - 1) / 2
    basis = np.stack([np.ones(TILE * TILE), x, y], 1)
    basis /= np.linalg.norm(basis, axis=0)
    flat = tiles.reshape(len(tiles), -1)
    return np.asarray(((flat @ basis) @ basis.T).reshape(tiles.shape), np.float32)


# --- air and floor


def air_level(picture: Picture) -> float | None:
    """The commonest value of the picture's bright pixels."""
    bright = picture[luminance(picture) > 240]
    return float(np.bincount(bright.ravel()).argmax()) if bright.size else None


def air_flaws(picture: Picture) -> float | None:
    """Pixels in a thousand that are not white although all around them is."""
    white = luminance(picture) >= _WHITE
    filled = cv2.morphologyEx(white.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    inside = cv2.erode(filled, np.ones((25, 25), np.uint8), borderValue=1).astype(bool)
    inside[[0, -1]] = False  # COMPASS-XP's pictures have a grey line there
    return float(1000.0 * (~white[inside]).mean()) if inside.sum() > 1000 else None


def floor_level(picture: Picture) -> float | None:
    """Luminance of a basket's floor between its ribs."""
    found = floor(picture)
    return found.level if found else None


def contrast(picture: Picture) -> float | None:
    """By how much air is brighter than a basket's floor."""
    found, air = floor(picture), air_level(picture)
    return air - found.level if found and air else None


def noise(picture: Picture) -> float | None:
    """Standard deviation of the floor's luminance within tiles."""
    found = floor(picture)
    return float(found.tiles.std()) if found else None


def correlation(picture: Picture, across: int, down: int) -> float | None:
    """Of the floor's noise with itself `across` columns and `down` rows further on."""
    found = floor(picture)
    if found is None:
        return None
    first = found.tiles[:, : TILE - down, : TILE - across]
    second = found.tiles[:, down:, across:]
    return float((first * second).mean() / (found.tiles**2).mean())


def specks(picture: Picture) -> float | None:
    """Pixels of the floor in a thousand whose hue is not organic."""
    found = floor(picture)
    return float(1000.0 * _strange(found).mean()) if found else None


def speck_size(picture: Picture) -> float | None:
    """Mean number of pixels that hang together in those specks, corners included."""
    found = floor(picture)
    if found is None or not _strange(found).any():
        return None
    apart = np.zeros((len(found.tiles), TILE + 1, TILE), np.uint8)  # a row between tiles keeps them apart
    apart[:, :TILE] = _strange(found)
    count = cv2.connectedComponents(apart.reshape(-1, TILE), connectivity=8)[0] - 1
    return float(apart.sum() / count)


def _strange(found: Floor) -> NDArray[np.bool_]:
    low, high = CLASSES["organic"]
    return (found.hues[..., 1] > 0.03) & ((found.hues[..., 0] < low) | (found.hues[..., 0] > high))


# --- edges


def edge_width(picture: Picture, axis: int) -> float | None:
    """Pixels between 10% and 90% of the step from a floor to something nearly opaque: the lower quartile of all edges.

    `axis`: 1 along a row, that is along the belt; 0 across it. The lower quartile, because ropes and batteries have
    round and slanted sides, and those are not the scanner's doing.
    """
    steps = _steps(picture, axis, _OPAQUE)
    widths = [w for profile in steps if (w := _rise(profile)) is not None]
    return float(np.percentile(widths, 25)) if len(widths) >= _FEWEST_EDGES else None


def dip(picture: Picture, axis: int) -> float | None:
    """How much darker than the thin metal behind it an edge is drawn: the upper quartile over edges from the floor.

    The upper quartile, because a blade is ground thin on one side.
    """
    depths = [
        float(profile[-_REACH:].mean() - profile[_REACH:-_REACH].min()) for profile in _steps(picture, axis, _THIN)
    ]
    return float(np.percentile(depths, 75)) if len(depths) >= _FEWEST_EDGES else None


def halo(picture: Picture, axis: int) -> float | None:
    """How much brighter than the floor it is drawn beside thin metal: the upper quartile over edges."""
    found = floor(picture)
    peaks = [float(profile[_REACH:-_REACH].max()) for profile in _steps(picture, axis, _THIN)]
    return float(np.percentile(peaks, 75)) - found.level if found and len(peaks) >= _FEWEST_EDGES else None


def _steps(picture: Picture, axis: int, inside: tuple[float, float]) -> Iterator[Plane]:
    """Profiles of 3 * _REACH + 1 pixels, from the floor's plateau over an edge to a plateau `inside` that range.

    Only of edges that lie square to the profile.
    """
    found = floor(picture)
    if found is None:
        return
    light = luminance(picture) if axis == 1 else np.ascontiguousarray(luminance(picture).T)
    soft = cv2.GaussianBlur(light, (0, 0), 1.0)
    slope, other = (cv2.Sobel(soft, cv2.CV_32F, x, 1 - x) for x in (1, 0))
    square = np.abs(other) < _SQUARE * np.abs(slope)
    middle = (3 * _REACH) // 2
    for plane, steep in ((light, square & (slope < -_STEEP)), (light[:, ::-1], (square & (slope > _STEEP))[:, ::-1])):
        windows = np.lib.stride_tricks.sliding_window_view(plane, 3 * _REACH + 1, axis=1)
        seen = windows[steep[:, middle : middle + windows.shape[1]]]
        before, after = seen[:, :_REACH].mean(-1), seen[:, -_REACH:].mean(-1)
        # Of the windows that see one edge, that whose middle is nearest to half of its height.
        half = (before + after) / 2
        here = (seen[:, middle] >= half) & (seen[:, middle + 1] < half)
        here &= (np.abs(before - found.level) < _NEAR) & (after > inside[0]) & (after < inside[1])
        here &= seen[:, -_REACH:].std(-1) < _EVEN
        yield from seen[here]


def _rise(profile: Plane) -> float | None:
    """Pixels from 90% to 10% between the plateaus at both ends of a falling profile."""
    high, low = float(profile[:_REACH].mean()), float(profile[-_REACH:].mean())
    places = []
    for share in (0.9, 0.1):
        level = low + share * (high - low)
        below = np.flatnonzero(profile < level)
        if not below.size or below[0] == 0:
            return None
        i = int(below[0])
        places.append(i - (level - float(profile[i])) / (float(profile[i - 1]) - float(profile[i])))
    return places[1] - places[0]


# --- colours


def colour_at(picture: Picture, material: str, light: float) -> tuple[float, float] | None:
    """Median hue in degrees and saturation of the pixels of a class of CLASSES that have about that luminance."""
    low, high = CLASSES[material]
    shown = hues(picture)
    chosen = (np.abs(luminance(picture) - light) < _BIN) & (shown[..., 1] > 0.05)
    chosen &= (shown[..., 0] >= low) & (shown[..., 0] <= high)
    if chosen.sum() < _FEWEST_PIXELS:
        return None
    return float(np.median(shown[chosen, 0])), float(np.median(shown[chosen, 1]))


def colours(picture: Picture) -> float | None:
    """Different colours among 5,000 pixels of the smooth floor."""
    found = floor(picture)
    if found is None:
        return None
    shown = found.rgb.reshape(-1, 3)[:5000].astype(np.int64) @ [1, 256, 65536]
    return float(len(np.unique(shown))) if len(shown) == 5000 else None


def wall(picture: Picture, share: float) -> float | None:
    """The luminance that `share` of a basket's plastic, ribs, rim and walls included, is darker than."""
    shown, light = hues(picture), luminance(picture)
    plastic = light[(shown[..., 0] < CLASSES["organic"][1]) & (shown[..., 1] > 0.08) & (light < _WHITE)]
    return float(np.percentile(plastic, 100 * share)) if plastic.size > 10_000 else None


def reach(picture: Picture, axis: int) -> float | None:
    """Rows (`axis` 0) or columns (1) from the first to the last pixel of the largest thing in the picture."""
    shown = luminance(picture) < _WHITE
    shown[[0, -1]] = False
    whole = cv2.morphologyEx(shown.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    whole = cv2.morphologyEx(whole, cv2.MORPH_OPEN, np.ones((13, 1), np.uint8))  # a dead element's line
    count, _, found, _ = cv2.connectedComponentsWithStats(whole, connectivity=8)
    if count < 2:
        return None
    largest = found[1 + int(np.argmax(found[1:, cv2.CC_STAT_AREA]))]
    return float(largest[cv2.CC_STAT_HEIGHT if axis == 0 else cv2.CC_STAT_WIDTH])


# --- the picture as a file


def size(picture: Picture) -> float:
    """Bits per pixel of a PNG, by one encoder at one level."""
    return 8.0 * len(cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 6])[1]) / picture[..., 0].size
