"""The words that people use for columns, and texts turned into the columns' types."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time

import pyarrow as pa

from xqdata import schema
from xqdata.taxonomy import fold

# By column: what headers of logs and keys of side files call it. Compared folded: case and separators do not count.
_WORDS = {
    "object": "object class class_name label item commodity 품목 물품 대상 객체 분류",
    "objects": "objects items classes",
    "scan_type": "scan_type scantype presentation 촬영유형 스캔유형 스캔_유형 촬영_유형",
    "container": "container tray_type 용기",
    "multiplicity": "multiplicity 수량유형",
    "clutter": "clutter",
    "specimen": "specimen specimen_id instance sample sample_id object_id 개체 시료 시료번호 개체번호",
    "specimens": "specimens instances",
    "scan_id": "scan_id scan scan_no pass",
    "bag": "bag bag_id baggage 가방",
    "session": "session session_id 세션 회차",
    "series": "series series_id burst",
    "container_id": "container_id basket_id tray_id basket tray carrier_id 바구니번호 용기번호",
    "sequence": "sequence seq running_number serial_no no number index 번호 일련번호 순번",
    "scanner_make": "scanner_make make manufacturer 제조사",
    "scanner_model": "scanner_model model scanner machine device 장비 기종",
    "scanner_serial": "scanner_serial serial serial_number 장비번호",
    "kvp": "kvp kv kv_peak tube_voltage tube_voltage_kv voltage voltage_kv 관전압 전압",
    "ma": "ma tube_current tube_current_ma current current_ma 관전류 전류",
    "belt_speed": "belt_speed belt_speed_m_s belt_speed_mps conveyor_speed 벨트속도",
    "view": "view projection direction 방향",
    "channel": "channel energy modality",
    "polarity": "polarity",
    "palette": "palette colour_map color_map",
    "acquired_at": "acquired_at acquired acquisition_time datetime date_time timestamp scan_time scanned_at "
    "촬영일시 일시 측정일시",
    "date": "date scan_date acquisition_date 날짜 일자 촬영일 촬영일자",
    "time": "time 시간 시각 촬영시간 촬영시각",
    "operator": "operator user inspector 담당자 촬영자 검사자",
    "site": "site location laboratory lab 장소 기관",
    "licence": "licence license",
}
_BY_WORD = {fold(word): name for name, words in _WORDS.items() for word in words.split()}
# What a heading may be said to mean.
COLUMNS = tuple(_WORDS)
_FILE_WORDS = """
file filename file_name file_path filepath image image_name image_file image_path path name basename
파일 파일명 파일이름 이미지 이미지명 영상파일
"""
FILE_WORDS = frozenset(fold(w) for w in _FILE_WORDS.split())
# Units that a heading may bear behind its word; others are left alone, because then the values are not in ours.
_UNIT = re.compile(r"[\s_(\[]+(kvp?|ma|m/s|mps)[)\]]*\s*$", re.IGNORECASE)
LISTS = ("objects", "specimens")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$", re.ASCII)
_LARGEST = 10**15  # whole numbers below are exact as floats
_SEPARATORS = re.compile(r"\s*[;|+]\s*")
_DATE = r"(?P<y>\d{4})(?:(?P<m>\d{2})(?P<d>\d{2})|[-./년 ]\s*(?P<m2>\d{1,2})[-./월 ]\s*(?P<d2>\d{1,2})일?)"
_TIME = r"(?P<half>오전|오후|AM|PM)?\s*(?P<H>\d{1,2}):?(?P<M>\d{2})(?::?(?P<S>\d{2})(?:\.(?P<f>\d{1,6})\d*)?)?"
_DAY = re.compile(rf"^{_DATE}\.?$")
_MOMENT = re.compile(rf"^{_DATE}\.?[T _-]+{_TIME}(?:Z|[+-]\d{{2}}:?\d{{2}})?$")


def column_called(header: str) -> str | None:
    """The column that a header means, `date` and `time` included; None if it is no word that we know."""
    return _BY_WORD.get(fold(header)) or _BY_WORD.get(fold(_UNIT.sub("", header)))


def coerce(column: str, value: object) -> object:
    """`value` as the type of the column of `images`. Raises ValueError, saying what is allowed."""
    found = schema.IMAGES.column(column)
    if column in LISTS:
        return split_list(value)
    if column == "acquired_at":
        return moment(value)
    text = str(value).strip()
    if found.type == schema.STRING:
        return _word(text, found.allowed)
    if not _NUMBER.match(text):
        raise ValueError(f"{text!r} is not a number")
    number = float(text)
    if found.type == pa.int64():
        if not number.is_integer() or abs(number) >= _LARGEST:
            raise ValueError(f"{text!r} is not a whole number of up to 15 digits")
        return int(number)
    if math.isinf(number):
        raise ValueError(f"{text!r} is too large")
    return number


def split_list(value: object) -> list[str]:
    """A cell that names several things, as a list: `;`, `|` and `+` separate them."""
    parts = value if isinstance(value, list | tuple) else _SEPARATORS.split(str(value))
    return [str(p).strip() for p in parts if str(p).strip()]


def moment(value: object) -> datetime:
    """A date or a moment that is written with the year first (no other order can be told apart).

    A time zone at the end is passed over: what counts is the scanner's own clock.
    """
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, date):
        return datetime.combine(value, time())
    text = str(value).strip()
    match = _MOMENT.match(text) or _DAY.match(text)
    if not match:
        raise ValueError(f"{text!r} is not a date with the year first, as in 2024-05-17 or 2024-05-17 14:30:05")
    part = {k.rstrip("2"): v for k, v in match.groupdict().items() if v}
    hour = int(part.get("H", 0))
    if "half" in part:
        if not 1 <= hour <= 12:
            raise ValueError(f"{text!r} is not a time of day")
        hour = hour % 12 + (12 if part["half"] in ("오후", "PM") else 0)
    micros = int(part.get("f", "0").ljust(6, "0"))
    try:
        day = date(int(part["y"]), int(part["m"]), int(part["d"]))
        clock = time(hour, int(part.get("M", 0)), int(part.get("S", 0)), micros)
        return datetime.combine(day, clock)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a date ({error})") from None


def is_day_only(value: object) -> bool:
    """True if the value names a day and no time of day."""
    if isinstance(value, datetime):
        return False
    return isinstance(value, date) or bool(_DAY.match(str(value).strip()))


def _word(text: str, allowed: tuple[str, ...]) -> str:
    if not allowed:
        return text
    for word in allowed:
        if fold(word) == fold(_SAME.get(fold(text), text)):
            return word
    raise ValueError(f"{text!r} is not one of {', '.join(allowed)}")


# Spellings of allowed values, folded.
_SAME = {"color": "colour", "gray": "grey", "zeffective": "zeff", "multi": "multiple", "mix": "mixed"}
