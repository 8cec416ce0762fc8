"""The coarse correlation against NumPy's."""

import cv2
import numpy as np
import pytest

from xqdata.dedup.coarse import aligned, correlations
from xqdata.features import SIDE
from xqdata.schema import ORIENTATIONS


def test_it_is_the_correlation_of_the_turned_thumbnail():
    rng = np.random.default_rng(0)
    thumbs = rng.integers(0, 255, (5, SIDE, SIDE), np.uint8)
    thumbs[4] = 77  # of one value
    for index, name in enumerate(ORIENTATIONS):
        mirrored = thumbs[1][:, ::-1] if name[0] == "m" else thumbs[1]
        turned = np.rot90(mirrored, int(name[1:]) // 90)
        mixed = thumbs.copy()
        mixed[0] = turned // 2 + rng.integers(0, 40, (SIDE, SIDE), np.uint8)
        a, b = np.array([0, 2, 4, 4]), np.array([1, 1, 1, 4])
        found = correlations(mixed, a, b, np.full(4, index, np.int8))
        expected = [np.corrcoef(mixed[i].ravel(), turned.ravel())[0, 1] for i in (0, 2)]
        assert found[:2] == pytest.approx(expected, abs=1e-5) and found[0] > 0.9
        assert found[2] == found[3] == 0


def test_a_trimmed_picture_is_laid_on_the_whole():
    rng = np.random.default_rng(1)
    whole = cv2.GaussianBlur(rng.integers(0, 255, (512, 512), np.uint8), (0, 0), 12)
    whole = cv2.normalize(whole, None, 0, 255, cv2.NORM_MINMAX)
    shrunk = [
        cv2.resize(p, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for p in (whole, whole[9:505, 4:508], whole[::-1])
    ]
    thumbs = np.stack(shrunk)
    a, b, upright = np.array([0, 0]), np.array([1, 2]), np.zeros(2, np.int8)
    trimmed, other = aligned(thumbs, a, b, upright)
    assert trimmed > 0.995 > correlations(thumbs, a, b, upright)[0]
    assert other < 0.5
    # The third is the first upside down, that is, mirrored and turned by half.
    assert aligned(thumbs, a[:1], b[1:], np.array([ORIENTATIONS.index("m180")], np.int8))[0] > 0.999
