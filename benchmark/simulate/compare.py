"""Real scans and simulated ones by the same figures.

    XQDATA_REAL_DATA=/data/real python benchmark/simulate/compare.py [--seed 11] [--scans 48] [--write]

Reads the scans of COMPASS-XP in the folder `compass_xp` of the real data, simulates scans of the default settings, and
prints one Markdown table. `--write` puts it into README.md.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from itertools import combinations, islice
from pathlib import Path
from typing import Any

import figures
import numpy as np
from figures import CLASSES, Picture
from numpy.typing import NDArray
from PIL import Image

from xqdata.hashing import hashes
from xqdata.simulate import Settings
from xqdata.simulate.boxes import block
from xqdata.simulate.geometry import Body, moved, shift, turn
from xqdata.simulate.machine import photograph
from xqdata.simulate.plan import Scan, plan
from xqdata.simulate.scene import BELT, Scene, scene
from xqdata.simulate.truth import container_id

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
LIGHTS = {
    "organic": (60.0, 100.0, 140.0, 180.0, 212.0, 232.0),
    "mixed": (60.0, 100.0, 140.0, 180.0, 212.0),
    "metal": (30.0, 60.0, 100.0, 140.0),
}
BLADE = 2.0  # mm of steel: as bright in the simulator as the real bread knife's blade


@dataclass
class Shown:
    """Pictures of one side. `single`: one object in a basket; `busy`: with belongings; `blades`: thin steel in it.

    `things`: what `single` shows, in its order: the object and the basket it lies in.
    """

    single: list[Picture]
    busy: list[Picture]
    blades: list[Picture]
    things: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """One line of the table. `which`: the pictures of Shown that it is measured on. `ratio`: of the two medians, where
    their difference says little.
    """

    title: str
    which: str
    measure: Callable[[Picture], float | None]
    digits: int = 1
    ratio: bool = False


def main() -> None:
    """Measure both and print the table."""
    options = _options()
    folder = os.environ.get("XQDATA_REAL_DATA")
    if not folder:
        sys.exit("XQDATA_REAL_DATA is not set: it names the folder that holds compass_xp")
    settings = Settings(seed=options.seed)
    real, simulated = real_scans(Path(folder) / "compass_xp"), simulated_scans(settings, options.scans)
    text = "\n".join([*_circumstances(settings, real, simulated), "", *table(real, simulated)])
    print(text)
    if options.write:
        before, rest = README.read_text(encoding="utf-8").split(BEGIN, 1)
        README.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END, 1)[1]}", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=11, help="of the simulated scans (11: nothing was tuned on it)")
    parser.add_argument("--scans", type=int, default=48, help="simulated scans of single objects (48)")
    parser.add_argument("--write", action="store_true", help="put the table into benchmark/simulate/README.md")
    return parser.parse_args()


# --- the pictures


def real_scans(folder: Path) -> Shown:
    """The scans of COMPASS-XP, all of them in one basket. Blades are those of the bread knife."""
    with (folder / "acquisition.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    pictures = [_read(folder / row["file"]) for row in rows]
    knives = [p for p, row in zip(pictures, rows, strict=True) if row["object"] == "bread_knife"]
    return Shown(pictures, pictures, knives, [(row["object"], "the basket") for row in rows])


def _read(path: Path) -> Picture:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def simulated_scans(settings: Settings, count: int) -> Shown:
    """`count` scans of single objects, half as many with belongings, and each basket with two blades."""
    scans = [s for s in plan(settings) if not s.overlay and s.again == 0]
    single = list(_spread([s for s in scans if s.scan_type == "single_basket"], count))
    busy = list(_spread([s for s in scans if s.scan_type == "single_basket_cluttered"], count // 2))
    return Shown(
        [_taken(settings, s, scene(settings, s)) for s in single],
        [_taken(settings, s, scene(settings, s)) for s in busy],
        [_taken(settings, s, _blades(settings, s)) for s in _each_basket(scans)],
        [(s.object, str(container_id(s))) for s in single],
    )


def _spread(scans: Sequence[Scan], count: int) -> Iterator[Scan]:
    """`count` of them, evenly over the diary."""
    return islice(scans[:: max(1, len(scans) // count)], count)


def _each_basket(scans: Sequence[Scan]) -> list[Scan]:
    """The first scan of every basket by every machine."""
    found: dict[tuple[int, int], Scan] = {}
    for scan in scans:
        if scan.scan_type == "single_basket":
            found.setdefault((scan.container, scan.scanner), scan)
    return list(found.values())


def _blades(settings: Settings, scan: Scan) -> Scene:
    """The scan's basket with two plates of steel in place of the object: one along the belt, one across it."""
    plates: Body = ()
    for half, x, y in (((90.0, 12.5), -60.0, 50.0), ((12.5, 60.0), 150.0, -50.0)):
        plate = block((0, 0, 0), (*half, BLADE / 2), "steel")
        plates += moved((plate,), shift(BELT / 2 + x, y, 8.0) @ turn("z", 4.0))
    return Scene(plates, scene(settings, scan).around, ())


