"""The app that the matrix is asked of: task instances and assets of every kind, and a token for everybody in it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote
from uuid import UUID

import jwt

from statemount.auth import DefaultAuthorizer, JWTAuth
from statemount.model import AssetScope, Scope, TaskInstance, TaskScope, Writer
from statemount.mount import StateMount
from statemount.operations import Clear, Set
from statemount.web.operations import ApiOperation
from tests.clock import START, FakeClock
from tests.contract.transports import Answer, ask, scope_of
from tests.permissions.matrix import PERMISSIONS, Caller, PublicRow, WorkerRow

SECRET = "a secret of sixty-four bytes, as RFC 7518 asks for with HMAC-512"

OWN, OTHER, REMOVED, REPLACED, REVOKED, SPARE, UNKNOWN = (UUID(int=number, version=4) for number in range(1, 8))
_NIL = UUID(int=0)
_SCOPE = TaskScope("dag", "run", "task")
_OTHER_SCOPES = [TaskScope("dag", "run", "another"), TaskScope("dag", "run", "revoked")]
_NOW = START // 1_000_000
_METHODS = frozenset({"GET", "PUT", "PATCH", "POST", "DELETE"})
_KINDS = {"LIST": "list=true", "WATCH": ""}
"""The query of a GET whose kind is in the table of operations like a method of its own."""


@dataclass(frozen=True)
class Asked:
    """One request.

    Args:
        target: Below the route set.
        is_watch: The answer is a stream, of which the beginning is enough.
    """

    method: str
    target: str
    body: Any = None
    is_watch: bool = False
    content_type: str = "application/json"


class World:
    """One app, in memory.

    Args:
        app: As :class:`~tests.permissions.matrix.Worker` has it.

    Attributes:
        filled: What is to be seen once it is filled.
        revisions: Of each scope; the one before it has no entries.
    """

    def __init__(self, app: Literal["default", "strict", "all"]) -> None:
        clock = FakeClock()
        self.state = StateMount(
            "memory://",
            auth=JWTAuth(secret=SECRET, watchers=app != "default", clock=clock),
            authorizer=DefaultAuthorizer(
                asset_inlets="read" if app == "strict" else "write", watchers_reach_all_assets=app == "all"
            ),
            clock=clock,
        )
        self.ids: dict[str, int] = {}
        self.filled: list[Any] = []
        self.revisions: dict[Scope, int] = {}

    async def fill(self) -> None:
        """Make everything be as the matrix has it, whatever was done to it."""
        directory, store = self.state.directory, self.state.service.store
        for name in ("outlet", "inlet", "another", "inactive"):
            known = self.ids.get(name)
            if known is None:
                self.ids[name] = (await directory.register_asset(name=name, uri=f"s3://{name}")).asset_id
            else:
                await directory.restore_asset(known)
        outlets = frozenset({self.ids["outlet"], self.ids["inactive"]})
        own = TaskInstance(OWN, _SCOPE, 2, frozenset({self.ids["inlet"]}), outlets)
        await directory.register_task_instances(
            [
                TaskInstance(REPLACED, _SCOPE, 1, outlets=outlets),
                own,
                TaskInstance(REVOKED, _OTHER_SCOPES[1], outlets=outlets),
                TaskInstance(OTHER, _OTHER_SCOPES[0]),
                TaskInstance(SPARE, TaskScope("dag", "spare", "spare")),
            ]
        )
        await directory.remove_task_instance(UNKNOWN)
        await directory.deactivate_asset(self.ids["inactive"])
        for scope in self.scopes:
            outcome = await store.apply(scope, [Set("x", "1"), Clear(), Set("k", "1")], writer=Writer("api"))
            self.revisions[scope] = outcome.revision
        await self.state.revoke_task_instance(REVOKED)
        await self.state.revoke_token("revoked")
        self.filled = await self.seen()

    @property
    def scopes(self) -> list[Scope]:
        """Everything that has state."""
        return [_SCOPE, *_OTHER_SCOPES, *[AssetScope(asset_id) for asset_id in self.ids.values()]]

    async def seen(self) -> list[Any]:
        """Return what there is to be seen: every entry, task instance and asset."""
        directory, store = self.state.directory, self.state.service.store
        found: list[Any] = [await store.list(scope, limit=10) for scope in self.scopes]
        found += [await directory.task_instance(one) for one in (OWN, OTHER, REMOVED, REPLACED, SPARE, UNKNOWN)]
        return [*found, list(await directory.assets())]

    async def ask(self, prefix: str, asked: Asked, token: str | None) -> Answer:
        """Return the answer to a request.

        Args:
            prefix: Of the route set.
        """
        headers = {"content-type": asked.content_type, **({} if token is None else {"authorization": token})}
        body = None if asked.body is None else json.dumps(asked.body).encode()
        if asked.is_watch:
            return await _begin(self.state, prefix + asked.target, {**headers, "accept": "text/event-stream"})
        return await ask(self.state, asked.method, prefix + asked.target, headers, body)


async def _begin(state: StateMount, target: str, headers: dict[str, str]) -> Answer:
    """Return the beginning of a stream, or the refusal of one, and go away."""
    sent: list[Any] = []
    has_begun = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await has_begun.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            has_begun.set()

    await state(scope_of("GET", target, headers), receive, send)
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], answered, sent[1]["body"])


def _signed(secret: str = SECRET, **claims: Any) -> str:
    times = {"iat": _NOW, "exp": _NOW + 600}
    return f"Bearer {jwt.encode({**times, **claims}, secret, 'HS512')}"


def _worker(subject: UUID, **claims: Any) -> str:
    return _signed(**{"sub": str(subject), "aud": "urn:airflow.apache.org:task", **claims})


def _public(**claims: Any) -> str:
    return _signed(**{"sub": "ann", "aud": "apache-airflow", "scope": " ".join(PERMISSIONS), **claims})


_EVERY_ASSET = ["outlet", "inlet", "another", "inactive"]

WORKER_TOKENS: dict[str, tuple[UUID, str | None]] = {
    "no token": (OWN, None),
    "a token that does not verify": (OWN, f"{_worker(OWN)[:-8]}AAAAAAAA"),
    "a token for the public API": (OWN, _public(sub=str(OWN))),
    "`scope` is `workload`": (OWN, _worker(OWN, scope="workload")),
    "a revoked token": (OWN, _worker(OWN, jti="revoked")),
    "the token of a task instance that is revoked": (REVOKED, _worker(REVOKED)),
    "the task instance": (OWN, _worker(OWN)),
    "the same, `STATEMOUNT_ASSET_INLETS=read`": (OWN, _worker(OWN)),
    "another task instance": (OTHER, _worker(OTHER)),
    "one that was removed": (REMOVED, _worker(REMOVED)),
    "one whose place a retry has taken": (REPLACED, _worker(REPLACED)),
    "bound to its `try_number`": (OWN, _worker(OWN, try_number=2)),
    "bound to another `try_number`": (OWN, _worker(OWN, try_number=1)),
    "bound by `assets` to the outlet": (OWN, _worker(OWN, assets=["s3://outlet"])),
    "bound by `assets` to another asset": (OWN, _worker(OWN, assets=["another"])),
    "bound by `inlets` to the inlet": (OWN, _worker(OWN, inlets=["inlet"])),
    "bound by `outlets` to every asset": (OWN, _worker(OWN, outlets=_EVERY_ASSET)),
    "a watcher, `STATEMOUNT_WATCHERS=off`": (_NIL, _worker(_NIL, assets=_EVERY_ASSET)),
    "a watcher, `=claims`, whose claim names the outlet": (_NIL, _worker(_NIL, assets=["outlet"])),
    "a watcher, `=claims`, without the claim": (_NIL, _worker(_NIL)),
    "a watcher, `=all`": (_NIL, _worker(_NIL)),
}
"""The subject and the ``Authorization`` header of everybody who calls the execution API."""

_REFUSED_CALLERS: dict[str, str | None] = {
    "no token": None,
    "a token that does not verify": f"{_public()[:-8]}AAAAAAAA",
    "an expired token": _public(exp=_NOW - 60),
    "a worker's token": _worker(OWN, scope="execution"),
    "a revoked token": _public(jti="revoked"),
}
_LIMITING_CLAIMS: dict[str | None, dict[str, Any]] = {
    None: {},
    "`dags` match": {"dags": ["d?g"]},
    "`dags` do not": {"dags": ["other*"]},
    "`assets` match": {"assets": ["outl*", "s3://inactive"]},
    "`assets` do not": {"assets": ["other*"]},
}


def caller_token(caller: Caller) -> str | None:
    """Return the ``Authorization`` header of somebody who calls the public API."""
    if caller.refused is not None:
        return _REFUSED_CALLERS[caller.name]
    return _public(scope=" ".join(sorted(caller.permissions)), **_LIMITING_CLAIMS[caller.limit])


def worker_requests(operation: ApiOperation, target: str, subject: UUID, row: WorkerRow) -> list[Asked]:
    """Return the requests that address something of the execution API with an operation."""
    words = {"need": row.need}
    if row.thing == "asset":
        return _requests(operation, {**words, "name": target, "uri": f"s3://{target}"}, target)
    ids = {"its own": str(subject), "another": str(SPARE), "an unknown one": str(UNKNOWN), "no UUID": "me"}
    return _requests(operation, {**words, "task_instance_id": ids[target]}, target)


def public_requests(operation: ApiOperation, target: str, world: World, row: PublicRow) -> list[Asked]:
    """Return the requests that address something of the public API with an operation."""
    is_known = target == "registered"
    assets = {"active": world.ids["outlet"], "inactive": world.ids["inactive"], "unknown": 4711, "no id": "me"}
    asset = assets.get(target)
    scope = AssetScope(asset) if isinstance(asset, int) else _SCOPE
    spares = {"registered": str(SPARE), "not registered": str(UNKNOWN), "no UUID": "me"}
    return _requests(
        operation,
        {
            "need": (row.also or row.permission).partition(":")[2],
            "revision": str(world.revisions.get(scope, 2)),
            "dag_id": "dag",
            "dag_run_id": "run",
            "run_id": "spare" if is_known else "nope",
            "task_id": "task" if is_known else "nope",
            "task_instance_id": spares.get(target, ""),
            "asset_id": str("" if asset is None else asset),
        },
        target,
    )


def _requests(operation: ApiOperation, words: dict[str, str], target: str) -> list[Asked]:
    """Return requests with what a path and a query need; a GET as HEAD, too, and a clear in each of its forms."""
    words = {**words, "key": "k"}
    path = "/".join(_filled(segment, words) for segment in operation.path.split("/"))
    needed = [name for name, known in operation.query.model_fields.items() if known.is_required() and name in words]
    query = [f"{name}={quote(words[name], safe='')}" for name in needed]
    method = operation.method
    if method in _KINDS:
        method = "GET"
        query += [_KINDS[operation.method]] if _KINDS[operation.method] else []
    assert method in _METHODS, f"how is a {method} asked for?"
    body = None if operation.body is None else BODIES[operation.body.__name__](words, target)
    asked = [Asked(method, _joined(path, query), body, operation.method == "WATCH")]
    if operation.method in ("GET", "LIST"):
        asked.append(Asked("HEAD", asked[0].target))
    if operation.takes_merge_patch:
        merging = Asked(method, asked[0].target, {"a": 1}, content_type="application/merge-patch+json")
        asked = [*asked, merging] if operation.body else [merging]
    if "purge" in operation.query.model_fields:
        asked.append(Asked(method, _joined(path, [*query, "purge=true"])))
    if "all_map_indices" in operation.query.model_fields:
        asked.append(Asked(method, _joined(path, [*query, "all_map_indices=true"])))
    return asked


def _joined(path: str, query: list[str]) -> str:
    return f"{path}?{'&'.join(query)}" if query else path


def _filled(segment: str, words: dict[str, str]) -> str:
    return quote(words[segment[1:-1].partition(":")[0]], safe="") if segment.startswith("{") else segment


def _registration(words: dict[str, str], target: str) -> dict[str, Any]:
    return {"dag_id": "dag", "run_id": "spare", "task_id": "spare"}


def _registrations(words: dict[str, str], target: str) -> dict[str, Any]:
    return {"task_instances": [{"id": words["task_instance_id"], **_registration(words, target)}]}


def _revocation(words: dict[str, str], target: str) -> dict[str, Any]:
    return {"jti": "spare"} if target == "by `jti`" else {"task_instance_id": words["task_instance_id"]}


_BATCHES = {
    "read": {"op": "get", "key": "k"},
    "write": {"op": "set", "key": "k", "value": 2},
    "delete": {"op": "delete", "key": "k"},
}


def _batch(words: dict[str, str], target: str) -> dict[str, Any]:
    return {"operations": [_BATCHES[words["need"]]]}


def _earlier(words: dict[str, str], target: str) -> dict[str, Any]:
    return {"revision": int(words["revision"]) - (words["need"] == "delete")}


BODIES: dict[str, Any] = {
    "RevertBody": _earlier,
    "TaskBatchBody": _batch,
    "PublicTaskBatchBody": _batch,
    "AssetBatchBody": _batch,
    "ValueBody": lambda words, target: {"value": 2},
    "TaskBody": lambda words, target: {"value": 2},
    "PublicTaskBody": lambda words, target: {"value": 2},
    "OneTaskInstanceBody": _registration,
    "TaskInstancesBody": _registrations,
    "RevocationBody": _revocation,
    "AssetBody": lambda words, target: {"name": "outlet", "uri": "s3://outlet"},
}
"""A body that is good, for each model of one."""
