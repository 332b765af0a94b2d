"""The app that is fuzzed: real parts in memory or on SQLite, begun anew where a case may have changed what is known."""

from __future__ import annotations

import hmac
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote
from uuid import UUID

import jwt
from typing_extensions import override

from statemount.auth import DefaultAuthorizer, JWTAuth
from statemount.model import AssetScope, Entry, Scope, TaskInstance, TaskScope, Writer
from statemount.mount import StateMount
from statemount.operations import Clear, Operation, Set
from statemount.web.cursors import cursor_after
from tests.auth.support import private_key, public_pem, segment
from tests.contract.world import NOON, SECRET, StillClock

OWN = UUID("0197f3a0-1111-7000-8000-000000000001")
OTHER = UUID("0197f3a0-1111-7000-8000-000000000002")
MISSING = UUID("0197f3a0-1111-7000-8000-000000000003")
TASK = TaskScope("dag", "run", "task")
MAPPED = (TaskScope("dag", "run", "mapped", 0), TaskScope("dag", "run", "mapped", 1))
ASSETS = ("asset/1", "inlet", "foreign", "gone")
"""Their ids are 1 to 4. The task has the first as outlet and the second as inlet; the last is inactive."""

OUTLET = AssetScope(1)
SCOPES: tuple[Scope, ...] = (TASK, TaskScope("dag", "run", "other"), *MAPPED, *map(AssetScope, (1, 2, 3, 4)))
SEED: Mapping[Scope, Mapping[str, Any]] = {
    TASK: {"k": {"a": 1, "b": {"c": [2]}}, "k/1": "x", "n": 7, "t": "2026-11-20T12:00:00Z"},
    OUTLET: {"k": {"a": 1}, "n": 1.5},
    AssetScope(2): {"k": 0},
}

_MAX_ENTRIES = 12
"""Few, so that a scope is full now and then."""

_ALL = "state:read state:write state:delete directory:read directory:write"
_NOW = NOON // 1_000_000
_WORKER: dict[str, Any] = {"sub": str(OWN), "aud": "urn:airflow.apache.org:task", "scope": "execution"}
_USER: dict[str, Any] = {"sub": "ann", "aud": "apache-airflow", "scope": _ALL}
_CLAIMS: dict[bytes, dict[str, Any]] = {
    b"own": _WORKER,
    b"other": {**_WORKER, "sub": str(OTHER)},
    b"watcher": {**_WORKER, "sub": str(UUID(int=0)), "assets": [ASSETS[0]]},
    b"user": _USER,
    b"reader": {**_USER, "scope": "state:read"},
    b"limited": {**_USER, "dags": ["d*"], "assets": ["in*"]},
}
_TIMES = {"iat": _NOW, "nbf": _NOW, "exp": _NOW + 600}

_WORD = re.compile(rb"<([a-z]+)(?::([^>\n]*))?>")
Snapshot = dict[Scope, tuple[int, dict[str, Entry]]]
"""The revision and the entries of every scope."""


class ErrorLoggedError(AssertionError):
    """The app has logged an error."""


