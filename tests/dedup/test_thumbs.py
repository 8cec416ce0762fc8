"""Low-resolution pictures on disk.

Wrong while green would be: a picture read at another's place; what was never put read as what lay on the disk before; a
file that is cut off, or gone, read as dark pictures that are like no other.
"""

import numpy as np
import pytest

from xqdata.dedup.thumbs import Thumbs, writing
from xqdata.errors import XqdataError
from xqdata.features import SIDE


@pytest.fixture
def written(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (9, SIDE, SIDE), np.uint8)
    with writing(tmp_path / "thumbs", 10) as put:
        for number in (4, 0, 8, 2):
            put(number, pictures[number])
    return Thumbs(tmp_path / "thumbs"), pictures


def test_each_comes_back_from_its_number_and_others_are_zeros(written):
    thumbs, pictures = written
    assert np.array_equal(thumbs.take(np.array([8, 0, 8, 4, 2])), pictures[[8, 0, 8, 4, 2]])
    assert not thumbs.take(np.array([1, 9])).any()
    assert thumbs.take(np.zeros(0, np.int64)).shape == (0, SIDE, SIDE)


def test_a_file_that_is_cut_off_or_gone_is_one_line(written):
    thumbs, pictures = written
    with thumbs.path.open("r+b") as file:
        file.truncate(8 * SIDE * SIDE + 5)
    assert np.array_equal(thumbs.take(np.array([4])), pictures[[4]])
    with pytest.raises(XqdataError, match="low-resolution pictures are cut off; run the command again"):
        thumbs.take(np.array([4, 8]))
    thumbs.path.unlink()
    with pytest.raises(XqdataError, match=r"cannot be read \(No such file or directory\); run the command again"):
        thumbs.take(np.array([4]))


def test_nobody_writes_into_the_file_of_another(written):
    with pytest.raises(FileExistsError), writing(written[0].path, 10):
        pass
