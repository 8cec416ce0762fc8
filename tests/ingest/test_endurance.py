"""Ingest for the long run: killed, interrupted, starved of disk, memory or workers, and run again.

The command is the real one. Where it is needed often, a driver (assets/endure.py) imports it once and forks a child
for each run, which may be killed with its whole process group; elsewhere it is the installed `xqdata` with two workers.

Wrong while green would be: kills that all fall into one phase, or after the end; tables compared by what their metadata
claim instead of by their rows; a kill that spares the workers; a full disk that is full only for the parent.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from click.testing import CliRunner

from assets import endure
from assets.pictures import encoded, grey, save
from xqdata import labels, manifest, schema
from xqdata.cli import main
from xqdata.ingest.measured import load
from xqdata.manifest import Project

COMMAND = Path(sys.executable).with_name("xqdata")
FILES = 128
Digests = dict[str, str]


# --- what the tests share


class Driver:
    """Runs the command line in forked children of a process that has imported everything."""

    def __init__(self) -> None:
        command = [sys.executable, endure.__file__]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(
        self,
        scene: Scene,
        *arguments: str,
        kill_after: float | None = None,
        kill_in: str | None = None,
        kill_opened: int = 0,
        limit: int | None = None,
    ) -> dict[str, Any]:
        """`kill_after`: seconds after the start, or after the step `kill_in` was reached. `kill_opened`: as soon as so
        many files of the raw folder were opened. `limit`: no file larger.
        """
        line = ["ingest", str(scene.raw), "--workers", "1", *(arguments or ["--quiet"])]
        order = {"project": str(scene.project.folder), "raw": str(scene.raw), "arguments": line, "limit": limit}
        kill = {"kill_after": kill_after, "kill_in": kill_in, "kill_opened": kill_opened}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order | kill) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    made = Driver()
    yield made
    assert made.process.stdin is not None
    made.process.stdin.close()
    made.process.wait()
    assert made.process.stdout is not None
    made.process.stdout.close()


@dataclass
class Scene:
    """A raw folder in one of two states, of the same names and other bytes, and a project."""

    base: Path
    project: Project
    state: int = 0

    @property
    def raw(self) -> Path:
        return self.base / "raw"

    def turn(self) -> None:
        """Put the other state in the place of this one."""
        self.raw.rename(self.base / f"raw.{self.state}")
        self.state = 1 - self.state
        (self.base / f"raw.{self.state}").rename(self.raw)

    def forget(self) -> None:
        """Start a new project."""
        shutil.rmtree(self.project.folder)
        self.project.folder.mkdir()

    def measured(self) -> list[Path]:
        """Files of finished shards."""
        return sorted((self.project.state / "measured").rglob("*.parquet"))

    def files(self) -> list[str]:
        """All that xqdata has left in the project."""
        paths = (p for p in self.project.folder.rglob("*") if p.is_file())
        return sorted(p.relative_to(self.project.folder).as_posix() for p in paths)


def make_scene(base: Path, files: int = FILES) -> Scene:
    for state in (0, 1):
        for n in range(files):
            picture = grey(12 + state, 16, seed=n) if (n + state) % 10 else None
            data = b"no picture" if picture is None else encoded(picture)
            kind = ("single_basket", "mixed_no_basket")[n % 2]
            path = save(base / f"raw.{state}/apple/{kind}/apple-{n % 7}_{n:04}.png", data)
            os.utime(path, ns=(1, 10**18 + state))
    (base / "raw.0").rename(base / "raw")
    (base / "project").mkdir()
    return Scene(base, Project(base / "project"))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return make_scene(tmp_path)


@pytest.fixture
def expected(driver: Driver, scene: Scene) -> list[Digests]:
    """The digests of the two states in a project that nothing ever disturbed; the scene's project ends up new."""
    found = []
    for _ in range(2):
        scene.forget()
        assert driver(scene)["code"] == 0
        found.append(whole(scene.project))
        scene.turn()
    assert found[0] != found[1]
    scene.forget()
    return found


def whole(project: Project) -> Digests:
    """The tables' digests, computed from their rows; fails if one is absent, damaged, or of another run."""
    found = {}
    for name in manifest.TOGETHER:
        table = manifest.read(project, name)
        found[name] = str(manifest.digest(schema.table(name), table))
        assert found[name] == manifest.provenance(project, name).digest
    assert manifest.standing(project) == sorted(manifest.TOGETHER)
    return found


def told(document: str) -> dict[str, Any]:
    return json.loads(document)


