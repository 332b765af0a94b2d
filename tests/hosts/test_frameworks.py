"""Every framework, in this process: the checks, and what a start and a stop look like."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.hosts.checks import CHECKS
from tests.hosts.frameworks import FRAMEWORKS
from tests.hosts.hosts import Host, in_process
from tests.hosts.world import Wishes

pytestmark = pytest.mark.anyio

ROOT_PATHS = {"no root path": "", "root path": "/proxy"}
LACKING = [framework for framework, made in FRAMEWORKS.items() if made.lacks]


def wishes_of(framework: str, directory: Path) -> Wishes:
    """Return a host app on SQLite."""
    return Wishes(framework, str(directory), f"sqlite:///{directory / 'state.db'}")


@pytest.fixture(
    scope="module",
    params=[(framework, root_path) for framework in FRAMEWORKS for root_path in ROOT_PATHS.values()],
    ids=[f"{framework}, {name}" for framework in FRAMEWORKS for name in ROOT_PATHS],
)
async def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Host]:
    """Return a host app for all the checks that are made of it."""
    framework, root_path = request.param
    async with in_process(wishes_of(framework, tmp_path_factory.mktemp(framework)), root_path) as running:
        yield running


@pytest.mark.parametrize("check", CHECKS)
async def test_framework(host: Host, check: str) -> None:
    """Every check holds in every framework, also below the root path of a server."""
    await CHECKS[check](host)


@pytest.mark.parametrize("framework", LACKING)
async def test_what_a_framework_lacks(framework: str, tmp_path: Path) -> None:
    """What is said to be missing is."""
    async with in_process(wishes_of(framework, tmp_path)) as host:
        for check in host.framework.lacks:
            with pytest.raises((AssertionError, ValueError)):
                await CHECKS[check](host)


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_start_and_stop_follow_the_host(framework: str, tmp_path: Path) -> None:
    """The state is open before the host starts, and closed after the host has stopped."""
    wishes = wishes_of(framework, tmp_path)
    async with in_process(wishes):
        started = wishes.diary.read()
    if "lifespan" in FRAMEWORKS[framework].lacks:
        assert (started, wishes.diary.read()) == (["state opened"], ["state opened", "state closed"])
    else:
        assert started == ["state opened", "host started"]
        assert wishes.diary.read() == [*started, "host stopped", "state closed"]
