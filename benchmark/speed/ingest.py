"""How fast ingest measures pictures, beside the floor and its peers, in one run.

    python benchmark/speed/ingest.py [--workers 2] [--images N] [--repeats R] [--formats jpeg,png] [--peers PYTHON]

The pictures are generated in a temporary folder. Prints Markdown tables; `--write` puts them into README.md.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

import scans
from contestants import decoders
from lanes import JobError, Lane, Lap, of_engine, of_interpreter, race

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
# A lap shorter than this says more about the machine than about the contestant.
_LAP_SECONDS = 0.5
_HEATS = 3
_STAGES = ("decode", "header, tags", "grey", "hashes", "quality", "pixel hash", "sha256", "rest")
_STAGE_ROUNDS = 5
_PACKAGES = ("xqdata", "numpy", "numba", "pillow", "opencv-python-headless", "imagecodecs", "tifffile", "ImageHash")
_PEER_PACKAGES = ("imagededup", "simplejpeg", "pillow")
FLOOR, OURS, PHASH, PLAIN, DEDUP = "floor", "xqdata", "imagehash.phash", "plain", "imagededup"


@dataclass
class Outcome:
    """What was measured on one format: the laps of each contestant, all over `count` pictures."""

    name: str
    count: int
    kilobytes: float
    decoder: str
    laps: dict[str, list[Lap]]
    notes: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The format as the tables call it."""
        return scans.FORMATS[self.name][0]

    def rates(self, who: str) -> list[float]:
        """Images per second of each lap."""
        return [self.count / lap.seconds for lap in self.laps[who]]

    def ratio(self, who: str, than: str) -> float | None:
        """How many times faster `who` is `than` another: the median over the rounds, whose laps follow each other."""
        if not (self.laps.get(who) and self.laps.get(than)):
            return None
        return median(a / b for a, b in zip(self.rates(who), self.rates(than), strict=True))

    def ratio_of_processor_time(self, who: str, than: str) -> float:
        """The same from the workers' processor time, which other load on the machine hardly touches."""
        return median(b.cpu / a.cpu for a, b in zip(self.laps[who], self.laps[than], strict=True))


def main() -> None:
    """Generate, check, measure, print."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="xqdata-speed-") as name, ExitStack() as stack:
        folder = Path(name)
        _say(f"generating {options.images} pictures in {len(options.formats)} formats")
        _generate(folder, options)
        lanes, peers = _lanes(options, stack)
        _check(lanes[PLAIN], folder, options.formats)
        load = [os.getloadavg()[0]]
        outcomes = [_measure(f, _files(folder, f), lanes, peers, options.repeats) for f in options.formats]
        parts = [_rates_table(outcomes), _ratios_table(outcomes), _cpu_table(outcomes), _notes(outcomes)]
        parts.append(_stages_table(folder, options))
        if "jpeg" in options.formats:
            parts.append(_end_to_end(folder, options))
        load.append(os.getloadavg()[0])
        text = "\n\n".join([_circumstances(options, lanes[PLAIN], peers, load), *filter(None, parts)])
    print(text)
    if options.write:
        _write(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2, help="worker processes of each contestant (2)")
    parser.add_argument("--images", type=int, default=64, help="pictures of each format (64)")
    parser.add_argument("--repeats", type=int, default=7, help="rounds; each contestant runs once in a round (7)")
    parser.add_argument("--formats", default=",".join(scans.FORMATS), help="some of %(default)s")
    parser.add_argument("--files", type=int, default=1000, help="files of the end-to-end measurement (1000)")
    parser.add_argument("--seed", type=int, default=0, help="of the pictures (0)")
    parser.add_argument("--peers", metavar="PYTHON", help="interpreter that has requirements-peers.txt installed")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmark/speed/README.md")
    options = parser.parse_args()
    options.formats = tuple(options.formats.split(","))
    unknown = [f for f in options.formats if f not in scans.FORMATS]
    if unknown:
        parser.error(f"unknown format {unknown[0]}; there are {', '.join(scans.FORMATS)}")
    return options


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _generate(folder: Path, options: argparse.Namespace) -> None:
    with ProcessPoolExecutor(options.workers) as pool:
        for index in range(options.images):
            pool.submit(scans.write, folder, index, options.seed, options.formats)
    for name in options.formats:
        if len(_files(folder, name)) != options.images:
            sys.exit(f"{name}: {len(_files(folder, name))} of {options.images} pictures were written")


def _lanes(options: argparse.Namespace, stack: ExitStack) -> tuple[dict[str, Lane], list[Lane]]:
    """Workers for each contestant, and those of the peers' interpreter: for the floor and for imagededup."""

    count = options.workers
    lanes = {who: stack.enter_context(of_engine(count)) for who in (FLOOR, OURS)}
    lanes |= {who: stack.enter_context(of_interpreter(sys.executable, count)) for who in (PHASH, PLAIN)}
    return lanes, [stack.enter_context(of_interpreter(options.peers, count)) for _ in range(2 if options.peers else 0)]


