"""`xqdata.toml`: what a person tells xqdata about a project, checked key by key."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from xqdata.errors import ConfigError

FILE = "xqdata.toml"


class Model(BaseModel):
    """A section of a TOML file: unknown keys are errors, values keep their types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _regex(text: str) -> str:
    try:
        compiled = re.compile(text)
    except re.error as error:
        raise ValueError(f"a regular expression ({error})") from error
    if not compiled.groupindex:
        raise ValueError("a regular expression with named groups, as in (?P<object>[a-z]+)_(?P<shot>[0-9]+)")
    return text


def _pattern(text: str) -> str:
    if not re.search(r"\{[a-z_][a-z0-9_]*\}", text):
        raise ValueError("a pattern with fields, as in {object}_{specimen}-{shot}.{ext}")
    return text


def _window(bounds: list[float]) -> list[float]:
    if len(bounds) != 2 or bounds[0] >= bounds[1]:
        raise ValueError("[low, high] with low below high")
    return bounds


def _scalar(value: object) -> object:
    if not isinstance(value, str | int | float | bool):
        raise ValueError("a text, a number, true or false")
    return value


class TableConfig(Model):
    """One table kept by the operator: where it is and what its columns are called."""

    path: str
    file_column: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    columns: dict[str, str] = {}


class IngestConfig(Model):
    """How raw folders are read."""

    taxonomy: str | None = None
    readers: list[str] = []
    ignore: list[str] = []
    patterns: list[Annotated[str, AfterValidator(_pattern)]] = []
    regex: list[Annotated[str, AfterValidator(_regex)]] = []
    tables: list[TableConfig] = []
    defaults: dict[str, Annotated[str | int | float | bool, BeforeValidator(_scalar)]] = {}
    polarity: Literal["air_bright", "air_dark"] | None = None
    window: Annotated[list[float], AfterValidator(_window)] | None = None
    max_pixels: int = Field(default=250_000_000, ge=1)
    max_bytes: int = Field(default=4_000_000_000, ge=1)


class Config(Model):
    """The whole of `xqdata.toml`."""

    name: str | None = None
    ingest: IngestConfig = IngestConfig()


def load(folder: Path) -> Config:
    """The config of the project in `folder`; the defaults where there is no `xqdata.toml`. Raises ConfigError."""
    path = folder / FILE
    return read_toml(path, Config, where=FILE) if path.exists() else Config()


M = TypeVar("M", bound=Model)


def read_toml(path: Path, model: type[M], where: str) -> M:
    """The TOML file `path` as a `model`. Raises ConfigError: which key, what was found, what is allowed."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read ({error})", where=where) from error
    return parse_toml(text, model, where)


def parse_toml(text: str, model: type[M], where: str) -> M:
    """TOML `text` as a `model`; errors as in `read_toml`."""
    try:
        return model.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not valid TOML: {error}", where=where) from error
    except ValidationError as error:
        raise _explain(error, model, where) from error


def _explain(error: ValidationError, model: type[Model], where: str) -> ConfigError:
    first = error.errors(include_url=False)[0]
    key = _spell(first["loc"])
    if first["type"] == "extra_forbidden":
        allowed = _keys_at(model, first["loc"][:-1])
        close = difflib.get_close_matches(str(first["loc"][-1]), allowed, n=1)
        guess = f"; did you mean {close[0]}?" if close else ""
        return ConfigError(f"unknown key {key}", where=where, hint=f"allowed are {', '.join(allowed)}{guess}")
    if first["type"] == "missing":
        return ConfigError(f"key {key} is missing", where=where)
    message = first["msg"].removeprefix("Value error, ")
    message = message.removeprefix("Input should be ").replace("a valid dictionary or instance of", "a section,")
    return ConfigError(f"key {key} is {first['input']!r}", where=where, hint=f"allowed is {message}")


def _spell(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _keys_at(model: type[Model], location: tuple[int | str, ...]) -> list[str]:
    current: Any = model
    for part in location:
        if isinstance(part, str) and part in getattr(current, "model_fields", {}):
            current = _model_in(current.model_fields[part].annotation) or current
    return list(current.model_fields)


def _model_in(annotation: Any) -> type[Model] | None:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
