"""Pillow's fixed point: sums in units of 2^-22, rounded to bytes."""

from __future__ import annotations

import numpy as np

from xqdata.kernels.compiled import inner

BITS = 22  # Pillow's PRECISION_BITS for 8-bit channels: 32 - 8 - 2
HALF = 1 << (BITS - 1)


@inner
def byte_of(total: np.int32) -> int:
    """A sum of weighed bytes, which HALF was added to, as the nearest byte."""
    value = int(total >> BITS)
    return 0 if value < 0 else (255 if value > 255 else value)
