"""What must hold in every host app. Each check asks as a client does, and knows no framework."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote
from uuid import uuid4

import httpx
from openapi_spec_validator import validate

from tests.hosts.hosts import Host
from tests.hosts.world import FIRST, LATER, LEFT, MAIN, NESTED, PAGE, RIGHT, SECOND

Check: TypeAlias = Callable[[Host], Awaitable[None]]

_JSON = "application/json"


class Worker:
    """A worker that the host knows, with the address of its task's state below a prefix."""

    def __init__(self, host: Host, name: str, headers: Mapping[str, str]) -> None:
        self.client = host.client
        self.headers = headers
        self.name = name

    @classmethod
    async def of(cls, host: Host) -> Worker:
        """Return a worker that nobody else has used."""
        name = str(uuid4())
        return cls(host, name, await host.log_in(name))

    def path(self, prefix: str, key: str = "") -> str:
        """Return the address of a key, which is percent-encoded by the caller; without one, of all."""
        return f"{prefix}/execution/store/ti/{self.name}" + (f"/{key}" if key else "")

    async def ask(self, method: str, path: str, **options: object) -> httpx.Response:
        """Send a request."""
        headers = {**self.headers, **options.pop("headers", {})}  # type: ignore[dict-item]
        return await self.client.request(method, path, headers=headers, **options)  # type: ignore[arg-type]

    async def set(self, prefix: str, key: str, value: object) -> httpx.Response:
        """Set a key."""
        return await self.ask("PUT", self.path(prefix, key), json={"value": value})

    async def get(self, prefix: str, key: str) -> httpx.Response:
        """Read a key."""
        return await self.ask("GET", self.path(prefix, key))


async def check_state(host: Host) -> None:
    """A worker sets, gets, deletes and clears, a user lists: at the top and below nested prefixes."""
    worker = await Worker.of(host)
    operator = await host.log_in("operator")
    for prefix in (MAIN, NESTED):
        assert (await worker.set(prefix, "a", [prefix])).status_code == 204
        assert (await worker.get(prefix, "a")).json() == {"value": [prefix]}
        asset = {"name": "orders", "key": "watermark"}
        path = f"{prefix}/execution/store/asset/by-name/value"
        assert (await worker.ask("PUT", path, params=asset, json={"value": prefix})).status_code == 204
        assert (await worker.ask("GET", path, params=asset)).json() == {"value": prefix}
        entries = f"{prefix}/api/v2/dags/dag/dagRuns/run/taskInstances/{worker.name}/state-store"
        listed = (await host.client.get(entries, headers=operator)).json()
        assert [entry["key"] for entry in listed["task_state_store"]] == ["a"]
        assert (await worker.ask("DELETE", worker.path(prefix, "a"))).status_code == 204
        assert (await worker.get(prefix, "a")).status_code == 404
        assert (await worker.set(prefix, "b", 1)).status_code == 204
        assert (await worker.ask("DELETE", worker.path(prefix))).status_code == 204
        assert (await host.client.get(entries, headers=operator)).json()["total_entries"] == 0
        assert (await host.client.get(f"{prefix}/ready")).json() == {"status": "ready"}


KEYS = [
    "a/b",
    "a//b",
    "/a",
    "a/",
    "a//",
    "a\nb",
    "a\n",
    "\n",
    "a%2Fb",
    "a b",
    "a+b",
    "a?b",
    "a;b=c",
    "ä/😀",
    "execution/x",
]


async def check_keys(host: Host) -> None:
    """Keys with slashes, newlines and escapes arrive as they are, percent-encoded or with raw slashes."""
    worker = await Worker.of(host)
    operator = await host.log_in("operator")
    for key in KEYS:
        for encoded in {quote(key, safe=""), quote(key, safe="/")}:
            assert (await worker.set(MAIN, encoded, key)).status_code == 204, encoded
            assert (await worker.get(MAIN, encoded)).json() == {"value": key}, encoded
    path = f"{MAIN}/api/v2/dags/dag/dagRuns/run/taskInstances/{worker.name}/state-store"
    listed = (await host.client.get(path, headers=operator)).json()["task_state_store"]
    assert {entry["key"]: entry["value"] for entry in listed} == {key: key for key in KEYS}


