"""What is measured, one function per file, and the worker process that runs it.

    PYTHON contestants.py

reads questions from stdin, one JSON document per line ({"job": ..., "files": [...]}), and answers each by a line. A
process imports only what the asked job needs, so that peers run in an environment of their own.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any

Job = Callable[[str], Any]
Decoder = Callable[[bytes], Any]


# --- floor: read, sha256, decode


def floor(decoder: str) -> Job:
    """The least that any tool must do for the same table, with one of DECODERS."""
    decode = DECODERS[decoder]()

    def job(file: str) -> None:
        data = Path(file).read_bytes()
        hashlib.sha256(data).hexdigest()
        decode(data)

    return job


def probe(decoder: str) -> Job:
    """What a decoder gives, without regard to the channels' order: shape, dtype, sum."""
    decode = DECODERS[decoder]()

    def job(file: str) -> list[Any]:
        pixels = decode(Path(file).read_bytes())
        return [list(pixels.shape), pixels.dtype.str, int(pixels.sum(dtype="uint64"))]

    return job


def _simplejpeg() -> Decoder:
    import simplejpeg

    return simplejpeg.decode_jpeg


def _opencv() -> Decoder:
    import cv2
    import numpy as np

    # IGNORE_ORIENTATION and ANYDEPTH | ANYCOLOR: the file's own pixels, as the others give them.
    flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR | cv2.IMREAD_IGNORE_ORIENTATION
    return lambda data: cv2.imdecode(np.frombuffer(data, np.uint8), flags)


def _pillow() -> Decoder:
    import numpy as np
    from PIL import Image

    return lambda data: np.asarray(Image.open(io.BytesIO(data)))


def _tifffile() -> Decoder:
    import tifffile

    return lambda data: tifffile.imread(io.BytesIO(data))


def _imagecodecs(name: str) -> Callable[[], Decoder]:
    def prepare() -> Decoder:
        import imagecodecs

        return getattr(imagecodecs, name)

    return prepare


DECODERS: dict[str, Callable[[], Decoder]] = {
    "simplejpeg": _simplejpeg,
    "OpenCV": _opencv,
    "Pillow": _pillow,
    "tifffile": _tifffile,
    "imagecodecs jpeg8": _imagecodecs("jpeg8_decode"),
    "imagecodecs spng": _imagecodecs("spng_decode"),
    "imagecodecs png": _imagecodecs("png_decode"),
    "imagecodecs bmp": _imagecodecs("bmp_decode"),
}
_OF_FORMAT = {
    "jpeg": ("simplejpeg", "imagecodecs jpeg8", "OpenCV", "Pillow"),
    "png": ("imagecodecs spng", "imagecodecs png", "OpenCV", "Pillow"),
    "bmp": ("imagecodecs bmp", "OpenCV", "Pillow"),
    "tiff": ("tifffile", "OpenCV", "Pillow"),
}


def decoders(name: str) -> tuple[str, ...]:
    """The decoders to try for a format of `scans.FORMATS`."""
    return _OF_FORMAT[name.removesuffix("16")]


# --- xqdata


def ours() -> Job:
    """The whole record, as `xqdata ingest` measures it in its workers."""
    from xqdata.ingest.measure import measure_file
    from xqdata.ingest.shard import Shard
    from xqdata.ingest.walk import Found
    from xqdata.scans import Rules

    def job(file: str) -> str | None:
        path = Path(file)
        info = path.stat()
        shard = Shard(path.parent, (), frozenset(), Rules(), path.parent)
        rows = measure_file(shard, Found(path.name, info.st_size, info.st_mtime_ns))
        return _wrong(rows)

    return job


def _wrong(rows: list[dict[str, Any]]) -> str | None:
    """Why the rows of one file are no record, or None."""
    if len(rows) == 1 and rows[0]["kind"] == "image":
        return None
    return str(rows)


def check() -> Job:
    """None, or how our hashes of a file differ from ImageHash's."""
    import imagehash
    from PIL import Image

    from xqdata.hashing import hashes
    from xqdata.images import Limits, pages

    def job(file: str) -> str | None:
        (page,) = pages(Path(file).read_bytes(), Limits())
        mine = hashes(page.grey)
        with Image.open(file) as image:
            theirs = str(imagehash.phash(image)), str(imagehash.dhash(image))
        same = (f"{mine.phash:016x}", f"{mine.dhash:016x}") == theirs
        return None if same else f"{Path(file).name}: {mine.phash:016x} {mine.dhash:016x}, ImageHash {theirs}"

    return job


def pixels() -> Job:
    """What `probe` says of the pixels that our record is made from."""
    from xqdata.images import Limits, pages

    def job(file: str) -> list[Any]:
        (page,) = pages(Path(file).read_bytes(), Limits())
        return [list(page.pixels.shape), page.pixels.dtype.str, int(page.pixels.sum(dtype="uint64"))]

    return job


# --- the others


def phash() -> Job:
    """`imagehash.phash` alone."""
    import imagehash
    from PIL import Image

    def job(file: str) -> str:
        with Image.open(file) as image:
            return str(imagehash.phash(image))

    return job


