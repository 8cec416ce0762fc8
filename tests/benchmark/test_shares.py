"""Several processes learn what one does: layer by layer, and through torchrun.

Wrong while green would be: statistics of the whole batch without their gradient; shares of different sizes that count
the same; a batch smaller than the number of processes; running statistics of a share; a variance that is lost where the
mean is large; one mask of dropout for all shares; names in a checkpoint that another number of processes cannot load; a
layer of a network that was passed over; curves that tell of one process's share.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from xqdata_benchmark.recipe import Net
from xqdata_benchmark.run import Result

from assets import shares_worker
from benchmark.conftest import SMALL, run
from xqdata import runs
from xqdata.errors import InputError
from xqdata.manifest import Project

torch = pytest.importorskip("torch")
from torchvision.ops import StochasticDepth  # noqa: E402
from xqdata_benchmark import model  # noqa: E402
from xqdata_benchmark.shares import Share, together  # noqa: E402

TESTS = Path(__file__).parents[1]
ENV = os.environ | {
    "GLOO_SOCKET_IFNAME": "lo",
    "OMP_NUM_THREADS": "1",
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
}
# ResNet-18 on pictures so small that an epoch takes a second. 36 of them: batches of 11, which two processes cannot
# halve, and one of 3.
TINY = ("input.size=32", "train.batch=11", "train.warmup=0.0")


def as_words(sets: tuple[str, ...]) -> list[str]:
    return [word for one in sets for word in ("--set", one)]


def torchrun(folder: Path, *words: str) -> None:
    """`xqdata benchmark` in two processes."""
    start = ["torchrun", "--nproc-per-node", "2", "--no-python", "--"]
    more = ["--device", "cpu", "--workers", "1", "-q"]
    done = subprocess.run(
        [str(Path(sys.executable).with_name(start[0])), *start[1:], *words, *more],
        cwd=folder, capture_output=True, text=True, check=False, timeout=300, env=ENV,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def curves(folder: Path, name: str) -> list[dict[str, float]]:
    with (folder / "runs" / name / "curves.csv").open(encoding="utf-8") as lines:
        return [{key: float(value or "nan") for key, value in line.items()} for line in csv.DictReader(lines)]


def differs(folder: Path, one: str, other: str) -> float:
    """The largest difference of two runs' probabilities."""
    project = Project(folder)
    first, second = (runs.read(project, name).predictions() for name in (one, other))
    assert first["image_id"].equals(second["image_id"])
    names = [f"p_{name}" for name in runs.read(project, one).classes]
    return max(float(np.abs(first[name].to_numpy() - second[name].to_numpy()).max()) for name in names)


def test_three_processes_normalise_and_drop_as_one_does(tmp_path: Path) -> None:
    meet = str(tmp_path / "meet")
    words = [[sys.executable, shares_worker.__file__, str(rank), "3", meet, "tiny"] for rank in range(3)]
    started = [subprocess.Popen(w, stdout=subprocess.PIPE, text=True, cwd=TESTS, env=ENV) for w in words]
    told: list[dict[str, float]] = [json.loads(process.communicate(timeout=200)[0]) for process in started]
    for seen in told:
        assert max(seen[key] for key in ("logits", "inputs", "parameters", "buffers", "evaluated")) < 1e-12
        assert seen["parameters"] > 0  # so they were computed in another way
        assert seen["far_from_zero"] < 1e-4
        assert seen["half"] < 0.03


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_v2_s", "convnext_tiny", "compact"])
def test_no_layer_is_passed_over_and_names_stay(name: str) -> None:
    alone, shared = (model.build(Net(name=name), 3, 5) for _ in range(2))
    together(shared, Share(0, 2), torch.device("cpu"))
    assert list(shared.state_dict()) == list(alone.state_dict())
    assert [id(p) for p in shared.parameters()] == [id(p) for p in dict(shared.named_parameters()).values()]
    depend = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.dropout._DropoutNd, StochasticDepth)
    found = {type(module) for module in shared.modules() if isinstance(module, depend)}
    assert all(one.__module__ == "xqdata_benchmark.shares" for one in found)
    assert bool(found) == (name != "compact")


