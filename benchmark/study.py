"""What a random split hides: the study repeated on simulated scans, with honest splits beside it.

    python benchmark/study.py [--work FOLDER] [--write]

makes the simulated laboratories, trains what is not trained yet, and prints the tables; `--write` puts them and the
figures into benchmark/results and benchmark/README.md. It can be stopped at any time and goes on where it was. Rounds
are trained one after the other, a split seed and a training seed each, so that what is there is always a fair sample.
What benchmark/results holds of the same scans and the same recipes is not trained again, unless `--afresh` asks for it.
`--only knn,linear` leaves the network out, `--cnn RECIPE` trains another one, such as `study` where a GPU is at hand.
`--real FOLDER` adds a folder of real scans, with `--group-from REGEX` where paths tell what belongs together.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from studied import jobs, pages, real, worlds
from studied.jobs import Job, World
from xqdata_benchmark import recipe as recipes
from xqdata_benchmark import ties
from xqdata_benchmark.gap import with_copies
from xqdata_benchmark.learner import Learner
from xqdata_benchmark.options import Options
from xqdata_benchmark.run import learner_of
from xqdata_benchmark.samples import Turn, samples

from xqdata import taxonomy
from xqdata.manifest import Project

# Whole scans teach a small network nothing in reasonable time, 96 pixels take four times as long as 48. Trainings that
# are compared have the same number of images, so that the epochs below are the same number of steps on both sides.
# Where scans grow with specimens, each level has fewer epochs: as many steps as one specimen's.
SETS = ("input.size=48", "train.validate_every=1000")
EPOCHS = {"splits": 14, "types": 20, "specimens": 60, "copies": 20, "rescans": 20, "scans": 60}
# Of the network's trainings, those of one split with its five folds take half an hour on two cores, those of one fold
# of the scan types ten minutes.
SPLIT_SEEDS = {("cnn", "splits"): 1, ("cnn", "types"): 1}
_TINY = 2  # epochs where the script is only tried out


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    work: Path
    cnn: str
    only: tuple[str, ...]
    parts: tuple[str, ...]
    seeds: int
    scans: int | None
    workers: int | None
    device: str
    afresh: bool


def main() -> None:
    """Make, train, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("study-work"), help="where everything is kept")
    parser.add_argument("--cnn", default="quick", help="the network's recipe")
    parser.add_argument("--only", default="knn,linear,cnn", help="of knn, linear and cnn")
    parser.add_argument("--parts", default=",".join(jobs.PARTS), help="comparisons, in the order of their importance")
    parser.add_argument("--seeds", type=int, default=3, help="training seeds of each of the 5 split seeds")
    parser.add_argument("--scans", type=int, help="fewer scans in each world, to try the script out")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--afresh", action="store_true", help="train again what benchmark/results holds")
    parser.add_argument("--real", type=Path, help="a folder of real scans")
    parser.add_argument("--group-from", help="with --real: what a named group finds in paths belongs together")
    parser.add_argument("--write", action="store_true", help="put tables and figures into the repository")
    parser.add_argument("--no-training", action="store_true", help="tell of what is trained already")
    told = parser.parse_args()
    only, parts = (tuple(text.split(",")) for text in (told.only, told.parts))
    asked = Asked(told.work, told.cnn, only, parts, told.seeds, told.scans, told.workers, told.device, told.afresh)
    if told.real:
        real.measured(told.real, told.group_from, asked.work, asked.only, told.workers)
    elif not told.no_training:
        trained(asked)
    pages.tell(asked.work, write=told.write, alone=told.scans is not None)


def trained(asked: Asked) -> None:
    """Train every job that has no predictions yet: the decisive parts first, a round of seeds after the other."""
    made = {
        name: worlds.made(worlds.LABORATORIES[name], asked.work, asked.scans, asked.workers)
        for name in dict.fromkeys(jobs.WORLD_OF[part] for part in asked.parts)
    }
    benches: dict[tuple[str, str], Bench] = {}
    for seed in range(asked.seeds):
        for name in asked.only:
            for part in asked.parts:
                if (name, part) not in benches:
                    benches[name, part] = Bench.of(made[jobs.WORLD_OF[part]], name, part, asked)
                bench = benches[name, part]
                for split_seed in worlds.SPLIT_SEEDS[: SPLIT_SEEDS.get((name, part))]:
                    for job in jobs.PARTS[part](bench.world, split_seed, seed):
                        if job.test.any() and job.train.any():  # very small worlds have too few twins
                            bench.train(job)


