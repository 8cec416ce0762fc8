"""Training: one network on one division of the samples, an epoch at a time, each epoch kept on disk.

Nothing here depends on what came before an epoch but the checkpoint: order, augmentation and dropout are drawn anew
from the seed and the epoch's number, so that a run which was killed goes on as if it had not been. Lightning Fabric
places model and batches on devices and joins the gradients of several processes.
"""

from __future__ import annotations

import json
import math
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from lightning.fabric import Fabric
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from sklearn.metrics import balanced_accuracy_score
from torch import Tensor

from xqdata.errors import InputError
from xqdata.groups import Ints
from xqdata_benchmark import augment
from xqdata_benchmark.model import Classifier, build, normalisation
from xqdata_benchmark.recipe import Recipe, Train
from xqdata_benchmark.shares import Share, together

_STATE = "checkpoint.safetensors"
_BEST = "best.safetensors"
_EVALUATED = 256  # pictures at once where nothing is learnt


@dataclass(frozen=True)
class Store:
    """All samples, as tensors where they are taken from: on the device if they fit there, else mapped from disk.

    `pixels`: (n, side, side, channels) integers, air the brightest; `truth`: (n, classes) float; `top`: (n,) bool.
    """

    pixels: Tensor
    truth: Tensor
    top: Tensor
    white: int
    mean: Tensor
    deviation: Tensor

    def batch(self, rows: Tensor, device: torch.device) -> Tensor:
        """(len(rows), channels, side, side) float32 on `device`: how dark each place is, air 0, solid 1."""
        taken = self.pixels[rows.to(self.pixels.device)].to(device, non_blocking=True)
        if taken.dtype != torch.uint8:
            taken = taken.to(torch.int32) & 0xFFFF
        return (1.0 - taken.permute(0, 3, 1, 2).float() / self.white).contiguous(memory_format=torch.channels_last)

    def normal(self, pictures: Tensor) -> Tensor:
        """Pictures in deviations from the mean."""
        return (pictures - self.mean) / self.deviation


@dataclass
class Epoch:
    """One line of the learning curves. `val_*` are None where nothing was validated."""

    epoch: int
    lr: float
    loss: float
    accuracy: float
    seconds: float
    images_per_second: float
    val_loss: float | None = None
    val_accuracy: float | None = None
    val_balanced_accuracy: float | None = None


@dataclass
class Trained:
    """The network as it was selected, on the device, and its curves. `selected`: the epoch, from 1."""

    model: Classifier
    curves: list[Epoch] = field(default_factory=list)
    selected: int = 0


Progress = Callable[[int, int, int, float, float, float], None]  # epoch, done, total, loss, accuracy, images/s


def fabric_of(device: str, precision: str) -> Fabric:
    """Where a run computes: one device, or those that torchrun gave out. InputError for one that is not there."""
    kinds = {"auto": "auto", "cpu": "cpu", "cuda": "cuda", "mps": "mps"}
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("there is no CUDA device that torch can use", where="--device cuda", hint="try --device auto")
    if device == "mps" and not torch.backends.mps.is_available():
        raise InputError("there is no MPS device", where="--device mps", hint="try --device auto")
    fast = device in ("auto", "cuda") and torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    chosen = ("bf16-mixed" if fast else "32-true") if precision == "auto" else precision
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    nodes = int(os.environ.get("GROUP_WORLD_SIZE", "1"))
    made = Fabric(accelerator=kinds[device], devices=local, num_nodes=nodes, precision=chosen)  # type: ignore[arg-type]
    made.launch()
    return made


