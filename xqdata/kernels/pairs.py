"""Bytes weighed by 22-bit weights, as pairs of 16-bit products: x86 multiplies 16 of them and adds neighbours at once.

A compiler multiplies 32-bit numbers instead, half as many at a time and in two steps, for it cannot know that a weight
may be split. So the inner loop is written in LLVM's language here. Where it cannot be used, `usable` is false.

Source: Intel intrinsics guide, `_mm256_madd_epi16` (AVX2).
"""

from __future__ import annotations

import platform
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xqdata.kernels import compiled as machine
from xqdata.kernels.compiled import compiled
from xqdata.kernels.fixed import BITS, HALF

ROWS = 4  # that share what was loaded of the weights, and fill the lanes of a register in the end
RUN = 16  # weights come in multiples of it
_BITS = 11  # of the lower part of a weight


def split(weights: NDArray[np.int32]) -> NDArray[np.int16]:
    """Weights (outputs, many), of at most 2^22, as lower and upper parts (outputs, 2, many)."""
    return np.stack([weights & ((1 << _BITS) - 1), weights >> _BITS], axis=1).astype(np.int16)


def across(
    pixels: NDArray[np.uint8], start: NDArray[np.int32], weights: NDArray[np.int16], out: NDArray[np.uint8]
) -> None:
    """Fill `out`, (rows, outputs), with `pixels` (rows, columns) weighed from `start` on, rounded to bytes.

    `pixels`: C-contiguous, at least ROWS rows. `weights`: of `split`, a multiple of RUN for each output.
    """
    _across(pixels, start, weights, out)


@cache
def usable() -> bool:
    """Whether this processor has the instruction and numba compiles it to the right sums."""
    if _weighed is None:
        return False
    pixels = (np.arange(ROWS * RUN) * 37 % 256).astype(np.uint8).reshape(ROWS, RUN)
    weights = (np.arange(RUN, dtype=np.int32) * 7919 - 30000).reshape(1, RUN)
    expected = np.clip((pixels.astype(np.int64) @ weights.T + HALF) >> BITS, 0, 255)
    out = np.empty((ROWS, 1), np.uint8)
    try:
        across(pixels, np.zeros(1, np.int32), split(weights), out)
    except Exception:  # noqa: BLE001 - as below
        return False
    return np.array_equal(out, expected)


def _has_instruction() -> bool:
    if not machine.AVAILABLE or platform.machine() not in ("x86_64", "AMD64"):
        return False
    config: Any = import_module("numba.core.config")
    # Who tells numba what processor to compile for may want code for another one.
    told = config.CPU_NAME is not None or config.CPU_FEATURES is not None or not config.ENABLE_AVX
    features = import_module("llvmlite.binding").get_host_cpu_features()
    return not told and bool(features.get("avx2"))


def _weighing() -> Any:
    """A function for compiled code: (pixels, y, left, weights, x) to four bytes in one int32, the first the lowest.

    They are the rounded sums of the four rows from `y` on: of their pixels from `left` on, weighed for output `x`.
    """
    ir: Any = import_module("llvmlite.ir")
    cgutils: Any = import_module("numba.core.cgutils")
    types: Any = import_module("numba.core.types")
    byte, short, word, long = (ir.IntType(bits) for bits in (8, 16, 32, 64))
    bytes16, shorts16, words8 = ir.VectorType(byte, RUN), ir.VectorType(short, RUN), ir.VectorType(word, RUN // 2)
    bytes4, words4 = ir.VectorType(byte, ROWS), ir.VectorType(word, ROWS)

    def declared(code: Any, name: str, result: Any, arguments: list[Any]) -> Any:
        return cgutils.get_or_insert_function(code.module, ir.FunctionType(result, arguments), name)

    def load(code: Any, first: Any, offset: Any, kind: Any) -> Any:
        place = code.bitcast(code.gep(first, [offset]), kind.as_pointer())
        return code.load(place, align=kind.element.width // 8)

    def generate(context: Any, code: Any, signature: Any, values: Any) -> Any:
        pixels, weights = (context.make_array(signature.args[n])(context, code, values[n]) for n in (0, 3))
        width, many = cgutils.unpack_tuple(code, pixels.shape)[1], cgutils.unpack_tuple(code, weights.shape)[2]
        first = code.gep(pixels.data, [code.add(code.mul(values[1], width), values[2])])
        rows = [code.gep(first, [code.mul(width, ir.Constant(long, n))]) for n in range(ROWS)]
        lower = code.gep(weights.data, [code.mul(values[4], code.mul(many, ir.Constant(long, 2)))])
        parts = [lower, code.gep(lower, [many])]
        multiply = declared(code, "llvm.x86.avx2.pmadd.wd", words8, [shorts16, shorts16])
        sums = [[cgutils.alloca_once_value(code, ir.Constant(words8, [0] * 8)) for _ in parts] for _ in rows]
        with cgutils.for_range_slice(code, ir.Constant(long, 0), many, ir.Constant(long, RUN)) as (n, _):
            loaded = [load(code, part, n, shorts16) for part in parts]
            for row, of_row in zip(rows, sums, strict=True):
                wide = code.zext(load(code, row, n, bytes16), shorts16)
                for part, place in zip(loaded, of_row, strict=True):
                    code.store(code.add(code.load(place), code.call(multiply, [wide, part])), place)
        bits = ir.Constant(words8, [_BITS] * 8)
        return rounded(code, [code.add(code.load(low), code.shl(code.load(high), bits)) for low, high in sums])

    def rounded(code: Any, sums: list[Any]) -> Any:
        add_neighbours = declared(code, "llvm.x86.avx2.phadd.d", words8, [words8, words8])
        twos = [code.call(add_neighbours, [sums[n], sums[n + 1]]) for n in (0, 2)]
        fours = code.call(add_neighbours, twos)  # of each row the sum of one half, then of each row that of the other
        low, high = (
            code.shuffle_vector(fours, fours, ir.Constant(words4, list(range(first, first + ROWS))))
            for first in (0, ROWS)
        )
        half, bits, least, most = (ir.Constant(words4, [n] * ROWS) for n in (HALF, BITS, 0, 255))
        totals = code.ashr(code.add(code.add(low, high), half), bits)
        for clip, bound in (("smax", least), ("smin", most)):
            totals = code.call(declared(code, f"llvm.{clip}.v4i32", words4, [words4, words4]), [totals, bound])
        return code.bitcast(code.trunc(totals, bytes4), word)

    def weighed(_: Any, pixels: Any, y: Any, left: Any, weights: Any, x: Any) -> Any:
        return types.int32(pixels, types.intp, types.intp, weights, types.intp), generate

    return import_module("numba.extending").intrinsic(weighed)


def _weighing_if_possible() -> Any:
    try:
        return _weighing() if _has_instruction() else None
    except Exception:  # noqa: BLE001 - what is asked there belongs to numba's inner works, which may change
        return None


_weighed: Any = _weighing_if_possible()


@compiled
def _across(
    pixels: NDArray[np.uint8], start: NDArray[np.int32], weights: NDArray[np.int16], out: NDArray[np.uint8]
) -> None:
    rows = pixels.shape[0]
    for group in range(-(-rows // ROWS)):
        y = min(ROWS * group, rows - ROWS)  # the last group may repeat rows of the one before
        for x in range(start.shape[0]):
            four = _weighed(pixels, y, start[x], weights, x)
            for n in range(ROWS):
                out[y + n, x] = four >> 8 * n
