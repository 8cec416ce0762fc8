"""OpenCV is kept from instructions that only some processors have.

With AVX-512 it adds in another order than with AVX2 and rounds otherwise, so that masks, and with them a verdict or two
of dedup, would depend on the machine.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# What OpenCV calls AVX-512, and what a processor must have for it.
_NAME, _PARTS = "AVX512-SKX", {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}
_VARIABLE = "OPENCV_CPU_DISABLE"


def settle(told: Path = Path("/proc/cpuinfo")) -> None:
    """Say so to OpenCV, for this process and those that it starts.

    OpenCV asks once, when it is loaded. Where it was loaded before, it goes on as it does, and so do the processes that
    are started: one run is never of two sorts. What somebody has set stays. OpenCV complains of what the processor does
    not have, so nothing is said there.
    """
    if has_avx512(told):
        os.environ.setdefault(_VARIABLE, "" if "cv2" in sys.modules else _NAME)


def has_avx512(told: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor has it, as Linux tells in `told`; false where nothing is told."""
    try:
        with told.open(encoding="ascii", errors="replace") as lines:
            flags = next((line for line in lines if line.startswith("flags")), "")
    except OSError:
        return False
    return set(flags.split()) >= _PARTS
