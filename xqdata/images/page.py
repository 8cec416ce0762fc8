"""One decoded page, the limits that it keeps, and the reasons why there may be none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:  # it takes half a second to load
    from xqdata.hashing import Grey

Pixels = NDArray[Any]

_ENDS = {"PNG": b"IEND\xae\x42\x60\x82", "JPEG": b"\xff\xd9"}
MAX_TAG = 1000  # letters that are kept of one tag
# Tags of TIFF and EXIF that tell of a scan.
TAGS = (
    "Make",
    "Model",
    "DateTime",
    "DateTimeOriginal",
    "Software",
    "ImageDescription",
    "Artist",
    "Orientation",
)


@dataclass(frozen=True)
class RawLayout:
    """How the pixels lie in a file without a header: `dtype` as NumPy writes it, such as `<u2` or `>u2`."""

    width: int
    height: int
    dtype: str
    skip: int = 0


@dataclass(frozen=True)
class Limits:
    """What is decoded at all, and how deep pictures are turned to grey.

    `window`: values that stand for black and white in pictures of more than 8 bits; None takes the picture's own
    smallest and largest value.
    """

    max_pixels: int = 250_000_000
    max_bytes: int = 4_000_000_000
    window: tuple[float, float] | None = None


class BadImage(Exception):
    """A file or a page that cannot be decoded: `reason` is one of the schema's reject reasons."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True)
class Page:
    """One decoded page.

    `pixels`: (height, width) or (height, width, channels), native byte order, in the file's own dtype; palettes are
    resolved to RGB or RGBA and 1-bit pictures to 0 and 255. `grey`: (height, width), uint8 for files of up to 8 bits
    (Pillow's conversion to L), else float32 in 0 to 255 from the window.
    """

    index: int
    pixels: Pixels
    grey: Grey
    format: str
    mode: str
    bit_depth: int
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return int(self.pixels.shape[1])

    @property
    def channels(self) -> int:
        """Values per pixel."""
        return 1 if self.pixels.ndim == 2 else int(self.pixels.shape[2])


def check_size(width: int, height: int, limits: Limits, channels: int = 1) -> None:
    """Raises BadImage for a page without pixels, or with more than `limits` allow."""
    if width < 1 or height < 1:
        raise BadImage("unreadable", f"the picture is {width} x {height} pixels")
    # Four values make a pixel of the usual kind; a file of few pixels with thousands of values each is as large.
    if width * height * max(1, channels // 4) > limits.max_pixels:
        of = f" of {channels} values" if channels > 4 else ""
        told = f"{width} x {height} pixels{of}, more than max_pixels = {limits.max_pixels} of xqdata.toml"
        raise BadImage("too_large", told)


def failed(error: BaseException, kind: str, data: bytes) -> BadImage:
    """The reason behind a decoder's exception: they raise anything from SyntaxError to struct.error."""
    if isinstance(error, BadImage):
        return error
    if isinstance(error, MemoryError):
        return BadImage("too_large", "decoding it needs more memory than there is")
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):  # its own message tells where in memory the file lay
        return BadImage("unreadable" if complete(kind, data) else "truncated", f"{kind}: the header is damaged")
    text = " ".join(str(error).split()) or type(error).__name__
    cut = "truncated" in text.lower() or not complete(kind, data)
    return BadImage("truncated" if cut else "unreadable", f"{kind}: {text}")


def complete(kind: str, data: bytes) -> bool:
    """False if the file lacks the end that its format demands."""
    if kind in _ENDS and data.endswith(_ENDS[kind]):
        return True
    if kind == "PNG":
        return data.rfind(b"IEND") > data.rfind(b"IDAT")  # programs append their own data behind the end
    if kind == "JPEG":
        # The end behind the last beginning of pixels: further up it may be the end of a thumbnail.
        return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")
    if kind == "WEBP":
        return len(data) >= int.from_bytes(data[4:8], "little") + 8
    if kind == "BMP" and len(data) >= 6:
        return len(data) >= int.from_bytes(data[2:6], "little")
    return True