def start(scene: Scene, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """The installed command with two workers, in a process group of its own, deaf to no signal.

    What a shell starts in the background ignores Ctrl-C, and so would all that these tests start.
    """
    options.setdefault("preexec_fn", lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    return subprocess.Popen(
        [COMMAND, "ingest", scene.raw, "--workers", "2", *(arguments or ["--quiet"])],
        cwd=scene.project.folder,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@contextmanager
def running(scene: Scene, *arguments: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """The same, and nothing of it outlives the block."""
    process = start(scene, *arguments, **options)
    try:
        yield process
    finally:
        for stop in (signal.SIGCONT, signal.SIGKILL):
            try:
                os.killpg(process.pid, stop)
            except ProcessLookupError:
                break
        process.communicate()


def until(true: Callable[[], Any], process: subprocess.Popen[str], seconds: float = 60) -> Any:
    """Wait for something that a running command brings about."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        assert process.poll() is None, f"it ended too early: {process.communicate()}"
        time.sleep(0.001)
    raise AssertionError("it did not come about in time")


def workers(process: subprocess.Popen[str]) -> list[int]:
    """The worker processes of a running command."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def holds_the_lock(scene: Scene, process: subprocess.Popen[str]) -> bool:
    lock = scene.project.state / "lock"
    return lock.exists() and f'"pid": {process.pid},' in lock.read_text()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def measured_paths(scene: Scene) -> set[str]:
    return set(load(scene.measured())["path"].to_pylist())


def all_paths(scene: Scene) -> set[str]:
    return {p.relative_to(scene.raw).as_posix() for p in scene.raw.rglob("*.png")}


# --- killed at any moment


def moments(reached: dict[str, float], rng: random.Random) -> list[tuple[str | None, float]]:
    """When to kill: spread over a whole run and a little longer, and some aimed at the short steps near its end."""
    end = reached["end"] * 1.1
    spread: list[tuple[str | None, float]] = [(None, end * (n + rng.random()) / 75) for n in range(75)]
    names = [*endure.STEPS[2:], "end"]
    lengths = {step: reached[after] - reached[step] for step, after in itertools.pairwise(names)}
    aimed = [(step, lengths[step] * rng.random()) for step in ("compacting", "writing", "renaming") for _ in range(8)]
    found = spread + aimed
    rng.shuffle(found)
    return found


AIMED = ("measuring", "compacting", "writing", "renaming")


def missed(hits: Counter[str]) -> Iterator[tuple[str | None, float]]:
    """More kills where too few met a step, as on a busy machine: as soon as it begins."""
    for step in AIMED:
        for _ in range(10):
            if hits[step] < 3:
                yield step, 0.0


def test_a_run_killed_at_any_moment_leaves_the_old_tables_or_the_new(driver, scene, expected):
    """About a hundred kills. Often the next run is killed as well; the undisturbed run after that is as if none was."""
    rng = random.Random(3)
    calm = driver(scene)
    spread = moments(calm["reached"] | {"end": calm["seconds"]}, rng)
    settled = scene.files()
    assert len(settled) == len(manifest.TOGETHER) + 2, settled  # the lock, and one file of measurements
    hits: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    before: Digests | None = expected[scene.state]
    scene.turn()
    for step, after in itertools.chain(spread, missed(hits)):
        ended = driver(scene, kill_after=after, kill_in=step)
        assert ended["code"] in (0, -signal.SIGKILL), ended["stderr"]
        hits[ended["step"] if ended["code"] else "not killed"] += 1
        target = expected[scene.state]
        found = whole(scene.project) if before is not None or manifest.standing(scene.project) else None
        assert found in (before, target)
        if ended["code"]:
            outcomes["new" if found == target else "old"] += 1
        # However often it is killed: the tables, a set being written, its journal; finished shards, one unfinished.
        assert len(scene.files()) <= 2 * len(manifest.TOGETHER) + 2 + 1 + 2 * (FILES // 32 + 1) + 1
        if found != target and rng.random() < 0.5:
            continue
        again = driver(scene)
        assert (again["code"], again["stderr"]) == (0, "")
        assert whole(scene.project) == target
        assert len(scene.files()) == len(settled), scene.files()
        before = target
        if rng.random() < 0.2:
            scene.forget()
            before = None
        else:
            scene.turn()
    assert sum(hits.values()) - hits["not killed"] >= 50
    assert all(hits[step] >= 3 for step in AIMED), hits
    assert hits["starting"] + hits["walking"] >= 3, hits
    assert min(outcomes["old"], outcomes["new"]) >= 3, outcomes


def test_a_shard_that_a_killed_run_was_writing_is_swept_away(driver, scene):
    driver(scene)
    (kept,) = scene.measured()
    kept.with_suffix(".tmp").write_bytes(b"PAR1")
    shutil.copy(kept, kept.with_stem("finished-before-a-kill"))
    assert driver(scene)["opened"] == []
    assert len(list(kept.parent.iterdir())) == 1


def test_the_real_command_killed_with_its_workers(driver, scene, expected):
    rng = random.Random(4)
    assert driver(scene)["code"] == 0
    before = expected[scene.state]
    scene.turn()
    begun = time.monotonic()
    with running(scene) as process:
        assert process.wait() == 0
    lasted = time.monotonic() - begun
    assert whole(scene.project) == expected[scene.state]
    killed = 0
    for n in range(8):
        before = whole(scene.project)
        scene.turn()
        with running(scene) as process:
            try:
                process.wait(lasted * (n + rng.random()) / 8)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                killed += 1
            process.wait()
        assert whole(scene.project) in (before, expected[scene.state])
        assert driver(scene)["code"] == 0
        assert whole(scene.project) == expected[scene.state]
        assert len(scene.measured()) == 1
    assert killed >= 3


def test_workers_end_when_only_their_parent_is_killed(scene):
    with running(scene) as process:
        pids = until(lambda: len(found := workers(process)) == 2 and found, process)
        process.kill()
        process.wait()
        end = time.monotonic() + 20
        while any(map(alive, pids)) and time.monotonic() < end:
            time.sleep(0.01)
        assert not any(map(alive, pids))


def test_shards_finished_before_a_kill_are_not_read_again(driver, tmp_path):
    scene = make_scene(tmp_path, 400)
    paths = all_paths(scene)
    assert driver(scene, kill_opened=150)["code"] == -signal.SIGKILL
    assert manifest.standing(scene.project) == []
    finished = measured_paths(scene)
    assert 0 < len(finished) < len(paths)
    again = driver(scene, "--json")
    assert set(again["opened"]) == paths - finished
    document = told(again["stdout"])
    assert (document["read"], document["unchanged"]) == (len(paths - finished), len(finished))


# --- two at once


def test_the_second_of_two_ingests_is_told_who_is_first(scene, expected):
    with running(scene) as first:
        until(lambda: holds_the_lock(scene, first), first)
        os.killpg(first.pid, signal.SIGSTOP)
        with running(scene) as second:
            stdout, stderr = second.communicate()
        os.killpg(first.pid, signal.SIGCONT)
        assert (second.returncode, stdout) == (1, "")
        (line,) = stderr.splitlines()
        assert f"xqdata ingest, process {first.pid} on {socket.gethostname()} since 20" in line
        assert first.communicate() == ("", "")
        assert first.returncode == 0
    assert whole(scene.project) == expected[scene.state]


def test_a_lock_file_of_a_dead_process_does_not_block(driver, scene, expected):
    scene.project.state.mkdir()
    notice = {"purpose": "ingest", "pid": 4, "host": "elsewhere", "since": "2024-01-01T00:00:00+00:00"}
    (scene.project.state / "lock").write_text(json.dumps(notice))
    assert driver(scene)["code"] == 0
    assert whole(scene.project) == expected[scene.state]


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EIO])
def test_a_file_system_without_locks_is_one_line(scene, monkeypatch, code):
    def flock(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.chdir(scene.project.folder)
    result = CliRunner().invoke(main, ["ingest", str(scene.raw), "--quiet"])
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert str(scene.project.folder) in line
    assert os.strerror(code) in line
    assert manifest.standing(scene.project) == []


# --- a full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")  # the limit on file sizes, below, is tested everywhere
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def leave(disk: Path, free: int) -> None:
    """Fill all but `free` bytes."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    info = os.statvfs(disk)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, info.f_bavail * info.f_frsize - free))


def failed_for(ended: dict[str, Any], code: int) -> None:
    """It said so in one line."""
    assert ended["code"] == 1, ended["stderr"]
    (line,) = ended["stderr"].splitlines()
    assert os.strerror(code) in line
    assert "nothing was lost" in line
    assert "Detail" not in line


def test_a_full_disk_is_one_line_wherever_it_strikes(driver, scene, expected, small_disk):
    scene.project = Project(small_disk / "project")
    scene.project.folder.mkdir()
    assert driver(scene)["code"] == 0
    struck = set()
    for free in range(0, 1 << 20, 8192):
        before = expected[scene.state]
        scene.turn()
        leave(small_disk, free)
        ended = driver(scene)
        (small_disk / "filler").unlink()
        if ended["code"] == 0:
            break
        struck.add(ended["step"])
        failed_for(ended, errno.ENOSPC)
        assert whole(scene.project) == before
        assert driver(scene)["code"] == 0
        assert whole(scene.project) == expected[scene.state]
    assert "measuring" in struck, struck
    assert whole(scene.project) == expected[scene.state]


def test_a_disk_that_is_full_for_the_tables_alone(driver, scene, small_disk):
    """A corrected config needs no new measurements, so that only the tables have to find room."""
    scene.project = Project(small_disk / "project")
    scene.project.folder.mkdir()
    assert driver(scene)["code"] == 0
    before = whole(scene.project)
    (scene.project.folder / "xqdata.toml").write_text('[ingest.defaults]\nsite = "Incheon"\n')
    struck: Counter[str] = Counter()
    for free in range(0, 1 << 20, 4096):
        leave(small_disk, free)
        ended = driver(scene)
        if ended["code"] == 0:
            break
        struck[ended["step"]] += 1
        failed_for(ended, errno.ENOSPC)
        assert whole(scene.project) == before
        assert len(scene.files()) == len(manifest.TOGETHER) + 3
    assert struck["writing"] >= 3, struck
    assert set(manifest.read(scene.project, "images")["site"].to_pylist()) == {"Incheon"}


def test_a_full_disk_in_a_worker_is_one_line(driver, scene, expected, small_disk):
    scene.project = Project(small_disk / "project")
    scene.project.folder.mkdir()
    assert driver(scene)["code"] == 0
    before = expected[scene.state]
    scene.turn()
    leave(small_disk, 8192)
    with running(scene) as process:
        stdout, stderr = process.communicate()
    failed_for({"code": process.returncode, "stderr": stdout + stderr}, errno.ENOSPC)
    assert whole(scene.project) == before
    (small_disk / "filler").unlink()
    assert driver(scene)["code"] == 0
    assert whole(scene.project) == expected[scene.state]


def test_a_limit_on_file_sizes_is_one_line_wherever_it_strikes(driver, scene, expected):
    assert driver(scene)["code"] == 0
    largest = max(p.stat().st_size for p in scene.project.folder.rglob("*.parquet"))
    struck = set()
    for limit in (1000, largest // 3, *range(largest // 2, largest * 2, largest // 20)):
        before = expected[scene.state]
        scene.turn()
        ended = driver(scene, limit=limit)
        if ended["code"] == 0:
            break
        struck.add(ended["step"])
        failed_for(ended, errno.EFBIG)
        assert whole(scene.project) == before
        assert driver(scene)["code"] == 0
        assert whole(scene.project) == expected[scene.state]
    assert "measuring" in struck
    assert ended["code"] == 0


def test_a_limit_on_file_sizes_in_a_worker_is_one_line(driver, scene, expected):
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))

    with running(scene, preexec_fn=limited) as process:
        stdout, stderr = process.communicate()
    failed_for({"code": process.returncode, "stderr": stdout + stderr}, errno.EFBIG)
    assert manifest.standing(scene.project) == []
    assert driver(scene)["code"] == 0
    assert whole(scene.project) == expected[scene.state]


# --- workers that die, and Ctrl-C


@pytest.fixture
def long(driver: Driver, tmp_path: Path) -> Scene:
    """A project whose next run has enough to measure to be met in the middle of it."""
    scene = make_scene(tmp_path, 2400)
    late = scene.base / "late"
    shutil.move(scene.raw / "apple/mixed_no_basket", late)
    assert driver(scene)["code"] == 0
    shutil.move(late, scene.raw / "apple/mixed_no_basket")
    return scene


def test_a_worker_that_is_killed_is_one_line(driver, long):
    before = whole(long.project)
    with running(long) as process:
        until(lambda: len(long.measured()) > 1, process)
        os.kill(workers(process)[0], signal.SIGKILL)
        stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (1, "")
    (line,) = stderr.splitlines()
    assert "a worker process was killed" in line
    assert whole(long.project) == before
    finished = measured_paths(long)
    assert len(finished) > 750
    again = driver(long, "--json")
    assert again["code"] == 0
    assert set(again["opened"]) == all_paths(long) - finished


def interrupted(scene: Scene, ready: Callable[[subprocess.Popen[str]], Any]) -> None:
    with running(scene) as process:
        until(lambda: ready(process), process)
        pids = workers(process)
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)
        assert not any(map(alive, pids))
    assert process.returncode == 130, stderr
    assert stdout == ""
    assert "Traceback" not in stderr, stderr
    (line,) = stderr.split("\n\n")[-1].strip().splitlines()
    assert line.startswith("interrupted")


def test_ctrl_c_ends_a_run_at_once_and_the_next_goes_on(driver, long):
    """Exit code 130, as shells count a process that Ctrl-C ended: 1 would tell a script that the input is at fault."""
    before = whole(long.project)
    interrupted(long, lambda process: holds_the_lock(long, process))
    interrupted(long, workers)
    interrupted(long, lambda _: len(long.measured()) > 2)
    assert whole(long.project) == before
    finished = measured_paths(long)
    assert len(finished) > 750
    again = driver(long, "--json")
    assert again["code"] == 0
    assert set(again["opened"]) == all_paths(long) - finished


# --- memory


def grown(driver: Driver, scenes: list[Scene]) -> list[int]:
    """Peaks in kB."""
    found = [driver(scene) for scene in scenes]
    assert [ended["code"] for ended in found] == [0] * len(scenes)
    return [ended["peak_kb"] for ended in found]


def test_memory_grows_little_with_the_number_of_files(driver, tmp_path):
    """Some kB for a file, and steps of the allocators; benchmark/speed/memory.py measures 100,000 files."""
    few, many = grown(driver, [make_scene(tmp_path / str(count), count) for count in (1000, 2000)])
    assert many - few <= 20_000
    assert many <= 400_000


def test_memory_does_not_grow_with_the_pictures(driver, tmp_path):
    """100 pictures more, of 360 kB each once they are decoded: to keep them would take 36 MB."""
    scenes = []
    for count in (100, 200):
        scenes.append(make_scene(tmp_path / str(count), 2))
        for n in range(count):
            save(scenes[-1].raw / f"{n}.png", encoded(np.full((600, 600), n, np.uint8)))
    few, many = grown(driver, scenes)
    assert many - few <= 9_000


# --- again


def table_files(project: Project) -> dict[str, tuple[int, int, bytes]]:
    paths = sorted(project.manifests.iterdir())
    return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns, p.read_bytes()) for p in paths}


def test_again_opens_no_file_and_leaves_the_tables_alone(driver, scene):
    first = driver(scene)
    assert set(first["opened"]) == all_paths(scene)
    before = table_files(scene.project)
    again = driver(scene, "--json")
    assert again["opened"] == []
    document = told(again["stdout"])
    assert (document["read"], document["unchanged"], document["changed"]) == (0, FILES, False)
    assert table_files(scene.project) == before


def test_only_a_changed_file_is_opened(driver, scene):
    driver(scene)
    changed, touched = sorted(all_paths(scene))[3:5]
    save(scene.raw / changed, seed=77)
    os.utime(scene.raw / touched, ns=(1, 5))
    again = driver(scene, "--json")
    assert again["opened"] == [changed, touched]
    assert told(again["stdout"])["read"] == 2


def test_a_change_that_keeps_size_and_time_is_not_noticed(driver, scene):
    """What `make` and rsync do not notice either: a file is read again only if its size or its modification time (in
    nanoseconds) is another. Who replaces bytes and puts the time back must delete `.xqdata`, which is always allowed.
    """
    driver(scene)
    before = whole(scene.project)
    path = scene.raw / sorted(all_paths(scene))[3]
    info = path.stat()
    path.write_bytes(bytes(info.st_size))
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    assert driver(scene)["opened"] == []
    assert whole(scene.project) == before
    shutil.rmtree(scene.project.state)
    assert driver(scene)["code"] == 0
    assert whole(scene.project) != before


def test_a_moved_file_keeps_its_labels(driver, scene, reference):
    driver(scene)
    path = next(p for p in sorted(all_paths(scene)) if p.endswith("_0003.png"))
    images = manifest.read(scene.project, "images")
    (image_id,) = images.filter(pc.equal(images["path"], path))["image_id"].to_pylist()
    verdict = labels.Event(datetime(2024, 5, 17), "a person", "test", "object", image_id, "mango", before="apple")
    labels.append(scene.project, [verdict])
    (scene.raw / "moved").mkdir()
    (scene.raw / path).rename(scene.raw / "moved/elsewhere.png")
    again = driver(scene, "--json")
    assert again["opened"] == ["moved/elsewhere.png"]
    assert told(again["stdout"])["missing"] == 1
    images = manifest.read(scene.project, "images")
    rows = {row["path"]: row for row in labels.effective(images, labels.log(scene.project), reference).to_pylist()}
    assert rows["moved/elsewhere.png"]["object"] == "mango"
    assert rows[path]["missing"]
