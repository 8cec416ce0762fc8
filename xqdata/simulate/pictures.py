"""Pictures as files: encoding, and the copies and damage that are planted."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from xqdata.simulate.files import File

Pixels = NDArray[Any]  # uint8 or uint16, (rows, columns) or (rows, columns, 3)


def stamp(pixels: NDArray[np.uint8], at: datetime, serial: str) -> NDArray[np.uint8]:
    """The picture with time and machine burnt into its upper left corner, as some exports have them."""
    out = pixels.copy()
    cv2.putText(
        out, f"{at:%Y-%m-%d %H:%M:%S}  {serial}", (8, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (20, 20, 20), 1, cv2.LINE_AA
    )
    return out


def derived(file: File, pixels: Pixels) -> Pixels:
    """The pixels of `file`, made from those of its source."""
    rows, columns = pixels.shape[:2]
    left, top, right, bottom = file.window
    out = pixels[round(top * rows) : round(bottom * rows), round(left * columns) : round(right * columns)]
    if file.factor != 1.0:
        size = (round(out.shape[1] * file.factor), round(out.shape[0] * file.factor))
        out = cv2.resize(out, size, interpolation=cv2.INTER_AREA)
    if file.mirror:
        out = out[:, ::-1]
    return np.ascontiguousarray(np.rot90(out, file.turn))


def encoded(file: File, pixels: Pixels) -> bytes:
    """The bytes of `file`: by its ending, except where that lies; only the first `share` of them."""
    if file.kind == "empty":
        return b""
    if file.quality:
        whole = _jpeg(pixels, file.quality)
    elif file.kind == "pixel_copies" and _ending(file) == "png":
        whole = _by_opencv(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 6])  # other bytes than the scanner's
    else:
        whole = _LOSSLESS[_ending(file)](pixels)
    return whole[: int(len(whole) * file.share)] if file.share < 1.0 else whole


def _ending(file: File) -> str:
    ending = file.path.rsplit(".", 1)[1]
    # Only what is recompressed is a real JPEG: a scanner's PNG under that ending is a planted fault.
    return "png" if ending == "jpg" else ending


def _png(pixels: Pixels) -> bytes:
    # Fast, as a scanner must be. Level and strategy do not show in the pixels.
    fast = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    return _by_opencv(".png", pixels, fast)


def _jpeg(pixels: Pixels, quality: int) -> bytes:
    return _by_opencv(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])


def _by_opencv(ending: str, pixels: Pixels, options: list[int]) -> bytes:
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    return bytes(cv2.imencode(ending, bgr, options)[1])


def _tiff(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    # Without a date and a description, so that the same pixels are the same bytes.
    tifffile.imwrite(buffer, pixels, compression="zlib", metadata=None, software=False, datetime=None)
    return buffer.getvalue()


_LOSSLESS: dict[str, Callable[[Pixels], bytes]] = {
    "png": _png,
    "bmp": lambda pixels: _by_opencv(".bmp", pixels, []),
    "tif": _tiff,
}
