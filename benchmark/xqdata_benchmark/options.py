"""What a run is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from xqdata_benchmark.recipe import Recipe


@dataclass(frozen=True)
class Options:
    """What a run was asked for. `run`: its name, or None for one made of recipe and split."""

    split: str
    recipe_name: str
    recipe: Recipe
    run: str | None = None
    device: str = "auto"
    seeds: int = 1
    first_seed: int = 0
    folds: bool = False
    resume: bool = False
    allow_leaky: bool = False
    workers: int | None = None
