"""Worker-side backends: their contract, how one is loaded, and what accessors make of it."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from typing import Any, ClassVar

import pytest

from statemount import testing
from statemount.errors import ConfigurationError, InvalidInputError
from statemount.model import AssetScope, JsonValue, Scope, TaskScope
from statemount.testing import BackendConformance
from statemount.worker import (
    BaseStateBackend,
    MissingObjectError,
    ScopedBackend,
    ThreadedStateBackend,
    load_backend,
    worker_backend,
)
from tests.worker.airflow_backend import AirflowBackend
from tests.worker.airflow_state import AssetScope as AirflowAssetScope
from tests.worker.airflow_state import TaskScope as AirflowTaskScope
from tests.worker.backends import MemoryBackend

pytestmark = pytest.mark.anyio

MARKER = "__airflow_state_ref__"
VARIABLE = "STATEMOUNT_WORKER_STATE_BACKEND"
TASK = TaskScope("dag", "run", "task")
SCOPES: list[Scope] = [TASK, AssetScope(name="asset"), AssetScope(uri="s3://bucket/asset")]


class InlineBackend(MemoryBackend):
    """Keeps nothing of what accessors set: its hooks are those of the base class."""

    serialize_task_state_store_to_ref = BaseStateBackend.serialize_task_state_store_to_ref
    deserialize_task_state_store_from_ref = BaseStateBackend.deserialize_task_state_store_from_ref
    serialize_asset_state_store_to_ref = BaseStateBackend.serialize_asset_state_store_to_ref
    deserialize_asset_state_store_from_ref = BaseStateBackend.deserialize_asset_state_store_from_ref


class TestMemoryBackend(BackendConformance):
    """A backend that keeps every value passes."""

    @pytest.fixture
    def backend(self) -> BaseStateBackend:
        return MemoryBackend()


class TestInlineBackend(BackendConformance):
    """A backend with the hooks of the base class, whose references are the values, passes."""

    @pytest.fixture
    def backend(self) -> BaseStateBackend:
        return InlineBackend()


class CountingBackend(MemoryBackend):
    """Counts how often it was made."""

    made: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).made += 1


class FailingBackend(MemoryBackend):
    """Cannot be made."""

    def __init__(self) -> None:
        raise RuntimeError("no credentials")


class IncompleteBackend(ThreadedStateBackend):
    """Lacks get, set, delete and clear."""


def no_backend() -> object:
    """Return something else."""
    return object()


def test_eight_methods_are_abstract() -> None:
    """A backend has to have get, set, delete and clear in both forms; the hooks and the clean-up have defaults."""
    assert BaseStateBackend.__abstractmethods__ == {
        *("get", "set", "delete", "clear"),
        *("aget", "aset", "adelete", "aclear"),
    }


def test_asset_scope_names_an_asset() -> None:
    """The scope of an asset needs at least one of id, name and URI."""
    with pytest.raises(ValueError, match="at least one of"):
        AssetScope()
    assert AssetScope(asset_id=0).asset_id == 0
    assert AssetScope(name="asset").name == "asset"
    assert AssetScope(uri="s3://bucket/asset").uri == "s3://bucket/asset"


def test_import_is_light() -> None:
    """Importing the worker's part loads nothing of the server, and no object storage library."""
    code = """
import sys
import statemount.worker
unwanted = {"databases", "obstore", "pytest", "sqlalchemy", "starlette", "statemount.web", "statemount.service"}
print(sorted(unwanted & set(sys.modules)))
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == "[]\n"


@pytest.mark.parametrize("path", [None, "", " "])
def test_no_backend_is_configured(path: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable, or with an empty one, there is no backend."""
    monkeypatch.delenv(VARIABLE, raising=False)
    if path is not None:
        monkeypatch.setenv(VARIABLE, path)
    assert worker_backend() is None