@dataclass
class Bench:
    """A world's samples, what learns from them, and where predictions go. `learners`: by epochs, made when needed."""

    world: World
    options: Options
    folder: Path
    learners: dict[int, Learner] = field(default_factory=dict)

    @classmethod
    def of(cls, project: Project, name: str, part: str, asked: Asked) -> Bench:
        """For the recipe called `name`, at the part's epochs."""
        made = recipes.load(asked.cnn, _sets(asked, part)) if name == "cnn" else recipes.load(name)
        options = with_copies(Options("random-0", name, made, device=asked.device, workers=asked.workers))
        data = samples(project, taxonomy.load(), options.split, options.recipe)
        mark = hashlib.sha256(json.dumps([made.model_dump(), data.ids], sort_keys=True).encode()).hexdigest()[:8]
        folder = asked.work / "predictions" / f"{name}-{mark}"
        folder.mkdir(parents=True, exist_ok=True)
        used = folder.parent / pages.USED
        known = json.loads(used.read_text()) if used.exists() else {}
        used.write_text(json.dumps(known | {f"{name} {part}": folder.name}, indent=1))
        if not asked.afresh:
            pages.give(f"{name} {part}", folder)
        return cls(World(project, data), options, folder)

    def train(self, job: Job) -> None:
        """Train and judge, and keep what was said of each image; nothing where that is there already."""
        file = self.folder / f"{job.name}.parquet"
        if file.exists():
            return
        data = self.world.data
        learner = self._learner(job)
        started = time.monotonic()
        none = np.zeros(len(data), bool)
        work = self.folder / f"work-{job.name}"
        learnt = learner.learn(Turn(job.name, job.train, none, job.test), job.seed, work)
        for left in learnt.spare:
            left.unlink(missing_ok=True)
        if work.is_dir():
            work.rmdir()
        rows = learnt.rows
        right = learnt.probability.argmax(1) == data.label[rows]
        table = pa.table(dict(_columns(self.world, job, rows, learnt.probability.argmax(1))))
        pq.write_table(table, file.with_suffix(".part"))
        file.with_suffix(".part").replace(file)
        spent = time.monotonic() - started
        print(f"{self.options.recipe_name} {job.name}: {job.train.sum():,} images, {right.mean():.1%} right of "
              f"{len(rows):,}, {spent:.0f} s", file=sys.stderr, flush=True)  # fmt: skip

    def _learner(self, job: Job) -> Learner:
        known = self.options.recipe
        epochs = known.train.epochs // (int(job.level) if job.part == "scans" else 1)
        if epochs not in self.learners:
            train = known.train.model_copy(update={"epochs": max(1, epochs)})
            options = replace(self.options, recipe=known.model_copy(update={"train": train}))
            self.learners[epochs] = learner_of(self.world.project, self.world.data, options, lambda *_: None)
        return self.learners[epochs]


def _sets(asked: Asked, part: str) -> tuple[str, ...]:
    """What makes `quick` fit two cores; another recipe is trained as it is."""
    if asked.scans:
        return (*SETS, f"train.epochs={_TINY}")
    return (*SETS, f"train.epochs={EPOCHS[part]}") if asked.cnn == "quick" else ()


def _columns(world: World, job: Job, rows: np.ndarray, said: np.ndarray) -> Iterator[tuple[str, pa.Array]]:
    """What is kept of each tested image."""
    data, classes = world.data, np.array(world.data.classes, object)
    material = data.material
    # Where mixed scans tie specimens, a family is larger than one specimen.
    family = data.family if job.part in ("splits", "types") else world.specimen
    yield "image", pa.array(world.number[rows])
    yield "family", pa.array(family[rows])
    yield "true", pa.array(classes[data.label[rows]].tolist()).dictionary_encode()
    yield "predicted", pa.array(classes[said].tolist()).dictionary_encode()
    near = ties.nearest(material, data.rows[np.flatnonzero(job.train)], data.rows[rows])
    yield "tie", pa.array(near.tolist()).dictionary_encode()
    yield "scan_type", pa.array(world.scan_type[rows].tolist()).dictionary_encode()
    yield "trained", pa.array(np.full(len(rows), int(job.train.sum())))


if __name__ == "__main__":
    main()
