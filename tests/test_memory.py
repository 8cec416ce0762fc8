"""A step that does not fit the memory says so before it begins.

It could be wrong while tests pass if only the comparison were tested: so what the kernel's files say is laid out as
machines and containers do it, and the installed steps are run under figures that they do not fit.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner

from assets.rows import image
from xqdata import manifest, memory, schema
from xqdata.cli.main import main
from xqdata.errors import InputError
from xqdata.manifest import Origin, Project
from xqdata.memory import Memory, Rate

GB = 10**9
MEMINFO = "MemTotal: 64000 kB\nMemFree: 1000 kB\nMemAvailable: 32000 kB\nSwapTotal: 8000 kB\nHugePages_Total: 0\n"


def lay(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_machine_by_itself(tmp_path: Path) -> None:
    root = lay(tmp_path, {"proc/meminfo": MEMINFO, "proc/self/cgroup": "0::/user.slice\n"})
    assert memory.machine(root) == Memory(32000 * 1024, 72000 * 1024)


def test_elsewhere_than_on_linux_nothing_is_known(tmp_path: Path) -> None:
    assert memory.machine(tmp_path) is None
    assert memory.machine(lay(tmp_path, {"proc/meminfo": "MemTotal: 64000 kB\n"})) is None


@pytest.mark.parametrize("outer", [True, False])
def test_a_limit_of_any_group_above_counts(tmp_path: Path, outer: bool) -> None:
    limited, free = "sys/fs/cgroup/job", "sys/fs/cgroup/job/step"
    limited, free = (limited, free) if outer else (free, limited)
    files = {
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "0::/job/step\n",
        **{f"{place}/memory.stat": "anon 5\ninactive_file 1024\n" for place in (limited, free)},
        **{f"{place}/memory.current": "3072\n" for place in (limited, free)},
        f"{limited}/memory.max": f"{10 * 1024}\n",
        f"{free}/memory.max": "max\n",
    }
    assert memory.machine(lay(tmp_path, files)) == Memory(8 * 1024, (10 + 8000) * 1024)


def test_groups_of_the_first_version(tmp_path: Path) -> None:
    place = "sys/fs/cgroup/memory"
    files = {
        "proc/meminfo": MEMINFO,
        # The group as the machine calls it: the container sees its own at the top.
        "proc/self/cgroup": "5:devices:/docker/1\n4:memory:/docker/1\n0::/\n",
        f"{place}/memory.stat": "total_inactive_file 0\n",
        f"{place}/memory.limit_in_bytes": "4096\n",
        f"{place}/memory.usage_in_bytes": "5000\n",
    }
    assert memory.machine(lay(tmp_path, files)) == Memory(0, 4096 + 8000 * 1024)


def test_this_machine_has_memory() -> None:
    found = memory.machine()
    assert found is None or 0 <= found.free <= found.all


def test_warned_where_it_may_not_fit_and_refused_where_it_cannot() -> None:
    rate, rows = Rate(GB, 1000), 9_000_000
    assert memory.check("split", rate, rows, None) == ""
    assert memory.check("split", rate, rows, Memory(10 * GB, 10 * GB)) == ""
    told = "split takes some 10.0 GB of memory for 9,000,000 images, and 9.0 GB are free: if it is killed, take a"
    assert memory.check("split", rate, rows, Memory(9 * GB, 12 * GB)).startswith(told)
    assert memory.check("split", rate, rows, Memory(1 * GB, 5 * GB))
    with pytest.raises(InputError, match=r"split: takes some 10.0 GB of .*, and there are 4.9 GB in all; take a"):
        memory.check("split", rate, rows, Memory(1 * GB, 49 * GB // 10))


def test_more_rows_than_a_column_of_hashes_holds_are_refused_on_any_machine() -> None:
    assert memory.check("audit", Rate(GB, 1), 2**25 - 1, None) == ""
    with pytest.raises(InputError, match=r"audit: takes at most 33,554,431 images, and there are 33,554,432; divide"):
        memory.check("audit", Rate(GB, 1), 2**25, None)


def test_texts_that_overflow_a_column_are_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    size = 1_100_000_000  # zeroed pages that nobody reads take no memory
    offsets = pa.array([0, size], pa.int32()).buffers()[1]
    long = pa.StringArray.from_buffers(1, offsets, pa.py_buffer(bytes(size)))

    def overflow(*_: object) -> None:
        pa.table({"path": pa.chunked_array([long, long])}).take([1, 0])

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(manifest, "standing", overflow)
    done = CliRunner().invoke(main, ["status"])
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("error: the texts of one column take more than 2 GB")
    # As Arrow says it where a column of ids is looked up in, which takes a minute: index_in of 2**26 ids.
    assert memory.overflowed(pa.ArrowCapacityError("array cannot contain more than 2147483646 bytes, have 2147483648"))
    assert memory.overflowed(pa.ArrowInvalid("Take operation overflowed binary array capacity"))
    assert memory.overflowed(pa.ArrowInvalid("Column 'path' must not be null")) is None


@pytest.mark.parametrize("command", ["split", "audit", "dedup"])
def test_the_steps_look_before_they_begin(project: Project, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    tables = {name: schema.empty(name) for name in manifest.TOGETHER}
    rows = [image(f"{n}.png", sha256=str(n), specimens=[str(n)]) for n in range(6)]
    manifest.write(project, {**tables, "images": schema.from_rows("images", rows)}, Origin("ingest"))
    parts = [{"image_id": row["image_id"], "part": ("train", "test")[n % 2]} for n, row in enumerate(rows)]
    manifest.write(project, {"splits/default": schema.from_rows("splits/default", parts)}, Origin("other"))
    monkeypatch.chdir(project.folder)
    before = manifest.standing(project)

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, [command, *words])
        return done.exit_code, done.stderr

    monkeypatch.setattr(memory, "machine", lambda: Memory(0, 1))
    code, told = run()
    assert code == 1 and told.count("\n") == 1 and f"error: {command}: takes some 0." in told
    assert manifest.standing(project) == before
    monkeypatch.setattr(memory, "machine", lambda: Memory(0, 10**12))
    words = ["--name", "new"] if command == "split" else ["--workers", "1"]
    code, told = run(*words)
    assert f"warning: {command} takes some 0." in told
    assert code == 0 or command == "dedup"  # which then misses the pictures
    monkeypatch.setattr(memory, "machine", lambda: None)
    assert "warning" not in run(*words, "--quiet")[1]