class _Strict(logging.Handler):
    """Formats every record; neither an error may come about, nor a record of more than a line."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.ERROR:
            raise ErrorLoggedError(text)
        assert text.isprintable(), f"what somebody sent makes lines of its own in the log: {text!r}"


@contextmanager
def strict_logs() -> Iterator[None]:
    """Let every record be formatted, and an error be a finding, until the end of the block."""
    logger = logging.getLogger("statemount")
    before = logger.handlers, logger.propagate, logger.level
    logger.handlers, logger.propagate = [_Strict()], False
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before[:2]
        logger.setLevel(before[2])


def _signed(claims: Mapping[str, Any]) -> bytes:
    return jwt.encode({**_TIMES, **claims}, SECRET, "HS512").encode()


def _sign_text(payload: bytes) -> bytes:
    return _sign_under(b'{"alg": "HS512"}|' + payload)


def _sign_under(text: bytes) -> bytes:
    """Return a token of the header before a bar and the payload behind it, signed with the secret whatever it says."""
    header, _, payload = text.partition(b"|")
    message = f"{segment(header)}.{segment(payload)}"
    return f"{message}.{segment(hmac.digest(SECRET.encode(), message.encode(), 'sha512'))}".encode()


@cache
def _public_keys() -> list[str]:
    return [public_pem(private_key(kind)) for kind in ("RSA-2048", "P-256", "Ed25519")]


def _cursor(text: bytes) -> bytes:
    """Return the cursor of a list by the prefix before a bar, behind the key that follows it."""
    prefix, _, key = text.decode("utf-8", "replace").partition("|")
    return cursor_after(key, prefix).encode()


@dataclass
class World:
    """An app with something registered and some entries.

    Args:
        make_url: Returns the URL of a database with its tables and no rows; None = in memory.

    Attributes:
        states: How many apps there were.
    """

    make_url: Callable[[], str] | None = None
    states: int = 0

    def __post_init__(self) -> None:
        self.clock = StillClock()
        self._stack = AsyncExitStack()
        self._tokens = {name: _signed(claims) for name, claims in _CLAIMS.items()}
        self._words: dict[bytes, Callable[[bytes], bytes]] = {
            **{name: (lambda _, token=token: token) for name, token in self._tokens.items()},  # type: ignore[misc]
            b"ti": lambda _: str(OWN).encode(),
            b"ti2": lambda _: str(OTHER).encode(),
            b"missing": lambda _: str(MISSING).encode(),
            b"long": lambda text: b"9" * min(int(text), 100_000) if text.isdigit() else text,
            b"deep": lambda text: b"[" * (depth := min(int(text), 10_000)) + b"]" * depth,
            b"jwt": _sign_text,
            b"jws": _sign_under,
            b"claims": self._claims,
            b"cursor": _cursor,
            b"rev": lambda text: str(self._revision(TASK, text)).encode(),
            b"arev": lambda text: str(self._revision(OUTLET, text)).encode(),
            b"asset": lambda _: quote(ASSETS[0], safe="").encode(),
            b"state": lambda _: b"/api/v2/dags/dag/dagRuns/run/taskInstances/task",
        }
        self.before: Snapshot = {}

    @staticmethod
    def _claims(text: bytes) -> bytes:
        """Return a good token, but for what some JSON says otherwise."""
        try:
            changes = json.loads(text)
            claims = {**(_USER if b"apache-airflow" in text else _WORKER), **changes}
            return _signed(claims)
        except (ValueError, TypeError, RecursionError):
            return _sign_text(text)

    def _revision(self, scope: Scope, key: bytes) -> int:
        """Return the revision of a key, or that of the scope if there is no such key."""
        revision, entries = self.before[scope]
        entry = entries.get(key.decode("utf-8", "replace"))
        return revision if entry is None else entry.revision

    def fill(self, text: bytes) -> bytes:
        """Return a text with its words replaced; what is no word stays."""
        if b"<" not in text:
            return text

        def replace(found: re.Match[bytes]) -> bytes:
            word = self._words.get(found[1])
            try:
                return found[0] if word is None else word(found[2] or b"")
            except ValueError:
                return found[0]

        return _WORD.sub(replace, text)

    async def begin(self) -> None:
        """Leave the app that there was, and make another."""
        await self.end()
        self.states += 1
        self.clock.now = NOON
        url = "memory://" if self.make_url is None else self.make_url()
        self.state = StateMount(
            url,
            auth=JWTAuth(secret=SECRET, keys=_public_keys(), watchers=True, clock=self.clock),
            authorizer=DefaultAuthorizer(),
            clock=self.clock,
            history_values="all",
            max_entries_per_scope=_MAX_ENTRIES,
            sweep_interval_seconds=0,
        )
        await self._stack.enter_async_context(self.state.lifespan())
        directory = self.state.directory
        for name in ASSETS:
            await directory.register_asset(name=name, uri=f"s3://{name}")
        await directory.deactivate_asset(4)
        own = TaskInstance(OWN, TASK, inlets=frozenset({2}), outlets=frozenset({1, 4}))
        mapped = [TaskInstance(UUID(int=index + 1), scope) for index, scope in enumerate(MAPPED)]
        await directory.register_task_instances([own, TaskInstance(OTHER, TaskScope("dag", "run", "other")), *mapped])
        self.before = await self.snapshot()

    async def end(self) -> None:
        """Stop the app."""
        await self._stack.aclose()
        self._stack = AsyncExitStack()

    async def prepare(self) -> None:
        """Give every scope the entries that every case begins with."""
        for scope in SCOPES:
            wanted = SEED.get(scope, {})
            texts = {key: json.dumps(value) for key, value in wanted.items()}
            if {key: entry.value for key, entry in self.before[scope][1].items()} != texts:
                operations: list[Operation] = [Clear(purge=True), *(Set(key, text) for key, text in texts.items())]
                await self.state.service.store.apply(scope, operations, writer=Writer("api"))
        self.before = await self.snapshot()

    async def snapshot(self) -> Snapshot:
        """Return what every scope has."""
        found: Snapshot = {}
        for scope in SCOPES:
            page = await self.state.service.store.list(scope, limit=1000)
            found[scope] = page.revision, {entry.key: entry for entry in page.entries}
        return found

    async def registered(self) -> Any:
        """Return what the directory says of everything that a case can name."""
        directory = self.state.directory
        instances = [await directory.task_instance(one) for one in (OWN, OTHER, MISSING)]
        return instances, await directory.assets(limit=100)
