"""The App in front of a dataset, until somebody ends it."""

from __future__ import annotations

import socket
import time
import urllib.parse
import webbrowser
from collections.abc import Callable
from contextlib import closing
from typing import Any

import fiftyone as fo

from xqdata.errors import InputError

HOST = "127.0.0.1"
_FIRST, _LAST = 5151, 5250


def free_port(address: str, asked: int | None) -> int:
    """The port that was asked for, else the first free one from 5151 on.

    Raises InputError for one that is taken: FiftyOne would join the App that answers there, perhaps another project's.
    """
    wanted = [asked] if asked else range(_FIRST, _LAST)
    for port in wanted:
        if _free(address, port):
            return port
    if asked:
        raise InputError("the port is taken", where=f"--port {asked}", hint="leave --port out to get a free one")
    raise InputError(f"all ports from {_FIRST} to {_LAST - 1} are taken", hint="name a free one by --port")


def _free(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the App does, after one that just ended
        try:
            trial.bind((address, port))
        except OSError as error:
            if isinstance(error, socket.gaierror) or error.errno == 99:
                raise InputError("is no address of this machine", where=f"--address {address}") from None
            return False
    return True


def address_of(dataset: str, address: str, port: int) -> str:
    """Where a browser finds the dataset."""
    host = {"0.0.0.0": HOST, "::": "[::1]"}.get(address, f"[{address}]" if ":" in address else address)
    return f"http://{host}:{port}/datasets/{urllib.parse.quote(dataset)}"


def serve(dataset: fo.Dataset, view: Any, address: str, port: int, browser: bool, ready: Callable[[str], None]) -> None:
    """Open the App on `view` of the dataset (None: all of it), call `ready` with its address, and wait for Ctrl-C."""
    session = fo.launch_app(dataset, view=view, address=address, port=port, remote=True, auto=False)
    try:
        url = address_of(dataset.name, address, port)
        ready(url)
        if browser:
            webbrowser.open(url)
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        pass  # that is how it ends
    finally:
        session.close()
