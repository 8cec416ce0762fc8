"""What `xqdata split` prints of a split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from xqdata.cli import options as opt
from xqdata.splits.report import ASIDE, Report
from xqdata.taxonomy import Taxonomy

_MOST_ROWS = 40
_MOST_COLUMNS = 10
_LABEL = 12


def tell(out: Console, report: Report, taxonomy: Taxonomy) -> None:
    """Print one split: its parts, what they hold, what ties, how good it is, and what stands in the way."""
    out.print(_title(report))
    out.print()
    out.print(_parts(report))
    for heading, counts, known in (
        ("object", report.by_object, taxonomy.objects),
        ("scan type", report.by_scan_type, taxonomy.scan_types),
    ):
        out.print()
        out.print(_counts(heading, counts, known, report))
    out.print()
    for label, text in (
        ("components", _components(report)),
        ("tied by", _tied(report)),
        *(("levels", line) for line in _levels(report)),
        ("moved", _moved(report)),
        ("balance", _balance(report)),
        ("set aside", _aside(report)),
        ("checked", _checked(report)),
    ):
        if text:
            _line(out, label, text)
    _weak(out, report)
    for text in report.obstacles:
        _line(out, "obstacle", text, "yellow")
    for text in report.notes:
        _line(out, "note", text)
    _line(out, "methods", report.methods, "dim")


def tell_folds(out: Console, reports: Sequence[Report]) -> None:
    """Print the folds over two axes: a line for each, then what is common to all."""
    table = Table(box=None, header_style="bold", padding=(0, 2))
    for heading in ("table", "test", "train", "set aside", "classes not in test"):
        table.add_column(heading, justify="left" if heading == "table" else "right", overflow="fold")
    for report in reports:
        counts = {part.name: part.images for part in report.parts}
        lacking = sum("test" not in held for held in report.by_object.values())
        row = (counts["test"], counts["train"], report.certificate.set_aside, lacking)
        table.add_row(opt.shown(report.table), *(f"{n:,}" for n in row))
    out.print(table)
    out.print()
    first = reports[0]
    tested = sum(part.images for report in reports for part in report.parts if part.name == "test")
    train = sum(part.images for report in reports for part in report.parts if part.name == "train") / len(reports)
    axis = next(iter(first.levels))
    told = (
        f"each value of {axis} is tested once, on components that its training part does not hold; component folds "
        f"rotate. {tested:,} of {first.images:,} images are tested, {train:,.0f} are trained on in the mean"
    )
    _line(out, "folds", told)
    _line(out, "components", _components(first))
    _line(out, "tied by", _tied(first))
    _line(out, "balance", _balance(first) + " (component folds)")
    _line(out, "checked", f"every table by itself; in the first: {_checked(first)}")
    for text in first.notes:
        _line(out, "note", text)
    _line(out, "methods", first.methods, "dim")


def _title(report: Report) -> Text:
    title = Text.assemble(opt.shown(report.table, "bold"), f": {report.images:,} images")
    if report.copies:
        title.append(f" and {report.copies:,} copies that follow them")
    title.append("".join(f", {count:,} {why}" for why, count in report.left_out.items()))
    if report.leaky:
        title.append("  LEAKY: drawn at random, as in the study; for comparison only", "bold red")
    if report.gave_up:
        title.append(f"  gives up {', '.join(report.gave_up)}", "bold yellow")
    return title


def _parts(report: Report) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2))
    table.add_column("part")
    for heading in ("images", "share", "asked", "components", *(["copies"] if report.copies else [])):
        table.add_column(heading, justify="right")
    used = sum(part.images for part in report.parts)
    for part in report.parts:
        share = f"{part.images / used:.1%}" if used else "-"
        asked = "-" if part.asked is None else f"{part.asked:.1%}"
        row = [
            f"{part.images:,}",
            share,
            asked,
            f"{part.components:,}",
            *([f"{part.copies:,}"] if report.copies else []),
        ]
        table.add_row(opt.shown(part.name), *row)
    if used < report.images:
        table.add_row(opt.shown(ASIDE, "yellow"), f"{report.images - used:,}")
    return table


def _counts(
    heading: str, counts: Mapping[str, Mapping[str, int]], known: Iterable[str], report: Report
) -> Table | Text:
    """Images by value (rows) and part (columns), with each row's shares where there is room."""
    names = [*report.names, *([ASIDE] if any(ASIDE in held for held in counts.values()) else [])]
    if len(names) > _MOST_COLUMNS:
        return Text(f"{heading} by part: {len(names)} columns do not fit here; --json has them all.")
    table = Table(box=None, header_style="bold", padding=(0, 2), show_footer=True)
    table.add_column(heading, footer="all", overflow="fold")
    shares = len(names) <= 5
    totals = {name: sum(held.get(name, 0) for held in counts.values()) for name in names}
    for name in (*names, "all"):
        whole = sum(totals.values())
        foot = _cell(totals.get(name, whole), whole, shares and name not in (ASIDE, "all"))
        table.add_column(opt.shown(name), justify="right", footer=foot)
    order = {name: n for n, name in enumerate(known)}
    rows = sorted(counts, key=lambda value: (order.get(value, 1 << 30), value))
    for value in rows[:_MOST_ROWS]:
        held = counts[value]
        used = sum(held.get(name, 0) for name in report.names)
        cells = [_cell(held.get(name, 0), used, shares and name != ASIDE) for name in names]
        table.add_row(opt.shown(value), *cells, f"{sum(held.values()):,}")
    if len(rows) > _MOST_ROWS:
        table.add_row(Text(f"… and {len(rows) - _MOST_ROWS:,} more", "dim"))
    return table


def _cell(count: int, of: int, share: bool) -> Text:
    text = Text(f"{count:,}" if count else "·")
    return text.append(f" {count / of if of else 0:4.0%}", "dim") if share else text


