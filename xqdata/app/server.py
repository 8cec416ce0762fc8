"""The App's web server as FiftyOne starts it, but for two things: browsers fetch nothing from elsewhere, and it ends
with the process that started it.

The App's own pages ask for fonts and more from the net. A laboratory's browser must not tell anybody that it looks at
scans, so the policy allows this server alone.
"""

from __future__ import annotations

import argparse
import asyncio
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
    """Serve on the socket that was handed on, until the process is ended. As `fiftyone.server.main` does otherwise."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("descriptor", type=int)
    asked = parser.parse_args()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["FIFTYONE_SERVER"] = "1"
    from fiftyone.server.app import app
    from fiftyone.server.events import set_port
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{asked.descriptor}"]
    set_port(asked.port)
    app.add_middleware(Closed)
    asyncio.run(serve(app, config))


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # sys.stdin's own buffer would be locked when this process ends otherwise
    os._exit(0)


if __name__ == "__main__":
    main()