def _taken(settings: Settings, scan: Scan, what: Scene) -> Picture:
    pixels = photograph(settings, scan, what, exposed=True)["top", "colour"].pixels
    return np.asarray(pixels, np.uint8)


# --- the table


def rows() -> list[Row]:
    """Every figure that is taken of a picture."""
    found = [
        Row("air: commonest value", "single", figures.air_level, 0),
        Row("air: pixels in a thousand that are not white", "single", figures.air_flaws),
        Row("floor: luminance between the ribs", "single", figures.floor_level),
        Row("floor: darker than air by", "single", figures.contrast),
        Row("basket: columns that it reaches over, handles included", "blades", partial(figures.reach, axis=1), 0),
        Row("basket: rows that it reaches over", "blades", partial(figures.reach, axis=0), 0),
        *(
            Row(f"basket: {share:.0%} of its plastic is darker than", "blades", partial(figures.wall, share=share), 0)
            for share in (0.01, 0.05, 0.20)
        ),
        Row("floor: noise, standard deviation", "single", figures.noise, 2, ratio=True),
        *(
            Row(f"floor: correlation of noise, {told}", "single", partial(figures.correlation, across=x, down=y), 2)
            for told, x, y in (("1 column on", 1, 0), ("2 columns on", 2, 0), ("1 row on", 0, 1), ("2 rows on", 0, 2),
                               ("1 column and 1 row on", 1, 1))
        ),
        Row("floor: specks of another hue, pixels in a thousand", "single", figures.specks, ratio=True),
        Row("floor: pixels in one such speck", "single", figures.speck_size, ratio=True),
        Row("floor: colours among 5,000 pixels", "single", figures.colours, 0, ratio=True),
    ]  # fmt: skip
    for told, axis in (("along the belt", 1), ("across it", 0)):
        found += [
            Row(f"edge of ballast, {told}: 10 to 90%, pixels", "single", partial(figures.edge_width, axis=axis), 2),
            Row(f"edge of thin steel, {told}: darker than the steel by", "blades", partial(figures.dip, axis=axis), 0),
            Row(
                f"edge of thin steel, {told}: brighter than the floor by", "blades", partial(figures.halo, axis=axis), 0
            ),
        ]
    for material in CLASSES:
        for light in LIGHTS[material]:
            for index, told in ((0, "hue"), (1, "saturation")):
                measure = partial(_colour, material=material, light=light, index=index)
                found.append(Row(f"{material} at luminance {light:.0f}: {told}", "busy", measure, 2 * index))
    found.append(Row("bits in a PNG for each pixel", "single", figures.size, 1, ratio=True))
    return found


def _colour(picture: Picture, material: str, light: float, index: int) -> float | None:
    found = figures.colour_at(picture, material, light)
    return found[index] if found else None


