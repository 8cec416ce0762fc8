"""A local S3: moto's server on loopback, and a bucket that a folder is put into."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIATESTING",
    "AWS_SECRET_ACCESS_KEY": "not-a/secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_MAX_ATTEMPTS": "1",
    "NO_PROXY": "127.0.0.1",
}


class Store:
    """Moto's server at `url`. `requests`: (method, path) of each so far. `refuse`: what is answered by `refusal`, a
    status and S3's code for it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[tuple[str, str]] = []
        self.refusal = ("403 Forbidden", "AccessDenied")
        self.refuse: Callable[[str, str], bool] = lambda method, path: False

    def gets(self) -> list[str]:
        """The objects that were fetched since the last time, by bucket and key."""
        found = [path for method, path in self.requests if method == "GET" and "/" in path and "list-type" not in path]
        self.requests.clear()
        return found

    def bucket(self, name: str) -> None:
        """Make a bucket."""
        self._client().create_bucket(Bucket=name)

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Put one object."""
        self._client().put_object(Bucket=bucket, Key=key, Body=data)

    def delete(self, bucket: str, key: str) -> None:
        """Delete one object."""
        self._client().delete_object(Bucket=bucket, Key=key)

    def has(self, bucket: str) -> bool:
        """Whether there is such a bucket."""
        return bucket in [one["Name"] for one in self._client().list_buckets()["Buckets"]]

    def upload(self, folder: Path, bucket: str, prefix: str) -> None:
        """Put the regular files below `folder`."""
        for file in sorted(folder.rglob("*")):
            if file.is_file() and not file.is_symlink():
                self.put(bucket, f"{prefix}/{file.relative_to(folder).as_posix()}", file.read_bytes())

    def _client(self) -> Any:
        import boto3

        if not hasattr(self, "_made"):
            self._made = boto3.client("s3", endpoint_url=self.url)
        return self._made


@contextmanager
def serving() -> Iterator[Store]:
    """Moto's server on a free port."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    store = Store(f"http://{host}:{port}")
    application = server._server.app

    def watched(environ: Any, start: Any) -> Any:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].encode("latin-1").decode().lstrip("/")
        query = environ.get("QUERY_STRING", "")
        path = f"{path}?{query}" if query else path
        store.requests.append((method, path))
        if store.refuse(method, path):
            status, code = store.refusal
            start(status, [("Content-Type", "application/xml")])
            return [f"<Error><Code>{code}</Code><Message>{code} by the test</Message></Error>".encode()]
        return application(environ, start)

    server._server.app = watched
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    try:
        yield store
    finally:
        server.stop()
