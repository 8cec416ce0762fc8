"""A raw folder of everything that is wrong with raw folders."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import tifffile

from assets.pictures import colour, deep, encoded

Expected = dict[str, str]


def write_bad_folder(folder: Path) -> Expected:
    """Fill `folder`; returns what has to become of each file, by its spelling in the tables: `image`, or a reason."""
    good = encoded(colour())
    files: list[tuple[bytes, bytes, str]] = [
        (b"good.png", good, "image"),
        (b"zero.png", b"", "empty"),
        (b"cut.png", encoded(colour(50, 50))[:1500], "truncated"),
        (b"cut.jpg", encoded(colour(50, 50), "JPEG")[:1500], "truncated"),
        (b"cut.tif", _tiff(deep(50, 50)[None])[:1500], "truncated"),
        (b"jpeg named.png", encoded(colour(), "JPEG"), "image"),
        (b"png named.jpg", encoded(colour(seed=1)), "image"),
        (b"png named.txt", encoded(colour(seed=2)), "image"),
        (b"no ending", encoded(colour(seed=3)), "image"),
        (b"text.png", "바구니를 바꿈\n".encode(), "not_an_image"),
        (b"notes.txt", b"all well\n", "not_an_image"),
        (b"zip.png", b"PK\x03\x04" + bytes(100), "not_an_image"),
        (b"moving.gif", encoded(colour(), "GIF"), "unsupported"),
        (b"garbage.png", b"\x89PNG\r\n\x1a\n" + bytes(range(1, 200)), "truncated"),
        (b"garbage.webp", b"RIFF\x10\0\0\0WEBP" + bytes(range(200)), "unreadable"),
        (b"bomb, claimed.png", png(60000, 60000), "too_large"),
        (b"bomb, real.png", png(16384, 16384, bits=1, data=bytes(2049 * 16384)), "too_large"),
        (b"no width.png", png(0, 10), "unreadable"),
        (b"no height.png", png(10, 0), "unreadable"),
        (b"no width 16.png", png(0, 10, bits=16), "unreadable"),
        (b"all broken.tif", _broken(_tiff(deep()[None]), [0]), "unreadable"),
        (b"half broken.tif", _broken(_tiff(np.stack([deep(seed=n) for n in range(3)])), [1]), "image"),
        (b"x.png/inside.png", encoded(colour(seed=4)), "image"),
        (b"deep/" * 40 + b"down.png", encoded(colour(seed=5)), "image"),
        ("이름/사과 1.png".encode(), encoded(colour(seed=6)), "image"),
        ("이름/".encode() + b"\xbb\xe7\xb0\xfa.png", encoded(colour(seed=7)), "image"),
        (b"invalid \xff\xfe.png", encoded(colour(seed=8)), "image"),
        (b"invalid \xff empty.png", b"", "empty"),
        (b"%FF.png", encoded(colour(seed=9)), "image"),
        (b"100%.png", encoded(colour(seed=10)), "image"),
        (b"new\nline.png", encoded(colour(seed=11)), "image"),
        (b"new\nline, empty.png", b"", "empty"),
        (b"tab\tand\x1b[31m.png", encoded(colour(seed=12)), "image"),
        (b"quo'te \".png", encoded(colour(seed=13)), "image"),
        (b"-rf *.png", encoded(colour(seed=14)), "image"),
        (b"UPPER.png", encoded(colour(seed=15)), "image"),
        (b"upper.png", encoded(colour(seed=16)), "image"),
        ("긴".encode() * 83 + b".png", encoded(colour(seed=17)), "image"),
        (b".DS_Store", b"\0\0\0\1Bud1", "ignored"),
        (b"sub/Thumbs.db", b"x", "ignored"),
        (b"sub/._good.png", good, "ignored"),
        (b".hidden.png", encoded(colour(seed=18)), "image"),
    ]
    for name, data, _ in files:
        _save(os.fsencode(folder) + b"/" + name, data)
    (folder / "empty folder").mkdir()
    expected = {_spelled(name): what for name, _, what in files}
    return expected | _special(folder)


def png(width: int, height: int, bits: int = 8, data: bytes = b"") -> bytes:
    """A grey PNG whose header claims a size, whatever its data holds."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    body = zlib.compress(data, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def _special(folder: Path) -> Expected:
    """Links and a pipe."""
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "secret.png").write_bytes(encoded(colour(seed=99)))
    links = {
        "out.png": (outside / "secret.png", "outside_root"),
        "out folder": (outside, "outside_root"),
        "in.png": (Path("good.png"), "ignored"),
        "in folder": (Path("x.png"), "ignored"),
        "loop folder": (Path(), "ignored"),
        "x.png/up": (Path(".."), "ignored"),
        "loop a.png": (Path("loop b.png"), "unreadable"),
        "loop b.png": (Path("loop a.png"), "unreadable"),
        "nowhere.png": (Path("gone.png"), "vanished"),
    }
    for name, (target, _) in links.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe.png")
    return {name: reason for name, (_, reason) in links.items()} | {"pipe.png": "unsupported"}


def _tiff(pages: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pages, photometric="minisblack", compression="zlib", metadata=None)
    return buffer.getvalue()


def _broken(data: bytes, which: list[int]) -> bytes:
    """A TIFF with the pixels of some pages overwritten."""
    made = bytearray(data)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        for index in which:
            page = file.pages[index]
            start, count = page.dataoffsets[0], page.databytecounts[0]
            made[start : start + count] = bytes(count)
    return bytes(made)


def _save(path: bytes, data: bytes) -> None:
    Path(os.fsdecode(path)).parent.mkdir(parents=True, exist_ok=True)
    Path(os.fsdecode(path)).write_bytes(data)


def _spelled(name: bytes) -> str:
    """Written out here once more, so that an error in xqdata.paths shows."""
    if name == b"%FF.png":
        return "%25FF.png"
    text = name.decode("utf-8", "surrogateescape")
    return "".join(f"%{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in text)
