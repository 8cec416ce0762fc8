"""How numbers are told to people."""

from __future__ import annotations


def several(number: int, one: str, many: str) -> str:
    """A number and what there is so many of, as in `1 file has` and `1,229 files have`."""
    return f"{number:,} {one if number == 1 else many}"
