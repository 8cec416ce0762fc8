"""Bottles, tubes and cans, lying on their side, their liquid level."""

from __future__ import annotations

import numpy as np

from xqdata.simulate.boxes import void
from xqdata.simulate.canvas import Canvas
from xqdata.simulate.geometry import Body, Part, along, scale, shift, turn


def bottle(rng: np.random.Generator) -> Body:
    """A drink bottle of PET, part full."""
    radius, length = float(rng.uniform(29, 36)), float(rng.uniform(120, 150))
    wall, fill = 0.45, float(rng.uniform(0.35, 0.97))
    parts = [
        *_pipe(0, length, radius, radius, wall, "pet"),
        *_pipe(length, length + 42, radius, 13, wall + 0.2, "pet", radius),
    ]
    parts += _pipe(length + 42, length + 66, 13, 13, 1.4, "pet", radius)
    parts += _pipe(length + 48, length + 65, 15, 15, 1.8, "polyethylene", radius)
    parts += _pipe(length + 44, length + 46, 16.5, 16.5, 3.2, "pet", radius)
    for x in np.arange(14.0, length - 8, float(rng.uniform(13, 22))):
        parts += _pipe(float(x), float(x) + 2.4, radius + 0.2, radius + 0.2, 0.9, "pet", radius)
    parts.append(Part("ball", along((-6, 0, radius), (8, 0, radius), radius * 0.72), "pet", density=0.25))
    inner = radius - wall
    parts.append(_liquid(1, length, inner, inner, radius, fill, "water"))
    neck = min(1.0, 13 / inner)
    parts.append(_liquid(length, length + 42, inner, inner * neck, radius, fill, "water"))
    return _middled(parts, length + 60)


def toiletry(rng: np.random.Generator) -> Body:
    """Shampoo or lotion in an oval bottle of polyethylene, or paste in a tube with a crimped end."""
    if rng.random() < 0.4:
        return _paste(rng)
    wide, deep, length = float(rng.uniform(24, 33)), float(rng.uniform(15, 21)), float(rng.uniform(90, 150))
    frame = along((0, 0, deep), (length, 0, deep), wide, deep)
    inner = along((1.2, 0, deep), (length - 1.2, 0, deep), wide - 1.2, deep - 1.2)
    fill = float(rng.uniform(0.2, 0.95))
    parts = [Part("tube", frame, "polyethylene"), void(Part("tube", inner, "polyethylene"))]
    parts.append(Part("tube", inner, "water", density=1.03, cuts=((0.0, 1.0, 0.0, 2 * fill - 1),)))
    parts += _pipe(length, length + 8, 10, 10, 1.5, "polyethylene", deep)
    if rng.random() < 0.5:  # a pump: a spring and a ball of steel
        parts += _pipe(length + 4, length + 24, 12, 12, 2.0, "polypropylene", deep)
        parts.append(Part("tube", along((20, 0, deep - 4), (length + 30, 0, deep), 2.6), "polyethylene"))
        coil = Canvas((20, 10), 0.4)
        turns = coil.line(coil.y - 3.2 * np.sin(coil.x * 2.2), 1.0) * 0.9
        parts.append(coil.sheet(turns, "steel", shift(length + 2, 0, deep)))
        parts.append(Part("ball", shift(length - 12, 0, deep) @ scale(2.0), "steel"))
    else:
        parts += _pipe(length + 1, length + 26, 16, 15, 1.6, "polypropylene", deep)
    return _middled(parts, length + 26)


def _paste(rng: np.random.Generator) -> Body:
    """A tube, round at its neck and flat at its end."""
    length, wide, full = float(rng.uniform(95, 150)), float(rng.uniform(17, 24)), float(rng.uniform(0.35, 1.0))
    canvas = Canvas((length, 2 * wide + 6), 0.8)
    share = (canvas.x / length + 0.5) * np.ones_like(canvas.y)
    half_width = wide * (1 - 0.22 * share)
    tall = 2 * wide * 0.8 * np.clip(share + 0.02, 0, 1) ** 0.7 * full
    dome = np.sqrt(np.clip(1 - (canvas.y / half_width) ** 2, 0, 1))
    skin = 0.9 * canvas.cover(np.abs(canvas.y) - half_width) * (1 + 1.2 * canvas.cover(canvas.x + length / 2 - 6))
    z = max(4.0, wide * 0.8)
    paste = canvas.sheet(tall * dome * (share > 0.04), "water", shift(0, 0, z), density=1.25)
    cap = _pipe(length / 2, length / 2 + 22, 15, 13, 2.2, "polypropylene", 15)
    return (paste, canvas.sheet(skin, "polyethylene", shift(0, 0, z)), *cap)


