"""A server that speaks the S3 protocol, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.servers import clean_environment, free_port

_PATIENCE = 60  # seconds


@dataclass(frozen=True)
class S3Server:
    """A server that runs, with one bucket."""

    url: str
    bucket: str = "bucket"

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables by which a client finds it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }

    @property
    def options(self) -> dict[str, Any]:
        """The arguments by which obstore finds it."""
        return {
            "endpoint": self.url,
            "access_key_id": "test",
            "secret_access_key": "test",
            "region": "us-east-1",
            "client_options": {"allow_http": True},
        }


@contextmanager
def serving_s3(directory: Path) -> Iterator[S3Server]:
    """Run the server, with an empty bucket, until the end of the block; its output goes into the directory."""
    server = S3Server(f"http://127.0.0.1:{free_port()}")
    output = directory / "s3.log"
    program = os.fspath(Path(sys.executable).with_name("moto_server"))
    command = [program, "-H", "127.0.0.1", "-p", server.url.rpartition(":")[2]]
    variables = clean_environment({})
    del variables["PYTHONWARNINGS"]  # its warnings are not ours
    with output.open("wb") as log:
        process = subprocess.Popen(command, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _make_bucket(server, process, output)
        yield server
    finally:
        process.kill()
        process.wait(_PATIENCE)


def _make_bucket(server: S3Server, process: subprocess.Popen[bytes], output: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            httpx.put(f"{server.url}/{server.bucket}", trust_env=False).raise_for_status()
        except httpx.TransportError:
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < end, output.read_text()
            time.sleep(0.05)
        else:
            return