async def check_errors(host: Host) -> None:
    """Errors are ours, byte for byte: 401, 404, 405 and 422, with our content type and no redirect."""
    worker = await Worker.of(host)
    not_found = {"reason": "not_found", "message": "Task state store key 'k' not found"}
    for prefix in (MAIN, NESTED):
        key = worker.path(prefix, "k")
        for answer, status, detail in [
            (await worker.ask("GET", key), 404, not_found),
            (await worker.ask("GET", f"{prefix}/execution/nothing"), 404, "Not Found"),
            (await worker.ask("GET", f"{prefix}/nothing/"), 404, "Not Found"),
            (await worker.ask("POST", key), 405, "Method Not Allowed"),
            (await worker.ask("PATCH", f"{prefix}/execution/store/asset/by-name/clear"), 405, "Method Not Allowed"),
            (await host.client.get(key), 401, "Missing auth token"),
        ]:
            assert (answer.status_code, answer.json()) == (status, {"detail": detail}), answer.url
            assert answer.headers["content-type"] == _JSON, answer.url
        refused = await worker.ask("PUT", key, json={"value": None}, headers={"correlation-id": "one"})
        (problem,) = refused.json()["detail"]
        assert (refused.status_code, problem["msg"]) == (422, "Value error, value cannot be null")
        assert (refused.headers["content-type"], refused.headers["correlation-id"]) == (_JSON, "one")
        assert (await worker.ask("PUT", key, content=b"{")).status_code == 422
        assert (await worker.ask("GET", worker.path(prefix) + "/%FF")).status_code == 422
        assert (await worker.ask("POST", key)).headers["allow"] == "DELETE, GET, HEAD, PATCH, PUT"
        head = await worker.ask("HEAD", key)
        assert (head.status_code, head.content) == (404, b"")


async def check_cors(host: Host) -> None:
    """The host's CORS applies: a preflight is let through, and answers and errors say which page may read them."""
    worker = await Worker.of(host)
    for key in ("seen", "missing"):
        path = worker.path(MAIN, key)
        asks = {"access-control-request-method": "PUT", "access-control-request-headers": "authorization"}
        preflight = await host.client.options(path, headers={"origin": PAGE, **asks})
        assert preflight.status_code in (200, 204), preflight.text
        assert preflight.headers["access-control-allow-origin"] == PAGE
    assert (await worker.set(MAIN, "seen", 1)).status_code == 204
    for key, status in (("seen", 200), ("missing", 404)):
        answer = await worker.ask("GET", worker.path(MAIN, key), headers={"origin": PAGE})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, PAGE)


async def check_compression(host: Host) -> None:
    """The host's compression applies to our answers, and what is in them stays the same."""
    worker = await Worker.of(host)
    value = "x" * 20_000
    assert (await worker.set(MAIN, "long", value)).status_code == 204
    path = worker.path(MAIN, "long")
    async with host.client.stream("GET", path, headers={**worker.headers, "accept-encoding": "gzip"}) as answer:
        sent = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers.get("content-encoding") == "gzip"
    assert len(sent) < 2_000
    assert gzip.decompress(sent) == b'{"value": "' + value.encode() + b'"}'
    plain = await worker.ask("GET", path, headers={"accept-encoding": "identity"})
    assert (plain.headers.get("content-encoding"), plain.json()) == (None, {"value": value})