def aerosol(rng: np.random.Generator) -> Body:
    """A spray can of aluminium or tin plate, half full, with its valve and dip tube."""
    radius, length = float(rng.uniform(17, 27)), float(rng.uniform(105, 170))
    metal, wall = ("aluminium", 0.5) if rng.random() < 0.6 else ("tin_plate", 0.22)
    parts = [
        *_pipe(0, length, radius, radius, wall, metal),
        *_pipe(length, length + 10, radius, radius * 0.55, wall * 1.6, metal, radius),
    ]
    parts += _pipe(0, 3, radius, radius, 2.0, metal, radius)
    parts += _pipe(length - 2, length + 1, radius + 0.6, radius + 0.6, 1.5, metal, radius)
    parts.append(Part("tube", along((0, 0, radius), (1.2, 0, radius), radius), metal))
    parts.append(
        _liquid(2, length - 2, radius - wall, radius - wall, radius, float(rng.uniform(0.2, 0.75)), "water", 0.8)
    )
    parts += _pipe(length + 6, length + 34, radius * 0.85, radius * 0.8, 1.3, "polypropylene", radius)
    parts.append(Part("tube", along((length - 14, 0, radius), (length + 18, 0, radius), 4.5), "nylon"))
    parts.append(Part("tube", along((length - 6, 0, radius), (length + 4, 0, radius), 2.0), "steel"))
    parts.append(Part("tube", along((14, -4, radius - 6), (length - 10, 0, radius), 2.2), "polyethylene"))
    return _middled(parts, length + 34)


def flask(rng: np.random.Generator) -> Body:
    """A vacuum flask: two walls of stainless steel, a drink, a stopper of plastic."""
    radius, length = float(rng.uniform(32, 40)), float(rng.uniform(180, 235))
    parts = [
        *_pipe(0, length, radius, radius, 0.5, "stainless_steel"),
        *_pipe(8, length, radius - 4, radius - 4, 0.5, "stainless_steel", radius),
    ]
    parts += [
        Part("tube", along((x, 0, radius), (x + 0.8, 0, radius), radius - less), "stainless_steel")
        for x, less in ((0.0, 0.0), (8.0, 4.0))
    ]
    parts += _pipe(length, length + 14, radius, radius * 0.8, 0.7, "stainless_steel", radius)
    parts.append(_liquid(9, length - 22, radius - 4.6, radius - 4.6, radius, float(rng.uniform(0.0, 0.9)), "water"))
    parts += _pipe(length - 20, length + 16, radius * 0.72, radius * 0.72, 3.0, "polypropylene", radius)
    parts += _pipe(length + 4, length + 62, radius * 0.96, radius * 0.9, 1.8, "polypropylene", radius)
    return _middled(parts, length + 62)


def can(rng: np.random.Generator) -> Body:
    """A drink can of aluminium, full."""
    radius, length = float(rng.choice([26.5, 33.0])), float(rng.uniform(90, 135))
    parts = [
        *_pipe(6, length - 8, radius, radius, 0.16, "aluminium"),
        *_pipe(0, 6, radius - 6, radius, 0.3, "aluminium", radius),
    ]
    parts += _pipe(length - 8, length, radius, radius - 5, 0.25, "aluminium", radius)
    for x, less in ((1.0, 7.0), (length - 2, 5.0)):
        parts.append(Part("tube", along((x, 0, radius), (x + 0.6, 0, radius), radius - less), "aluminium"))
        parts += _pipe(x - 1, x + 2, radius - less + 1, radius - less + 1, 1.2, "aluminium", radius)
    tab = Canvas((26, 16), 0.5)
    loop = tab.line(tab.box((9, 5), 5), 2.4) * 1.2
    parts.append(tab.sheet(loop, "aluminium", shift(length, 2, radius) @ turn("y", 90)))
    parts.append(_liquid(2, length - 4, radius - 0.4, radius - 0.4, radius, 0.93, "water", 1.04))
    return _middled(parts, length)


def _pipe(
    start: float, end: float, first: float, last: float, wall: float, material: str, height: float | None = None
) -> Body:
    """A hollow tube or cone along x from radius `first` to `last`, its axis at `height`."""
    z = first if height is None else height
    (big, small), ends = ((first, last), (start, end)) if first >= last else ((last, first), (end, start))
    shape, taper = ("tube", 0.0) if first == last else ("cone", 1 - small / big)
    parts = []
    for radius in (big, big - wall):
        frame = along((ends[0], 0, z), (ends[1], 0, z), radius)
        parts.append(Part(shape, frame, material, taper=taper))  # type: ignore[arg-type]
    return parts[0], void(parts[1])


def _liquid(
    start: float, end: float, first: float, last: float, height: float, fill: float, material: str, density: float = 1.0
) -> Part:
    """What fills a tube or cone up to the share `fill` of its height; `along` has its second axis upright."""
    shape = "tube" if first == last else "cone"
    level = ((0.0, 1.0, 0.0, 2 * fill - 1),)
    frame = along((start, 0, height), (end, 0, height), first)
    return Part(shape, frame, material, density=density, taper=1 - last / first, cuts=level)  # type: ignore[arg-type]


def _middled(parts: list[Part], length: float) -> Body:
    """Shifted so that the middle of its length is the origin."""
    return tuple(part.moved(shift(-length / 2, 0, 0)) for part in parts)