def _files(folder: Path, name: str) -> list[str]:
    return [str(path) for path in sorted((folder / name).glob("*"))]


def _check(lane: Lane, folder: Path, formats: Iterable[str]) -> None:
    """Stop if a hash of ours is not ImageHash's: a fast wrong answer is not worth measuring."""
    for name in formats:
        if name in scans.EIGHT_BITS:
            different = [value for value in lane.run("check", _files(folder, name)).values if value]
            if different:
                sys.exit(f"{name}: {len(different)} pictures have hashes other than ImageHash's, first {different[0]}")


# --- one format


def _measure(name: str, files: list[str], lanes: dict[str, Lane], peers: list[Lane], rounds: int) -> Outcome:
    _say(f"measuring {name}")
    lane, decoder, seconds, notes = _fastest_decoder(name, files, lanes, peers)
    runners = {
        FLOOR: (lane, f"floor:{decoder}"),
        OURS: (lanes[OURS], "ours"),
        PHASH: (lanes[PHASH], "phash"),
        PLAIN: (lanes[PLAIN], "plain"),
    }
    if peers:
        runners[DEDUP] = (peers[1], "imagededup")
    for who, (of, job) in list(runners.items()):
        try:
            of.warm(job, files)
        except JobError as error:
            if who != DEDUP:
                raise
            notes.append(f"imagededup fails: {error}")
            del runners[who]
    times = math.ceil(_LAP_SECONDS / seconds)
    laps = race(runners, files, rounds, times)
    failed = [value for lap in laps[OURS] for value in lap.values if value]
    if failed:
        sys.exit(f"{name}: no record for a picture: {failed[0]}")
    notes += _few_hashes(laps, len(files))
    size = mean(Path(file).stat().st_size for file in files) / 1000
    return Outcome(name, len(files) * times, size, decoder, laps, notes)


def _few_hashes(laps: dict[str, list[Lap]], pictures: int) -> list[str]:
    counts = {who: len(set(laps[who][0].values)) for who in (PHASH, DEDUP) if who in laps}
    return [f"{who} gives {n} different hashes for {pictures} pictures" for who, n in counts.items() if n < pictures]


def _fastest_decoder(
    name: str, files: list[str], lanes: dict[str, Lane], peers: list[Lane]
) -> tuple[Lane, str, float, list[str]]:
    """The lane and decoder that win a race among those which give the very pixels of our record; its seconds."""
    (expected,) = lanes[PLAIN].run("pixels", files[:1]).values
    entries: dict[str, tuple[Lane, str]] = {}
    for lane in (lanes[FLOOR], *peers[:1]):
        for decoder in decoders(name):
            if decoder not in entries and _gives(lane, decoder, files[0], expected):
                entries[decoder] = (lane, f"floor:{decoder}")
    for lane, job in entries.values():
        lane.warm(job, files)
    heats = {d: min(lap.seconds for lap in laps) for d, laps in race(entries, files, _HEATS, 1).items()}
    best = min(heats, key=lambda decoder: heats[decoder])
    order = sorted(heats, key=lambda decoder: heats[decoder])
    told = ", ".join(f"{decoder} {len(files) / heats[decoder]:.0f}/s" for decoder in order)
    return entries[best][0], best, heats[best], [f"floor by decoder, best of {_HEATS}: {told}"]