async def check_trusted_hosts(host: Host) -> None:
    """The host's list of its own names applies: a request under another one is not answered by us."""
    worker = await Worker.of(host)
    assert (await worker.set(MAIN, "a", 1)).status_code == 204
    answer = await worker.ask("GET", worker.path(MAIN, "a"), headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert b"value" not in answer.content


async def check_users(host: Host) -> None:
    """The host's users are ours: who is nobody there is nobody here, and a worker reaches its own task alone."""
    worker, other = await Worker.of(host), await Worker.of(host)
    operator = await host.log_in("operator")
    assert (await host.client.get("/me", headers=operator)).json() == {"user": "operator"}
    assert (await host.client.get("/me")).status_code == 401
    assert (await worker.set(MAIN, "a", 1)).status_code == 204
    for headers, status in ((worker.headers, 200), (other.headers, 403), (operator, 403), ({}, 401)):
        assert (await host.client.get(worker.path(MAIN, "a"), headers=headers)).status_code == status
    if host.framework.login == "bearer":
        unknown = {"authorization": "Bearer nobody"}
        assert (await host.client.get(worker.path(MAIN, "a"), headers=unknown)).status_code == 401
    task = f"{MAIN}/api/v2/dags/dag/dagRuns/run/taskInstances/{worker.name}/state-store/a"
    for headers, status in ((operator, 200), (worker.headers, 403), ({}, 401)):
        assert (await host.client.get(task, headers=headers)).status_code == status


async def check_own_routes(host: Host) -> None:
    """The host's own routes, bodies and unknown paths are untouched, also those that begin as a prefix does."""
    for path in ("/hello", "/statement"):
        answer = await host.client.get(path)
        assert (answer.status_code, answer.text) == (200, "hello")
    body = bytes(range(256)) * 64
    assert (await host.client.post("/echo", content=body)).content == body
    for path in ("/nothing", "/states", "/outer/inner/states", "/outer/state"):
        answer = await host.client.get(path)
        assert answer.status_code == 404, path
        assert "airflow-api-version" not in answer.headers


async def check_lifespan(host: Host) -> None:
    """What the host's lifespan has prepared is there for its routes."""
    assert (await host.client.get("/greeting")).json() == {"greeting": "prepared"}


async def check_websockets(host: Host) -> None:
    """The host's websockets are untouched."""
    assert await host.talk("/socket", "ä") == "echo: ä"


async def check_two_states(host: Host) -> None:
    """Two state apps of one host do not meet: neither in two databases, nor in one under two prefixes of its tables."""
    worker = await Worker.of(host)
    prefixes = [MAIN, FIRST, SECOND, LEFT, RIGHT]
    for prefix in prefixes:
        assert (await worker.get(prefix, "k")).status_code == 404, prefix
        assert (await worker.set(prefix, "k", prefix)).status_code == 204, prefix
    for prefix in prefixes:
        assert (await worker.get(prefix, "k")).json() == {"value": prefix}
    for number, prefix in enumerate(prefixes):
        assert (await worker.ask("DELETE", worker.path(prefix))).status_code == 204
        left = [(await worker.get(each, "k")).status_code for each in prefixes]
        assert left == [404] * (number + 1) + [200] * (len(prefixes) - number - 1)


async def check_database_down(host: Host) -> None:
    """A database that is down when the host starts is a 503 with Retry-After there alone; it recovers by itself."""
    worker = await Worker.of(host)
    directory = Path(host.wishes.directory) / LATER.strip("/")
    answer = await worker.get(LATER, "k")
    assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (503, True)
    assert answer.headers["content-type"] == _JSON
    assert (await host.client.get(f"{LATER}/ready")).status_code == 503
    assert (await host.client.get(f"{LATER}/health")).status_code == 200
    assert (await host.client.get("/hello")).text == "hello"
    assert (await worker.set(MAIN, "k", 1)).status_code == 204
    directory.mkdir()
    assert (await worker.set(LATER, "k", 2)).status_code == 204
    assert (await worker.get(LATER, "k")).json() == {"value": 2}


async def check_openapi(host: Host) -> None:
    """The host's own OpenAPI document has its operations and all of ours, with their prefix."""
    document = (await host.client.get("/openapi.json")).json()
    assert {"/hello", f"{MAIN}/health", f"{MAIN}/execution/store/ti/{{task_instance_id}}"} <= set(document["paths"])
    entries = f"{MAIN}/api/v2/assets/{{asset_id}}/state-store"
    assert document["paths"][entries]["get"]["operationId"].startswith("state_public_")
    validate(document)


async def check_watch(host: Host) -> None:
    """A watch arrives through the host's middleware as it happens: what it begins with, then a change."""
    worker = await Worker.of(host)
    async with watching(worker) as events:
        assert await anext(events) == "ready"
        assert (await worker.set(MAIN, "k", 1)).status_code == 204
        assert await anext(events) == "set"


@asynccontextmanager
async def watching(worker: Worker) -> AsyncIterator[AsyncIterator[str]]:
    """Watch a worker's key; give the events' names as they come. The end of the stream is the end of these."""
    # Compressed by Django's own middleware, each part is a gzip member of its own, which few clients read.
    headers = {**worker.headers, "accept": "text/event-stream", "accept-encoding": "identity"}
    async with worker.client.stream("GET", worker.path(MAIN, "k"), headers=headers) as answer:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")

        async def events() -> AsyncIterator[str]:
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    yield line.removeprefix("event: ")

        yield events()


CHECKS: Mapping[str, Check] = {
    "state": check_state,
    "keys": check_keys,
    "errors": check_errors,
    "cors": check_cors,
    "compression": check_compression,
    "trusted hosts": check_trusted_hosts,
    "users": check_users,
    "own routes": check_own_routes,
    "lifespan": check_lifespan,
    "websockets": check_websockets,
    "two states": check_two_states,
    "database down": check_database_down,
    "openapi": check_openapi,
}

SERVED: Mapping[str, Check] = {"watch": check_watch}
"""Checks that need a server: httpx collects an answer of an app in its own process before it gives any of it."""
