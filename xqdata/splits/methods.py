"""The paragraph on a split that a paper's methods section needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xqdata
from xqdata.splits.request import TEST, Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xqdata.splits.report import Report

_WORDS = {
    "specimens": "a specimen",
    "scan_id": "a scan",
    "bag": "a bag",
    "session": "a session",
    "series": "a series",
    "container_id": "a container",
}


def methods(report: Report, request: Request) -> str:
    """A few sentences: what was split, by what it was kept apart, how well it is balanced, what was left out."""
    if report.leaky:
        return (
            f"The {report.images:,} images were divided at random into {_parts(report)} (xqdata {xqdata.__version__}, "
            f"seed {report.seed}). Images of one specimen, one scan or one bag, and copies of one image, may lie in "
            "different parts, so that figures measured on the test part are too good."
        )
    told = (_divided, _repaired, _tied, _balanced)
    return " ".join(filter(None, [*(say(report, request) for say in told), _left(report)]))


def _or(named: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(named[:-1]), named[-1]]))


def _parts(report: Report) -> str:
    told = [f"{part.name} ({part.images:,})" for part in report.parts]
    return f"{', '.join(told[:-1])} and {told[-1]}"


def _divided(report: Report, request: Request) -> str:
    what = "folds" if request.folds and not report.fold else "parts"
    return (
        f"The {report.images:,} images were divided into the {what} {_parts(report)} with xqdata {xqdata.__version__} "
        f"(seed {report.seed})."
    )


def _repaired(report: Report, request: Request) -> str:
    if report.moved is None:
        return ""
    return (
        f"The parts are those of the split {request.grown_from}, repaired: {report.moved.count:,} of its "
        f"{report.moved.images:,} images were moved to other parts."
    )


def _tied(report: Report, request: Request) -> str:
    shared = [_WORDS[t.source] for t in report.tied if t.source in _WORDS and t.shared]
    linked = any(t.source not in _WORDS and t.values for t in report.tied)
    named = shared + (["a verified duplicate or rescan"] if linked else [])
    if not named:
        return "No two images were known to show one specimen, scan or bag, so each image stood for itself."
    text = (
        f"Images that share {_or(named)}, directly or through others, formed {len(report.sizes):,} components; "
        "no component lies in two parts."
    )
    if report.levels and not report.fold:
        columns = [axis for axis in report.levels if axis in request.axes]
        text += f" Neither does any value of {' or '.join(columns)}." if columns else ""
        text += "".join(f" Only images with {axis} are tested." for axis in report.levels if axis not in columns)
    if report.gave_up:
        text += f" Shared {', '.join(report.gave_up)} were not kept apart."
    return text


def _balanced(report: Report, request: Request) -> str:
    found = report.certificate
    if report.moved is not None:
        return ""
    columns = " and ".join(name.replace("_", " ") for name in request.stratify)
    what = "Component folds" if report.fold else "Parts"
    text = f"{what} were balanced over {columns}: the counts of {found.rows:,} values"
    text += f" (of which {found.joint:,} are combinations)" if found.joint else ""
    text += f" deviate from exact proportion by {found.deviation:,.1f} images in total"
    if found.bound is not None:
        proven = "which no assignment of these components improves"
        text += f", {proven}" if found.proven else f", where at least {found.bound:,.1f} are unavoidable"
    return text + "."


def _left(report: Report) -> str:
    told = []
    if report.copies:
        told.append(f"{report.copies:,} copies follow the image that they repeat and are not counted")
    if report.certificate.set_aside:
        told.append(f"{report.certificate.set_aside:,} images were set aside")
    told += [f"{count:,} {why} images take no part" for why, count in report.left_out.items()]
    return f"{'; '.join(told)}." if told else ""


def folds_told(reports: Sequence[Report]) -> str:
    """What the tables of folds over an axis and the components test and train on."""
    first = reports[0]
    axis, folds = next(iter(first.levels)), len({report.fold[1] for report in reports if report.fold})
    tested = sum(part.images for report in reports for part in report.parts if part.name == TEST)
    trained = sum(part.images for report in reports for part in report.parts if part.name != TEST) / len(reports)
    return (
        f"each table tests values of {axis} on one of {folds} folds of the components, taken in turn, and trains on "
        f"other values and other components; the rest is set aside. All tables together test {tested:,} of "
        f"{first.images:,} images, and train on {trained:,.0f} in the mean"
    )


def methods_of_folds(reports: Sequence[Report], request: Request) -> str:
    """The paragraph for folds over an axis: what they are, and what is common to all their tables."""
    first = reports[0]
    divided = (
        f"The {first.images:,} images were divided {len(reports)} times into train and test with xqdata "
        f"{xqdata.__version__} (seed {first.seed}): {folds_told(reports)}."
    )
    copies = f"{first.copies:,} copies follow the image that they repeat and are not counted." if first.copies else ""
    return " ".join(filter(None, [divided, _tied(first, request), _balanced(first, request), copies]))
