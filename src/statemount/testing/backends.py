"""What every worker-side backend must do, as tests: a subclass supplies a fixture ``backend``."""

from __future__ import annotations

import itertools
import json
from typing import ClassVar

import anyio
import pytest

from statemount.errors import StateMountError
from statemount.model import AssetScope, JsonValue, Scope, TaskScope
from statemount.worker.backends import BaseStateBackend
from statemount.worker.references import marked, reference_in
from statemount.worker.scoped import ScopedBackend

TASK = TaskScope("dag", "manual__2026-01-01T00:00:00+00:00", "task")
NAMED = AssetScope(name="asset")
LARGE = 300_000
"""Characters of a value that a backend which keeps anything keeps outside of the reference."""

AWKWARD = (
    *("a", "A", "a ", " a", "a.", ".a", ".", "..", "...", "../a", "a/../b", "a/b", "a//b", "/a", "a/", "a\\b", "/"),
    *("%2e%2e", "a%2fb", "a%b", "=41", "!a", "~", "a?b", "a#b", "a#1", "a:b", "a&b", "a+b", "a*", "\x00", "\n", "é"),
    *("e\N{COMBINING ACUTE ACCENT}", "\N{SNOWMAN}", "\N{GRINNING FACE}", "CON", "con", "x" * 512, "x" * 511 + "y"),
    *("é" * 512, "é" * 511 + "x"),
)
"""Keys and names that are different, however much a file system or a URL makes them alike."""


