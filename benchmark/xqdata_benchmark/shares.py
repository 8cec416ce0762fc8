"""Layers that depend on the whole batch, made to do in several processes what they do in one.

Each process takes some pictures of a step's batch. Batch normalisation by those alone would be another network with
every number of processes, and dropout would draw the same mask for every share. So statistics are of all shares, in
the backward pass too, and masks are drawn for the whole batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import StochasticDepth, stochastic_depth

_EACH = (0, 2, 3)  # dimensions that a channel's statistics are taken over
_CHANNEL = (1, -1, 1, 1)


@dataclass
class Share:
    """What one process takes of a step's batch. `batch`: its pictures in all, said before each step."""

    rank: int = 0
    processes: int = 1
    batch: int = 0

    @property
    def divided(self) -> bool:
        """Whether each process has pictures of its own: a batch smaller than their number goes whole to all of them."""
        return self.batch >= self.processes > 1

    @property
    def rows(self) -> slice:
        """This process's pictures of the batch."""
        return slice(self.rank, None, self.processes) if self.divided else slice(None)

    @property
    def parts(self) -> list[float]:
        """Each process's part of a divided batch; they add up to 1."""
        return [len(range(rank, self.batch, self.processes)) / self.batch for rank in range(self.processes)]


def together(model: nn.Module, share: Share, device: torch.device) -> None:
    """Replace the layers of `model` by those that see the whole batch; names and values of its state stay.

    With one process nothing is replaced.
    """
    if share.processes == 1:
        return
    if device.type == "cuda":
        # torch's own is faster there, and refuses a processor. Of a batch that goes to all processes it counts every
        # picture several times, which only the unbiased running variance feels.
        nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            setattr(parent, name, _shared(child, share))


def _shared(module: nn.Module, share: Share) -> nn.Module:
    if type(module) is nn.BatchNorm2d:
        return _BatchNorm(module, share)
    if type(module) is nn.Dropout:
        return _Dropout(module, share)
    if type(module) is StochasticDepth:
        return _StochasticDepth(module, share)
    return module


class _BatchNorm(nn.BatchNorm2d):
    """Batch normalisation by the pictures of all processes."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def __init__(self, one: nn.BatchNorm2d, share: Share) -> None:
        super().__init__(one.num_features, one.eps, one.momentum)
        self.to(one.weight).load_state_dict(one.state_dict())
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) to the same."""
        if not (self.training and self.share.divided):
            return super().forward(x)
        count = self.share.batch * x[0, 0].numel()
        with torch.no_grad():
            mean, variance = self._statistics(x)
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        found: Tensor = _Normalise.apply(x, self.weight, self.bias, mean, variance, self.eps, count)
        return found

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(channels,) mean and variance of the whole batch, from those of each share: no sum of squares, which loses
        the variance where the mean is large. Source: T. Chan et al. (1983), Algorithms for Computing the Sample
        Variance.
        """
        variance, mean = torch.var_mean(_full(x), _EACH, correction=0)
        own = torch.stack([mean, variance])
        every = [torch.empty_like(own) for _ in range(self.share.processes)]
        dist.all_gather(every, own)
        means, variances = torch.stack(every, 1)
        parts = own.new_tensor(self.share.parts)[:, None]
        mean = (parts * means).sum(0)
        return mean, (parts * (variances + (means - mean) ** 2)).sum(0)


class _Normalise(torch.autograd.Function):
    """Normalisation by statistics of all shares, whose gradient comes from all shares too.

    The gradients of weight and bias are of this share: those of parameters are averaged over processes anyway.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, eps: float, count: int
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, torch.rsqrt(variance + eps))
        ctx.count = count
        return F.batch_norm(x, mean, variance, weight, bias, eps=eps)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Any:
        x, weight, mean, scale = ctx.saved_tensors
        slope = _full(slope)
        normal = (_full(x) - mean.view(_CHANNEL)) * scale.view(_CHANNEL)
        own = torch.stack([slope.sum(_EACH), (slope * normal).sum(_EACH)])
        every = own.clone()
        dist.all_reduce(every)
        of_mean, of_scale = (every / ctx.count).view(2, *_CHANNEL)
        found = (slope - of_mean - normal * of_scale) * (weight * scale).view(_CHANNEL)
        return found.to(x.dtype), own[1], own[0], None, None, None, None


class _Dropout(nn.Dropout):
    """Dropout whose mask is drawn for the whole batch, so that it is the one that a single process draws."""

    def __init__(self, one: nn.Dropout, share: Share) -> None:
        super().__init__(one.p)
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """(n, ...) to the same."""
        if not (self.training and self.share.divided):
            return super().forward(x)
        mask = F.dropout(x.new_ones(self.share.batch, *x.shape[1:]), self.p)
        return x * mask[self.share.rows]


class _StochasticDepth(StochasticDepth):  # type: ignore[misc]  # torchvision has no types
    """The same of torchvision's layer that leaves out whole pictures of a branch."""

    def __init__(self, one: StochasticDepth, share: Share) -> None:
        super().__init__(one.p, one.mode)
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """(n, ...) to the same."""
        if not (self.training and self.share.divided):
            found: Tensor = super().forward(x)
            return found
        mask: Tensor = stochastic_depth(x.new_ones(self.share.batch, *[1] * (x.ndim - 1)), self.p, self.mode)
        return x * mask[self.share.rows]


def _full(x: Tensor) -> Tensor:
    """In single precision at least, which statistics need."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