def table(real: Shown, simulated: Shown) -> list[str]:
    """The lines of the table: figures down, real, simulated and what lies between them across."""
    lines = ["| figure | real | simulated | simulated against real |", "|---|---:|---:|---:|"]
    for row, theirs, ours in zip(rows(), measured(real), measured(simulated), strict=True):
        lines.append(f"| {row.title} | {_told(theirs, row)} | {_told(ours, row)} | {_against(theirs, ours, row)} |")
    return [*lines, *_widths(real, simulated), *_hashes(real, simulated)]


def _widths(real: Shown, simulated: Shown) -> list[str]:
    widths = [np.array([p.shape[1] for p in side.single]) for side in (real, simulated)]
    told = [f"{w.mean():.1f}, {w.std():.1f}" for w in widths]
    further = widths[1].mean() - widths[0].mean()
    return [f"| width of a picture: mean, standard deviation | {told[0]} | {told[1]} | {further:+.1f} |"]


def _hashes(real: Shown, simulated: Shown) -> list[str]:
    near = [hash_distances(side.single, side.things) for side in (real, simulated)]
    if not all(n.size for n in near):
        return []
    quantiles = [np.percentile(n, (10, 50, 90)) for n in near]
    told = [f"{middle:.0f} ({low:.0f} to {high:.0f})" for low, middle, high in quantiles]
    shares = [100.0 * float((n <= 10).mean()) for n in near]
    apart = quantiles[1][1] - quantiles[0][1]
    return [
        f"| pHash of other objects in one basket: bits apart | {told[0]} | {told[1]} | {apart:+.0f} |",
        f"| of those pairs, 10 bits apart or less, % | {shares[0]:.0f} | {shares[1]:.0f} | {np.diff(shares)[0]:+.0f} |",
    ]


def measured(side: Shown) -> list[NDArray[Any]]:
    """What every one of `rows` gives on its pictures; those that do not show it are left out."""
    wanted = rows()
    values: list[list[float]] = [[] for _ in wanted]
    for which in ("single", "busy", "blades"):
        pictures: list[Picture] = getattr(side, which)
        for picture in pictures:
            for row, found in zip(wanted, values, strict=True):
                if row.which == which and (value := row.measure(picture)) is not None:
                    found.append(value)
    return [np.array(found) for found in values]


def _told(values: NDArray[Any], row: Row) -> str:
    """The median, and what 80% of the scans lie within."""
    if not values.size:
        return "none"
    low, middle, high = (f"{np.percentile(values, share):.{row.digits}f}" for share in (10, 50, 90))
    return f"{middle} ({low} to {high})" if low != high else middle


def _against(real: NDArray[Any], simulated: NDArray[Any], row: Row) -> str:
    if not (real.size and simulated.size):
        return "–"
    ours, theirs = float(np.median(simulated)), float(np.median(real))
    return f"× {ours / theirs:.2f}" if row.ratio else f"{ours - theirs:+.{row.digits}f}"


def hash_distances(pictures: Sequence[Picture], things: Sequence[tuple[str, str]]) -> NDArray[Any]:
    """Bits between the pHashes of every two scans of different objects in the same basket."""
    known = [hashes(np.asarray(Image.fromarray(p).convert("L"))).phash for p in pictures]
    return np.array([
        (known[i] ^ known[j]).bit_count()
        for i, j in combinations(range(len(pictures)), 2)
        if things[i][0] != things[j][0] and things[i][1] == things[j][1]
    ])  # fmt: skip


def _circumstances(settings: Settings, real: Shown, simulated: Shown) -> list[str]:
    used: Mapping[str, str] = {n: version(n) for n in ("xqdata", "numpy", "opencv-python-headless")}
    return [
        f"- {time.strftime('%Y-%m-%d')}: {len(real.single)} real scans, {len(real.blades)} of them of a blade; "
        f"simulated, seed {settings.seed}, default settings: {len(simulated.single)} of single objects in baskets, "
        f"{len(simulated.busy)} with belongings, {len(simulated.blades)} of blades",
        f"- Python {platform.python_version()}; {', '.join(f'{n} {v}' for n, v in used.items())}",
        "- median over the scans, in brackets what 80% of them lie within",
    ]


if __name__ == "__main__":
    main()
