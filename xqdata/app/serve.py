"""The App's web server as a process of its own: it starts while the dataset loads, and ends with the command."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType

from xqdata.errors import InputError

HOST = "127.0.0.1"
LOG = "app.log"
_FIRST, _LAST = 5151, 5250
_PATIENCE = 120.0  # seconds in which the server must answer, on a machine that has other things to do
_POLL = 0.1
_BACKLOG = 100


def reserve(address: str, asked: int | None) -> socket.socket:
    """A socket that listens on the port that was asked for, else on the first free one from 5151 on.

    It is handed on to the server, so that nobody else takes the port until that has started: whoever came to it would
    see another project. Raises InputError for a port that is taken and for a foreign address.
    """
    for port in [asked] if asked else range(_FIRST, _LAST):
        found = _listening(address, port)
        if found is not None:
            return found
    if asked:
        raise InputError("the port is taken", where=f"--port {asked}", hint="leave --port out to get a free one")
    raise InputError(f"all ports from {_FIRST} to {_LAST - 1} are taken", hint="name a free one by --port")


def _listening(address: str, port: int) -> socket.socket | None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # after one that just ended
    try:
        made.bind((address, port))
        made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise InputError("is no address of this machine", where=f"--address {address}") from None
        if error.errno == errno.EACCES:
            raise InputError("you may not use this port", where=f"--port {port}", hint="take one above 1023") from None
        return None
    return made


def _plugins() -> tempfile.TemporaryDirectory[str]:
    """A folder for FiftyOne, which looks into one alone, with two in it: the person's own plug-ins, and ours."""
    import fiftyone

    folder = tempfile.TemporaryDirectory(prefix="xqdata-plugins-")
    Path(folder.name, "own").symlink_to(Path(fiftyone.config.plugins_dir).absolute())
    Path(folder.name, "xqdata").symlink_to(Path(__file__).parent / "plugin")
    return folder


class App:
    """The server on a socket of `reserve`; a context, at whose end it is gone. It needs a connected database."""

    def __init__(self, address: str, listening: socket.socket, state: Path) -> None:
        port = listening.getsockname()[1]
        host = {"0.0.0.0": HOST, "::": "::1"}.get(address, address)
        self.origin = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self.log = state / LOG
        self.plugins = _plugins()
        command = [sys.executable, "-m", "xqdata.app.server", str(port), str(listening.fileno())]
        with self.log.open("wb") as log, listening:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,  # which closes when this process ends, in whatever way
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[listening.fileno()],
                start_new_session=True,  # a terminal's Ctrl-C is answered by this process
                env={**os.environ, "PYTHONWARNINGS": "ignore", "FIFTYONE_PLUGINS_DIR": self.plugins.name},
            )

    def __enter__(self) -> App:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        self.plugins.cleanup()

    def address_of(self, dataset: str, view: str | None) -> str:
        """Where a browser finds the dataset, or a saved view of it by its slug."""
        chosen = f"?view={urllib.parse.quote(view)}" if view else ""
        return f"{self.origin}/datasets/{urllib.parse.quote(dataset)}{chosen}"

    def await_ready(self) -> None:
        """Return when the server answers. Raises InputError where it ends, or does not answer in two minutes."""
        until = time.monotonic() + _PATIENCE
        # A laboratory's proxy does not know this machine's own addresses.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(OSError), opener.open(f"{self.origin}/fiftyone", timeout=5):
                return
            time.sleep(_POLL)
        raise InputError("the App does not start", where=self.origin, hint=f"its log is {self.log}")

    def wait(self) -> None:
        """Wait for Ctrl-C, which raises KeyboardInterrupt. Raises InputError if the server ends by itself."""
        self.process.wait()
        raise InputError("the App has ended", where=self.origin, hint=f"its log is {self.log}")