def plain() -> Job:
    """What one writes with hashlib, Pillow, ImageHash and NumPy: sha256, two hashes, five figures; one decode."""
    import imagehash
    import numpy as np
    from PIL import Image

    def laplacian_variance(grey: Any) -> float:
        g = grey.astype(np.float32)
        edges = g[:-2, 1:-1] + g[2:, 1:-1] + g[1:-1, :-2] + g[1:-1, 2:] - 4 * g[1:-1, 1:-1]
        return float(edges.var())

    def job(file: str) -> str:
        data = Path(file).read_bytes()
        hashlib.sha256(data).hexdigest()
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            hashes = imagehash.phash(image), imagehash.dhash(image)
            grey = np.asarray(image if image.mode.startswith("I") else image.convert("L"))
        grey.mean(), grey.std(), grey.min(), grey.max(), laplacian_variance(grey)
        return str(hashes[0])

    return job


def imagededup() -> Job:
    """What imagededup's `PHash.encode_images` runs for each file.

    Its own pool is left out: it is started again by every call and handed files by the hundred, which would leave
    workers idle here.
    """
    from imagededup.methods import PHash

    hasher = PHash(verbose=False)

    def job(file: str) -> str:
        found = hasher.encode_image(image_file=file)
        if found is None:
            raise ValueError(f"imagededup gives no hash for {Path(file).name}")
        return str(found)

    return job


# --- where the time of our record goes


def stages() -> Job:
    """Processor milliseconds of one record by stage, each without the stages inside it; `rest` is what remains."""
    clock = _Stages()
    clock.install()
    whole = ours()

    def job(file: str) -> dict[str, float]:
        clock.spent = {}
        with clock.stage("rest"):
            whole(file)
        return {name: seconds * 1000 for name, seconds in clock.spent.items()}

    return job


class _Stages:
    """A stopwatch that is always in one stage: entering an inner one stops the outer."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self.inside: list[str] = []
        self.since = 0.0

    def stage(self, name: str) -> _Stage:
        return _Stage(self, name)

    def switch(self) -> None:
        now = time.thread_time()
        if self.inside:
            self.spent[self.inside[-1]] = self.spent.get(self.inside[-1], 0.0) + now - self.since
        self.since = now

    def install(self) -> None:
        """Put a stopwatch round the functions of xqdata that stages are named after."""
        import imagecodecs

        from xqdata.images import plain
        from xqdata.ingest import measure

        for module, name, stage in (
            (measure, "hashes", "hashes"),
            (measure, "measure", "quality"),
            (measure, "pixel_hash", "pixel hash"),
            (plain, "plain_grey", "grey"),
            (imagecodecs, "jpeg8_decode", "decode"),
            (plain, "png_pixels", "decode"),
        ):
            setattr(module, name, self.around(getattr(module, name), stage))
        measure.pages = self.around_each(measure.pages, "header, tags")  # type: ignore[assignment]
        hashlib.sha256 = self.around(hashlib.sha256, "sha256")  # type: ignore[assignment]

    def around(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def timed(*args: Any, **options: Any) -> Any:
            with self.stage(stage):
                return function(*args, **options)

        return timed

    def around_each(self, function: Callable[..., Iterator[Any]], stage: str) -> Callable[..., Iterator[Any]]:
        def timed(*args: Any) -> Iterator[Any]:
            items = function(*args)
            while True:
                with self.stage(stage):
                    try:
                        item = next(items)
                    except StopIteration:
                        return
                yield item

        return timed


class _Stage:
    def __init__(self, clock: _Stages, name: str) -> None:
        self.clock, self.name = clock, name

    def __enter__(self) -> None:
        self.clock.switch()
        self.clock.inside.append(self.name)

    def __exit__(self, *_: object) -> None:
        self.clock.switch()
        self.clock.inside.pop()


# --- the worker process


def installed() -> Callable[[str], str | None]:
    """The version of a package, by its name, or None where it is not installed."""

    def job(package: str) -> str | None:
        try:
            return version(package)
        except ImportError:
            return None

    return job


JOBS: dict[str, Callable[..., Job]] = {
    f.__name__: f for f in (floor, probe, ours, check, pixels, phash, plain, imagededup, stages, installed)
}


def prepare(name: str) -> Job:
    """The job called `name`: one of JOBS, with an argument behind a colon where it takes one."""
    job, _, argument = name.partition(":")
    return JOBS[job](argument) if argument else JOBS[job]()


def serve() -> None:
    """Answer questions until stdin ends."""
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    jobs: dict[str, Job] = {}
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line), jobs)), file=answers, flush=True)


def serve_at(address: str) -> None:
    """Answer questions that come from `address` until it closes; in a worker process of the engine."""
    jobs: dict[str, Job] = {}
    with Client(address) as connection:
        try:
            while True:
                connection.send(_answer(connection.recv(), jobs))
        except EOFError:
            pass


def _answer(question: dict[str, Any], jobs: dict[str, Job]) -> dict[str, Any]:
    name = question["job"]
    try:
        job = jobs[name] = jobs.get(name) or prepare(name)
        start = time.process_time()
        values = [job(file) for file in question["files"]]
        return {"values": values, "cpu": time.process_time() - start}
    except Exception as error:  # noqa: BLE001 - told to the one who asked, who knows whether it matters
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    serve()
