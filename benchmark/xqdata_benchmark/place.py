"""Where a run lies: a new folder, or the unfinished one that is gone on with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from xqdata import manifest, runs
from xqdata.errors import InputError
from xqdata.manifest import Project
from xqdata_benchmark.options import Options
from xqdata_benchmark.samples import Samples

STARTED = "started.json"
_TABLES = ("images", "labels", "links", "duplicates")


def folder(project: Project, data: Samples, options: Options, network_of: str = "") -> Path:
    """The run's folder, with what it was started with in it; `network_of`: the run whose network it tests.

    Raises InputError for a name that is taken or none, where it cannot be made, and where nothing was interrupted that
    these options could go on with.
    """
    base = project.folder / runs.FOLDER
    told = started(project, data, options)
    if network_of:  # so that no training takes it for its own
        told["network_of"] = network_of
    found = _resumed(base, told, options) if options.resume else _new(base, options)
    (found / STARTED).write_text(json.dumps(told, indent=1), encoding="utf-8")
    return found


def started(project: Project, data: Samples, options: Options) -> dict[str, Any]:
    """What must be the same for a run to be gone on with."""
    names = [name for name in (*_TABLES, f"splits/{options.split}") if manifest.exists(project, name)]
    return {
        "recipe": options.recipe_name,
        "split": options.split,
        "settings": options.recipe.model_dump(),
        "tables": {name: manifest.provenance(project, name).digest for name in names},
        "folds": options.folds,
        "first_seed": options.first_seed,
        "images": len(data),
        "classes": list(data.classes),
    }


def free(project: Project, wanted: str) -> str:
    """`wanted`, or the first of `wanted-2`, `wanted-3`, … that no run bears."""
    base = project.folder / runs.FOLDER
    names = (wanted if n == 1 else f"{wanted}-{n}" for n in count(1))
    return next(name for name in names if not (base / name).exists())


def _new(base: Path, options: Options) -> Path:
    usual = f"{Path(options.recipe_name).stem}-{options.split}"
    wanted = options.run or free(Project(base.parent), usual)
    if wanted.startswith(".") or "/" in wanted or "\\" in wanted:
        raise InputError(f"{wanted!r} is no name for a run", where="--run", hint="as in --run first-try")
    found = base / wanted
    try:
        base.mkdir(exist_ok=True)
        found.mkdir()
    except FileExistsError:
        hint = "choose another name, remove it, or go on with it: --resume"
        raise InputError("there is such a run already", where=f"runs/{wanted}", hint=hint) from None
    except OSError as error:
        hint = "free some space, mend the folder's permissions, or work in a folder of your own"
        raise InputError(f"cannot be made ({error.strerror})", where=str(found), hint=hint) from error
    return found


def _resumed(base: Path, told: Mapping[str, Any], options: Options) -> Path:
    """The unfinished run of these settings that was started last, or the one that was named."""
    open_ = _unfinished(base)
    if options.run:
        open_ = [folder for folder in open_ if folder.name == options.run]
    same = [folder for folder in open_ if _told(folder) == json.loads(json.dumps(told))]
    if same:
        return same[-1]
    if open_:
        differs = list(_differences(_told(open_[-1]), told))
        hint = "give the options that it was started with, or start another one without --resume"
        what = f"was started with other settings ({', '.join(differs[:4])})"
        raise InputError(what, where=f"runs/{open_[-1].name}", hint=hint)
    where = f"runs/{options.run}" if options.run else "runs/"
    raise InputError("there is no run that was interrupted", where=where, hint="leave --resume out")


def _told(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / STARTED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _differences(then: Mapping[str, Any], now: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Where two settings differ, as in `train.epochs 60, now 40`."""
    for key in now:
        one, other = then.get(key), now[key]
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _differences(one, other, f"{above}{key}.".removeprefix("settings."))
        elif one != other:
            yield f"{above}{key} {one}, now {other}" if len(f"{one}{other}") < 60 else f"{above}{key}"


def _unfinished(base: Path) -> list[Path]:
    found = [f for f in base.glob(f"*/{STARTED}") if not (f.parent / runs.TOLD).exists()]
    return [f.parent for f in sorted(found, key=lambda f: f.stat().st_mtime)]
