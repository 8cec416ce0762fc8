"""Turns a loop over pixels into machine code, where numba is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    from numba import njit

    AVAILABLE = True
except ImportError:  # an exotic platform or a Python newer than numba: slower, with the same bits
    AVAILABLE = False


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as machine code, made when it is first called and kept on disk; itself where there is no numba."""
    return _compiled(function)


def compiled_in_any_order(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for sums of floats that are exact in whatever order they are added, which lets vectors add them."""
    return _compiled(function, fastmath={"reassoc", "contract"})


def inner(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for what only compiled functions call: it is kept with them."""
    return _machine_code(function) if AVAILABLE else function


def _compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    if not AVAILABLE:
        return function
    try:
        return _machine_code(function, cache=True, **options)
    except RuntimeError:  # no folder can be written to keep the machine code: compile in every process
        return _machine_code(function, **options)


def _machine_code(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    machine_code: Callable[..., Any] = njit(nogil=True, **options)(function)
    return machine_code
