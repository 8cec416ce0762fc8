"""What the tests of containers and belongings ask of a body."""

import numpy as np

from xqdata.simulate import geometry as g

# One view from below and off the middle, one across the belt: coarse, so that many bodies are quick to see.
VIEWS = (
    g.View("top", (150.0, -350.0), (-746.0, 520.0), (454.0, 520.0), 145, 3.5),
    g.View("side", (-900.0, 150.0), (480.0, 520.0), (480.0, -60.0), 105, 3.5),
)
COLUMNS = 214
MIDDLE = COLUMNS * 3.5 / 2


def materials_of(body: g.Body) -> list[str]:
    return sorted({name for part in body for name in (part.material, part.within) if name})


def amounts(body: g.Body, view: g.View = VIEWS[0]) -> np.ndarray:
    """Millimetres of each of its materials along each ray, in the order of `materials_of`."""
    names = materials_of(body)
    rows = 10.0 * np.eye(len(names))
    placed = g.moved(body, g.shift(MIDDLE))
    return g.project(placed, view, COLUMNS, lambda name: rows[names.index(name)], len(names))


def same(one: g.Body, other: g.Body) -> bool:
    """Whether two bodies are equal to the last bit."""
    return len(one) == len(other) and all(_equal(a, b) for a, b in zip(one, other, strict=True))


def _equal(a: g.Part, b: g.Part) -> bool:
    plain = ("shape", "material", "within", "density", "taper", "texture", "cuts")
    if any(getattr(a, name) != getattr(b, name) for name in plain):
        return False
    if (a.raster is None) != (b.raster is None) or not np.array_equal(a.matrix, b.matrix):
        return False
    return a.raster is None or np.array_equal(a.raster, b.raster)


def holds(part: g.Part, points: np.ndarray) -> np.ndarray:
    """Which points (n, 3) lie in a solid; none in a sheet."""
    if part.shape == "sheet":
        return np.zeros(len(points), bool)
    x, y, z = (np.column_stack([points, np.ones(len(points))]) @ np.linalg.inv(part.matrix).T)[:, :3].T
    inside = {
        "ball": x**2 + y**2 + z**2 <= 1,
        "tube": (x**2 + y**2 <= 1) & (abs(z) <= 1),
        "cube": (abs(x) <= 1) & (abs(y) <= 1) & (abs(z) <= 1),
        "cone": (x**2 + y**2 <= (1 - part.taper * (z + 1) / 2) ** 2) & (abs(z) <= 1),
    }[part.shape]
    for a, b, c, d in part.cuts:
        inside &= a * x + b * y + c * z <= d
    return inside


def density_at(body: g.Body, points: np.ndarray) -> np.ndarray:
    """How much solid matter each point (n, 3) lies in, holes taken away, in shares of the materials' densities."""
    total = np.zeros(len(points))
    for part in body:
        effect = part.density - (1.0 if part.within == part.material else 0.0)
        total += effect * holds(part, points)
    return total
