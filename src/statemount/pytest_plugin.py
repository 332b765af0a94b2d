"""Fixtures for the tests of other projects: the app, clients of it, tokens and a clock, with no server.

pytest loads this module at every start, in every project that has statemount installed: it imports nothing but pytest
until a fixture is used. All fixtures are synchronous, so that no plugin for asynchronous tests has to know of them: the
app starts on whatever event loop uses it first, and ends with it or with the last reference to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.from_thread import BlockingPortal

    from statemount.auth import JWTAuth
    from statemount.auth.tokens import TokenIssuer
    from statemount.client import AsyncStateClient, StateClient
    from statemount.mount import StateMount
    from statemount.testing import FakeClock, SyncWorkerFactory, WorkerFactory

_DATABASE = "statemount_database"
_PERMISSIONS = ("state:read", "state:write", "state:delete", "directory:read", "directory:write")
_SUBJECT = "pytest"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option to ``pytest.ini`` or ``pyproject.toml``."""
    parser.addini(
        _DATABASE, "where statemount's fixtures keep state: memory, or sqlite (a file per test)", default="memory"
    )


@pytest.fixture
def statemount_clock() -> FakeClock:
    """A clock that begins at the present and stands still: ``statemount_clock.advance(seconds)``."""
    from statemount.testing.clock import FakeClock

    return FakeClock()


@pytest.fixture
def statemount_database_url(request: pytest.FixtureRequest) -> str:
    """Where state is kept: in memory, or in a SQLite file in ``tmp_path`` if the ini option says ``sqlite``."""
    database = request.config.getini(_DATABASE)
    if database == "memory":
        return "memory://"
    if database == "sqlite":
        directory: Path = request.getfixturevalue("tmp_path")
        return f"sqlite:///{directory / 'statemount.db'}"
    raise pytest.UsageError(f"{_DATABASE} is memory or sqlite, not {database!r}; override statemount_database_url")


@pytest.fixture
def statemount_settings() -> dict[str, Any]:
    """Settings of the app, by name; none, unless a test or a project overrides this fixture."""
    return {}


@pytest.fixture
def statemount_auth(statemount_clock: FakeClock) -> JWTAuth:
    """What the app verifies tokens with; its secret is made for the test."""
    from secrets import token_hex

    from statemount.auth import JWTAuth

    return JWTAuth(secret=token_hex(64), clock=statemount_clock)


@pytest.fixture
def statemount_tokens(statemount_auth: JWTAuth) -> TokenIssuer:
    """What signs tokens: ``.worker(task_instance_id)`` and ``.public(subject, permissions)``."""
    return statemount_auth.tokens


@pytest.fixture
def statemount_state(
    statemount_database_url: str,
    statemount_auth: JWTAuth,
    statemount_clock: FakeClock,
    statemount_settings: dict[str, Any],
) -> StateMount:
    """The app, to be mounted in the application under test. In the background it does nothing."""
    from statemount.mount import StateMount

    settings = {"sweep_interval_seconds": 0, **statemount_settings}
    return StateMount(statemount_database_url, auth=statemount_auth, clock=statemount_clock, **settings)


@pytest.fixture
def statemount_app(statemount_state: StateMount) -> Any:
    """The ASGI app that the clients ask: ours alone, unless a project overrides this fixture with the one around it."""
    return statemount_state


@pytest.fixture
def statemount_prefix() -> str:
    """Where in ``statemount_app`` ours is mounted, such as ``/state``; empty if it is not."""
    return ""


@pytest.fixture
def statemount_client(statemount_app: Any, statemount_prefix: str, statemount_tokens: TokenIssuer) -> AsyncStateClient:
    """A client with every permission, for ``.public`` and ``.directory``."""
    return _client(statemount_app, statemount_prefix, lambda: statemount_tokens.public(_SUBJECT, _PERMISSIONS))


@pytest.fixture
def statemount_worker(
    statemount_state: StateMount, statemount_app: Any, statemount_prefix: str, statemount_tokens: TokenIssuer
) -> WorkerFactory:
    """What registers a task instance and gives a client bound to it: it is called, and awaited."""
    from statemount.testing.workers import WorkerFactory

    return WorkerFactory(
        statemount_state, statemount_tokens, lambda token: _client(statemount_app, statemount_prefix, token)
    )


@pytest.fixture
def statemount_portal(statemount_state: StateMount) -> Iterator[BlockingPortal]:
    """A thread with an event loop, on which the app runs for clients that do not await."""
    from anyio.from_thread import start_blocking_portal

    with start_blocking_portal() as portal:
        yield portal
        portal.call(statemount_state.stop)


@pytest.fixture
def statemount_sync_client(
    statemount_app: Any, statemount_prefix: str, statemount_tokens: TokenIssuer, statemount_portal: BlockingPortal
) -> StateClient:
    """As ``statemount_client``, for code that does not await."""
    return _sync_client(
        statemount_app,
        statemount_prefix,
        lambda: statemount_tokens.public(_SUBJECT, _PERMISSIONS),
        statemount_portal,
    )


@pytest.fixture
def statemount_sync_worker(
    statemount_state: StateMount,
    statemount_app: Any,
    statemount_prefix: str,
    statemount_tokens: TokenIssuer,
    statemount_portal: BlockingPortal,
) -> SyncWorkerFactory:
    """As ``statemount_worker``, for code that does not await."""
    from statemount.testing.workers import SyncWorkerFactory

    return SyncWorkerFactory(
        statemount_state,
        statemount_tokens,
        lambda token: _sync_client(statemount_app, statemount_prefix, token, statemount_portal),
        statemount_portal,
    )


def _client(app: Any, prefix: str, token: Any) -> AsyncStateClient:
    import httpx

    from statemount.client import AsyncStateClient

    return AsyncStateClient(f"http://statemount{prefix}", token=token, transport=httpx.ASGITransport(app))


def _sync_client(app: Any, prefix: str, token: Any, portal: BlockingPortal) -> StateClient:
    from statemount.client import StateClient
    from statemount.testing.transports import PortalTransport

    return StateClient(f"http://statemount{prefix}", token=token, transport=PortalTransport(app, portal))
