"""Compiled loops of `geometry`: how far rays run through unit shapes.

The functions have no annotations because numba infers the types, and many plain arguments because it takes no objects.
"""
# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: PLR0913, PLR0917, PLR0912, C901

import math

import numpy as np
from numba import njit

# A sheet seen almost along its plane: beyond this slant its finite size, which the formula ignores, would show.
_MOST_SLANT = 12.0


@njit(cache=True, nogil=True)
def _lattice(x: int, y: int, z: int, seed: np.uint64) -> float:
    """A number in [-1, 1) for a point of the lattice."""
    h = (np.uint64(x) * np.uint64(0x9E3779B97F4A7C15)) ^ (np.uint64(y) * np.uint64(0xC2B2AE3D27D4EB4F))
    h ^= (np.uint64(z) * np.uint64(0x165667B19E3779F9)) ^ (seed * np.uint64(0xD6E8FEB86659FD93))
    h ^= h >> np.uint64(32)
    h *= np.uint64(0xD6E8FEB86659FD93)
    h ^= h >> np.uint64(32)
    return float(h >> np.uint64(11)) / 4503599627370496.0 - 1.0


@njit(cache=True, nogil=True)
def _noise(x: float, y: float, z: float, seed: np.uint64) -> float:
    """Smooth noise of about unit variance, lumps of size 1."""
    ix, iy, iz = math.floor(x), math.floor(y), math.floor(z)
    fx, fy, fz = x - ix, y - iy, z - iz
    fx, fy, fz = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy), fz * fz * (3 - 2 * fz)
    total = 0.0
    for corner in range(8):
        dx, dy, dz = corner & 1, (corner >> 1) & 1, corner >> 2
        weight = (fx if dx else 1 - fx) * (fy if dy else 1 - fy) * (fz if dz else 1 - fz)
        total += weight * _lattice(ix + dx, iy + dy, iz + dz, seed)
    return total * 2.7


@njit(cache=True, nogil=True, error_model="numpy")
def add_lengths(
    out, directions, source, step, inverse, kinds, boxes, effect, shapes, grain, seeds, cuts, n_cuts, rasters, places
):
    """Add to `out` (rows, columns, k) each part's length along each ray (mm) times its row of `effect` (parts, k).

    The other arguments are what `geometry.project` packs: `inverse` (parts, 3, 4) from mm to the unit frame; `boxes`
    left, top, columns, rows; `shapes` taper, mm along the unit frame's z, the texture's amount.
    """
    width = out.shape[2]
    for i in range(kinds.size):
        kind, (left, top, columns, rows) = kinds[i], boxes[i]
        m = inverse[i]
        taper, normal, amount = shapes[i]
        if kind == 4 and n_cuts[i] == 0 and amount <= 0.0:
            _add_sheet(out, directions, source, step, m, boxes[i], effect[i], normal, rasters, places[i])
            continue
        for row in range(top, top + rows):
            # The ray o + t d in the unit frame; o moves with the column, d is one for the row.
            dx = m[0, 1] * directions[row, 0] + m[0, 2] * directions[row, 1]
            dy = m[1, 1] * directions[row, 0] + m[1, 2] * directions[row, 1]
            dz = m[2, 1] * directions[row, 0] + m[2, 2] * directions[row, 1]
            base_x = m[0, 1] * source[0] + m[0, 2] * source[1] + m[0, 3]
            base_y = m[1, 1] * source[0] + m[1, 2] * source[1] + m[1, 3]
            base_z = m[2, 1] * source[0] + m[2, 2] * source[1] + m[2, 3]
            for column in range(left, left + columns):
                x = (column + 0.5) * step
                ox, oy, oz = base_x + m[0, 0] * x, base_y + m[1, 0] * x, base_z + m[2, 0] * x
                if kind == 4:
                    near, length = _through_sheet(ox, oy, oz, dx, dy, dz, normal, rasters, places[i])
                    far = near
                else:
                    near, far = _through_solid(kind, ox, oy, oz, dx, dy, dz, taper)
                    length = far - near
                if length <= 0.0:
                    continue
                for c in range(n_cuts[i]):
                    cut = cuts[i, c]
                    level = cut[3] - (cut[0] * ox + cut[1] * oy + cut[2] * oz)
                    slope = cut[0] * dx + cut[1] * dy + cut[2] * dz
                    if kind == 4:
                        if slope * near > level:
                            length = 0.0
                    elif slope > 1e-12:
                        far = min(far, level / slope)
                    elif slope < -1e-12:
                        near = max(near, level / slope)
                    elif level < 0.0:
                        far = near
                if kind != 4:
                    length = far - near
                if length <= 0.0:
                    continue
                if amount > 0.0:
                    t = 0.5 * (near + far)
                    lump = _noise(
                        (ox + t * dx) * grain[i, 0], (oy + t * dy) * grain[i, 1], (oz + t * dz) * grain[i, 2], seeds[i]
                    )
                    length *= max(0.0, 1.0 + amount * lump)
                for k in range(width):
                    out[row, column, k] += np.float32(length * effect[i, k])