def _gives(lane: Lane, decoder: str, file: str, expected: object) -> bool:
    try:
        return lane.run(f"probe:{decoder}", [file]).values == [expected]
    except JobError:
        return False


# --- tables


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _rates_table(outcomes: list[Outcome]) -> str:
    head = ["images/s: median (min to max)", "KB per file", "floor", "**xqdata, whole record**"]
    rows = []
    for o in outcomes:
        floor = f"{_spread(o, FLOOR)} {o.decoder}"
        row = [o.title, f"{o.kilobytes:.0f}", floor, *(_spread(o, who) for who in (OURS, PHASH, PLAIN, DEDUP))]
        rows.append(row)
    return _table([*head, "`imagehash.phash` alone", "plain pipeline", "imagededup"], rows)


def _spread(outcome: Outcome, who: str) -> str:
    if not outcome.laps.get(who):
        return "–"
    rates = outcome.rates(who)
    return f"{median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})"


def _ratios_table(outcomes: list[Outcome]) -> str:
    head = [
        "times as fast (by processor time)",
        "xqdata / phash alone (goal ≥ 1)",
        "xqdata / plain (goal ≥ 4)",
        "floor / plain (the most possible)",
        "floor / xqdata (goal JPEG ≤ 2, PNG ≤ 1.3)",
        "xqdata / imagededup",
    ]
    rows = []
    for o in outcomes:
        bound = {"jpeg": 2.0, "png": 1.3}.get(o.name)
        row = [o.title, _judged(o, OURS, PHASH, at_least=1.0), _judged(o, OURS, PLAIN, at_least=4.0)]
        row += [_judged(o, FLOOR, PLAIN), _judged(o, FLOOR, OURS, at_most=bound), _judged(o, OURS, DEDUP)]
        rows.append(row)
    return _table(head, rows)


def _judged(
    outcome: Outcome, who: str, than: str, *, at_least: float | None = None, at_most: float | None = None
) -> str:
    ratio = outcome.ratio(who, than)
    if ratio is None:
        return "–"
    told = f"{ratio:.2f} ({outcome.ratio_of_processor_time(who, than):.2f})"
    if at_least is None and at_most is None:
        return told
    good = ratio >= at_least if at_least is not None else ratio <= (at_most or 0.0)
    return f"{told} {'met' if good else 'not met'}"


def _cpu_table(outcomes: list[Outcome]) -> str:
    everyone = (FLOOR, OURS, PHASH, PLAIN, DEDUP)
    rows = []
    for o in outcomes:
        each = [o.laps.get(who) for who in everyone]
        rows.append(
            [o.title, *(f"{median(x.cpu for x in laps) / o.count * 1000:.2f}" if laps else "–" for laps in each)]
        )
    return _table(["processor ms per image, median", *everyone], rows)


def _notes(outcomes: list[Outcome]) -> str:
    return "\n".join(f"- {o.title}: {note}." for o in outcomes for note in o.notes)


def _stages_table(folder: Path, options: argparse.Namespace) -> str:
    """Where the time of one record goes, with all workers busy: of each stage, the median over pictures and rounds."""
    rows = []
    for name in options.formats:
        if name not in ("jpeg", "png"):
            continue
        with of_engine(options.workers) as lane:
            lane.warm("stages", _files(folder, name))
            files = lane.run("stages", _files(folder, name), _STAGE_ROUNDS).values
        parts = [median(file.get(stage, 0.0) for file in files) for stage in _STAGES]
        whole = median(sum(file.values()) for file in files)
        rows.append([scans.FORMATS[name][0], *(f"{ms:.2f}" for ms in parts), f"{whole:.2f}"])
    return _table(["processor ms per record, median", *_STAGES, "whole"], rows) if rows else ""


