"""The places that the object storage backend is tested with: a local directory, memory, and a server that speaks S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.client.meanwhile import Meanwhile
from tests.worker.s3 import S3Server, serving_s3

if TYPE_CHECKING:
    from obstore.store import ObjectStore


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Return a server with an empty bucket."""
    with serving_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(params=["directory", "memory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """Return a store with no object, of every kind in turn."""
    from obstore.store import LocalStore, MemoryStore, S3Store

    if request.param == "directory":
        return LocalStore(tmp_path / "objects", mkdir=True)
    if request.param == "memory":
        return MemoryStore()
    server: S3Server = request.getfixturevalue("s3_server")
    store: S3Store = S3Store.from_url(f"s3://{server.bucket}/{uuid4()}", **server.options)
    return store


@pytest.fixture
def meanwhile() -> Meanwhile:
    """Return what makes a worker late, once its transports are those of :func:`~tests.client.meanwhile.late`."""
    return Meanwhile()
