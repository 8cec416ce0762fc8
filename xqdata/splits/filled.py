"""Whether every part that was asked for has an image: a split that tests nothing is refused before it is written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xqdata import groups
from xqdata.errors import InputError
from xqdata.splits.axes import axes_of
from xqdata.splits.crossed import axes_instead
from xqdata.splits.material import Material
from xqdata.splits.obstacles import chained, many
from xqdata.splits.plan import Plan
from xqdata.splits.request import Request, parts_called


def check_filled(material: Material, request: Request, plans: Sequence[Plan]) -> None:
    """Raise InputError, with what to do, where a part of a new split stays empty although there are images.

    A split that grows or is repaired keeps the parts that it had: there an empty one is told as an obstacle. So is one
    of the tables of --leave-one-out, as long as others have all their parts.
    """
    if request.grown_from is not None:
        return
    short = [plan for plan in plans if len(plan.rows) and plan.empty]
    if not short or (request.leave_one_out and len(short) < len(plans)):
        return
    why, where, hint = _why(material, request, short[0])
    raise InputError(why, where=where, hint=hint)


def _why(material: Material, request: Request, plan: Plan) -> tuple[str, str, str]:
    """Why parts of `plan` are empty, which option asked for them, and what to do."""
    word = "fold" if request.folds and not request.leave_one_out else "part"
    where = f"--{word}s"
    if plan.fold:
        stay = f"no image is left for {parts_called(plan.empty)} of splits/{plan.table}"
        return f"{stay}: scans and components are too few", where, "ask for fewer --folds, or keep another column apart"
    wanted = len(plan.names)
    stay = f"{len(plan.empty)} of {wanted} folds" if word == "fold" else parts_called(plan.empty)
    stay = f"{stay} would stay empty"
    if request.method == "random":
        hint = f"ask for fewer {word}s, or for larger shares"
        return f"{many(len(plan.rows), 'image')} are too few for {wanted} {word}s: {stay}", where, hint
    for axis in axes_of(material, request):
        values = len(np.unique(axis.code[plan.rows]))
        if not axis.allowed and values < wanted:
            told = f"{axis.column} has {many(values, 'value')} and {wanted} {word}s need {wanted}: {stay}"
            hint = f"ask for {values} --parts" if values > 1 else axes_instead(material)
            return told, f"--by {axis.column.replace('_', '-')}", f"leave it out, or {hint}"
    components = groups.distinct(material.component[plan.rows])
    if components < wanted:
        told = f"the images form {many(components, 'component')} and {wanted} {word}s need {wanted}: {stay}"
        fewer = f"ask for {components} {word}s, or " if components > 1 else ""
        return told, where, f"{fewer}scan more specimens, apart from one another{_chained(material, plan)}"
    hint = f"ask for fewer {word}s, or for other shares" + (", or keep less apart" if plan.blocks else "")
    return f"no split was found that fills every {word}: {stay}", where, hint


def _chained(material: Material, plan: Plan) -> str:
    """What the largest component hangs by most: it may be a wrong label."""
    weak = chained(material, plan)
    if not weak:
        return ""
    return f"; the largest component is chained by {weak[0].source} {weak[0].name}: look whether that is right"
