"""One of several processes that compare layers over shares of a batch with one process that has all of it.

    python shares_worker.py RANK PROCESSES FILE NETWORK

FILE is where they meet, NETWORK a recipe's or `tiny`. Each prints one JSON object: the largest differences that it saw,
relative to the largest value.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterable

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import StochasticDepth
from xqdata_benchmark.model import Classifier, build
from xqdata_benchmark.recipe import Net
from xqdata_benchmark.shares import Share, together

BATCHES = (5, 4, 2)  # of three processes: unequal shares, and one that is smaller than their number
CPU = torch.device("cpu")


def apart(one: Iterable[Tensor], other: Iterable[Tensor]) -> float:
    """The largest difference of two lists of tensors, relative to the largest value of each."""
    pairs = [(a.detach(), b.detach()) for a, b in zip(one, other, strict=True)]
    return max([0.0, *(float((a - b).abs().max() / a.abs().max().clamp(min=1e-300)) for a, b in pairs)])


def learnt(model: nn.Module, pictures: Tensor, truth: Tensor, part: float) -> tuple[Tensor, list[Tensor]]:
    """Logits, and the gradients of the inputs and of all parameters."""
    torch.manual_seed(7)  # for dropout
    inputs = pictures.clone(memory_format=torch.channels_last).requires_grad_()
    logits = model(inputs)
    (F.cross_entropy(logits, truth) * part).backward()
    assert inputs.grad is not None
    found = [inputs.grad, *(p.grad for p in model.parameters() if p.grad is not None)]
    model.zero_grad()
    return logits.detach(), found


def made(name: str) -> Classifier:
    """One of the recipes' networks, or `tiny`: all layers that depend on the batch, for a fraction of the time."""
    torch.manual_seed(0)
    if name != "tiny":
        return build(Net(name=name), 3, 4).double()
    stages = []
    for before, eps in ((3, 1e-5), (8, 1e-3)):
        stages += [
            nn.Conv2d(before, 8, 3, 2, bias=False),
            nn.BatchNorm2d(8, eps),
            nn.SiLU(),
            StochasticDepth(0.3, "row"),
        ]
    body = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3))
    return Classifier(body, nn.Linear(8, 4)).double()


def network(name: str, share: Share) -> dict[str, float]:
    """Some steps of a network in double precision."""
    alone = made(name).to(memory_format=torch.channels_last).train()
    shared = copy.deepcopy(alone)
    together(shared, share, CPU)
    seen = {"logits": 0.0, "inputs": 0.0, "parameters": 0.0, "buffers": 0.0}
    for batch in BATCHES:
        pictures = torch.randn(batch, 3, 33, 33, dtype=torch.float64) * 3 + 5
        truth = torch.arange(batch) % 4
        share.batch = batch
        rows = share.rows
        logits, expected = learnt(alone, pictures, truth, 1.0)
        part = len(truth[rows]) / batch if share.divided else 1 / share.processes
        mine, (inputs, *parameters) = learnt(shared, pictures[rows], truth[rows], part)
        for gradient in parameters:
            dist.all_reduce(gradient)
        if not share.divided:
            inputs = inputs * share.processes
        buffers = [b.double() for b in alone.buffers()], [b.double() for b in shared.buffers()]
        now = {"logits": apart([logits[rows]], [mine]), "inputs": apart([expected[0][rows]], [inputs]),
               "parameters": apart(expected[1:], parameters), "buffers": apart(*buffers)}  # fmt: skip
        seen = {key: max(seen[key], value) for key, value in now.items()}
    again = made(name).eval()
    again.load_state_dict(shared.state_dict())
    assert list(again.state_dict()) == list(shared.state_dict())
    pictures = torch.randn(2, 3, 33, 33, dtype=torch.float64)
    return seen | {"evaluated": apart([again(pictures)], [shared.eval()(pictures)])}


def far_from_zero(share: Share) -> float:
    """Single precision where the mean is large beside the deviation: outputs and gradients of one normalisation."""
    torch.manual_seed(0)
    pictures = torch.randn(5, 8, 9, 9) + 300
    towards = torch.randn(5, 8, 9, 9)
    alone = nn.Sequential(nn.BatchNorm2d(8))
    shared = copy.deepcopy(alone)
    together(shared, share, CPU)
    share.batch = 5
    found = []
    for layer, rows in ((alone, slice(None)), (shared, share.rows)):
        inputs = pictures[rows].clone().requires_grad_()
        out = layer(inputs)
        (out * towards[rows]).sum().backward()
        found.append((out.detach(), inputs.grad))
    return apart([t[share.rows] for t in found[0]], found[1])


def half(share: Share) -> float:
    """bfloat16 where autocast takes it: gradients of a convolution below a normalisation."""
    torch.manual_seed(0)
    pictures, towards = torch.randn(5, 3, 9, 9), torch.randn(5, 8, 7, 7)
    alone = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    shared = copy.deepcopy(alone)
    together(shared, share, CPU)
    share.batch = 5
    for layer, rows in ((alone, slice(None)), (shared, share.rows)):
        with torch.autocast("cpu", torch.bfloat16):
            out = layer(pictures[rows])
        assert out.dtype == torch.bfloat16
        (out.float() * towards[rows]).sum().backward()
    gradients = [p.grad for p in shared.parameters()]
    for gradient in gradients:
        dist.all_reduce(gradient)
    return apart([alone[0].weight.grad, alone[1].weight.grad], [gradients[0], gradients[2]])


def main(rank: int, processes: int, file: str, name: str) -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=processes)
    share = Share(rank, processes)
    told = {"far_from_zero": far_from_zero(share), "half": half(share)}
    sys.stdout.write(json.dumps(network(name, share) | told))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