def deterministic() -> None:
    """The same figures from the same seed on the same device."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.set_float32_matmul_precision("high")


def store(
    pixels: NDArray[Any], truth: NDArray[np.bool_], top: NDArray[np.bool_], train: Ints, recipe: Recipe,
    device: torch.device,
) -> Store:  # fmt: skip
    """The samples for training on `device`. `train`: rows whose mean and deviation normalise all."""
    white = int(np.iinfo(pixels.dtype).max)
    # torch has few operations for uint16: the same bits as int16, unfolded in `batch`.
    array = pixels if pixels.dtype == np.uint8 else pixels.view(np.int16)
    held = torch.from_numpy(np.asarray(array)) if array.flags.writeable else _mapped(array)
    if device.type == "cuda" and held.nbytes < 0.4 * torch.cuda.mem_get_info(device)[0]:
        held = held.to(device)
    known = normalisation(recipe.model)
    if known is not None and pixels.shape[3] == 3:
        # ImageNet's figures are of brightness, ours of darkness: turned round, the network sees what it learnt from.
        mean, deviation = [1 - m for m in known[0]], [-s for s in known[1]]
    else:
        mean, deviation = _moments(pixels, train, white)
    shape = (1, -1, 1, 1)
    return Store(
        held,
        torch.from_numpy(truth.astype(np.float32)),
        torch.from_numpy(top),
        white,
        torch.tensor(mean, device=device).reshape(shape),
        torch.tensor(deviation, device=device).reshape(shape),
    )


def _moments(pixels: NDArray[Any], train: Ints, white: int) -> tuple[list[float], list[float]]:
    """Mean and deviation of each channel's darkness, of some of the rows `train`, one picture in memory at a time."""
    some = np.sort(train)[:: max(1, len(train) // 2000)]
    sums = np.zeros((2, pixels.shape[3]))
    for row in some:
        dark = 1.0 - pixels[row].astype(np.float64) / white
        sums += dark.mean((0, 1)), (dark**2).mean((0, 1))
    mean, square = sums / len(some)
    return mean.tolist(), np.sqrt((square - mean**2).clip(1e-6)).tolist()


def _mapped(array: NDArray[Any]) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # nobody writes to it
        return torch.from_numpy(np.asarray(array))


def train(
    fabric: Fabric,
    recipe: Recipe,
    data: Store,
    rows: tuple[Ints, Ints],
    folder: Path,
    seed: int,
    progress: Progress = lambda *_: None,
) -> Trained:
    """Train on rows[0], looking at rows[1] (which may be none); go on from the checkpoint in `folder` if there is one.

    Raises InputError where the checkpoint is of another architecture, and for a batch that it cannot normalise.
    """
    asked = recipe.train
    learnt, looked = (torch.from_numpy(np.asarray(r)) for r in rows)
    torch.manual_seed(seed)
    model = build(recipe.model, data.pixels.shape[3], data.truth.shape[1]).to(memory_format=torch.channels_last)
    _normalisable(model, data.pixels.shape[1], len(learnt), asked.batch)
    share = Share(fabric.global_rank, fabric.world_size)
    together(model, share, fabric.device)
    optimiser = _optimiser(model, asked)
    wrapped, wrapped_optimiser = fabric.setup(model, optimiser)
    result = Trained(model)
    if (folder / _STATE).exists():
        _restore(folder, model, optimiser, result)
    steps = math.ceil(len(learnt) / asked.batch)
    weights = _class_weights(data.truth[learnt], asked).to(fabric.device)
    for epoch in range(len(result.curves), asked.epochs):
        told = _epoch(
            fabric, recipe, data, learnt, (wrapped, wrapped_optimiser, share), weights, (epoch, steps, seed), progress
        )
        last = epoch + 1 == asked.epochs
        if len(looked) and ((epoch + 1) % asked.validate_every == 0 or last):
            _validate(fabric, recipe, data, looked, model, told)
        result.curves.append(told)
        if fabric.is_global_zero:
            _keep(folder, model, optimiser, result, recipe)
        fabric.barrier()
    _select(folder, model, result, recipe)
    fabric.barrier()  # the files that it reads go once the leading process has kept its network
    return result


def _normalisable(model: Classifier, side: int, pictures: int, batch: int) -> None:
    """Raises InputError where batch normalisation would meet one value: a lone picture, at the end of an epoch, whose
    last maps are one place. torchvision's networks make them 32 times smaller than the picture.
    """
    lone = 1 in (batch, pictures % batch)
    if lone and side <= 32 and any(isinstance(module, torch.nn.BatchNorm2d) for module in model.modules()):
        hint = "give --set input.size=64, or another --set train.batch"
        what = f"{pictures:,} images in batches of {batch} leave a lone one, which is too small at {side} pixels"
        raise InputError(what, where=f"train.batch={batch}", hint=hint)


def predict(fabric: Fabric, recipe: Recipe, data: Store, model: Classifier, rows: Ints) -> tuple[
    NDArray[np.float32], NDArray[np.float32]
]:  # fmt: skip
    """Logits (len(rows), classes) and embeddings (len(rows), width) of samples, in their order."""
    model.eval()
    logits, embeddings = [], []
    with torch.inference_mode():
        for some in torch.split(torch.from_numpy(np.asarray(rows)), _EVALUATED):
            with fabric.autocast():
                out, found = model.embedded(data.normal(data.batch(some, fabric.device)))
            logits.append(out.float().cpu())
            embeddings.append(found.float().cpu())
    return torch.cat(logits).numpy(), torch.cat(embeddings).numpy()


def _epoch(
    fabric: Fabric,
    recipe: Recipe,
    data: Store,
    learnt: Tensor,
    setup: tuple[Any, Any, Share],
    weights: Tensor,
    at: tuple[int, int, int],
    progress: Progress,
) -> Epoch:
    """Train on every sample once."""
    model, optimiser, share = setup
    epoch, steps, seed = at
    asked = recipe.train
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    torch.manual_seed(seed * 1_000_003 + epoch)  # for dropout
    order = learnt[torch.randperm(len(learnt), generator=generator)]
    model.train()
    started, lr = time.perf_counter(), 0.0
    sums = torch.zeros(3, device=fabric.device)
    for step, batch in enumerate(torch.split(order, asked.batch)):
        maps = augment.drawn(recipe.augment, data.top[batch], generator)
        share.batch = len(batch)
        mine = share.rows
        pictures = data.normal(augment.moved(data.batch(batch[mine], fabric.device), maps[mine]))
        truth = data.truth[batch[mine]].to(fabric.device)
        lr = _rate(asked, epoch * steps + step, asked.epochs * steps)
        for group in optimiser.param_groups:
            group["lr"] = lr
        logits = model(pictures)
        loss = _loss(logits.float(), truth, weights, recipe)
        # What share of the batch's loss this is, and how often each picture counts.
        once = 1.0 if share.divided else 1.0 / share.processes
        part = _weight(truth, weights, recipe) / _weight(data.truth[batch], weights, recipe) * once
        optimiser.zero_grad(set_to_none=True)
        # Gradients are averaged over processes, whose shares of a batch may differ.
        fabric.backward(loss * part * share.processes)
        optimiser.step()
        with torch.no_grad():
            right = _right(logits, truth, recipe).sum() * once
            count = torch.tensor(len(truth) * once, device=fabric.device)
            sums += torch.stack([loss * part * len(batch), right, count])
        if step % 8 == 7 or step + 1 == steps:
            seen = sums.tolist()
            rate = seen[2] * fabric.world_size / (time.perf_counter() - started)
            progress(epoch + 1, step + 1, steps, seen[0] / seen[2], seen[1] / seen[2], rate)
    total = fabric.all_reduce(sums, reduce_op="sum") if fabric.world_size > 1 else sums
    loss_sum, right_sum, count = total.tolist()  # type: ignore[union-attr]
    seconds = time.perf_counter() - started
    return Epoch(epoch + 1, lr, loss_sum / count, right_sum / count, seconds, count / seconds)


def _loss(logits: Tensor, truth: Tensor, weights: Tensor, recipe: Recipe) -> Tensor:
    smoothing = recipe.train.label_smoothing
    if recipe.task == "multilabel":
        target = truth * (1 - smoothing) + smoothing / 2
        return F.binary_cross_entropy_with_logits(logits, target, pos_weight=weights)
    return F.cross_entropy(logits, truth.argmax(1), weight=weights, label_smoothing=smoothing)


def _weight(truth: Tensor, weights: Tensor, recipe: Recipe) -> Tensor:
    """What the mean in `_loss` divides by: the number of pictures, or the sum of their classes' weights."""
    if recipe.task == "multilabel":
        return torch.tensor(float(len(truth)), device=weights.device)
    return weights[truth.argmax(1).to(weights.device)].sum()


def _right(logits: Tensor, truth: Tensor, recipe: Recipe) -> Tensor:
    if recipe.task == "multilabel":
        return ((logits > 0) == (truth > 0.5)).all(1)
    return logits.argmax(1) == truth.argmax(1)


def _class_weights(truth: Tensor, asked: Train) -> Tensor:
    """(classes,) weights that are 1 on average over the samples; of multilabel, of the positives."""
    if asked.class_weights == "none":
        return torch.ones(truth.shape[1])
    counts = truth.sum(0)
    held = counts > 0
    return torch.where(held, len(truth) / (held.sum() * counts.clamp(min=1)), torch.ones(()))


def _optimiser(model: Classifier, asked: Train) -> torch.optim.Optimizer:
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": asked.weight_decay}, {"params": others, "weight_decay": 0.0}]
    if asked.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=asked.lr, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=asked.lr)


def _rate(asked: Train, step: int, total: int) -> float:
    """The learning rate of a step."""
    rising = round(asked.warmup * total)
    if step < rising:
        return asked.lr * (step + 1) / rising
    done = (step - rising) / max(1, total - 1 - rising)
    if asked.schedule == "cosine":
        return asked.lr_end + (asked.lr - asked.lr_end) * (1 + math.cos(math.pi * done)) / 2
    if asked.schedule == "linear":
        return asked.lr + (asked.lr_end - asked.lr) * done
    if asked.schedule == "exponential":
        return float(asked.lr * (max(asked.lr_end, 1e-12) / asked.lr) ** done)
    return asked.lr


def _validate(fabric: Fabric, recipe: Recipe, data: Store, looked: Tensor, model: Classifier, told: Epoch) -> None:
    logits = torch.from_numpy(predict(fabric, recipe, data, model, looked.numpy())[0])
    truth = data.truth[looked]
    told.val_loss = float(_loss(logits, truth, torch.ones(truth.shape[1]), recipe))
    told.val_accuracy = float(_right(logits, truth, recipe).float().mean())
    told.val_balanced_accuracy = told.val_accuracy
    if recipe.task == "single":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # classes that are predicted and not in validation
            true, found = truth.argmax(1).numpy(), logits.argmax(1).numpy()
            told.val_balanced_accuracy = float(balanced_accuracy_score(true, found))


def _best(curves: list[Epoch]) -> int:
    """The number of the epoch with the best validation, from 1; the last where nothing was validated."""
    looked = [e for e in curves if e.val_balanced_accuracy is not None]
    return max(looked, key=lambda e: (e.val_balanced_accuracy, e.epoch)).epoch if looked else len(curves)


def _keep(folder: Path, model: Classifier, optimiser: torch.optim.Optimizer, result: Trained, recipe: Recipe) -> None:
    """Write the checkpoint of the epoch that ended: whole, or the one before stays."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{key}": value for key, value in state.items() if value is not None}
    curves = json.dumps([asdict(epoch) for epoch in result.curves])
    # The best first: a checkpoint must never name a best epoch whose weights are not there.
    if recipe.train.select == "best" and _best(result.curves) == len(result.curves):
        _save(model.state_dict(), folder / _BEST, {})
    _save(tensors, folder / _STATE, {"curves": curves})


def _save(tensors: dict[str, Tensor], file: Path, told: dict[str, str]) -> None:
    part = file.with_name(f".{file.name}.part")
    save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, part, metadata=told)
    with part.open("rb") as handle:
        os.fsync(handle.fileno())
    part.replace(file)


def _restore(folder: Path, model: Classifier, optimiser: torch.optim.Optimizer, result: Trained) -> None:
    from safetensors import SafetensorError, safe_open

    file = folder / _STATE
    try:
        tensors = load_file(file)
        with safe_open(file, "pt") as opened:
            told = opened.metadata()
        model.load_state_dict(_below(tensors, "model."))
    except (RuntimeError, SafetensorError, OSError) as error:
        hint = "run without --resume, or with the recipe that it was trained with"
        raise InputError("is no checkpoint of this architecture, or is damaged", where=str(file), hint=hint) from error
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in _below(tensors, "optimiser.").items():
        number, key = name.split(".")
        state.setdefault(int(number), {})[key] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    result.curves = [Epoch(**epoch) for epoch in json.loads(told["curves"])]


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _select(folder: Path, model: Classifier, result: Trained, recipe: Recipe) -> None:
    result.selected = len(result.curves)
    if recipe.train.select == "best":
        result.selected = _best(result.curves)
        if result.selected < len(result.curves):
            model.load_state_dict(load_file(folder / _BEST))


def checkpoints(folder: Path) -> tuple[Path, ...]:
    """The files in `folder` that a training goes on from."""
    return tuple(path for name in (_STATE, _BEST) if (path := folder / name).exists())
