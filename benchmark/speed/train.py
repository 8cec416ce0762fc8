"""How many images a second training takes in, beside a plain DataLoader with torchvision's transforms.

    python benchmark/speed/train.py PROJECT [--split default] [--recipe quick] [--rounds 5] [--device auto] [--write]

PROJECT is a folder in which xqdata ingest, dedup and split have run. Both sides train the same network with the same
optimiser on the same images in one process, an epoch of one after an epoch of the other. Prints a Markdown table;
`--write` puts it into train.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2
from xqdata_benchmark import cache, train
from xqdata_benchmark.model import build
from xqdata_benchmark.recipe import Recipe, load
from xqdata_benchmark.samples import Samples, samples, turns

from xqdata import scans, taxonomy
from xqdata.engine import default_workers
from xqdata.manifest import Project

PAGE = Path(__file__).with_name("train.md")
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
_PACKAGES = ("torch", "torchvision", "lightning", "numpy", "pillow", "opencv-python-headless")


@dataclass(frozen=True)
class Side:
    """Images a second of each round."""

    name: str
    rates: list[float]


class Files(Dataset[tuple[Tensor, int]]):
    """The plain way: each picture is opened by Pillow and brought to size each time it is asked for."""

    def __init__(self, files: list[Path], labels: list[int], size: int) -> None:
        self.files, self.labels = files, labels
        self.change = v2.Compose(
            [
                v2.Resize((size, size), antialias=True),
                v2.RandomHorizontalFlip(),
                v2.RandomAffine(0, translate=(0.05, 0.05), scale=(0.9, 1.1)),
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize((0.9, 0.9, 0.9), (0.15, 0.15, 0.2)),
            ]
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, at: int) -> tuple[Tensor, int]:
        with Image.open(self.files[at]) as picture:
            return self.change(picture.convert("RGB")), self.labels[at]


def plain(data: Samples, project: Project, rows: np.ndarray, recipe: Recipe, device: torch.device) -> Iterator[float]:
    """Images a second of each epoch of the plain loop, for ever."""
    images = data.material.images.take(data.rows[rows])
    files = [scan.file for scan in scans.located(project, images)]
    labels = data.label[rows].tolist()
    loader = DataLoader(Files(files, labels, recipe.input.size), recipe.train.batch, shuffle=True,
                        num_workers=default_workers(), persistent_workers=True,
                        pin_memory=device.type == "cuda")  # fmt: skip
    model = build(recipe.model, 3, len(data.classes)).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.train.lr)
    while True:
        started = time.perf_counter()
        for pictures, label in loader:
            optimiser.zero_grad()
            F.cross_entropy(model(pictures.to(device)), label.to(device)).backward()
            optimiser.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        yield len(files) / (time.perf_counter() - started)


def ours(data: Samples, values: np.ndarray, rows: np.ndarray, recipe: Recipe, fabric: object) -> Iterator[float]:
    """Images a second of each epoch of xqdata's loop, for ever: each goes on from the checkpoint of the one before."""
    top = np.array([view == "top" for view in data.values("view")])
    store = train.store(values, data.truth, top, rows, recipe, fabric.device)
    with tempfile.TemporaryDirectory() as folder:
        epoch = 0
        while True:
            epoch += 1
            longer = recipe.model_copy(update={"train": recipe.train.model_copy(update={"epochs": epoch})})
            started = time.perf_counter()
            train.train(fabric, longer, store, (rows, rows[:0]), Path(folder), 0)
            yield len(rows) / (time.perf_counter() - started)


def measure(project: Project, split: str, recipe: Recipe, rounds: int, device: str) -> tuple[list[Side], str]:
    """Both sides, an epoch each in turn, and what was measured in words."""
    data = samples(project, taxonomy.load(), split, recipe)
    turn = next(turns(data, split, data.material.sides.rotates))
    rows = np.flatnonzero(turn.train)
    started = time.perf_counter()
    pixels = cache.pixels(project, data, recipe.input)
    cached = time.perf_counter() - started
    train.deterministic()
    fabric = train.fabric_of(device, recipe.train.precision)
    both = {
        "xqdata": ours(data, pixels.values, rows, recipe, fabric),
        "DataLoader, Pillow and torchvision's transforms": plain(data, project, rows, recipe, fabric.device),
    }
    for side in both.values():
        next(side)  # workers start, buffers are made, kernels are chosen
    rates: dict[str, list[float]] = {name: [] for name in both}
    for _ in range(rounds):
        for name, side in both.items():
            rates[name].append(next(side))
    where = torch.cuda.get_device_name() if fabric.device.type == "cuda" else f"{default_workers()} processors"
    told = (
        f"{len(rows):,} images in training, {recipe.model.name} at {recipe.input.size} pixels, batches of "
        f"{recipe.train.batch}, {where}. The cache of {len(data):,} scans was opened or made in {cached:.1f} s, once."
    )
    return [Side(name, found) for name, found in rates.items()], told


def tables(sides: list[Side], told: str) -> str:
    """The Markdown."""
    first = median(sides[0].rates)
    lines = [told, "", "| loop | images/s (median) | lowest to highest | ours / theirs |", "|---|---|---|---|"]
    for side in sides:
        mid, low, high = median(side.rates), min(side.rates), max(side.rates)
        lines.append(f"| {side.name} | {mid:,.0f} | {low:,.0f} to {high:,.0f} | {first / mid:.2f} |")
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return "\n".join([*lines, "", f"Python {platform.python_version()}; {packages}.", ""])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("--split", default="default")
    parser.add_argument("--recipe", default="quick")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    text = tables(*measure(Project(asked.project), asked.split, load(asked.recipe), asked.rounds, asked.device))
    print(text)
    if asked.write:
        page = PAGE.read_text(encoding="utf-8")
        head, rest = page.split(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
