"""Where two pictures of one resolution share a part: the shift at which their finest details coincide."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# Side of the square that pictures are laid in, after halving: twice this many pixels is the longest side there is.
_SQUARE = 512
# How far a shift has to stand out, in standard deviations of all shifts. Parts of one scan reach 45 and more at JPEG
# quality 75, pictures of other things stay below 12, other passes of one bag mostly below 50.
_PEAK = 20.0
_WINDOW = 5


def spectrum(picture: NDArray[Any]) -> NDArray[np.complex64]:
    """The Fourier transform of a picture's fine details, every frequency at the same strength.

    `picture`: uint8 or float32 of up to 1024 pixels on a side; it is halved first, which keeps what JPEG leaves.
    """
    rows, columns = picture.shape[0] // 2, picture.shape[1] // 2
    half = cv2.resize(picture.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    fine = half - cv2.blur(half, (_WINDOW, _WINDOW))
    bound = 3 * 1.4826 * float(np.median(np.abs(fine[::2, ::2]))) + 0.5
    square = np.zeros((_SQUARE, _SQUARE), np.float32)
    square[:rows, :columns] = np.clip(fine, -bound, bound)
    found = np.fft.rfft2(square).astype(np.complex64)
    return np.asarray(found / np.maximum(np.abs(found), 1e-6), np.complex64)


def shifts(a: NDArray[np.complex64], b: NDArray[np.complex64]) -> list[tuple[int, int]]:
    """x and y in pixels from a place in picture a to the same place in b, as far as chance does not explain them.

    The transform is periodic, so a shift comes with those that differ by its period.
    """
    surface = np.fft.irfft2(np.conj(a) * b, (_SQUARE, _SQUARE))
    peak = int(surface.argmax())
    if surface.flat[peak] < _PEAK * float(surface.std()):
        return []
    y, x = divmod(peak, _SQUARE)
    return [(2 * (x - i), 2 * (y - j)) for i in (0, _SQUARE) for j in (0, _SQUARE)]
