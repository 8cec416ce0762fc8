"""What `xqdata split` prints of a split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from xqdata.cli import options as opt
from xqdata.groups import IDENTITY, LINKS, ON_REQUEST, SEVERAL_VALUES
from xqdata.splits.methods import folds_told
from xqdata.splits.obstacles import many
from xqdata.splits.report import ASIDE, Report
from xqdata.splits.request import TEST, parts_called
from xqdata.splits.strata import SEVERAL, UNKNOWN
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
        out.print(_counts(out, heading, counts, known, report))
    out.print()
    for label, text in (
        ("components", _components(report)),
        ("tied by", _tied(report)),
        *(("levels", line) for line in _levels(report)),
        ("moved", _moved(report)),
        ("grown", _grown(report)),
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
    first = reports[0]
    out.print(Text.assemble(opt.shown(first.table.rpartition(".")[0], "bold"), f": {_images(first)}"))
    out.print()
    table = Table(box=None, header_style="bold", padding=(0, 1))
    table.add_column("table", overflow="fold")
    for heading in ("test", "train", "set aside", "classes tested"):
        table.add_column(heading, justify="right", no_wrap=True)
    for report in reports:
        counts = {part.name: part.images for part in report.parts}
        seen = sum("test" in held for held in report.by_object.values())
        row = (f"{counts['test']:,}", f"{counts['train']:,}", f"{report.certificate.set_aside:,}")
        table.add_row(opt.shown(report.table), *row, f"{seen} of {len(report.by_object)}")
    out.print(table)
    out.print()
    for label, text in (
        ("folds", folds_told(reports)),
        ("components", _components(first)),
        ("tied by", _tied(first)),
        ("balance", f"of the component folds: {_balance(first)}"),
        ("checked", f"every table by itself; in the first: {_checked(first)}"),
    ):
        _line(out, label, text)
    for report in reports:
        if report.empty:
            text = f"no image is left for {parts_called(report.empty)} of {report.table}"
            _line(out, "obstacle", text, "yellow")
    for text in first.notes:
        _line(out, "note", text)
    _line(out, "methods", first.methods, "dim")


def _title(report: Report) -> Text:
    title = Text.assemble(opt.shown(report.table, "bold"), f": {_images(report)}")
    if report.leaky:
        title.append("  LEAKY: drawn at random, as in the study; for comparison only", "bold red")
    if report.gave_up:
        title.append(f"  gives up {', '.join(report.gave_up)}", "bold yellow")
    return title


def _images(report: Report) -> str:
    """How many images there are, and copies, and rows that take no part."""
    several = f" and {report.copies:,} copies that follow them" if report.copies else ""
    copies = " and 1 copy that follows" if report.copies == 1 else several
    return f"{many(report.images, 'image')}{copies}" + "".join(f", {n:,} {why}" for why, n in report.left_out.items())


def _parts(report: Report) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 1))
    table.add_column("part")
    for heading in ("images", "share", "asked", "components", *(["copies"] if report.copies else [])):
        table.add_column(heading, justify="right")
    used = sum(part.images for part in report.parts)
    # Of a part that a condition fixes no share is asked; the others share what it leaves.
    shared = sum(part.images for part in report.parts if part.asked is not None)
    for part in report.parts:
        share = f"{part.images / shared:.1%}" if shared and part.asked is not None else "-"
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
    out: Console, heading: str, counts: Mapping[str, Mapping[str, int]], known: Iterable[str], report: Report
) -> Table | Text:
    """Images by value (rows) and part (columns), with each row's shares where there is room."""
    names = [*report.names, *([ASIDE] if report.certificate.set_aside else [])]
    if len(names) > _MOST_COLUMNS:
        return Text(f"{heading} by part: {len(names)} columns do not fit here; --json has them all.")
    for shares in (True, False):
        table = _counted(heading, counts, known, report, names, shares)
        if table.__rich_measure__(out, out.options.update(width=1000)).maximum <= out.width:
            break
    return table


def _counted(
    heading: str,
    counts: Mapping[str, Mapping[str, int]],
    known: Iterable[str],
    report: Report,
    names: Sequence[str],
    shares: bool,
) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 1), show_footer=True)
    table.add_column(heading, footer="all", overflow="fold")
    totals = {part.name: part.images for part in report.parts} | {ASIDE: report.certificate.set_aside}
    used = report.images - totals[ASIDE]
    for name in names:
        foot = _cell(totals[name], used, shares and name != ASIDE)
        table.add_column(opt.shown(name), justify="right", footer=foot, no_wrap=True)
    table.add_column("all", justify="right", footer=f"{report.images:,}", no_wrap=True)
    order = {name: n for n, name in enumerate(known)} | {SEVERAL: 1 << 30, UNKNOWN: 1 << 31}
    rows = sorted(counts, key=lambda value: (order.get(value, 1 << 29), value))
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
    if largest == 1:
        return f"{len(report.sizes):,}, each a single image"
    bounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 1 << 62]
    told = []
    for low, high in pairwise(bounds):
        count = int(((report.sizes >= low) & (report.sizes < high)).sum())
        if count:
            size = f"{low} to {high - 1} images" if high < 1 << 62 else f"{low} images and more"
            told.append(f"{count:,} of {'1 image' if low == 1 else size}")
    share = f"{largest / max(1, report.images):.1%} of all"
    text = f"{len(report.sizes):,}, the largest {many(largest, 'image')} ({share}), the median {report.median:g}; "
    return text + ", ".join(told)