def test_one_process_keeps_torchs_layers_and_a_gpu_takes_torchs_own() -> None:
    alone, on_gpu = (model.build(Net(name="resnet18"), 3, 5) for _ in range(2))
    before = list(alone.modules())
    together(alone, Share(0, 1), torch.device("cpu"))
    assert all(one is other for one, other in zip(alone.modules(), before, strict=True))
    together(on_gpu, Share(0, 2), torch.device("cuda"))
    normal = [m for m in on_gpu.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    assert {type(m) for m in normal} == {torch.nn.SyncBatchNorm}
    assert list(on_gpu.state_dict()) == list(alone.state_dict())


@pytest.mark.parametrize("batch", range(1, 9))
@pytest.mark.parametrize("processes", range(1, 6))
def test_shares_are_the_batch(batch: int, processes: int) -> None:
    shares = [Share(rank, processes, batch) for rank in range(processes)]
    taken = [list(range(batch))[share.rows] for share in shares]
    if not shares[0].divided:
        assert all(rows == list(range(batch)) for rows in taken)
        return
    assert sorted(row for rows in taken for row in rows) == list(range(batch))
    assert shares[0].parts == [len(rows) / batch for rows in taken]
    assert all(taken)


@pytest.mark.parametrize("batch", [1, 5, 35])
def test_a_lone_picture_that_cannot_be_normalised_is_one_line(go: Callable[..., Result], batch: int) -> None:
    with pytest.raises(InputError, match=r"36 images in batches of \d+ leave a lone one"):
        go("resnet18", "input.size=32", f"train.batch={batch}")


def test_two_processes_give_what_one_gives(made: Path) -> None:
    sets = as_words(SMALL)
    run(made, "benchmark", *sets, "--device", "cpu", "--workers", "1", "-q", "--run", "alone")
    torchrun(made, "xqdata", "benchmark", *sets, "--run", "both")
    assert differs(made, "alone", "both") < 2e-3


def test_two_processes_begin_as_one_with_batch_normalisation(made: Path, go: Callable[..., Result]) -> None:
    """In single precision a difference of 1e-7 grows about tenfold with every step of such small batches, so that only
    the beginning can be compared: without statistics of both shares the loss differs in its second digit. The next test
    compares the end.
    """
    sets = (*TINY, "train.epochs=1", "train.class_weights=balanced")
    go("resnet18", *sets, run="resnet-alone")
    torchrun(made, "xqdata", "benchmark", "--recipe", "resnet18", *as_words(sets), "--run", "resnet-both")
    one, two = (curves(made, f"resnet-{name}")[0] for name in ("alone", "both"))
    assert two["loss"] == pytest.approx(one["loss"], rel=2e-3)
    assert two["lr"] == one["lr"]


@pytest.fixture
def in_double(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a training does in single precision is done in double precision."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_two_processes_end_as_one_in_double_precision(made: Path, go: Callable[..., Result], in_double: None) -> None:
    """So what differs in single precision is float noise."""
    sets = (*TINY, "train.epochs=2")
    go("resnet18", *sets, run="double-alone")
    script = str(TESTS / "assets" / "in_double.py")
    torchrun(made, sys.executable, script, "benchmark", "--recipe", "resnet18", *as_words(sets), "--run", "double-both")
    one, two = (curves(made, f"double-{name}") for name in ("alone", "both"))
    for key in ("loss", "accuracy", "val_loss", "val_accuracy"):
        told = [epoch[key] for epoch in two]
        assert told == pytest.approx([epoch[key] for epoch in one], rel=1e-9, nan_ok=True)
    assert one[1]["val_loss"] != two[1]["val_loss"]  # so they were computed in another way
    assert differs(made, "double-alone", "double-both") < 1e-6
