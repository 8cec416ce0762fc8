"""Low-resolution pictures in a file, so that whoever compares some of them reads those alone, on any node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xqdata.errors import XqdataError
from xqdata.features import SIDE

_BYTES = SIDE * SIDE
_AGAIN = "run the command again"


@dataclass(frozen=True)
class Thumbs:
    """Pictures of (SIDE, SIDE) uint8 in `path`, one after the other by their number."""

    path: Path

    def take(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The pictures of these numbers, (k, SIDE, SIDE) uint8.

        Raises XqdataError where the file is gone or ends before them.
        """
        out = np.empty((len(numbers), SIDE, SIDE), np.uint8)
        # Not mapped into memory: a file that a network file system lost would end the process without a word.
        try:
            with self.path.open("rb", buffering=0) as file:
                for picture, number in zip(out, numbers.tolist(), strict=True):
                    file.seek(number * _BYTES)
                    if file.readinto(picture.data) != _BYTES:
                        raise XqdataError("low-resolution pictures are cut off", where=str(self.path), hint=_AGAIN)
        except OSError as error:
            told = f"low-resolution pictures cannot be read ({error.strerror or error})"
            raise XqdataError(told, where=str(self.path), hint=_AGAIN) from error
        return out


@contextmanager
def writing(path: Path, count: int) -> Iterator[Callable[[int, NDArray[np.uint8]], None]]:
    """A function that puts a picture (SIDE, SIDE) uint8 at its number below `count`; those not put are zeros.

    They can be read when the block has ended. Raises OSError where they cannot be written.
    """
    with path.open("xb") as file:
        file.truncate(count * _BYTES)

        def put(number: int, picture: NDArray[np.uint8]) -> None:
            file.seek(number * _BYTES)
            file.write(picture.tobytes())

        yield put
