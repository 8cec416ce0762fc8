"""The learner of the recipes that are networks."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from scipy import special

from xqdata.errors import InputError
from xqdata.groups import Ints
from xqdata.manifest import Project
from xqdata_benchmark import cache, train
from xqdata_benchmark.learner import Learnt, Progress
from xqdata_benchmark.model import build
from xqdata_benchmark.recipe import Recipe
from xqdata_benchmark.samples import Samples, Turn
from xqdata_benchmark.train import Epoch, Store, Trained

CURVES = "curves.csv"
MODEL = "model.safetensors"


class Deep:
    """A network as a Learner."""

    def __init__(
        self, project: Project, data: Samples, recipe: Recipe, device: str, workers: int | None, move: Progress
    ) -> None:
        train.deterministic()
        self.data, self.recipe, self.move = data, recipe, move
        self.fabric = train.fabric_of(device, recipe.train.precision)
        self.lead = bool(self.fabric.is_global_zero)
        self.environment: dict[str, Any] = {
            "device": _named(self.fabric.device),
            "precision": str(self.fabric._precision.precision),
            "processes": self.fabric.world_size,
            "threads": torch.get_num_threads(),
        }
        if not self.lead:
            self.wait()  # the first decodes, the others take what it left
        self.pixels = cache.pixels(
            project, data, recipe.input, workers=workers, again=self.lead,
            progress=lambda done, total: move("decoding scans", done, total, "") if self.lead else None,
        )  # fmt: skip
        if self.lead:
            self.wait()
        self.unread = self.pixels.unread

    def learn(self, turn: Turn, seed: int, folder: Path) -> Learnt:
        """Train from the checkpoint in `folder`, if there is one, and judge with the network that was selected."""
        learnt, looked = np.flatnonzero(turn.train), np.flatnonzero(turn.val)
        store = self.stored(learnt)
        name = f"training{f', fold {turn.name}' if turn.name else ''}{f', seed {seed}' if seed else ''}"

        def progress(epoch: int, done: int, total: int, loss: float, accuracy: float, rate: float) -> None:
            more = f"epoch {epoch}, loss {loss:.2f}, accuracy {accuracy:.0%}, {rate:,.0f} images/s"
            if self.lead:
                self.move(name, (epoch - 1) * total + done, self.recipe.train.epochs * total, more)

        trained = train.train(self.fabric, self.recipe, store, (learnt, looked), folder, seed, progress)
        rows = np.flatnonzero(turn.val | turn.test)
        logits, embeddings = train.predict(self.fabric, self.recipe, store, trained.model, rows)
        return Learnt(rows, probabilities(logits, self.recipe), embeddings, self._keeping(store, trained),
                      train.checkpoints(folder))  # fmt: skip

    def stored(self, learnt: Ints) -> Store:
        """The samples, normalised by those of rows `learnt`."""
        top = np.array([view == "top" for view in self.data.values("view")])
        return train.store(self.pixels.values, self.data.truth, top, learnt, self.recipe, self.fabric.device)

    def _keeping(self, store: Store, trained: Trained) -> Any:
        def keep(place: Path) -> None:
            _curves(trained.curves, place / CURVES)
            told = {
                "classes": json.dumps(self.data.classes),
                "recipe": self.recipe.model_dump_json(),
                "white": str(store.white),
                "mean": json.dumps(store.mean.flatten().tolist()),
                "deviation": json.dumps(store.deviation.flatten().tolist()),
                "epoch": str(trained.selected),
            }
            tensors = {name: value.cpu().contiguous() for name, value in trained.model.state_dict().items()}
            save_file(tensors, place / MODEL, metadata=told)

        return keep

    def wait(self) -> None:
        """Let all processes come to this place."""
        self.fabric.barrier()

    def agreed(self, text: str) -> str:
        """The leading process's `text`, in all of them."""
        return str(self.fabric.broadcast(text))


def judged(learner: Deep, file: Path, rows: Ints) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Probabilities (len(rows), classes of the network) and embeddings of samples, by the network in `file`.

    Raises InputError for a file that holds no network of the learner's recipe.
    """
    try:
        with safe_open(file, "pt") as opened:
            told = {key: json.loads(value) for key, value in opened.metadata().items()}
        tensors = load_file(file)
        mean, deviation = (torch.tensor(told[key]).reshape(1, -1, 1, 1) for key in ("mean", "deviation"))
        net = learner.recipe.model.model_copy(update={"weights": ""})
        model = build(net, mean.shape[1], len(told["classes"])).to(memory_format=torch.channels_last)
        model.load_state_dict(tensors)
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError("holds no network of this recipe, or is damaged", where=str(file)) from error
    if mean.shape[1] != learner.pixels.values.shape[3] or told["white"] != learner.pixels.white:
        what = f"was learnt from {mean.shape[1]} channels of up to {told['white']}"
        these = f"these scans have {learner.pixels.values.shape[3]} of up to {learner.pixels.white}"
        raise InputError(f"{what}, {these}", where=str(file), hint="evaluate it on scans of the same sort")
    device = learner.fabric.device
    store = learner.stored(np.arange(min(1, len(rows))))
    store = replace(store, mean=mean.to(device), deviation=deviation.to(device))
    logits, embeddings = train.predict(learner.fabric, learner.recipe, store, model.to(device), rows)
    return probabilities(logits, learner.recipe), embeddings


def probabilities(
    logits: np.ndarray[Any, np.dtype[np.float32]], recipe: Recipe
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Logits as probabilities: of one class, or of each."""
    exact = logits.astype(np.float64)
    return np.asarray(special.expit(exact) if recipe.task == "multilabel" else special.softmax(exact, axis=1))


def _curves(curves: list[Epoch], file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(asdict(curves[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(epoch) for epoch in curves)


def _named(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device.type)
