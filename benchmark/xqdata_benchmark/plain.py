"""The learner of the recipes `knn` and `linear`: one process, no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from xqdata.manifest import Project
from xqdata_benchmark import cache, shallow
from xqdata_benchmark.learner import Learnt, Progress
from xqdata_benchmark.recipe import Recipe
from xqdata_benchmark.samples import Samples, Turn


class Plain:
    """Scikit-learn's classifiers as a Learner."""

    lead = True

    def __init__(self, project: Project, data: Samples, recipe: Recipe, workers: int | None, move: Progress) -> None:
        self.data, self.recipe, self.move = data, recipe, move
        self.environment: dict[str, Any] = {"device": "cpu"}
        pixels = cache.pixels(
            project, data, recipe.input, workers=workers,
            progress=lambda done, total: move("decoding scans", done, total, ""),
        )  # fmt: skip
        self.described, self.unread = shallow.described(data, pixels, recipe), pixels.unread

    def learn(self, turn: Turn, seed: int, folder: Path) -> Learnt:
        """Fit on training and judge the rest; nothing here is drawn, so all seeds agree."""
        rows = np.flatnonzero(turn.val | turn.test)
        train = np.flatnonzero(turn.train)
        return Learnt(rows, shallow.predict(self.described, self.data.truth, train, rows, self.recipe))

    def wait(self) -> None:
        """There is one process."""

    def agreed(self, text: str) -> str:
        """There is one process."""
        return text