def _components(report: Report) -> str:
    if not len(report.sizes):
        return ""
    largest = int(report.sizes[0])
    bounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 1 << 62]
    told = []
    for low, high in pairwise(bounds):
        count = int(((report.sizes >= low) & (report.sizes < high)).sum())
        if count:
            size = f"{low}" if high == low + 1 else f"{low} to {high - 1}" if high < 1 << 62 else f"{low} and more"
            told.append(f"{count:,} of {size}")
    share = f"{largest / max(1, report.images):.1%}"
    text = f"{len(report.sizes):,}, the largest {largest:,} images ({share}), the median {report.median:g}; by images: "
    return text + ", ".join(told)


def _tied(report: Report) -> str:
    told = []
    for tied in report.tied:
        if tied.source.endswith("links"):
            told.append(f"{tied.values:,} {tied.source}")
        elif tied.source == "copies":
            told.append(f"{tied.values:,} clusters of copies")
        elif tied.values:
            told.append(f"{tied.values:,} {tied.source} (named by {tied.images:,} images)")
        else:
            told.append(f"{tied.source} (unknown)")
    return ", ".join(told)


def _levels(report: Report) -> list[str]:
    lines = []
    for axis, levels in report.levels.items():
        by_part: dict[str, list[str]] = {}
        for level, part in levels.items():
            by_part.setdefault(part, []).append(level)
        order = {name: n for n, name in enumerate(report.names)}
        parts = sorted(by_part, key=lambda part: order.get(part, 1 << 30))
        if set(levels) == {axis, f"not {axis}"}:
            lines.append(f"test: images with {axis}; {levels[f'not {axis}']}: the others")
            continue
        lines += [f"{part}: {axis} {', '.join(by_part[part])}" for part in parts]
    return lines


def _moved(report: Report) -> str:
    found = report.moved
    if found is None:
        return ""
    if not found.count:
        return f"none of {found.images:,} images: the split was clean"
    told = ", ".join(f"{count:,} from {source} to {to}" for source, to, count in found.moves)
    text = f"{found.count:,} of {found.images:,} images ({found.count / found.images:.1%}): {told}"
    if found.count == found.least:
        return f"{text}; proven: fewer cannot make it clean"
    why = "some part would be empty else" if found.emptied else "no part is to lose a class"
    proven = ", and then fewer cannot" if found.proven else ", not proven to be the fewest then"
    return f"{text}; {found.least:,} would make it clean, but {why}{proven}"


def _balance(report: Report) -> str:
    found = report.certificate
    rows = f"{found.rows:,} values" + (f", {found.joint:,} of {found.cells:,} cells among them," if found.cells else "")
    text = f"{found.deviation:,.1f} images away from exact proportion, all parts and {rows} together"
    text += "" if report.levels or report.leaky else " (a part's size counts beyond 1%)"
    if found.bound is not None and found.gap is not None:
        if found.proven:
            text += "; proven: no split of these components has less"
        elif found.missing == found.least_missing:
            text += f"; at least {found.bound:,.1f} are unavoidable (gap {found.gap:,.1f}, not proven)"
        else:
            text += "; not proven"
    if found.missing and not report.leaky:
        proven = " (proven: no split has fewer)" if found.missing == found.least_missing else ""
        text += f"; {found.missing:,} times a value is missing in a part{proven}"
    return text


def _aside(report: Report) -> str:
    found = report.certificate
    if not found.set_aside:
        return ""
    text = f"{found.set_aside:,} of {report.images:,} images ({found.set_aside / report.images:.1%})"
    if found.least_set_aside == found.set_aside:
        return text + "; proven: with parts of at least four fifths of their shares, no split sets aside fewer"
    if found.least_set_aside is not None:
        return text + f"; at least {found.least_set_aside:,} are unavoidable if parts hold four fifths of their shares"
    return text + "; the fewest that were found, not proven" if report.levels else text


def _checked(report: Report) -> str:
    told = [f"{count:,} {source}" for source, count in report.proof.checked.items() if count]
    told.append(f"{report.proof.groups + report.proof.groups_torn:,} components")
    torn = {source: count for source, count in report.proof.torn.items() if count}
    if report.proof.groups_torn:
        torn["components"] = report.proof.groups_torn
    text = f"{', '.join(told)}, read anew from the tables"
    if not torn:
        return f"{text}: none lies in two parts"
    return f"{text}; in several parts lie {', '.join(f'{count:,} {source}' for source, count in torn.items())}"


def _weak(out: Console, report: Report) -> None:
    """What chains images into a component that is too large, or that crosses the levels, and what would undo it."""
    for weak in report.weak:
        text = f"without {weak.source} {weak.name}, {weak.largest:,} images of it would stay together"
        _line(out, "chained by", text, "yellow")
    for without in report.without:
        remedy = f" (--allow-leak {without.source})" if " " not in without.source else ""
        text = f"{without.source}{remedy}: {without.components:,} components, the largest {without.largest:,} images"
        if without.crossing is not None:
            text += f", {without.crossing:,} images in components that cross the levels"
        if without.deviation is not None:
            text += f"; {without.deviation:,.1f} images from proportion, {without.missing:,} values missing in parts"
        _line(out, "without", text)


def _line(out: Console, label: str, text: str, style: str = "") -> None:
    """A labelled line; on a terminal, what does not fit goes on below the text."""
    if not out.is_terminal:
        out.print(Text(f"{label:<{_LABEL}}").append_text(opt.shown(text)), soft_wrap=True)
        return
    grid = Table.grid(padding=0)
    grid.add_column(width=_LABEL, no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_row(Text(label, "bold"), opt.shown(text, style))
    out.print(Padding(grid, 0))
