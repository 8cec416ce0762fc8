"""What a file is, its first bytes say; its name does not count."""

from __future__ import annotations

from xqdata.images.page import BadImage

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
_OTHER_MAGIC = (
    (b"GIF8", "GIF"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"SIMPLE  =", "FITS"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"P5\n", "PGM"),
    (b"P6\n", "PPM"),
)
HEAD_BYTES = 132


def sniff(head: bytes) -> str:
    """The format that a file's first bytes announce. Raises BadImage for what is no image or not supported.

    `head`: at least HEAD_BYTES bytes, or the whole of a shorter file.
    """
    if not head:
        raise BadImage("empty", "the file holds no bytes")
    for magic, name in _MAGIC:
        if head.startswith(magic) and (name != "BMP" or _is_bmp(head)):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[128:132] == b"DICM":
        return "DICOM"
    for magic, name in _OTHER_MAGIC:
        if head.startswith(magic):
            raise BadImage("unsupported", f"a {name} file, which is not read")
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"avif"):
        raise BadImage("unsupported", "a HEIF file, which is not read")
    if len(head) < HEAD_BYTES and any(magic.startswith(head) for magic, _ in _MAGIC[:2]):
        raise BadImage("truncated", f"the file ends after {len(head)} bytes, inside the image header")
    raise BadImage("not_an_image", _what_else(head))


def png_bits(head: bytes) -> int:
    """Bits per value of a PNG, of which `head` is the beginning."""
    return head[24] if len(head) > 24 and head[12:16] == b"IHDR" else 8


def _is_bmp(head: bytes) -> bool:
    # Two letters are no magic number: many a text begins with them. The size of the second header tells.
    return len(head) < 18 or int.from_bytes(head[14:18], "little") in (12, 16, 40, 52, 56, 64, 108, 124)


def _what_else(head: bytes) -> str:
    if b"\0" not in head:
        try:
            head.decode("utf-8")
            return "a text file"
        except UnicodeDecodeError:
            pass
    if head.startswith(b"PK\x03\x04"):
        return "a ZIP archive or an Office document"
    return f"its first bytes are those of no known image: {head[:8].hex(' ')}"