class BackendConformance:
    """Derive a class ``Test...`` from it, with a fixture ``backend`` that returns a backend which keeps nothing yet.

    No plugin for asynchronous tests is needed.
    """

    scopes: ClassVar[tuple[Scope, ...]] = (TASK, NAMED, AssetScope(uri="s3://bucket/asset"))

    @pytest.fixture(params=["task", "asset by name", "asset by URI"])
    def scope(self, request: pytest.FixtureRequest) -> Scope:
        """Return a scope of each kind in turn."""
        return self.scopes[["task", "asset by name", "asset by URI"].index(request.param)]

    def test_is_a_backend(self, backend: BaseStateBackend) -> None:
        """It has every method of the contract, whatever it derives from."""
        assert isinstance(backend, BaseStateBackend)

    @pytest.mark.parametrize(
        "value",
        ["text", "", 0, -1, 1.5, True, False, [], {}, [None], {"a": [1, {"b": None}]}, 'é\N{GRINNING FACE}\x00"\\'],
        ids=repr,
    )
    def test_small_value_round_trip(self, backend: BaseStateBackend, scope: Scope, value: JsonValue) -> None:
        """What a reference names is the value that was set, of the same type."""
        loaded = _set_and_get(backend, scope, "key", value)
        assert loaded == value
        assert type(loaded) is type(value)

    def test_large_value_round_trip(self, backend: BaseStateBackend, scope: Scope) -> None:
        """A large value comes back as it was."""
        value = {"text": "é" * LARGE, "numbers": list(range(1000))}
        assert _set_and_get(backend, scope, "key", value) == value

    def test_reference_is_text(self, backend: BaseStateBackend, scope: Scope) -> None:
        """A reference is a text that is not empty, and it is not marked: the accessor does that."""
        reference = _reference(backend, scope, "key", "value")
        assert isinstance(reference, str)
        assert reference
        assert "__airflow_state_ref__" not in reference

    def test_reference_is_deterministic(self, backend: BaseStateBackend, scope: Scope) -> None:
        """The same scope, key and value give the same reference, every time."""
        for value in ("small", "x" * LARGE):
            references = {_reference(backend, scope, "key", value) for _ in range(3)}
            assert len(references) == 1

    def test_reference_depends_on_scope_and_key_alone(self, backend: BaseStateBackend, scope: Scope) -> None:
        """A reference that does not hold the value is the same for every value, so that delete finds it."""
        references = {_reference(backend, scope, "key", letter * LARGE) for letter in "xyz"}
        assert len(references) == 1 or all(len(reference) >= LARGE for reference in references)

    def test_set_replaces(self, backend: BaseStateBackend, scope: Scope) -> None:
        """A new value takes the place of the old one, from small to large and back."""
        for value in ("first", "second" * LARGE, "third" * LARGE, "fourth"):
            assert _set_and_get(backend, scope, "key", value) == value

    def test_deleted_value_is_missing(self, backend: BaseStateBackend, scope: Scope) -> None:
        """After a delete a reference that does not hold the value leads to an error of ours, not to another value."""
        reference = _reference(backend, scope, "key", "x" * LARGE)
        if len(reference) < LARGE:
            backend.delete(scope, "key")
            with pytest.raises(StateMountError):
                _load(backend, scope, reference)

    def test_cleared_value_is_missing(self, backend: BaseStateBackend, scope: Scope) -> None:
        """After a clear a reference that does not hold the value leads to an error of ours, not to another value."""
        reference = _reference(backend, scope, "key", "x" * LARGE)
        if len(reference) < LARGE:
            backend.clear(scope)
            with pytest.raises(StateMountError):
                _load(backend, scope, reference)

    def test_versions_stay_apart(self, backend: BaseStateBackend, scope: Scope) -> None:
        """What is kept for a set on a condition leaves what the key has, until the server has taken it."""
        scoped = ScopedBackend(scope, backend)
        first = _reference(backend, scope, "key", "1" * LARGE)
        refused = scoped.keep_version("key", "2" * LARGE)
        taken = scoped.keep_version("key", "3" * LARGE)
        assert _load(backend, scope, first) == "1" * LARGE
        scoped.discard(refused)
        scoped.replaced("key", marked(first))
        assert scoped.from_stored("key", taken.stored) == "3" * LARGE
        last = scoped.keep_version("key", "4" * LARGE)
        scoped.replaced("key", taken.stored)
        assert scoped.from_stored("key", last.stored) == "4" * LARGE
        backend.clear(scope)
        if len(first) < LARGE:
            for version in (refused, taken, last):
                with pytest.raises(StateMountError):
                    scoped.from_stored("key", version.stored)

    def test_get_and_set(self, backend: BaseStateBackend, scope: Scope) -> None:
        """What is set is got, as the same JSON text; what was never set is None."""
        assert backend.get(scope, "key") is None
        backend.set(scope, "key", '{"a":  1}')
        assert backend.get(scope, "key") == '{"a":  1}'
        assert backend.get(scope, "other") is None

    def test_delete(self, backend: BaseStateBackend, scope: Scope) -> None:
        """A delete removes one key, and does nothing when there is nothing."""
        backend.set(scope, "a", "1")
        backend.set(scope, "b", "2")
        backend.delete(scope, "a")
        backend.delete(scope, "a")
        backend.delete(scope, "never")
        assert (backend.get(scope, "a"), backend.get(scope, "b")) == (None, "2")

    def test_clear(self, backend: BaseStateBackend, scope: Scope) -> None:
        """A clear removes all keys of its scope and nothing else, and may find nothing."""
        others = [*(one for one in self.scopes if one != scope), TaskScope("dag", TASK.run_id, "task_2")]
        for one in (scope, *others):
            backend.set(one, "a", "1")
            backend.set(one, "b/c", "2")
        backend.clear(scope)
        backend.clear(scope)
        assert (backend.get(scope, "a"), backend.get(scope, "b/c")) == (None, None)
        for other in others:
            assert (backend.get(other, "a"), backend.get(other, "b/c")) == ("1", "2")

    def test_clear_is_for_one_map_index(self, backend: BaseStateBackend) -> None:
        """A clear leaves the other map indices of the task, unless all of them are asked for."""
        scopes = [TaskScope("dag", "run", "task", map_index) for map_index in (-1, 0, 1, 10)]
        other = TaskScope("dag", "run", "other")
        for scope in (*scopes, other):
            backend.set(scope, "key", "1")
        backend.clear(scopes[2])
        assert [backend.get(scope, "key") for scope in scopes] == ["1", "1", None, "1"]
        backend.clear(scopes[2], all_map_indices=True)
        assert [backend.get(scope, "key") for scope in scopes] == [None] * 4
        assert backend.get(other, "key") == "1"

    def test_all_map_indices_means_nothing_for_an_asset(self, backend: BaseStateBackend) -> None:
        """The flag clears the asset, as without it, and no other."""
        backend.set(NAMED, "key", "1")
        backend.set(AssetScope(name="asset_2"), "key", "2")
        backend.clear(NAMED, all_map_indices=True)
        assert backend.get(NAMED, "key") is None
        assert backend.get(AssetScope(name="asset_2"), "key") == "2"

    def test_awkward_keys_stay_apart(self, backend: BaseStateBackend, scope: Scope) -> None:
        """Keys that a path or a URL could confuse are different keys, and a clear finds them all."""
        for number, key in enumerate(AWKWARD):
            backend.set(scope, key, str(number))
        assert [backend.get(scope, key) for key in AWKWARD] == [str(number) for number in range(len(AWKWARD))]
        backend.clear(scope)
        assert {backend.get(scope, key) for key in AWKWARD} == {None}

    def test_awkward_keys_stay_in_their_scope(self, backend: BaseStateBackend, scope: Scope) -> None:
        """No key reaches another scope, and a clear of its scope takes no other's."""
        neighbours = [*(one for one in self.scopes if one != scope), TaskScope("dag", TASK.run_id, "task", 0)]
        for neighbour in neighbours:
            backend.set(neighbour, "key", '"kept"')
        keys = ["../key", "../0/key", "../../task/0/key", "/key", "..", "../../../asset/name/asset/key"]
        for key in keys:
            backend.set(scope, key, "1")
            backend.delete(scope, key)
        backend.clear(scope)
        assert {backend.get(neighbour, "key") for neighbour in neighbours} == {'"kept"'}

    def test_awkward_ids_stay_apart(self, backend: BaseStateBackend) -> None:
        """Ids and names that a path could confuse are different scopes."""
        awkward = [name[:250] for name in AWKWARD if len(name) < 500]
        scopes: list[Scope] = [TaskScope(*ids) for ids in itertools.permutations(("a", "a/b", ".."), 3)]
        scopes += [TaskScope("a/b", "c", "d"), TaskScope("a", "b/c", "d"), TaskScope("a", "b", "c/d")]
        scopes += [AssetScope(name=name) for name in awkward] + [AssetScope(uri=name) for name in awkward]
        for number, scope in enumerate(scopes):
            backend.set(scope, "key", str(number))
        assert [backend.get(scope, "key") for scope in scopes] == [str(number) for number in range(len(scopes))]

    def test_awkward_keys_round_trip(self, backend: BaseStateBackend, scope: Scope) -> None:
        """References for such keys lead back to their values."""
        references = {key: _reference(backend, scope, key, key + "x" * LARGE) for key in AWKWARD[::4]}
        assert {key: _load(backend, scope, reference) for key, reference in references.items()} == {
            key: key + "x" * LARGE for key in references
        }

    def test_asynchronous_forms(self, backend: BaseStateBackend, scope: Scope) -> None:
        """Each asynchronous form does what the other does, and sees what it has done."""

        async def run() -> None:
            assert await backend.aget(scope, "key") is None
            await backend.aset(scope, "key", "1")
            await backend.aset(scope, "other", "2")
            assert (backend.get(scope, "key"), await backend.aget(scope, "key")) == ("1", "1")
            await backend.adelete(scope, "key")
            await backend.adelete(scope, "key")
            assert (backend.get(scope, "key"), await backend.aget(scope, "other")) == (None, "2")
            await backend.aclear(scope)
            assert await backend.aget(scope, "other") is None
            backend.set(scope, "key", "3")
            assert await backend.aget(scope, "key") == "3"
            await backend.aclear(scope, all_map_indices=True)
            assert backend.get(scope, "key") is None

        anyio.run(run)

    def test_cleanup(self, backend: BaseStateBackend, scope: Scope) -> None:
        """A clean-up leaves what was just written."""
        reference = _reference(backend, scope, "key", "x" * LARGE)
        backend.cleanup()
        assert _load(backend, scope, reference) == "x" * LARGE


def _reference(backend: BaseStateBackend, scope: Scope, key: str, value: JsonValue) -> str:
    reference = reference_in(json.loads(json.dumps(ScopedBackend(scope, backend).to_stored(key, value))))
    assert reference is not None
    return reference


def _load(backend: BaseStateBackend, scope: Scope, reference: str) -> JsonValue:
    if isinstance(scope, TaskScope):
        return backend.deserialize_task_state_store_from_ref(reference)
    return backend.deserialize_asset_state_store_from_ref(reference)


def _set_and_get(backend: BaseStateBackend, scope: Scope, key: str, value: JsonValue) -> JsonValue:
    """Do what an accessor does, with the text that the server would keep in between."""
    scoped = ScopedBackend(scope, backend)
    stored = json.loads(json.dumps(scoped.to_stored(key, value)))
    scoped.stored_on_server(key, stored)
    return scoped.from_stored(key, stored)
