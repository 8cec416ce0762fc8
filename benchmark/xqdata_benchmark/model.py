"""The networks: a compact one of our own for processors, and torchvision's."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import load_file
from torch import Tensor, nn

from xqdata.errors import InputError
from xqdata_benchmark.recipe import Net

_STAGES = 5  # of the compact network, each at half the resolution of the one before


class Classifier(nn.Module):
    """A network whose last layer is linear; what that layer is given is the embedding.

    `forward`: (n, channels, side, side) float, air 0, to logits (n, classes); `embedded` gives the embedding, too.
    """

    def __init__(self, body: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.body, self.head = body, head

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (n, classes)."""
        return self.embedded(pictures)[0]

    def embedded(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, classes) and embeddings (n, width)."""
        found = self.body(pictures)
        return self.head(found), found


def build(net: Net, channels: int, classes: int) -> Classifier:
    """The network of a recipe, its weights drawn from torch's generator or read from `net.weights`.

    Raises InputError for weights that cannot be had or belong to another architecture.
    """
    if net.name == "compact" and net.weights and not Path(net.weights).suffix:
        raise InputError("compact has no weights of torchvision's", where=net.weights, hint="name a file")
    body, width = _compact(net, channels) if net.name == "compact" else _torchvision(net, channels)
    made = Classifier(body, nn.Linear(width, classes))
    nn.init.normal_(made.head.weight, std=0.01)
    nn.init.zeros_(made.head.bias)
    if net.weights and Path(net.weights).suffix:
        _load(made, Path(net.weights))
    return made


def normalisation(net: Net) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Mean and deviation of ImageNet's channels where the weights were learnt there; None: use training's own."""
    if not net.weights or Path(net.weights).suffix == ".safetensors":
        return None
    return (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class _Conv(nn.Conv2d):
    """A convolution whose filters each have mean 0 and deviation 1, which lets networks without batch normalisation
    learn fast. Source: S. Qiao et al., Weight Standardization (2019).
    """

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) to the same with other channels."""
        variance, mean = torch.var_mean(self.weight, dim=(1, 2, 3), keepdim=True, correction=0)
        scale = torch.rsqrt(variance * self.weight[0].numel() + 1e-4)
        return F.conv2d(x, (self.weight - mean) * scale, None, self.stride, self.padding)


class _Block(nn.Module):
    """Two convolutions and what went in, added: the basic block of He et al. (CVPR 2016), with group normalisation.

    Groups and not batches: a processor's small batches differ, and so would the shares of several processes.
    """

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.one = _Conv(before, after, 3, stride, 1, bias=False)
        self.two = _Conv(after, after, 3, 1, 1, bias=False)
        self.norm_one, self.norm_two = nn.GroupNorm(after // 8, after), nn.GroupNorm(after // 8, after)
        self.act = nn.ReLU(inplace=True)
        self.past = _Conv(before, after, 1, stride, bias=False) if stride > 1 or before != after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm_two(self.two(self.act(self.norm_one(self.one(x)))))
        found: Tensor = self.act(y + self.past(x))
        return found


class _Pool(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def _compact(net: Net, channels: int) -> tuple[nn.Module, int]:
    width = net.width
    stem = _Conv(channels, width, 5, 2, 2, bias=False)
    stages = [_Block(width * max(1, 2**n // 2), width * 2**n, 1 if n == 0 else 2) for n in range(_STAGES)]
    body = nn.Sequential(stem, nn.GroupNorm(width // 8, width), nn.ReLU(inplace=True), *stages, _Pool())
    return body, width * 2 ** (_STAGES - 1)


def _torchvision(net: Net, channels: int) -> tuple[nn.Module, int]:
    """One of torchvision's without its last layer, and how many values come out."""
    named = net.weights if net.weights and not Path(net.weights).suffix else None
    try:
        whole = torchvision.models.get_model(net.name, weights=named)
    except (ValueError, KeyError) as error:
        hint = "name weights of torchvision, as in DEFAULT, or a file"
        raise InputError(f"{net.name} has no such weights ({error})", where=net.weights, hint=hint) from error
    except OSError as error:  # urllib's errors are OSErrors
        hint = "fetch the file elsewhere and name it: --weights FILE.pth"
        raise InputError(f"the weights cannot be fetched ({error})", where=net.weights, hint=hint) from error
    last = "fc" if hasattr(whole, "fc") else "classifier"
    layer = getattr(whole, last)
    head = layer if isinstance(layer, nn.Linear) else layer[-1]
    width = int(head.in_features)
    if isinstance(layer, nn.Linear):
        whole.fc = nn.Identity()
    else:
        layer[-1] = nn.Identity()
    if channels != 3:
        _widen(whole, channels)
    return whole, width


def _widen(whole: nn.Module, channels: int) -> None:
    """Give a network another number of input channels; what it knows of colour is shared out among them."""
    name, first = next((n, m) for n, m in whole.named_modules() if isinstance(m, nn.Conv2d))
    size, stride, padding = first.kernel_size, first.stride, first.padding
    other = nn.Conv2d(channels, first.out_channels, size, stride, padding, bias=first.bias is not None)  # type: ignore[arg-type]
    with torch.no_grad():
        other.weight.copy_(_shared_out(first.weight, channels))
        if first.bias is not None and other.bias is not None:
            other.bias.copy_(first.bias)
    parent, _, child = name.rpartition(".")
    setattr(whole.get_submodule(parent), child, other)


def _shared_out(weight: Tensor, channels: int) -> Tensor:
    """A first layer's weights (out, in, height, width) for another number of input channels."""
    return weight.mean(1, keepdim=True).repeat(1, channels, 1, 1) * weight.shape[1] / channels


def _load(made: Classifier, file: Path) -> None:
    """Weights from a file: ours, or torchvision's own. The last layer is taken where it has the same classes."""
    try:
        if file.suffix == ".safetensors":
            found = load_file(file)
        else:
            found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged file raises is not said anywhere
        raise InputError(f"cannot be read as weights ({type(error).__name__})", where=str(file)) from error
    found = {name.removeprefix("module."): value for name, value in found.items()}
    if not any(name.startswith("body.") for name in found):
        found = {f"body.{name}": value for name, value in found.items()}
    wanted = made.state_dict()
    first = next(f"{n}.weight" for n, m in made.named_modules() if isinstance(m, nn.Conv2d))
    if first in found and found[first].shape[1:2] != wanted[first].shape[1:2]:
        found[first] = _shared_out(found[first], wanted[first].shape[1])
    fits = {n: v for n, v in found.items() if n in wanted and v.shape == wanted[n].shape}
    missing = [n for n in wanted if n not in fits and n.startswith("body.")]
    if missing:
        hint = "give the recipe that these weights were trained with"
        what = f"are weights of another architecture ({len(missing)} of {len(wanted)} tensors do not fit)"
        raise InputError(what, where=str(file), hint=hint)
    made.load_state_dict(fits, strict=False)
