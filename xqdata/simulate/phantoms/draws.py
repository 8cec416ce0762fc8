"""Chance, and how hard a specimen is to tell from its neighbours."""

from __future__ import annotations

import numpy as np

from xqdata.simulate.geometry import Matrix, Texture, turn


class Draw:
    """One specimen's draw from its class.

    `difficulty` (0 to 1) does two things. It widens all spreads, and it pulls a specimen towards what its class has in
    common with those that it may be taken for: `pull` is 0 for a typical specimen and 1 for the most confusable. One
    pull serves the whole specimen, so that size, shape and contents deceive together.
    """

    def __init__(self, rng: np.random.Generator, difficulty: float) -> None:
        if not 0.0 <= difficulty <= 1.0:
            raise ValueError(f"difficulty is {difficulty}; it goes from 0 to 1")
        self.rng = rng
        self.width = 0.7 + 0.6 * difficulty
        self.pull = difficulty * float(np.sqrt(rng.random()))

    def size(self, typical: float, common: float | None = None, spread: float = 0.08) -> float:
        """A positive number about `typical`, pulled towards `common`; `spread` is its relative standard deviation."""
        mean = self.towards(typical, typical if common is None else common)
        return mean * (1.0 + self.width * spread * float(np.clip(self.rng.normal(), -2.2, 2.2)))

    def towards(self, typical: float, common: float) -> float:
        """`typical` for a pull of 0, `common` for 1."""
        return typical + self.pull * (common - typical)

    def uniform(self, low: float, high: float) -> float:
        """Any number between two."""
        return float(self.rng.uniform(low, high))

    def normal(self, spread: float) -> float:
        """About 0, never more than 2.5 standard deviations away."""
        return spread * float(np.clip(self.rng.normal(), -2.5, 2.5))

    def count(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, typical: float, common: float | None = None) -> bool:
        """True with the probability `typical`, pulled towards `common`."""
        return bool(self.rng.random() < self.towards(typical, typical if common is None else common))

    def texture(self, amount: float, x: float, y: float | None = None, z: float | None = None) -> Texture:
        """Density lumps of x, y, z mm in a pattern of this specimen's own."""
        grain = (x, x if y is None else y, x if z is None else z)
        return Texture(amount, grain, int(self.rng.integers(1 << 31)))

    def spin(self) -> Matrix:
        """Any rotation; all are equally likely."""
        tilt = float(np.degrees(np.arccos(self.uniform(-1, 1))))
        return turn("z", self.uniform(0, 360)) @ turn("x", tilt) @ turn("z", self.uniform(0, 360))

    def waves(self, count: int, reach: float) -> np.ndarray:
        """`count` numbers along a line that change smoothly, at most `reach` in size: low harmonics, random phases."""
        u = np.linspace(0.0, 1.0, count)
        total = sum(
            self.rng.uniform(-1, 1) / k * np.sin(2 * np.pi * (0.6 * k * u + self.rng.random())) for k in (1, 2, 3)
        )
        return np.asarray(reach * total / (1 + 1 / 2 + 1 / 3))
