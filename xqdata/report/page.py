"""What all pages share: the frame, small pictures, escaping."""

from __future__ import annotations

import base64
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np

from xqdata.errors import InputError
from xqdata.images import BadImage
from xqdata.scans import Scan


def render(template: str, **values: Any) -> str:
    """The page that `xqdata/report/templates/TEMPLATE` makes of `values`; text from the data is escaped."""
    loader = jinja2.PackageLoader("xqdata.report")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = resources.files("xqdata.report").joinpath("templates/style.css").read_text(encoding="utf-8")
    return environment.get_template(template).render(style=style, **values)


def write(path: Path, text: str) -> None:
    """Write a page whole or not at all. Raises InputError where it cannot be written."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        hint = "free some space, mend the folder's permissions, or name another file"
        raise InputError(f"cannot be written ({error.strerror})", where=str(path), hint=hint) from error


def thumbnail(scan: Scan, side: int = 240, quality: int = 80) -> str | None:
    """A picture of at most `side` pixels as a data address; None if it cannot be read. 16-bit scans show as grey."""
    try:
        page = scan.read()
    except BadImage:
        return None
    pixels = page.pixels if page.pixels.dtype == np.uint8 and page.pixels.ndim == 3 else page.grey
    pixels = np.ascontiguousarray(pixels[..., :3] if pixels.ndim == 3 else pixels).astype(np.uint8)
    factor = min(1.0, side / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    if small.ndim == 3 and small.shape[2] == 3:
        small = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return "data:image/jpeg;base64," + base64.b64encode(bytes(data)).decode()
