"""What is kept of one picture for comparing it with many others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xqdata.dedup.keypoints import Keypoints, keypoints
from xqdata.dedup.overlap import spectrum
from xqdata.dedup.register import turned
from xqdata.hashing import Grey

Picture = NDArray[np.float32]

# Longer sides in pixels: of the picture that is compared, of the ones that registration starts on.
SIDE, MIDDLE, SMALL = 1024, 256, 64
_THUMB = 32
# The air end of a picture's range, as `images.quality` has it, a little wider: here noise must not count as content.
_AIR = 0.03
_BRIGHT = 0.995
# A picture holds something when its smoothed values spread this many times as far as its noise alone would, and by this
# many steps of its values.
_ABOVE_NOISE, _LEVELS = 4.0, 1.0
_SMOOTH = 5
_LEAST_SIDE = 16
_DEEP_STEP = 1 / 257  # of 16 bits
_NORMAL = 1.4826  # median of absolute deviations to standard deviation
_OF_DOUBLE_DIFFERENCE = 2.0  # how much (x - right) - (below - below right) widens white noise


@dataclass(frozen=True, eq=False)
class Prepared:
    """One picture, air bright where the polarity is known.

    `size`: height and width of the file's picture. `picture`: uint8 or float32 in 0 to 255, the longer side at most
    SIDE pixels. `middle`, `small`: float32, longer side at most MIDDLE and SMALL. `thumb`: 32 x 32, of mean 0 and
    length 1. `air`: values from this on are air; None where the polarity is unknown. `mask`: foreground without the
    container, as large as `middle`; None where it was not estimated. `informative`: holds more than noise. `step`:
    from one value of the file to the next, in levels of 255.
    """

    size: tuple[int, int]
    picture: NDArray[np.uint8] | Picture
    middle: Picture
    small: Picture
    thumb: Picture
    air: float | None
    mask: NDArray[np.bool_] | None
    informative: bool
    step: float

    def turned(self, orientation: str) -> Prepared:
        """The picture turned as `orientation`, one of ORIENTATIONS, says."""
        pictures = (self.picture, self.middle, self.small, self.thumb)
        picture, middle, small, thumb = (np.ascontiguousarray(turned(p, orientation)) for p in pictures)
        height, width = self.size[::-1] if orientation[1:] in ("90", "270") else self.size
        mask = None if self.mask is None else np.ascontiguousarray(turned(self.mask, orientation))
        return replace(self, size=(height, width), picture=picture, middle=middle, small=small, thumb=thumb, mask=mask)

    @cached_property
    def keypoints(self) -> Keypoints:
        """Local features of the foreground, of the whole picture where no mask was estimated: made when asked for."""
        return keypoints(self.picture, self.mask)

    @cached_property
    def spectrum(self) -> NDArray[np.complex64]:
        """What `overlap.shifts` compares, made when asked for."""
        return spectrum(self.picture)


def prepare(grey: Grey, polarity: str | None, mask: NDArray[np.bool_] | None = None) -> Prepared:
    """What is needed of one picture. `grey`: of a Page, uint8 or float32 in 0 to 255. `polarity`: as in `images`.

    `mask`: (height, width) of `grey`, True where something other than the container lies; None where that is unknown.
    """
    step = 1.0 if grey.dtype == np.uint8 else _DEEP_STEP
    picture = _reduced(np.ascontiguousarray(_inverted(grey) if polarity == "air_dark" else grey), SIDE)
    middle = _reduced(picture, MIDDLE).astype(np.float32)
    small = _reduced(middle, SMALL).astype(np.float32)
    thumb = cv2.resize(middle, (_THUMB, _THUMB), interpolation=cv2.INTER_AREA)
    thumb -= thumb.mean()
    bright_end, dark_end = float(np.quantile(middle, _BRIGHT)), float(middle.min())
    return Prepared(
        size=(grey.shape[0], grey.shape[1]),
        picture=picture,
        middle=middle,
        small=small,
        thumb=np.asarray(thumb / max(float(np.linalg.norm(thumb)), 1e-6), np.float32),
        air=bright_end - _AIR * (bright_end - dark_end) if polarity else None,
        mask=None if mask is None else _shrunk(mask, middle.shape),
        informative=_informative(picture, middle, step),
        step=step,
    )


def _inverted(grey: Grey) -> Grey:
    return cv2.bitwise_not(grey) if grey.dtype == np.uint8 else np.float32(255.0) - grey  # type: ignore[return-value]


def _reduced(picture: NDArray[Any], side: int) -> NDArray[np.uint8] | Picture:
    factor = side / max(picture.shape)
    if factor >= 1.0:
        return picture
    size = (max(2, round(picture.shape[1] * factor)), max(2, round(picture.shape[0] * factor)))
    # The sum over many 8-bit pixels has more than 8 bits.
    return cv2.resize(picture.astype(np.float32), size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _shrunk(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    small = cv2.resize(mask.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(small > 0.25)


def _informative(picture: NDArray[np.uint8] | Picture, middle: Picture, step: float) -> bool:
    """Whether the picture holds shapes, and not only noise or one value."""
    if min(picture.shape) < _LEAST_SIDE:
        return False
    smooth = cv2.blur(middle, (_SMOOTH, _SMOOTH))
    seen = float(smooth.std())
    averaged = _SMOOTH * np.sqrt(picture.size / middle.size)
    return seen > _LEVELS * step and seen > _ABOVE_NOISE * noise(picture) / averaged


def noise(picture: NDArray[np.uint8] | Picture) -> float:
    """Standard deviation of what changes from pixel to pixel in both directions, as noise does and edges do not."""
    part = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2].astype(np.float32)
    double = part[::2, ::2] - part[::2, 1::2] - part[1::2, ::2] + part[1::2, 1::2]
    return _NORMAL * float(np.median(np.abs(double))) / _OF_DOUBLE_DIFFERENCE