def test_backend_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All threads of a process get the same backend, which is made once."""
    monkeypatch.setenv(VARIABLE, f"{__name__}.CountingBackend")
    start = threading.Barrier(16)
    found: list[BaseStateBackend | None] = []

    def ask() -> None:
        start.wait()
        found.append(worker_backend())

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len(set(map(id, found))) == 1
    assert type(found[0]).__name__ == "CountingBackend"
    made: Any = type(found[0])
    assert made.made == 1


def test_forked_process_makes_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a fork the child makes a backend of its own: connections are not shared with the parent."""
    code = """
import os
from statemount.worker import worker_backend
mine = worker_backend()
child = os.fork()
if child == 0:
    os._exit(0 if worker_backend() is not mine and worker_backend() is worker_backend() else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    monkeypatch.setenv(VARIABLE, "tests.worker.backends.MemoryBackend")
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == "0\n"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("no_such_module.Backend", "No module named"),
        ("statemount.worker.NoSuchBackend", "no attribute"),
        ("not a path", "not a path"),
        ("statemount.worker.loading.VARIABLE", "neither a class nor a function"),
        (f"{__name__}.FailingBackend", "no credentials"),
        (f"{__name__}.IncompleteBackend", "abstract"),
        (f"{__name__}.no_backend", "lacks methods"),
    ],
)
def test_backend_that_cannot_be_loaded(path: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the backend and the reason, by path and by environment."""
    monkeypatch.setenv(VARIABLE, path)
    for load in (worker_backend, lambda: load_backend(path)):
        with pytest.raises(ConfigurationError, match=reason) as raised:
            load()
        assert path in str(raised.value)


def test_function_may_make_the_backend() -> None:
    """A dotted path may name a function that returns a backend."""
    assert isinstance(load_backend(f"{__name__}.make_backend"), BaseStateBackend)


def make_backend() -> BaseStateBackend:
    """Return a backend."""
    return MemoryBackend()


@pytest.mark.parametrize("scope", SCOPES, ids=repr)
def test_server_has_the_reference(scope: Scope) -> None:
    """The server is given the marked reference in the place of the value, and the value comes back from it."""
    backend = MemoryBackend()
    scoped = ScopedBackend(scope, backend)
    stored = scoped.to_stored("key", {"large": [1, 2, 3]})
    assert list(stored) == [MARKER]
    assert "large" not in str(stored)
    scoped.stored_on_server("key", stored)
    assert scoped.from_stored("key", stored) == {"large": [1, 2, 3]}
    assert backend.calls == ["keep", "reference_written"]


async def test_asynchronous_forms() -> None:
    """The asynchronous forms do what the others do."""
    backend = MemoryBackend()
    scoped = ScopedBackend(TASK, backend)
    stored = await scoped.ato_stored("key", "value")
    await scoped.astored_on_server("key", stored)
    assert await scoped.afrom_stored("key", stored) == scoped.from_stored("key", stored) == "value"
    await scoped.adelete("key")
    assert backend.kept == {}
    await scoped.ato_stored("key", "value")
    await scoped.aclear(all_map_indices=True)
    assert backend.kept == {}
    assert backend.calls == ["keep", "reference_written", "delete", "keep", "clear"]


@pytest.mark.parametrize("value", ["text", 0, [], {}, {MARKER: ""}, {MARKER: 1}, {MARKER: "a", "more": 1}], ids=repr)
def test_value_written_without_the_backend(value: JsonValue, caplog: pytest.LogCaptureFixture) -> None:
    """A value that the server has as it is, is returned as it is, with a warning that names the key only."""
    scoped = ScopedBackend(TASK, MemoryBackend())
    assert scoped.from_stored("key", value) == value
    ((_, level, message),) = caplog.record_tuples
    assert level == logging.WARNING
    assert "'key'" in message
    assert "without the worker-side backend" in message


