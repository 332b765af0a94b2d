"""The app on each database that the environment names (see ``tests/databases.py``), with a few entries in it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from statemount.mount import StateMount
from tests.benchmarks.dataset import Dataset
from tests.benchmarks.filling import fill_ours
from tests.benchmarks.micro.driving import Driver, driving
from tests.benchmarks.places import EMBEDDED, database
from tests.benchmarks.tokens import Issuer
from tests.databases import requested_urls

SMALL = Dataset(tasks=200, assets=20)
_KINDS = tuple(dict.fromkeys([EMBEDDED, *(kind for kind in requested_urls() if kind != "memory")]))


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    """Return what signs the tokens."""
    return Issuer("0123456789abcdef" * 4, int(time.time()) - 60)


@pytest.fixture(scope="session", params=_KINDS)
def driver(
    request: pytest.FixtureRequest, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Driver]:
    """Return the started app on a database of every kind in turn."""
    directory: Path = tmp_path_factory.mktemp("benchmarks")
    with database(request.param, directory) as url:
        fill_ours(url, SMALL)
        with driving(StateMount(url, jwt_secret=issuer.secret)) as started:
            yield started
