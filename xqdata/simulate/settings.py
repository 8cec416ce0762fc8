"""What a simulated dataset is made from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from xqdata.errors import ConfigError
from xqdata.taxonomy import ScanTypeTerm, load

VIEWS = ("top", "side")


@cache
def scan_types() -> Mapping[str, ScanTypeTerm]:
    """The thirteen scan types of the reference taxonomy, by name."""
    return load(None).scan_types


@dataclass(frozen=True)
class Rates:
    """How often each fault is planted, as a share of the scans; the count is the rounded product.

    Copies, crops, rescans and unreadable files come on top of the scans; the others befall scans that are there. The
    defaults are of the order that audits of public sets report: a few percent of copies and repeated scans, about three
    percent of wrong labels, a few files in a thousand that do not open.
    """

    byte_copies: float = 0.01
    pixel_copies: float = 0.005
    reencoded: float = 0.01
    resized: float = 0.005
    trimmed: float = 0.005
    turned: float = 0.01
    mirrored: float = 0.005
    crops: float = 0.005
    rescans: float = 0.03
    wrong_labels: float = 0.03
    conflicting_labels: float = 0.005
    overlays: float = 0.01
    misnamed: float = 0.003
    truncated: float = 0.003
    empty: float = 0.002

    def count(self, name: str, scans: int) -> int:
        """How many of the fault called `name` are planted among `scans` scans."""
        share: float = getattr(self, name)
        return round(share * scans)


COPIES = ("byte_copies", "pixel_copies", "reencoded", "resized", "trimmed", "turned", "mirrored")
FAULTS = tuple(f.name for f in dataclasses.fields(Rates))
NO_FAULTS = Rates(**dict.fromkeys(FAULTS, 0.0))


@dataclass(frozen=True)
class Settings:
    """One dataset: the same settings and library versions give the same pixels, on any x86-64 processor with AVX2.

    `scans`: scans without planted ones, spread evenly over objects and scan types. `specimens`: of each object.
    `difficulty`: 0 (typical objects) to 1 (classes that are hard to tell apart overlap). `views`: `top`, or `top` and
    `side`. `deep`: also the 16-bit energies, as TIFF. `confounded`: objects that only the second scanner saw.
    `chained`: mixed scans draw from all specimens, so that no split keeps specimens apart. `scan_types`: those that are
    scanned; none named: all thirteen.
    """

    scans: int = 1229
    specimens: int = 12
    seed: int = 0
    difficulty: float = 0.5
    views: tuple[str, ...] = ("top",)
    deep: bool = False
    confounded: int = 1
    chained: bool = False
    scan_types: tuple[str, ...] = ()
    rates: Rates = field(default_factory=Rates)

    def __post_init__(self) -> None:
        """Raise ConfigError for what cannot be made."""
        limits = {"scans": (1, 10**7), "specimens": (1, 1000), "difficulty": (0, 1), "confounded": (0, 21)}
        for name, (low, high) in {**limits, "seed": (0, 2**63 - 1)}.items():
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"{name} is {getattr(self, name)}", hint=f"give {low} to {high}")
        for name in FAULTS:
            if not 0 <= getattr(self.rates, name) <= 1:
                raise ConfigError(f"the rate {name} is {getattr(self.rates, name)}", hint="give a share, 0 to 1")
        copies = sum(self.rates.count(name, self.scans) for name in COPIES)
        if self.rates.count("conflicting_labels", self.scans) > copies:
            hint = f"only copies can have them: {copies} are planted"
            raise ConfigError("more conflicting labels than copies", hint=hint)
        strange = [name for name in self.scan_types if name not in scan_types()]
        if strange:
            raise ConfigError(f"there is no scan type {strange[0]}", hint=f"there are {', '.join(scan_types())}")
        if self.views not in (("top",), VIEWS):
            raise ConfigError(f"views are {', '.join(self.views) or 'none'}", hint="give top, or top and side")

    def told(self) -> dict[str, Any]:
        """As plain data, to be written down."""
        told = dataclasses.asdict(self) | {"views": list(self.views), "scan_types": list(self.scan_types)}
        if not self.scan_types:  # as datasets say that were made before there was a choice
            del told["scan_types"]
        return told


def from_told(told: Mapping[str, Any]) -> Settings:
    """The settings that `told` wrote down. Raises ConfigError for keys that are none."""
    try:
        rates = Rates(**told.get("rates", {}))
        lists = {"views": tuple(told.get("views", ("top",))), "scan_types": tuple(told.get("scan_types", ()))}
        return Settings(**{**told, **lists, "rates": rates})
    except TypeError as error:
        raise ConfigError(f"not the settings of a simulated dataset: {error}") from error


# The study's 11,517 images: 21 objects times 13 scan types of 42 or 43.
PRESETS = {"default": Settings(), "study": Settings(scans=11_517)}