async def test_without_a_backend() -> None:
    """Without a backend values go to the server and come back as they are, and nothing is logged."""
    scoped = ScopedBackend(TASK, None)
    for value in ("text", {"a": 1}, {MARKER: "a", "more": 1}):
        assert scoped.to_stored("key", value) is value
        assert await scoped.ato_stored("key", value) is value
        assert scoped.from_stored("key", value) is value
        assert await scoped.afrom_stored("key", value) is value
        scoped.stored_on_server("key", value)
        await scoped.astored_on_server("key", value)
    scoped.delete("key")
    scoped.clear(all_map_indices=True)
    await scoped.adelete("key")
    await scoped.aclear()


def test_reference_without_a_backend() -> None:
    """A reference is never returned as if it were the value: the error says that a backend is needed."""
    scoped = ScopedBackend(TASK, None)
    with pytest.raises(ConfigurationError, match="none is configured"):
        scoped.from_stored("key", {MARKER: "object:somewhere"})


def test_value_that_looks_like_a_reference() -> None:
    """With a backend it is a value like any other; without one it is refused, as it could not be read."""
    value = {MARKER: "object:somewhere"}
    scoped = ScopedBackend(TASK, MemoryBackend())
    assert scoped.from_stored("key", scoped.to_stored("key", value)) == value
    with pytest.raises(InvalidInputError, match=MARKER):
        ScopedBackend(TASK, None).to_stored("key", value)


def test_replaced_value_that_cannot_be_removed(caplog: pytest.LogCaptureFixture) -> None:
    """A set that the server has accepted does not fail because something old is left; it is logged."""
    backend = MemoryBackend()
    backend.fails = True
    scoped = ScopedBackend(TASK, backend)
    stored = scoped.to_stored("key", "value")
    scoped.stored_on_server("key", stored)
    assert scoped.from_stored("key", stored) == "value"
    assert "does not answer" in caplog.text


def test_deleted_value_is_missing() -> None:
    """A reference to a value that is gone is an error that names the reference."""
    scoped = ScopedBackend(TASK, MemoryBackend())
    stored = scoped.to_stored("key", "value")
    scoped.delete("key")
    with pytest.raises(MissingObjectError) as raised:
        scoped.from_stored("key", stored)
    assert raised.value.reference == stored[MARKER]


@pytest.mark.parametrize(
    ("scope", "theirs"),
    [
        (TaskScope("dag", "run", "task", 3), AirflowTaskScope("dag", "run", "task", 3)),
        (AssetScope(name="asset"), AirflowAssetScope(name="asset")),
        (AssetScope(uri="s3://a"), AirflowAssetScope(uri="s3://a")),
    ],
    ids=repr,
)
async def test_backend_written_for_airflow(scope: Scope, theirs: Any) -> None:
    """A backend that derives from Airflow's class works, and is given Airflow's scopes, on which it matches."""
    backend = AirflowBackend()
    assert isinstance(backend, BaseStateBackend)
    scoped = ScopedBackend(scope, backend)
    stored = scoped.to_stored("key", [1])
    scoped.stored_on_server("key", stored)
    assert scoped.from_stored("key", stored) == [1]
    assert backend.get(theirs, "key") == "[1]"
    scoped.delete("key")
    assert backend.kept == {}
    await scoped.ato_stored("key", [1])
    await scoped.adelete("key")
    assert backend.kept == {}
    await scoped.ato_stored("key", [1])
    await scoped.aclear()
    assert backend.kept == {}


def test_names_of_the_testing_module() -> None:
    """The module for other projects' tests lists its names, and has no others."""
    assert set(testing.__all__) <= set(dir(testing))
    with pytest.raises(AttributeError, match="NoSuchName"):
        _ = testing.NoSuchName


def test_class_without_all_methods_is_no_backend() -> None:
    """Only a class with every method counts as a backend; a subclass of a backend is one by derivation alone."""

    class Other:
        def get(self) -> None: ...

    assert not isinstance(Other(), BaseStateBackend)
    assert not issubclass(AirflowBackend, ThreadedStateBackend)
