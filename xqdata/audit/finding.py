"""One finding about a split, and the images behind it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from xqdata.schema import SEVERITIES

HIGH, MEDIUM, INFO = SEVERITIES


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a split, or that its reader should know.

    `kind`: unlike that of every other finding. `images_test`: images of the test part concerned; `images_train`: images
    of the other parts concerned; where every part is tested once, both count the images of all parts. `pairs`: pairs of
    images that cross the parts. `detail`: one sentence, with what to do. `intended`: the split was asked to be so.
    """

    kind: str
    severity: str
    images_test: int
    images_train: int
    pairs: int
    detail: str
    intended: bool = False

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"{self.severity!r} is no severity")


@dataclass(frozen=True)
class Evidence:
    """One pair of images behind a finding; `image_train` is None where the finding concerns single images."""

    kind: str
    image_test: str
    image_train: str | None
    detail: str


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst first: by severity, what nobody intended before what somebody did, then by test images and pairs."""
    return tuple(
        sorted(
            findings,
            key=lambda f: (SEVERITIES.index(f.severity), f.intended, -f.images_test, -f.pairs, f.kind),
        )
    )