@njit(cache=True, nogil=True, error_model="numpy")
def _add_sheet(out, directions, source, step, m, box, effect, normal, rasters, place):
    """A sheet that is neither cut nor textured: along a row the ray meets it at points that move evenly."""
    left, top, columns, rows = box
    high, wide = place[1], place[2]
    for row in range(top, top + rows):
        dx = m[0, 1] * directions[row, 0] + m[0, 2] * directions[row, 1]
        dy = m[1, 1] * directions[row, 0] + m[1, 2] * directions[row, 1]
        dz = m[2, 1] * directions[row, 0] + m[2, 2] * directions[row, 1]
        if abs(dz) < 1e-9:
            continue
        slant = min(1.0 / abs(dz * normal), _MOST_SLANT)
        base_x = m[0, 1] * source[0] + m[0, 2] * source[1] + m[0, 3]
        base_y = m[1, 1] * source[0] + m[1, 2] * source[1] + m[1, 3]
        base_z = m[2, 1] * source[0] + m[2, 2] * source[1] + m[2, 3]
        # In points of the picture: u = u0 + du * column, v likewise.
        along_x, along_y = dx / dz, dy / dz
        du = (m[0, 0] - along_x * m[2, 0]) * step * 0.5 * wide
        dv = (m[1, 0] - along_y * m[2, 0]) * step * 0.5 * high
        u0 = (base_x - along_x * base_z + 1.0) * 0.5 * wide - 0.5 + 0.5 * du
        v0 = (base_y - along_y * base_z + 1.0) * 0.5 * high - 0.5 + 0.5 * dv
        first, last = _columns_within(u0, du, wide, left, left + columns)
        first, last = _columns_within(v0, dv, high, first, last)
        for column in range(first, last):
            u, v = u0 + du * column, v0 + dv * column
            c0, r0 = int(u + 1.0) - 1, int(v + 1.0) - 1
            fu, fv = np.float32(u - c0), np.float32(v - r0)
            c1, r1 = min(c0 + 1, wide - 1), min(r0 + 1, high - 1)
            c0, r0 = max(c0, 0), max(r0, 0)
            upper, lower = place[0] + r0 * wide, place[0] + r1 * wide
            above = rasters[upper + c0] + (rasters[upper + c1] - rasters[upper + c0]) * fu
            below = rasters[lower + c0] + (rasters[lower + c1] - rasters[lower + c0]) * fu
            value = above + (below - above) * fv
            if value > 0.0:
                for k in range(out.shape[2]):
                    out[row, column, k] += np.float32(value * slant * effect[k])


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _columns_within(start, slope, size, first, last):
    """The columns for which -0.5 < start + slope * column < size - 0.5."""
    low, high = -0.5, size - 0.5
    if abs(slope) < 1e-12:
        return (first, last) if low < start < high else (first, first)
    a, b = (low - start) / slope, (high - start) / slope
    if a > b:
        a, b = b, a
    return max(first, int(math.ceil(a + 1e-9))), min(last, int(math.floor(b - 1e-9)) + 1)  # noqa: RUF046


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _through_sheet(ox, oy, oz, dx, dy, dz, normal, rasters, place):
    """Where the ray meets the sheet and how many mm it runs in it."""
    if abs(dz) < 1e-9:
        return 0.0, 0.0
    t = -oz / dz
    x, y = ox + t * dx, oy + t * dy
    if x <= -1.0 or x >= 1.0 or y <= -1.0 or y >= 1.0:
        return t, 0.0
    rows, columns = place[1], place[2]
    u, v = (x + 1.0) * 0.5 * columns - 0.5, (y + 1.0) * 0.5 * rows - 0.5
    c0, r0 = math.floor(u), math.floor(v)
    fu, fv = u - c0, v - r0
    c1, r1 = min(c0 + 1, columns - 1), min(r0 + 1, rows - 1)
    c0, r0 = max(c0, 0), max(r0, 0)
    top, bottom = place[0] + r0 * columns, place[0] + r1 * columns
    value = (rasters[top + c0] * (1 - fu) + rasters[top + c1] * fu) * (1 - fv)
    value += (rasters[bottom + c0] * (1 - fu) + rasters[bottom + c1] * fu) * fv
    # dz · normal is the cosine between the ray and the sheet's normal: the frame's z axis measures mm / normal.
    return t, value * min(1.0 / abs(dz * normal), _MOST_SLANT)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _through_solid(kind, ox, oy, oz, dx, dy, dz, taper):
    """From where to where the ray is inside, in mm along it; equal where it misses."""
    near, far = -1e30, 1e30
    if kind != 2:
        if kind == 0:
            a, b, c = dx * dx + dy * dy + dz * dz, ox * dx + oy * dy + oz * dz, ox * ox + oy * oy + oz * oz - 1.0
        elif kind == 1:
            a, b, c = dx * dx + dy * dy, ox * dx + oy * dy, ox * ox + oy * oy - 1.0
        else:
            # x² + y² ≤ (p - q z)²
            q = 0.5 * taper
            p = 1.0 - q
            r, s = p - q * oz, -q * dz
            a, b, c = dx * dx + dy * dy - s * s, ox * dx + oy * dy - r * s, ox * ox + oy * oy - r * r
        if a > 1e-14:
            inside = b * b - a * c
            if inside <= 0.0:
                return 0.0, 0.0
            root = math.sqrt(inside)
            near, far = (-b - root) / a, (-b + root) / a
        elif kind == 3:
            return _through_steep_cone(ox, oy, oz, dx, dy, dz, taper, a, b, c)
        elif c > 0.0:
            return 0.0, 0.0
        if kind == 0:
            return near, far
    low, high = _between(oz, dz)
    near, far = max(near, low), min(far, high)
    if kind == 2:
        low, high = _between(ox, dx)
        near, far = max(near, low), min(far, high)
        low, high = _between(oy, dy)
        near, far = max(near, low), min(far, high)
    if far <= near:
        return 0.0, 0.0
    return near, far


