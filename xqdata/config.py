"""`xqdata.toml`: what a person tells xqdata about a project, checked key by key."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator
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
    if set("{}") & set(re.sub(r"\{[a-z_][a-z0-9_]*\}", "", text)):
        raise ValueError("a pattern whose braces hold names of small letters, digits and _")
    return text


def _window(bounds: list[float]) -> list[float]:
    if len(bounds) != 2 or bounds[0] >= bounds[1]:
        raise ValueError("[low, high] with low below high")
    return bounds


def _scalar(value: object) -> object:
    if not isinstance(value, str | int | float | bool):
        raise ValueError("a text, a number, true or false")
    return value


def _says(text: str, default: Any = None, **limits: Any) -> Any:
    """A key with its meaning, for the reference page."""
    return Field(default=default, description=text, **limits)


class TableConfig(Model):
    """One table kept by the operator: where it is and what its columns are called."""

    path: str = _says(
        "the file: CSV, TSV or XLSX, relative to the project's folder, or its address in a raw folder at one", ...
    )
    root: str | None = _says("the name of the raw folder that it describes; unset: every one that is ingested")
    file_column: str | None = _says("the heading of the column of file names; unset: found by its usual names")
    encoding: str | None = _says("the text's encoding; unset: UTF-8 (with or without BOM), then CP949")
    sheet: str | None = _says("the sheet of an Excel workbook; unset: the first")
    columns: dict[str, str] = _says(
        "heading to column of `images` (or `specimen`, `date`, `time`), where the usual names do not fit", {}
    )


class RawConfig(Model):
    """Files without a header: which ones, and how their pixels lie."""

    files: str = _says("glob pattern of their names or relative paths", ...)
    width: int = _says("pixels in a row", ..., ge=1)
    height: int = _says("rows", ..., ge=1)
    bits: Literal[8, 16, 32] = _says("bits of each value, an unsigned number", 16)
    byte_order: Literal["little", "big"] = _says("which byte of a value comes first", "little")
    skip: int = _says("bytes before the first pixel", 0, ge=0)


class IngestConfig(Model):
    """How raw folders are read."""

    taxonomy: str | None = _says("a taxonomy of your own (a TOML file), in place of the reference one")
    readers: list[str] = _says("use these readers only; empty: every reader that applies", [])
    ignore: list[str] = _says("glob patterns of names or relative paths that become rejects, reason `ignored`", [])
    patterns: list[Annotated[str, AfterValidator(_pattern)]] = _says(
        "file names with named fields, as in `{object}_{specimen}-{shot}.{ext}`; the first match counts", []
    )
    regex: list[Annotated[str, AfterValidator(_regex)]] = _says(
        "regular expressions with named groups, searched in the relative path, tried after the patterns", []
    )
    tables: list[TableConfig] = _says("tables kept by the operator, see below", [])
    raw: list[RawConfig] = _says("files without a header, see below", [])
    defaults: dict[str, Annotated[str | int | float | bool, BeforeValidator(_scalar)]] = _says(
        'values for columns of `images` that no reader fills, as in `site = "Incheon"`', {}
    )
    polarity: Literal["air_bright", "air_dark"] | None = _says(
        "which end of the values air is at; unset: measured on each picture's border"
    )
    window: Annotated[list[float], AfterValidator(_window)] | None = _says(
        "`[low, high]`: values that stand for black and white in pictures of more than 8 bits; unset: each picture's "
        "own smallest and largest"
    )
    max_pixels: int = _says("larger pictures become rejects, reason `too_large`", 250_000_000, ge=1)
    max_bytes: int = _says("larger files become rejects, reason `too_large`", 4_000_000_000, ge=1)


class SplitConfig(Model):
    """What may not be separated, beyond specimens, scans, bags and verified links."""

    together: list[Literal["session", "series", "container_id"]] = _says(
        "further columns whose values lie in one part each, as `xqdata split --by` does for one split", []
    )


class Config(Model):
    """The whole of `xqdata.toml`."""

    name: str | None = _says("the project's name, for people")
    ingest: IngestConfig = _says("how raw folders are read, see below", IngestConfig())
    split: SplitConfig = _says("what stays together in one part, see below", SplitConfig())


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
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not valid TOML: {error}", where=where) from error
    return validated(values, model, where)


def validated(values: dict[str, Any], model: type[M], where: str) -> M:
    """What a TOML file said as a `model`; errors as in `read_toml`."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _explain(error, model, where) from error


def _explain(error: ValidationError, model: type[Model], where: str) -> ConfigError:
    every = error.errors(include_url=False)
    first, more = every[0], f" (and {len(every) - 1} more)" if len(every) > 1 else ""
    key = _spell(first["loc"])
    if first["type"] == "extra_forbidden":
        allowed = _keys_at(model, first["loc"][:-1])
        close = difflib.get_close_matches(str(first["loc"][-1]), allowed, n=1) or _deeper(model, first["loc"])
        guess = f"; did you mean {' or '.join(close)}?" if close else ""
        return ConfigError(f"unknown key {key}{more}", where=where, hint=f"allowed are {', '.join(allowed)}{guess}")
    if first["type"] == "missing":
        return ConfigError(f"key {key} is missing{more}", where=where)
    message = first["msg"].removeprefix("Value error, ")
    message = message.removeprefix("Input should be ").replace("a valid list", "a list, as in [1, 2]")
    message = re.sub("a valid dictionary or instance of .*", "a section of keys", message)
    return ConfigError(f"key {key} is {first['input']!r}{more}", where=where, hint=f"allowed is {message}")


def _deeper(model: type[Model], location: tuple[int | str, ...]) -> list[str]:
    """The keys of sections that bear the last name of `location`, or nearly, which was not given the right section."""
    every = dict(_every_key(model))
    near = difflib.get_close_matches(str(location[-1]), every.values(), n=1, cutoff=0.8)
    return [key for key, last in every.items() if last in near]


def _every_key(model: type[Model], above: str = "") -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        section = _model_in(field.annotation)
        if section:
            yield from _every_key(section, f"{above}{name}.")
        else:
            yield f"{above}{name}", name


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
