"""The app that the table is asked of: real parts on a real store, with a clock that stands still."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import jwt

from statemount.auth import DefaultAuthorizer, JWTAuth
from statemount.model import AssetScope, Entry, Scope, TaskInstance, TaskScope, Timestamp, Writer
from statemount.mount import StateMount
from statemount.operations import Clear, Operation, Set
from statemount.service.values import stored_text
from tests.contract.rows import USER, Credentials, Expiring, Token, substitute

SECRET = "0123456789abcdef" * 4
NOON: Timestamp = 1_795_176_000_000_000
"""2026-11-20T12:00:00Z."""

_COUNTER = itertools.count(1)


@dataclass
class StillClock:
    """A clock that a test moves."""

    now: Timestamp = NOON

    def __call__(self) -> Timestamp:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += int(seconds * 1_000_000)


def make_state(url: str | None, clock: StillClock) -> StateMount:
    """Return the app on a database, or in memory."""
    return StateMount(
        url or "memory://",
        auth=JWTAuth(secret=SECRET, watchers=True, clock=clock),
        authorizer=DefaultAuthorizer(),
        clock=clock,
    )


@dataclass
class Place:
    """What one row has for itself: a task instance, assets, and the words for them.

    Args:
        scope: The task instance's.
        asset: The outlet's scope.
        kept: What :meth:`prepare` has written and nobody has changed; None = somebody may have.
    """

    state: StateMount
    clock: StillClock
    scope: TaskScope
    asset: AssetScope
    words: dict[str, str] = field(default_factory=dict)
    kept: dict[Scope, tuple[Set, ...] | None] = field(default_factory=dict)

    @classmethod
    async def make(cls, state: StateMount, clock: StillClock, *, asset: str = "asset") -> Place:
        """Register what a row needs.

        Args:
            asset: What the outlet's name begins with.
        """
        number = next(_COUNTER)
        directory = state.directory
        names = {kind: f"{kind}-{number}" for kind in ("inlet", "foreign", "gone", "unknown")}
        names["name"] = f"{asset}{number}"
        ids = {"unknown": 2**62}
        for kind, name in names.items():
            if kind != "unknown":
                ids[kind] = (await directory.register_asset(name=name, uri=_uri(name))).asset_id
        await directory.deactivate_asset(ids["gone"])
        own, other, missing = uuid4(), uuid4(), uuid4()
        run = f"run-{number}"
        scope = TaskScope("dag", run, "task")
        await directory.register_task_instances(
            [
                TaskInstance(
                    own, scope, inlets=frozenset({ids["inlet"]}), outlets=frozenset({ids["name"], ids["gone"]})
                ),
                TaskInstance(other, TaskScope("dag", run, "other")),
                *[TaskInstance(uuid4(), TaskScope("dag", run, "mapped", index)) for index in (0, 1)],
            ]
        )
        place = cls(state, clock, scope, AssetScope(ids["name"]))
        place.words |= {"<run>": run} | {f"<{kind}-id>": str(asset_id) for kind, asset_id in ids.items()}
        for kind, name in {**names, "name/k": f"{names['name']}/k"}.items():
            for suffix, text in (("", name), ("-uri", _uri(name))):
                place.words[f"<{kind}{suffix}>"] = text
                place.words[f"<{kind}{suffix}%>"] = quote(text, safe="")
                place.words[f"<{kind}{suffix}!r>"] = repr(text)
        place.words |= {"<other>": str(other), "<missing>": str(missing)}
        place.words |= {
            "<ti>": str(own),
            "<TI>": str(own).upper(),
            "<ti-hex>": own.hex,
            "<ti-hex-upper>": own.hex.upper(),
        }
        token = place.token(Token())
        place.words |= {"<own>": token, "<own-cut>": token[:-1], "<user>": place.token(USER)}
        return place

    def fill(self, value: Any) -> Any:
        """Return a value with all words replaced."""
        return substitute(value, self.words)

    def token(self, token: Token) -> str:
        """Sign a token."""
        now = self.clock.now // 1_000_000
        claims: dict[str, Any] = {"sub": "<ti>", "aud": "urn:airflow.apache.org:task", "scope": "execution"}
        claims |= {"jti": uuid4().hex, "iat": 0, "nbf": 0, "exp": 600, **token.changes}
        for name in ("iat", "nbf", "exp"):
            claims[name] += now
        for name in token.drop:
            del claims[name]
        key = SECRET if token.key is None else token.key
        return jwt.encode(
            self.fill(claims), "" if token.algorithm == "none" else key, token.algorithm, headers=dict(token.header)
        )

    def authorization(self, credentials: Credentials) -> str | None:
        """Return the ``Authorization`` header of a row."""
        if isinstance(credentials, Token):
            return f"Bearer {self.token(credentials)}"
        return None if credentials is None else self.fill(credentials)

    def mapped(self, map_index: int) -> TaskScope:
        """Return the scope of an instance of the mapped task."""
        return TaskScope(self.scope.dag_id, self.scope.run_id, "mapped", map_index)

    async def seed(self, scope: Scope, entries: Mapping[str, Any]) -> None:
        """Write entries at once, as the service would for anybody in this process."""
        if entries:
            await self.state.service.store.apply(scope, self._sets(entries), writer=Writer("api"))

    async def prepare(self, scope: Scope, entries: Mapping[str, Any]) -> None:
        """See to it that a scope has these entries and no others, with as few writes as can be."""
        sets = self._sets(entries)
        kept = self.kept.pop(scope, ())
        if kept != sets:
            operations: list[Operation] = [*sets] if kept == () else [Clear(), *sets]
            await self.state.service.store.apply(scope, operations, writer=Writer("api"))
        self.kept[scope] = sets

    def changed(self, scope: Scope) -> None:
        """Take note that nobody knows what a scope has."""
        self.kept[scope] = None

    def _sets(self, entries: Mapping[str, Any]) -> tuple[Set, ...]:
        return tuple(self._set(key, value) for key, value in entries.items())

    def _set(self, key: str, value: Any) -> Set:
        if isinstance(value, Expiring):
            return Set(key, stored_text(value.value), self.clock.now + int(value.seconds * 1_000_000))
        return Set(key, stored_text(value))

    async def entries(self, scope: Scope) -> dict[str, Entry]:
        """Return the live entries of a scope."""
        page = await self.state.service.store.list(scope, limit=1000)
        return {entry.key: entry for entry in page.entries}

    async def values(self, scope: Scope) -> dict[str, Any]:
        """Return the values of the live entries of a scope."""
        return {key: json.loads(entry.value) for key, entry in (await self.entries(scope)).items()}


class Places:
    """Places that row after row may use, as long as nothing but the entries of a place is changed.

    To register what a row needs takes much longer than the row itself.
    """

    def __init__(self, state: StateMount, clock: StillClock) -> None:
        self._state = state
        self._clock = clock
        self._idle: dict[str, Place] = {}

    async def take(self, asset: str) -> Place:
        """Return a place that nobody else uses."""
        return self._idle.pop(asset, None) or await Place.make(self._state, self._clock, asset=asset)

    async def fresh(self) -> Place:
        """Return a place with no entries that is this caller's until the next call."""
        place = await self.take("asset")
        for scope in (place.scope, place.asset):
            await place.prepare(scope, {})
            place.changed(scope)
        self.give_back(place, "asset")
        return place

    def give_back(self, place: Place, asset: str) -> None:
        """Take a place back."""
        self._idle[asset] = place


def _uri(name: str) -> str:
    return f"s3://bucket/{name}"