# --- end to end


def _end_to_end(folder: Path, options: argparse.Namespace) -> str:
    _say("measuring xqdata ingest")
    _many(_files(folder, "jpeg"), folder / "raw", options.files)
    _many(_files(folder, "jpeg"), folder / "one", 1)
    runs = [_ingest_twice(folder, "raw", options.workers) for _ in range(3)]
    starts = [_ingest_twice(folder, "one", options.workers) for _ in range(3)]
    rows = []
    for index, title in enumerate(("first run", "second run, nothing changed")):
        seconds, cpu = zip(*(run[index] for run in runs), strict=True)
        rates = [options.files / s for s in seconds]
        spread = f"{median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})"
        start = median(run[index][0] for run in starts)
        rows.append([title, f"{median(seconds):.2f}", f"{median(cpu):.2f}", spread, f"{start:.2f}"])
    head = [f"`xqdata ingest`, {options.files} JPEG files", "s", "processor s", "files/s", "of one file alone: s"]
    return _table(head, rows)


def _many(files: list[str], folder: Path, count: int) -> None:
    """`count` different files of the given JPEG pictures: each copy carries its number in a comment."""
    folder.mkdir()
    for number in range(count):
        data = Path(files[number % len(files)]).read_bytes()
        comment = b"\xff\xfe" + (10).to_bytes(2, "big") + b"%08d" % number
        (folder / f"{number:06}.jpg").write_bytes(data[:2] + comment + data[2:])


def _ingest_twice(folder: Path, raw: str, workers: int) -> list[tuple[float, float]]:
    """Seconds and processor seconds of the command in a new project, and of the same command again."""
    project = folder / "project"
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir()
    command = [str(Path(sys.executable).with_name("xqdata")), "ingest", f"../{raw}", "--workers", str(workers), "-q"]
    times = []
    for _ in range(2):
        start, before = time.perf_counter(), os.times()
        subprocess.run(command, cwd=project, check=True, stdout=subprocess.DEVNULL)
        seconds, after = time.perf_counter() - start, os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        times.append((seconds, cpu))
    return times


# --- the page


def _circumstances(options: argparse.Namespace, lane: Lane, peers: list[Lane], load: list[float]) -> str:
    command = ["python", "benchmark/speed/ingest.py"]
    given = [a for a in sys.argv[1:] if a != options.peers and not a.startswith("--peers")]
    command += given + (["--peers", "PYTHON"] if options.peers else [])
    lines = [
        f"- {time.strftime('%Y-%m-%d')}: `{' '.join(command)}`; {options.images} pictures of {scans.WIDTH} x "
        f"{scans.HEIGHT}, {options.workers} workers, {options.repeats} rounds",
        f"- {_processor()}, {os.cpu_count()} cores; load average {load[0]:.1f} before and {load[1]:.1f} after "
        f"(the measurement itself keeps {options.workers} busy)",
        f"- Python {platform.python_version()}; {_versions(lane, _PACKAGES)}",
    ]
    lines += [f"- peers: {_versions(peers[0], _PEER_PACKAGES)}"] if peers else ["- peers: none (no `--peers`)"]
    return "\n".join(lines)


def _versions(lane: Lane, packages: tuple[str, ...]) -> str:
    found = lane.run("installed", list(packages)).values
    return ", ".join(f"{name} {version or 'absent'}" for name, version in zip(packages, found, strict=True))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _write(text: str) -> None:
    page = README.read_text()
    before, rest = page.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    README.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


if __name__ == "__main__":
    main()
