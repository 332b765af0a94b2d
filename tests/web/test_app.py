"""The app as a whole: what it answers besides its route sets, health, and which contracts it serves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any
from uuid import uuid4

import pytest

from statemount.auth import JWTAuth
from statemount.errors import ConfigurationError, UnavailableError
from statemount.interfaces import AsgiScope, Authenticator, Identity, RouteSet
from statemount.model import TaskInstance, TaskScope
from statemount.mount import StateMount
from statemount.web.app import StateApp
from statemount.web.health import health_app
from tests.contract.rows import WATCHER, Token
from tests.contract.transports import ask
from tests.contract.world import SECRET, Place, StillClock

pytestmark = pytest.mark.anyio


async def _nothing() -> MutableMapping[str, Any]:
    return {"type": "websocket.connect"}


@pytest.mark.parametrize("path", ["/", "/execution/store/ti/1/k"])
async def test_websockets_are_closed(state: StateMount, path: str) -> None:
    """A websocket is refused before it is open."""
    for app in (state, state.execution):
        sent: list[MutableMapping[str, Any]] = []

        async def send(message: MutableMapping[str, Any], sent: list[MutableMapping[str, Any]] = sent) -> None:
            sent.append(message)

        await app({"type": "websocket", "path": path, "headers": []}, _nothing, send)
        assert [message["type"] for message in sent] == ["websocket.close"]


async def test_other_scopes_are_refused(state: StateMount) -> None:
    """A scope of a type that is not known is refused as ASGI wants it."""

    async def send(message: MutableMapping[str, Any]) -> None:
        raise AssertionError("nothing is sent")

    with pytest.raises(ValueError, match="'lifespan'"):
        await state.execution({"type": "lifespan"}, _nothing, send)


@pytest.mark.parametrize(
    ("served", "other", "version"), [("store", "state", "airflow33"), ("state", "store", "aip103")]
)
async def test_one_contract_version(place: Place, served: str, other: str, version: Any) -> None:
    """A contract version can be switched off: its routes do not exist then."""
    app = StateApp(
        service=place.state.service, authenticator=JWTAuth(secret=SECRET, clock=place.clock), contracts=(version,)
    )
    headers = {"authorization": place.fill("Bearer <own>"), "content-type": "application/json"}
    for path, status in ((served, 204), (other, 404)):
        target = place.fill(f"/execution/{path}/ti/<ti>/k")
        assert (await ask(app, "PUT", target, headers, b'{"value": 1}')).status == status
    target = place.fill(f"/execution/{other}/asset/by-name/clear?name=<name>")
    assert (await ask(app, "DELETE", target, headers, None)).status == 404


@pytest.mark.parametrize("error", [UnavailableError("x", retry_after=9), ConfigurationError("x"), OSError("secret")])
async def test_not_ready(error: Exception) -> None:
    """``/ready`` is 503 whatever keeps the app from its work; ``/health`` says that it is alive."""

    async def ready() -> None:
        raise error

    app = health_app(ready)
    answer = await ask(app, "GET", "/ready", {}, None)
    assert (answer.status, json.loads(answer.body)) == (503, {"detail": "Service unavailable"})
    assert answer.headers["retry-after"] == ("9" if isinstance(error, UnavailableError) else "1")
    assert (await ask(app, "GET", "/health", {}, None)).status == 200


async def test_ready_that_hangs() -> None:
    """``/ready`` is 503 when whoever is asked does not answer in time, and stops asking."""
    cancelled = False

    async def ready() -> None:
        nonlocal cancelled
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled = True
            raise

    assert (await ask(health_app(ready, timeout=0.01), "GET", "/ready", {}, None)).status == 503
    assert cancelled


class HostsAuthenticator(Authenticator):
    """A host's own authenticator, whose renewal is broken."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.asked: list[str] = []

    async def authenticate(self, asgi_scope: AsgiScope, route_set: RouteSet) -> Identity:
        self.asked.append(route_set)
        return await JWTAuth(secret=SECRET, clock=self.place.clock).authenticate(asgi_scope, route_set)

    def renew(self, identity: Identity) -> str | None:
        raise OSError("no entropy")


