"""Pictures of a batch as another pass through the tunnel might show them, made on the device."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from xqdata_benchmark.recipe import Augment


def drawn(asked: Augment, top: Tensor, generator: torch.Generator) -> Tensor:
    """(n, 2, 3) affine maps, one for each picture, for `moved`. `top`: (n,) bool, scanned from above or below.

    Drawn on the processor and for the whole batch, so that they do not depend on the device, nor on how many processes
    share it.
    """
    n = len(top)
    random = torch.rand((6, n), generator=generator)
    mirror = torch.where(random[0] < 0.5, -1.0, 1.0) if asked.mirror else torch.ones(n)
    turns = torch.floor(random[1] * 4) * (math.pi / 2)
    if asked.quarter_turns == "none":
        turns = torch.zeros(n)
    elif asked.quarter_turns == "top":
        turns = torch.where(top, turns, 0.0)
    angle = turns + (random[2] * 2 - 1) * math.radians(asked.rotate)
    scale = torch.exp((random[3] * 2 - 1) * math.log1p(asked.scale))
    shift = (random[4:] * 2 - 1) * 2 * asked.shift  # affine_grid's picture is 2 wide
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    across = torch.stack([cos * mirror, -sin, shift[0]], 1)
    down = torch.stack([sin * mirror, cos, shift[1]], 1)
    return torch.stack([across, down], 1)


def moved(pictures: Tensor, maps: Tensor) -> Tensor:
    """(n, channels, side, side) float pictures, air 0, through `maps`; what comes in from outside is air."""
    grid = F.affine_grid(maps.to(pictures.device), list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid.to(pictures.dtype), mode="bilinear", padding_mode="zeros", align_corners=False)
