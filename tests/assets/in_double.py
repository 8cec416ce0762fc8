"""xqdata's command, which trains in double precision: what then still differs between two ways is no float noise.

python in_double.py benchmark ...
"""

from __future__ import annotations

import torch

from xqdata.cli import main

torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign]
torch.set_default_dtype(torch.float64)
main()
