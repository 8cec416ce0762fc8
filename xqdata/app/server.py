"""The App's web server as FiftyOne starts it, but for two things: browsers fetch nothing from elsewhere, and it ends
with the process that started it.

The App's own pages ask for fonts and more from the net. A laboratory's browser must not tell anybody that it looks at
scans, so the policy allows this server alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from typing import Any

POLICY = b"default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; frame-ancestors 'self'"


class Closed:
    """An ASGI application with the policy in every answer."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""

        async def answer(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"content-security-policy", POLICY)]
            await send(message)

        await self.app(scope, receive, answer if scope["type"] == "http" else send)


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--address")
    asked = parser.parse_args()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from fiftyone.server import main as server

    server.app.add_middleware(Closed)
    server.start_server(asked.port, asked.address)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