def _tied(report: Report) -> str:
    told = []
    for tied in report.tied:
        if tied.source.endswith("links"):
            told.append(f"{tied.values:,} {tied.source}")
        elif tied.source == "copies":
            told.append(f"{many(tied.values, 'cluster')} of copies")
        elif tied.values:
            several = "each on one image only" if not tied.shared else f"{tied.shared:,} of them on several images"
            told.append(f"{tied.values:,} {tied.source} ({several})")
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
            tested = next(part.images for part in report.parts if part.name == TEST)
            fraction = f"{tested:,} of the {report.held:,} images with {axis}"
            lines.append(f"test: {fraction}; {levels[f'not {axis}']}: images without")
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
    why = "would leave a part empty" if found.emptied else "would not keep what was asked for"
    proven = "; proven: no fewer do" if found.proven else "; not proven to be the fewest that do"
    return f"{text}; {found.least:,} would make it clean, but {why}{proven}"


def _grown(report: Report) -> str:
    if report.stayed is None:
        return ""
    placed = sum(part.images + part.copies for part in report.parts) - report.stayed
    return f"{report.stayed:,} images and copies keep the part they had, {placed:,} got one now"


def _balance(report: Report) -> str:
    found = report.certificate
    what = " and ".join(report.stratified)
    rows = f"{found.rows:,} values of {what}" + (f" ({found.joint:,} of them combinations)" if found.joint else "")
    text = f"{found.deviation:,.1f} images too many or too few in all, over {rows} and {len(report.names)} parts"
    if found.bound is not None and found.gap is not None:
        if found.proven:
            which = "no split that leaves them there" if report.stayed else "no split of these components"
            text += f"; proven: {which} does better"
        else:
            text += f"; at least {found.bound:,.1f} are unavoidable (gap {found.gap:,.1f}, not proven)"
    if found.missing and not report.leaky:
        cells = "1 class/part cell is" if found.missing == 1 else f"{found.missing:,} class/part cells are"
        proven = " (proven: that cannot be less)" if found.missing == found.least_missing else ""
        text += f"; {cells} empty{proven}"
    return text


def _aside(report: Report) -> str:
    found = report.certificate
    if not found.set_aside:
        return ""
    text = f"{found.set_aside:,} of {report.images:,} images ({found.set_aside / report.images:.1%})"
    if not report.levels:
        return f"{text}, whose components came together from several parts"
    axes = " or ".join("the condition" if set(held) == {a, f"not {a}"} else a for a, held in report.levels.items())
    text += f", since {axes} puts them into one part and what they show into another"
    text += f", or, for {found.unknown:,} of them, since that is unknown" if found.unknown else ""
    if found.least_set_aside == found.set_aside:
        return f"{text}; proven: the fewest while every part holds four fifths of its share"
    if found.least_set_aside is not None:
        least = f"at least {found.least_set_aside:,} are unavoidable"
        return f"{text}; {least} while every part holds four fifths of its share"
    return f"{text}; the fewest that were found, not proven"


def _checked(report: Report) -> str:
    told = [f"{count:,} {source}" for source, count in report.proof.checked.items() if count]
    told.append(many(report.proof.groups + report.proof.groups_torn, "component"))
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
        left = f"without it, {weak.largest:,} of its {int(report.sizes[0]):,} images stay together"
        _line(out, "chained by", f"{weak.source} {weak.name}: {left}", "yellow")
    for without in report.without:
        by = f", by --allow-leak {without.source}" if without.source in (*IDENTITY, *ON_REQUEST, LINKS) else ""
        # Images of several values can be left out; any other tie joins what shows one thing.
        remedy = "" if without.source.startswith(SEVERAL_VALUES) else f"{by} (this would leak)"
        gain = [f"{many(without.components, 'component')}, the largest {many(without.largest, 'image')}"]
        now = report.certificate
        if without.set_aside != now.set_aside:
            gain.append(f"{without.set_aside:,} images set aside instead of {now.set_aside:,}")
        if without.missing != now.missing:
            cells = "cell is" if without.missing == 1 else "cells are"
            gain.append(f"{without.missing:,} class/part {cells} empty instead of {now.missing:,}")
        gain.append(f"{without.deviation:,.1f} images too many or too few instead of {now.deviation:,.1f}")
        _line(out, "without", f"{without.source}{remedy}: {'; '.join(gain)}")


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
