"""A function with something that all its shards share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

G = TypeVar("G")
S = TypeVar("S")
R = TypeVar("R")


@dataclass(frozen=True)
class Bound(Generic[G, S, R]):
    """`function(given, shard)` as a function of the shard. `given` is sent to each worker once, not with each shard.

    On a cluster its arrays are read where they lie in shared memory: `function` must not write to them.
    """

    function: Callable[[G, S], R]
    given: G

    def __call__(self, shard: S) -> R:
        """What `function` makes of the shard."""
        return self.function(self.given, shard)
