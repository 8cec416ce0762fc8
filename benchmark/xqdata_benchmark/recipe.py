"""Recipes: what a run does, each one short TOML file. Every value of a run stands here or is said in its `run.json`."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from xqdata.config import Model, validated
from xqdata.errors import ConfigError, InputError


def _says(text: str, default: Any, **limits: Any) -> Any:
    """A key with its meaning, for the reference page."""
    return Field(default=default, description=text, **limits)


class Input(Model):
    """What the classifier is given of a scan."""

    size: int = _says("pixels on a side of the square that scans are brought to", 128, ge=16, le=1024)
    crop: Literal["none", "content", "foreground"] = _says(
        "`content`: air around what was scanned is cut off; `foreground`: the container, too, where dedup estimated it",
        "foreground",
    )
    background: Literal["keep", "air"] = _says("`air`: what is not foreground becomes air, where it is known", "air")
    fit: Literal["letterbox", "stretch"] = _says(
        "`letterbox` keeps proportions, fills up with air and enlarges nothing, so that size still tells", "letterbox"
    )
    channels: Literal["auto", "grey", "colour", "dual"] = _says(
        "`auto`: colour where any scan has it; `dual`: the high and the low energy of one pass as two channels", "auto"
    )
    copies: bool = _says("train on copies, too, that follow the image kept of them", False)


class Net(Model):
    """The architecture."""

    name: Literal["compact", "resnet18", "convnext_tiny", "efficientnet_v2_s"] = _says("which one", "compact")
    # Of 8 channels, torch 2.14 writes past its memory on processors (segmentation fault in the backward pass).
    width: int = _says("of `compact`: channels of its first stage", 16, ge=16, le=512, multiple_of=8)
    weights: str = _says("to start from: a .safetensors or .pth file, or torchvision's name; empty: from scratch", "")


class Train(Model):
    """How it is trained."""

    epochs: int = _says("times that training sees every image", 40, ge=1)
    batch: int = _says("images in a step, of all processes together", 32, ge=1)
    optimiser: Literal["adamw", "sgd"] = _says("sgd: with Nesterov's momentum of 0.9", "adamw")
    lr: float = _says("learning rate at its highest", 0.002, gt=0)
    lr_end: float = _says("learning rate at the end", 0.00001, ge=0)
    warmup: float = _says("share of the steps in which it rises to lr", 0.05, ge=0, lt=1)
    schedule: Literal["cosine", "linear", "exponential", "constant"] = _says("how it falls to lr_end", "cosine")
    weight_decay: float = _says("of weights, not of biases and norms", 0.05, ge=0)
    label_smoothing: float = _says("share of certainty given to the other classes", 0.0, ge=0, lt=1)
    class_weights: Literal["none", "balanced"] = _says("`balanced`: rare classes weigh more in the loss", "none")
    validate_every: int = _says("epochs between looks at the validation part", 5, ge=1)
    select: Literal["last", "best"] = _says("`best`: the epoch with the best balanced accuracy in validation", "last")
    precision: Literal["auto", "32-true", "bf16-mixed"] = _says("`auto`: bf16 where the device is fast at it", "auto")


class Augment(Model):
    """What training does to scans that leaves them possible ones. Colour is material, so no key changes it."""

    mirror: bool = _says("left to right, for every view", True)
    quarter_turns: Literal["none", "top", "all"] = _says("`top`: where the column view says top; `all`: every scan",
                                                         "top")  # fmt: skip
    shift: float = _says("moves by up to this share of the side", 0.05, ge=0, le=0.5)
    scale: float = _says("grows or shrinks by up to this share", 0.1, ge=0, lt=1)
    rotate: float = _says("turns by up to this many degrees", 0.0, ge=0, le=180)


class Shallow(Model):
    """Scikit-learn's classifiers on hashes and low-resolution pixels."""

    pixels: int = _says("side of the low-resolution picture, made from `input`; 0: none", 32, ge=0, le=64)
    hashes: bool = _says("also the bits of the whole scan's pHash", True)
    neighbours: int = _says("of `knn`", 5, ge=1)
    c: float = _says("of `linear`: inverse strength of regularisation", 0.01, gt=0)


class Recipe(Model):
    """A whole recipe."""

    description: str = _says("one line for --list", "")
    kind: Literal["cnn", "knn", "linear"] = _says("a network, or a classifier of scikit-learn", "cnn")
    task: Literal["single", "multilabel"] = _says("`single`: one class for each image; `multilabel`: any", "single")
    input: Input = _says("what the classifier is given", Input())
    model: Net = _says("of `cnn`", Net())
    train: Train = _says("of `cnn`", Train())
    augment: Augment = _says("of `cnn`", Augment())
    shallow: Shallow = _says("of `knn` and `linear`", Shallow())


def names() -> list[str]:
    """The recipes that come with xqdata."""
    return sorted(f.name.removesuffix(".toml") for f in _folder().iterdir() if f.name.endswith(".toml"))


def text(name: str) -> str:
    """The TOML of a recipe that comes with xqdata."""
    found: str = (_folder() / f"{name}.toml").read_text(encoding="utf-8")
    return found


def load(name: str, sets: Sequence[str] = ()) -> Recipe:
    """The recipe called `name`, or in the TOML file `name`, with `sets` (as in `train.epochs=5`) put in.

    Raises InputError for a recipe that there is not, ConfigError for a key or value that is not allowed.
    """
    own = Path(name)
    if own.suffix == ".toml":
        try:
            told = own.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot be read ({error})", where=name, hint="name a recipe: --list") from error
    elif name in names():
        told = text(name)
    else:
        hint = f"recipes are {', '.join(names())}, or a .toml file of yours"
        raise InputError("there is no such recipe", where=name, hint=hint)
    try:
        values = tomllib.loads(told)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not valid TOML: {error}", where=name) from error
    for one in sets:
        _put(values, one)
    return validated(values, Recipe, where=f"recipe {name}")


def _folder() -> Any:
    return resources.files("xqdata_benchmark").joinpath("recipes")


def _put(values: dict[str, Any], one: str) -> None:
    key, equals, value = one.partition("=")
    if not equals or not key.strip():
        raise InputError(f"{one!r} is no key=value", where="--set", hint="as in --set train.epochs=5")
    *sections, last = key.strip().split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise InputError(f"{section} of {key} is no section", where="--set")
    try:
        values[last] = tomllib.loads(f"value = {value.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        values[last] = value.strip()  # a bare word
