"""How well a plain classifier tells the simulated classes apart on a random split, by difficulty.

    python benchmark/simulate/learnable.py [--difficulty 0 0.5 1] [--scans 1229] [--seed 0] [--keep FOLDER]

Simulates an export without faults for each difficulty. Every scan counts under the object in whose folder it lies, also
mixed ones, as we think the study counted. Features are gradient histograms of the picture at two sizes and how much of
each brightness and hue it shows. A support vector machine learns from four fifths of the scans, drawn at random, and is
tested on the rest, five times, so that every scan is tested once. Prints one Markdown table of recall by class.
Specimens and containers recur on both sides of such a split, as they did in the study.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from xqdata.simulate import Settings, simulate
from xqdata.simulate.plan import objects
from xqdata.simulate.settings import NO_FAULTS

_CELL = 8
_SIZES = ((96, 64), (192, 128))  # of the whole picture; the finer one is summed over the places
_GRADIENTS = [cv2.HOGDescriptor(size, (2 * _CELL, 2 * _CELL), (_CELL, _CELL), (_CELL, _CELL), 9) for size in _SIZES]


def main() -> None:
    """Simulate, learn, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--difficulty", type=float, nargs="+", default=[0.0, 0.5, 1.0])
    parser.add_argument("--scans", type=int, default=1229)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--keep", type=Path, help="folder to simulate into, used again by the next run")
    chosen = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory(prefix="xqdata-") as scratch:
        for difficulty in chosen.difficulty:
            settings = Settings(chosen.scans, seed=chosen.seed, difficulty=difficulty, confounded=0, rates=NO_FAULTS)
            folder = (chosen.keep or Path(scratch)) / f"difficulty-{difficulty:g}"
            made = simulate(folder / "raw", settings, workers=chosen.workers)
            found[difficulty] = recall(made.raw, made.truth)
    print("\n".join(table(found)))


def recall(raw: Path, truth: Path) -> NDArray[np.float64]:
    """Of each class, in the order of `objects`."""
    rows = pq.read_table(truth / "files.parquet").to_pylist()
    labels = np.array([objects().index(row["told_object"]) for row in rows])
    features = np.array([_features(cv2.imread(str(raw / row["path"]))) for row in rows])
    model = make_pipeline(StandardScaler(), PCA(200, random_state=0), SVC(C=10.0, gamma="scale"))
    told = cross_val_predict(model, features, labels, cv=StratifiedKFold(5, shuffle=True, random_state=0))
    return np.array([np.mean(told[labels == i] == i) for i in range(len(objects()))])


def _features(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    small = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for size in _SIZES]
    coarse, fine = (
        g.compute(cv2.cvtColor(s, cv2.COLOR_BGR2GRAY)).ravel() for g, s in zip(_GRADIENTS, small, strict=True)
    )
    orientations = fine.reshape(-1, 9)
    textures = np.concatenate(
        [orientations.mean(0), orientations.std(0), np.percentile(orientations, (50, 90, 99), axis=0).ravel()]
    )
    hues = cv2.cvtColor(small[1], cv2.COLOR_BGR2HSV)
    colours = cv2.calcHist([hues], [0, 1, 2], None, [12, 4, 12], [0, 180, 0, 256, 0, 256]).ravel()
    return np.concatenate([coarse, textures, np.sqrt(colours / colours.sum())]).astype(np.float32)


def table(found: dict[float, NDArray[np.float64]]) -> list[str]:
    """Classes down, difficulties across, and below them lowest, mean and highest."""
    values = 100.0 * np.stack(list(found.values()), axis=1)
    lines = [f"| recall, % | {' | '.join(f'difficulty {d:g}' for d in found)} |", f"|---|{'---:|' * len(found)}"]
    summed = (("lowest", values.min(0)), ("mean", values.mean(0)), ("highest", values.max(0)))
    for name, row in (*zip(objects(), values, strict=True), *summed):
        lines.append(f"| {name} | {' | '.join(f'{v:.0f}' for v in row)} |")
    return lines


if __name__ == "__main__":
    main()