@njit(cache=True, nogil=True, error_model="numpy")
def _through_steep_cone(ox, oy, oz, dx, dy, dz, taper, a, b, c):
    """A ray steeper than the cone's side: inside where a t² + 2 b t + c ≤ 0 and between the ends."""
    near, far = _between(oz, dz)
    if far <= near:
        return 0.0, 0.0
    if a >= -1e-14:  # along the side: linear
        if abs(b) < 1e-14:
            return (near, far) if c <= 0.0 else (0.0, 0.0)
        t = -c / (2.0 * b)
        if b > 0.0:
            far = min(far, t)
        else:
            near = max(near, t)
    else:
        inside = b * b - a * c
        if inside > 0.0:
            root = math.sqrt(inside)
            first, second = (-b + root) / a, (-b - root) / a  # a < 0: outside between them
            # The part beyond the apex is no part of the frustum, so inside is one interval within the ends.
            if first < near < second:
                near = second
            if first < far < second:
                far = first
    if far <= near:
        return 0.0, 0.0
    return near, far


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _between(o, d):
    """For which t is |o + t d| ≤ 1."""
    if abs(d) < 1e-12:
        return (-1e30, 1e30) if abs(o) <= 1.0 else (1.0, -1.0)
    t0, t1 = (-1.0 - o) / d, (1.0 - o) / d
    return min(t0, t1), max(t0, t1)