async def test_failed_renewal_does_not_harm(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """An answer is given even if a fresh token cannot be made; that is logged."""
    app = StateApp(service=place.state.service, authenticator=HostsAuthenticator(place))
    headers = {"authorization": place.fill("Bearer <own>")}
    answer = await ask(app, "DELETE", place.fill("/execution/store/ti/<ti>"), headers, None)
    assert answer.status == 204
    assert "refreshed-api-token" not in answer.headers
    assert "could not be renewed" in caplog.text


class NeverRenewing(HostsAuthenticator):
    """One that does not renew."""

    renew = Authenticator.renew


async def test_nobody_is_asked_where_no_route_is(place: Place) -> None:
    """Without a route there is nobody to authenticate, unless a fresh token might be due."""
    for kind, credentials, asked in (
        (HostsAuthenticator, "Bearer <own>", ["execution"]),
        (HostsAuthenticator, None, []),
        (HostsAuthenticator, "Bearer garbage", ["execution"]),
        (NeverRenewing, "Bearer <own>", []),
    ):
        authenticator = kind(place)
        app = StateApp(service=place.state.service, authenticator=authenticator)
        headers = {} if credentials is None else {"authorization": place.fill(credentials)}
        assert (await ask(app, "GET", "/execution/nope", headers, None)).status == 404
        assert authenticator.asked == asked


async def test_every_map_index_is_cleared(state: StateMount, clock: StillClock) -> None:
    """A clear reaches its own map index alone, and every one if it asks so in the one contract version that can."""
    place = await Place.make(state, clock)
    scope = place.scope
    mapped = [TaskScope(scope.dag_id, scope.run_id, scope.task_id, index) for index in (0, 1)]
    foreign = TaskScope(scope.dag_id, scope.run_id, "another", 0)
    for one in (*mapped, foreign):
        await state.directory.register_task_instances([TaskInstance(uuid4(), one)])
        await place.seed(one, {"k": 1})
    headers = {"authorization": place.fill("Bearer <own>")}
    for target, left in (
        ("/execution/store/ti/<ti>?all_map_indices=true", 1),
        ("/execution/state/ti/<ti>", 1),
        ("/execution/state/ti/<ti>?all_map_indices=false", 1),
        ("/execution/state/ti/<ti>?all_map_indices=true", 0),
    ):
        await place.seed(scope, {"k": 1})
        assert (await ask(state, "DELETE", place.fill(target), headers, None)).status == 204
        assert await place.values(scope) == {}
        assert [len(await place.values(one)) for one in mapped] == [left, left]
        assert await place.values(foreign) == {"k": 1}


async def test_writers(state: StateMount, place: Place) -> None:
    """An entry names who wrote it: the task instance, or the watcher."""
    for token, kind, task in ((Token(), "task", "task"), (WATCHER, "watcher", None)):
        headers = {"authorization": f"Bearer {place.token(token)}", "content-type": "application/json"}
        target = place.fill("/execution/store/asset/by-name/value?name=<name>&key=k")
        assert (await ask(state, "PUT", target, headers, b'{"value": 1}')).status == 204
        writer = (await place.entries(place.asset))["k"].writer
        assert writer is not None
        assert (writer.kind, writer.task_id) == (kind, task)


async def test_replaced_task_instance(state: StateMount, place: Place) -> None:
    """After a retry the old task instance's token reaches neither its task's state nor its assets' any more."""
    await place.seed(place.scope, {"k": 1})
    await state.directory.register_task_instances([TaskInstance(uuid4(), place.scope)])
    headers = {"authorization": place.fill("Bearer <own>")}
    for target in ("/execution/store/ti/<ti>/k", "/execution/state/asset/<name>/k"):
        answer = await ask(state, "GET", place.fill(target), headers, None)
        message = place.fill("Task instance <ti> not found")
        assert (answer.status, json.loads(answer.body)["detail"]["message"]) == (404, message)
    assert await place.values(place.scope) == {"k": 1}
