"""Wrong while green would be: set too late, when OpenCV has looked already; set where the processor has no AVX-512, so
that every command prints a complaint; somebody's own choice overwritten.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from xqdata import processor

HAS = "flags\t\t: fpu avx2 avx512f avx512dq avx512cd avx512bw avx512vl"


@pytest.fixture
def told(tmp_path, monkeypatch):
    """A function that settles for a processor with these flags, and says what OpenCV is asked for."""
    monkeypatch.setenv("OPENCV_CPU_DISABLE", "")  # so that it is undone, whatever is set meanwhile
    monkeypatch.delenv("OPENCV_CPU_DISABLE")
    monkeypatch.delitem(sys.modules, "cv2", raising=False)

    def settle(flags):
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{flags}\nbugs\t\t: none\n")
        processor.settle(tmp_path / "cpuinfo")
        return os.environ.get("OPENCV_CPU_DISABLE")

    return settle


def test_avx512_is_not_used_where_there_is_one(told):
    assert told(HAS) == "AVX512-SKX"


@pytest.mark.parametrize("flags", ["flags : fpu avx2", HAS.replace("avx512vl", ""), "Features : fp asimd", ""])
def test_nothing_is_said_where_there_is_none(told, flags):
    assert told(flags) is None


def test_nothing_is_said_where_nothing_is_known(told, tmp_path):
    processor.settle(tmp_path / "absent")
    assert "OPENCV_CPU_DISABLE" not in os.environ


def test_somebody_elses_choice_stays(told, monkeypatch):
    monkeypatch.setenv("OPENCV_CPU_DISABLE", "AVX2")
    assert told(HAS) == "AVX2"


def test_what_is_loaded_already_is_not_contradicted(told, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", object())
    assert told(HAS) == ""  # which keeps those that are started from it, too


@pytest.mark.parametrize("module", ["xqdata.dedup.run", "xqdata.cli.main", "xqdata.simulate", "xqdata_benchmark.cli"])
def test_opencv_loads_after_it_was_asked_and_without_a_word(module):
    environment = {name: value for name, value in os.environ.items() if name != "OPENCV_CPU_DISABLE"}
    code = f"""if True:
        import sys

        class Look:
            def find_spec(self, name, *_):
                if name == "cv2":
                    assert sys.modules["xqdata"].__version__, "cv2 is loaded before xqdata has settled"

        sys.meta_path.insert(0, Look())
        import {module}
        import cv2

        print(cv2.getCPUFeaturesLine())
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    used = [mark for mark in done.stdout.split() if "AVX512" in mark and not mark.endswith("?")]
    assert (used, done.stderr) == ([], "")
