"""`card.toml`: what only a person can say of a dataset, by the questions of "Datasheets for Datasets".

Gebru et al., Communications of the ACM 64 (12), 2021. Questions that the tables answer (how many images, of what, in
which parts) are left to the page.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from xqdata.config import Model, read_toml

FILE = "card.toml"
_WIDTH = 100


def _asks(question: str) -> Any:
    return Field(default="", description=question)


def _date(text: str) -> str:
    try:
        return text and date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        raise ValueError("a date, as 2026-05-17") from None


class Motivation(Model):
    """Why the dataset was made."""

    purpose: str = _asks("For what purpose was the dataset made? Which task, which gap was to be filled?")
    makers: str = _asks("Who made it (which team, laboratory or authority), and on whose behalf?")
    funding: str = _asks("Who paid for it? Name grants by their number.")


class Composition(Model):
    """What it holds, beyond what can be counted."""

    instances: str = _asks("What does an image show? Real baggage, packed test bags, or simulated scans?")
    sample: str = _asks("Is it all there is, or a sample? Of what, drawn how, and representative of what?")
    absent: str = _asks("What is not in it that a user would expect? Objects, containers, machines, seasons?")
    errors: str = _asks("Which errors, noise or redundancy are known that the figures above do not show?")
    sensitive: str = _asks("Can persons or their belongings be identified? Is anything in it confidential?")


class Collection(Model):
    """How the scans were acquired and labelled."""

    procedure: str = _asks("How were scans acquired? Which scanner, settings and place, and in which order?")
    specimens: str = _asks("Where did the objects come from, and how were they chosen and kept?")
    people: str = _asks("Who scanned, who labelled, how were they trained and paid?")
    labels: str = _asks("How did each image get its label: known when it was packed, or read off the image?")
    consent: str = _asks("Was there an ethical or legal review? If people's baggage is shown: did they consent?")


class Preprocessing(Model):
    """What was done to the files before they came here."""

    steps: str = _asks("What was done to the images before: export, colours, cropping, compression, renaming?")
    raw: str = _asks("Are the scanner's own files kept? Where, and who may have them?")


class Uses(Model):
    """What it is good for, and what it is not."""

    done: str = _asks("For what has it been used already? Name papers and systems.")
    fit: str = _asks("For what else could it be used?")
    unfit: str = _asks("For what must it not be used? As: to clear real baggage, to compare machines.")
    risks: str = _asks("What in its making could mislead a user, such as one site, one machine, one season?")


class Distribution(Model):
    """Who may have it."""

    access: str = _asks("Who may have it, from where, and from when on?")
    terms: str = _asks("Under which terms, beyond the licence? Export control, a data transfer agreement?")


class Maintenance(Model):
    """Who looks after it."""

    maintainer: str = _asks("Who looks after it, and how can they be reached?")
    updates: str = _asks("Will it be corrected or extended? How often, and how is that told?")
    older: str = _asks("Do older versions stay available? Until when?")
    contributions: str = _asks("How can others report an error or add to it?")


class Card(Model):
    """The whole of `card.toml`."""

    name: str = _asks("The dataset's name, for people")
    description: str = _asks("What it is, in two or three sentences")
    creators: list[str] = Field(default_factory=list, description="Who is to be named as its makers")
    licence: str = _asks("The licence, as an SPDX name where there is one, such as CC-BY-4.0")
    citation: str = _asks("How it is to be cited")
    published: Annotated[str, AfterValidator(_date)] = _asks("When it was published, as 2026-05-17")
    version: str = _asks("Which version of it this is, as 1.0.0")
    contact: str = _asks("Whom to write to")
    motivation: Motivation = Motivation()
    composition: Composition = Composition()
    collection: Collection = Collection()
    preprocessing: Preprocessing = Preprocessing()
    uses: Uses = Uses()
    distribution: Distribution = Distribution()
    maintenance: Maintenance = Maintenance()

    @property
    def sections(self) -> dict[str, Model]:
        """The sections of questions, in the order of the paper."""
        return {name: value for name in Card.model_fields if isinstance(value := getattr(self, name), Model)}

    @property
    def missing(self) -> list[str]:
        """The keys that nobody has written yet, as in `motivation.purpose`."""
        own = [name for name in Card.model_fields if name not in self.sections and not _written(getattr(self, name))]
        inner = [
            f"{name}.{key}"
            for name, section in self.sections.items()
            for key in type(section).model_fields
            if not _written(getattr(section, key))
        ]
        return own + inner


def _written(value: str | list[str]) -> bool:
    return bool(value.strip() if isinstance(value, str) else [one for one in value if one.strip()])


def load(folder: Path) -> Card:
    """The card of the project in `folder`; one without answers where there is no `card.toml`. Raises ConfigError."""
    path = folder / FILE
    return read_toml(path, Card, where=FILE) if path.exists() else Card()


def draft(name: str) -> str:
    """The text of a `card.toml` with every question and no answer but the dataset's `name`."""
    return "\n".join(_lines(name)) + "\n"


def _lines(name: str) -> Iterator[str]:
    name = name.encode("utf-8", "replace").decode()  # a folder's name may hold bytes that no text does
    yield from _comment(
        "What only a person can say of this dataset. Write the answers between the quotes; longer ones between three "
        'quotes on each side ("""), with an empty line between paragraphs. What stays empty is shown as missing.'
    )
    card = Card()
    for key, field in Card.model_fields.items():
        if key not in card.sections:
            empty = {"name": _quoted(name), "creators": "[]"}.get(key, '""')
            yield from ["", *_comment(str(field.description)), f"{key} = {empty}"]
    for key, section in card.sections.items():
        yield from ["", f"[{key}]", *_comment(str(type(section).__doc__))]
        for inner, field in type(section).model_fields.items():
            yield from ["", *_comment(str(field.description)), f'{inner} = ""']


def _quoted(text: str) -> str:
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text) + '"'


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")
