"""What comes back from a tool: one person's answer about one image."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from xqdata.exports.format import Format
from xqdata.taxonomy import fold

# Answers that are no objects, and the field of the label log that they set.
FLAGS = ("reject", "second_look")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass(frozen=True)
class Answer:
    """`image`: as the tool calls it, a file's name or path. `names`: what was chosen, as the tool spells it. `by`: who,
    where the tool tells it. `at`: when (UTC, no time zone), where it tells that.
    """

    image: str
    names: tuple[str, ...]
    by: str | None
    at: datetime | None


@dataclass(frozen=True)
class Answers:
    """All of a file. `silent`: images that nobody answered; `untouched`: that bear only what they were sent with."""

    answers: Sequence[Answer]
    silent: int = 0
    untouched: int = 0


class Tool(Protocol):
    """One annotation tool: how its tasks are written, and how its answers are read."""

    def tasks(self, classes: Sequence[str]) -> Format:
        """Tasks that offer these objects."""

    def read(self, data: bytes) -> Answers:
        """The answers of the file that the tool exports; ValueError says what is wrong with it."""


def flag(name: str, objects: Mapping[str, str]) -> str | None:
    """The flag that a chosen name means; None for an object's. `objects`: spellings that mean one."""
    folded = fold(name)
    return None if folded in objects else next((one for one in FLAGS if fold(one) == folded), None)


def in_xml(name: str) -> str:
    """A name without signs that XML cannot hold."""
    return _NOT_XML.sub("", name)


def utc(text: object) -> datetime | None:
    """A moment as tools write it, in UTC and without a zone; None where it is none."""
    try:
        moment = datetime.fromisoformat(text.strip() if isinstance(text, str) else "")
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return None
