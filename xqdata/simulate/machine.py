"""The two simulated scanners: their tubes, detectors and views, and what one pass through them gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from xqdata.containers.rle import rle
from xqdata.simulate import truth
from xqdata.simulate.detector import Detector, Table
from xqdata.simulate.exposure import Exposure, expose, quanta
from xqdata.simulate.files import ENERGIES, File
from xqdata.simulate.geometry import Body, View, add_projection, pixel_box, project
from xqdata.simulate.materials import materials
from xqdata.simulate.pictures import Pixels, stamp
from xqdata.simulate.plan import MACHINE, PASS, SCANNERS, Scan, rng
from xqdata.simulate.render import Palette, colour
from xqdata.simulate.scene import BELT, Scene
from xqdata.simulate.settings import Settings
from xqdata.simulate.spectrum import tube

# The tunnel is 640 mm wide and 430 mm high. Below: a source under the belt and off its middle, as in the real machine,
# so that the walls of a basket are seen from the side. Beside: across the belt.
STEP = 0.88  # mm of belt for each column at nominal speed
SPEED = 0.2  # m/s
VIEWS = {
    "top": View("top", (150.0, -350.0), (-811.0, 520.0), (389.0, 520.0), 580, STEP),
    "side": View("side", (-900.0, 150.0), (480.0, 500.0), (480.0, -150.0), 420, STEP),
}
# The belt's speed from pass to pass.
_UNEVEN = 0.004
_DEAD = (0, 1)  # detector elements of the first and the second machine that give no signal
# Areal density in g/cm2 below which a thing does not show.
_SEEN = 0.03
MAKE, MODEL, SITE, PALETTE, LICENCE = "xqdata", "SIM640", "simulated", "gilardoni", "CC0-1.0"

HEADER = (
    *("file", "acquired_at", "operator", "site", "session", "series", "no", "scan_id", "bag", "objects", "specimens"),
    *("container_id", "manufacturer", "model", "serial_number", "kV", "mA", "belt_speed m/s", "view", "channel"),
    *("palette", "polarity", "licence"),
)


@dataclass(frozen=True)
class Picture:
    """One picture and where its contents lie. `pixels`: None where only that was asked for."""

    pixels: Pixels | None
    rle: str
    box: list[int] | None
    specimen_boxes: list[list[int]]


@dataclass(frozen=True)
class _Machine:
    table: Table
    exposure: Exposure
    palette: Palette
    known: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def coefficients(self, material: str) -> NDArray[np.float64]:
        """What a centimetre of the material adds: the table's coefficients, and its areal density in g/cm2."""
        if material not in self.known:
            found = materials()[material]
            self.known[material] = np.array([*self.table.coefficients(found), 1.0]) * found.density
        return self.known[material]


@lru_cache(maxsize=4)
def _machine(seed: int, number: int) -> _Machine:
    _, kvp, _ = SCANNERS[number]
    spectrum, detector = tube(kvp), Detector()
    draw = rng(Settings(seed=seed), MACHINE, number)
    dead = tuple(int(row) for row in draw.integers(20, 400, _DEAD[number]))
    exposure = Exposure(quanta(spectrum, detector), dead=dead, mended=False, machine=int(draw.integers(1 << 31)))
    table = Table(spectrum, detector)
    return _Machine(table, exposure, Palette(PALETTE, table, exposure.air))


def belt_speed(settings: Settings, scan: Scan) -> float:
    """The belt's speed in this pass, m/s."""
    draw = rng(settings, PASS, scan.packing, scan.again, 1)
    return round(SPEED * (1.0 + _UNEVEN * float(draw.standard_normal())), 5)


def photograph(settings: Settings, scan: Scan, what: Scene, *, exposed: bool) -> dict[tuple[str, str], Picture]:
    """Every view and channel of one pass; only where the contents lie, unless `exposed`."""
    machine = _machine(settings.seed, scan.scanner)
    made: dict[tuple[str, str], Picture] = {}
    for name in settings.views:
        view = replace(VIEWS[name], step=STEP * belt_speed(settings, scan) / SPEED)
        columns = round(BELT / view.step)
        depth = project(what.contents, view, columns, machine.coefficients, machine.table.k + 1)
        where = (*_mask(depth[..., -1] > _SEEN), _boxes(what.specimens, view, columns))
        shots: dict[str, Pixels] = {}
        if exposed:
            add_projection(depth, what.around, view, machine.coefficients)
            shots = _shots(settings, scan, machine, name, np.ascontiguousarray(depth[..., :-1]))
        for channel in ("colour", *(ENERGIES if settings.deep else ())):
            made[name, channel] = Picture(shots.get(channel), *where)
    return made


def _shots(
    settings: Settings, scan: Scan, machine: _Machine, view: str, depth: NDArray[np.float32]
) -> dict[str, Pixels]:
    draw = rng(settings, PASS, scan.packing, scan.again, 2 + list(VIEWS).index(view))
    low, high = expose(*machine.table.signals(depth), draw, machine.exposure)
    picture = colour(low, high, machine.palette)
    if scan.overlay:
        picture = stamp(picture, scan.at, SCANNERS[scan.scanner][0])
    return {"colour": picture, "high": high, "low": low}


def _mask(mask: NDArray[np.bool_]) -> tuple[str, list[int] | None]:
    """Run lengths and box of everything that is neither container nor air."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return rle(mask), None
    x, y = int(columns[0]), int(rows[0])
    return rle(mask), [x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1]


def _boxes(bodies: Sequence[Body], view: View, columns: int) -> list[list[int]]:
    return [list(pixel_box(body, view, columns) or (0, 0, 0, 0)) for body in bodies]


def log_row(settings: Settings, scan: Scan, file: File) -> tuple[object, ...]:
    """What the operator's log says of one picture, under HEADER."""
    serial, kvp, ma = SCANNERS[scan.scanner]
    objects = scan.objects if scan.wrong_label is None else (scan.wrong_label,)
    row = truth.file_row(scan, file)
    return (
        *(file.path, f"{scan.at:%Y-%m-%d %H:%M:%S}", scan.operator, SITE, row["session"], row["series"], scan.number),
        *(row["scan_id"], row["bag"], "; ".join(objects), "; ".join(row["specimens"]), row["container_id"]),
        *(MAKE, MODEL, serial, kvp, ma, belt_speed(settings, scan), file.view, file.channel),
        *(PALETTE if file.channel == "colour" else "", "air_bright", LICENCE),
    )
