"""The object storage backend: in a local directory, in memory, and on a server that speaks S3."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from statemount.errors import ConfigurationError, InvalidInputError, NotFoundError
from statemount.model import AssetScope, JsonValue, TaskScope
from statemount.testing import BackendConformance
from statemount.worker import BackendError, BaseStateBackend, MissingObjectError, ScopedBackend, load_backend
from statemount.worker.object_paths import MAX_SEGMENT_LENGTH, is_path, path_of, quoted
from statemount.worker.object_storage import DEFAULT_INLINE_BYTES, ObjectStorageBackend
from statemount.worker.object_texts import Compression
from tests.worker.airflow_state import AssetScope as AirflowAssetScope
from tests.worker.airflow_state import TaskScope as AirflowTaskScope
from tests.worker.s3 import S3Server

if TYPE_CHECKING:
    from obstore.store import ObjectStore

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
PREFIX = "STATEMOUNT_OBJECT_STORAGE_"
TASK = TaskScope("dag", "run", "task")
COPY = 100_000_000  # bytes of the large value


class TestObjectStorage(BackendConformance):
    """The backend passes at every place, with and without compression."""

    @pytest.fixture(params=["none", "gzip"])
    def backend(self, place: ObjectStore, request: pytest.FixtureRequest) -> BaseStateBackend:
        return ObjectStorageBackend(place, compression=request.param)


class TestObjectStorageOnly(BackendConformance):
    """A backend that keeps even the smallest value as an object passes."""

    @pytest.fixture
    def backend(self, tmp_path: Path) -> BaseStateBackend:
        return ObjectStorageBackend(tmp_path.as_uri(), inline_bytes=0)


def _identity(moment: datetime) -> datetime:
    return moment


def objects_at(place: ObjectStore) -> list[str]:
    """Return the paths of all objects."""
    import obstore

    return sorted(found["path"] for part in obstore.list(place) for found in part)


def set_value(backend: ObjectStorageBackend, value: JsonValue) -> JsonValue:
    """Set a key as an accessor does; return what the server has then."""
    scoped = ScopedBackend(TASK, backend)
    stored = scoped.to_stored("key", value)
    scoped.stored_on_server("key", stored)
    return stored


def test_ten_thousand_small_values_add_no_object(place: ObjectStore) -> None:
    """Values below the threshold are in their references, and nothing is written."""
    backend = ObjectStorageBackend(place)
    scoped = ScopedBackend(TASK, backend)
    for number in range(10_000):
        stored = scoped.to_stored(f"key-{number}", {"number": number})
        assert scoped.from_stored(f"key-{number}", stored) == {"number": number}
    assert objects_at(place) == []


@pytest.mark.parametrize("letter", ["x", '"', "\\", "é"])
@pytest.mark.parametrize("limit", [1000, DEFAULT_INLINE_BYTES])
def test_threshold_is_what_the_server_stores(place: ObjectStore, letter: str, limit: int) -> None:
    """A value stays inline as long as the text that the server stores for it is not longer than the threshold."""
    backend = ObjectStorageBackend(place, inline_bytes=limit)
    each = len(json.dumps(json.dumps(letter * 2))) - len(json.dumps(json.dumps(letter)))
    empty = len(json.dumps(set_value(backend, "")))
    longest = (limit - empty) // each
    assert len(json.dumps(set_value(backend, letter * longest))) <= limit
    assert objects_at(place) == []
    stored = set_value(backend, letter * (longest + 1))
    assert objects_at(place) == ["task/dag/run/task/-1/key"]
    assert stored == {"__airflow_state_ref__": "object:task/dag/run/task/-1/key"}


def test_smaller_value_removes_the_object(place: ObjectStore) -> None:
    """An object whose value is replaced by one that is inline goes, once the server has the new reference."""
    backend = ObjectStorageBackend(place)
    scoped = ScopedBackend(TASK, backend)
    large = scoped.to_stored("key", "x" * 100_000)
    small = scoped.to_stored("key", "x")
    assert scoped.from_stored("key", large) == "x" * 100_000  # what the server has until the set is done
    scoped.stored_on_server("key", small)
    assert objects_at(place) == []
    assert scoped.from_stored("key", small) == "x"


def test_object_that_is_gone(place: ObjectStore) -> None:
    """A missing object is an error that says what is missing, and it is one of those for what is not found."""
    scoped = ScopedBackend(TASK, ObjectStorageBackend(place))
    stored = scoped.to_stored("key", "x" * 100_000)
    scoped.delete("key")
    with pytest.raises(MissingObjectError, match="object:task/dag/run/task/-1/key") as raised:
        scoped.from_stored("key", stored)
    assert isinstance(raised.value, NotFoundError)


@pytest.mark.parametrize(("written", "read"), [("none", "gzip"), ("gzip", "none")])
def test_compression_may_change(place: ObjectStore, written: Compression, read: Compression) -> None:
    """An object is read however it was written, and its reference is the same."""
    value = ["é" * 100_000]
    stored = set_value(ObjectStorageBackend(place, compression=written), value)
    reader = ObjectStorageBackend(place, compression=read)
    assert ScopedBackend(TASK, reader).from_stored("key", stored) == value
    assert set_value(reader, value) == stored


def test_compressed_object_is_gzip(tmp_path: Path) -> None:
    """What is compressed can be read by any tool that knows gzip, and is smaller."""
    set_value(ObjectStorageBackend(tmp_path.as_uri(), compression="gzip"), "x" * 100_000)
    content = (tmp_path / "task/dag/run/task/-1/key").read_bytes()
    assert len(content) < 1000
    assert gzip.decompress(content) == json.dumps("x" * 100_000).encode()


@pytest.mark.parametrize("content", [b"", b"no json", b"\xff\xff", b"\x1f\x8b", gzip.compress(b'"x"')[:-4]], ids=repr)
def test_damaged_object(tmp_path: Path, content: bytes) -> None:
    """An object that holds no value is an error that names it."""
    backend = ObjectStorageBackend(tmp_path.as_uri(), inline_bytes=0)
    stored = set_value(backend, "x")
    (tmp_path / "task/dag/run/task/-1/key").write_bytes(content)
    with pytest.raises(BackendError, match="object 'task/dag/run/task/-1/key' holds no"):
        ScopedBackend(TASK, backend).from_stored("key", stored)


@pytest.mark.parametrize(
    "reference",
    [
        *("object:", "object:/etc/passwd", "object:../secret", "object:task/../../secret", "object:task/a/b/c/d/.."),
        *("object:task/a/b/c/-1", "object:task/a/b/c/-1/", "object:other/a", "object:task/a/b/c/-1/%2e%2e"),
        *(
            "object:asset/name/a/b/c",
            "object:asset/other/a/b",
            "object:task/a/b/c/-1/key\n",
            "s3://bucket/a",
            "nonsense",
        ),
    ],
)
def test_reference_that_is_not_ours(tmp_path: Path, reference: str) -> None:
    """A reference is never followed out of the place, wherever it came from."""
    (tmp_path / "secret").write_text('"secret"')
    backend = ObjectStorageBackend((tmp_path / "objects").as_uri())
    with pytest.raises(BackendError, match="reference"):
        backend.deserialize_task_state_store_from_ref(reference)


@pytest.mark.parametrize(
    "value", [float("nan"), [float("inf")], {1, 2}, b"bytes", datetime(2026, 1, 1, tzinfo=timezone.utc)], ids=repr
)
def test_value_that_is_no_json(place: ObjectStore, value: Any) -> None:
    """What has no form in JSON is refused, before anything is written."""
    backend = ObjectStorageBackend(place, inline_bytes=0)
    with pytest.raises(InvalidInputError, match="not JSON representable"):
        set_value(backend, value)
    assert objects_at(place) == []


@pytest.mark.parametrize(
    ("text", "segment"),
    [
        ("job_id", "job_id"),
        ("manual__2026-01-01T00:00:00+00:00", "manual__2026-01-01!t00=3a00=3a00=2b00=3a00"),
        ("", "="),
        (".", "=2e"),
        ("..", "=2e=2e"),
        ("a.b", "a.b"),
        ("a/b", "a=2fb"),
        ("é", "=c3=a9"),
        ("\ud800", "=ed=a0=80"),
        ("x" * MAX_SEGMENT_LENGTH, "x" * MAX_SEGMENT_LENGTH),
    ],
)
def test_quoting(text: str, segment: str) -> None:
    """A path segment is readable where it can be, and has nothing special in it."""
    assert quoted(text) == segment


def test_quoting_of_long_texts() -> None:
    """A long text is cut and told apart by its digest; paths of the longest ids and keys stay below 1,024 bytes."""
    first, second = quoted("é" * 512), quoted("é" * 511 + "x")
    assert first != second
    assert first[:100] == second[:100]
    assert len(first) <= MAX_SEGMENT_LENGTH
    path = path_of(TaskScope("D" * 250, "R" * 250, "T" * 250, 10**9), "K" * 512)
    assert len(path) < 800
    assert is_path(path)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (TASK, AirflowTaskScope("dag", "run", "task")),
        (AssetScope(name="a", uri="b"), AirflowAssetScope(name="a", uri="b")),
        (AssetScope(uri="b"), AirflowAssetScope(uri="b")),
        (AssetScope(asset_id=7), AirflowAssetScope(asset_id=7)),
    ],
    ids=repr,
)
def test_airflow_finds_the_same_object(tmp_path: Path, ours: Any, theirs: Any) -> None:
    """With a scope of Airflow's the same object is meant: both kinds of worker read each other's state."""
    backend = ObjectStorageBackend(tmp_path.as_uri())
    backend.set(ours, "key", "1")
    assert backend.get(theirs, "key") == "1"
    backend.clear(theirs)
    assert backend.get(ours, "key") is None


def test_clean_up_removes_old_objects_of_tasks(tmp_path: Path) -> None:
    """Objects of tasks that are older than the retention go; those of assets stay, and without a retention all do."""
    now = datetime.now(timezone.utc)
    asset = AssetScope(name="asset")
    for retention, days, kept in [(None, 1000, True), (timedelta(days=40), 39, True), (timedelta(days=40), 41, False)]:
        later = now + timedelta(days=days)
        backend = ObjectStorageBackend(tmp_path.as_uri(), retention=retention, clock=partial(_identity, later))
        backend.set(TASK, "key", "1")
        backend.set(asset, "key", "1")
        backend.cleanup()
        assert (backend.get(TASK, "key") is not None, backend.get(asset, "key")) == (kept, "1")


def test_everything_from_the_environment(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Place, threshold, compression and retention come from variables, credentials from those of the provider."""
    for name, value in {
        **s3_server.variables,
        f"{PREFIX}URL": f"s3://{s3_server.bucket}/{tmp_path.name}/environment",
        f"{PREFIX}INLINE_BYTES": "100",
        f"{PREFIX}COMPRESSION": "gzip",
        f"{PREFIX}RETENTION_DAYS": "40",
    }.items():
        monkeypatch.setenv(name, value)
    backend = ObjectStorageBackend(clock=lambda: datetime.now(timezone.utc) + timedelta(days=41))
    stored = set_value(backend, "x" * 100)
    assert "object:" in str(stored)
    assert ScopedBackend(TASK, backend).from_stored("key", stored) == "x" * 100
    backend.cleanup()
    assert backend.get(TASK, "key") is None


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("URL", "", "URL"),
        ("URL", "ftp://host/directory", "ftp://host/directory"),
        ("URL", "no URL", "no URL"),
        ("INLINE_BYTES", "-1", "whole number"),
        ("INLINE_BYTES", "64k", "whole number"),
        ("COMPRESSION", "zip", "none, not 'zip'|gzip, none"),
        ("RETENTION_DAYS", "1.5", "whole number"),
    ],
)
def test_environment_that_cannot_work(name: str, value: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is missing or not acceptable is named by the error."""
    monkeypatch.setenv(f"{PREFIX}URL", "memory://")
    monkeypatch.setenv(f"{PREFIX}{name}", value)
    with pytest.raises(ConfigurationError, match=reason):
        ObjectStorageBackend()


def test_storage_that_does_not_work(s3_server: S3Server) -> None:
    """A storage that refuses or does not answer is an error of ours, in one line."""
    from obstore.store import S3Store

    retries: Any = {"max_retries": 0, "retry_timeout": timedelta(seconds=5)}
    missing = S3Store.from_url("s3://no-such-bucket", retry_config=retries, **s3_server.options)
    silent = S3Store.from_url("s3://b", retry_config=retries, **{**s3_server.options, "endpoint": "http://127.0.0.1:9"})
    for store in (missing, silent):
        backend = ObjectStorageBackend(store, inline_bytes=0)
        with pytest.raises(BackendError) as raised:
            set_value(backend, "x")
        assert "\n" not in str(raised.value)
        with pytest.raises(BackendError):
            backend.clear(TASK)
    with pytest.raises(BackendError):
        ObjectStorageBackend(silent).get(TASK, "key")
    with pytest.raises(BackendError):
        ObjectStorageBackend(silent).delete(TASK, "key")


def test_use_after_a_fork(tmp_path: Path) -> None:
    """A process forked after the first use gets an error instead of waiting for ever; one forked before works."""
    code = """
import os, sys
from statemount.model import TaskScope
from statemount.worker import BackendError
from statemount.worker.object_storage import ObjectStorageBackend

backend = ObjectStorageBackend(sys.argv[1])

def in_child():
    child = os.fork()
    if child == 0:
        try:
            backend.set(TaskScope("dag", "run", "task"), "key", "1")
        except BackendError as error:
            os._exit(2 if "forked" in str(error) else 3)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

before = in_child()
backend.set(TaskScope("dag", "run", "task"), "key", "1")
print(before, in_child())
"""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code, tmp_path.as_uri()]
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout == "0 2\n"


def test_clears_at_the_same_time(place: ObjectStore) -> None:
    """Several clears of one scope at once do not get into each other's way: all of them succeed."""
    backend = ObjectStorageBackend(place)
    for number in range(200):
        backend.set(TASK, f"key-{number}", "1")
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(backend.clear, TASK) for _ in range(4)]:
            done.result()
    assert objects_at(place) == []


def test_extra_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library the error names the extra."""
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ConfigurationError, match=r"statemount\[object-storage\]"):
        ObjectStorageBackend("memory://")


def test_configuration_error_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the backend itself says about its settings is what is reported, when it is loaded by its path."""
    monkeypatch.delenv(f"{PREFIX}URL", raising=False)
    with pytest.raises(ConfigurationError, match="^set STATEMOUNT_OBJECT_STORAGE_URL"):
        load_backend("statemount.worker.object_storage.ObjectStorageBackend")


@pytest.mark.parametrize("kind", ["directory", "s3"])
def test_hundred_megabytes(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value of 100 MB needs at most two more copies of itself at a time to be set, and three to be got."""
    place = tmp_path.as_uri()
    if kind == "s3":
        server: S3Server = request.getfixturevalue("s3_server")
        place = f"s3://{server.bucket}/{tmp_path.name}"
        for name, value in server.variables.items():
            monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "tests.worker.large_value", place]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    more_for_set, more_for_get = map(int, process.stdout.split())
    assert more_for_set < 2.5 * COPY
    assert more_for_get < 3 * COPY
