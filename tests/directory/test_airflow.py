"""The directory in Airflow's tables, on every database of the run, as Airflow 3.1 and 3.2 write them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from statemount import AirflowDirectory, JWTAuth, Settings, StateMount
from statemount.database.connections import Connections
from statemount.database.query import Query, Script
from statemount.database.url import DatabaseUrl
from statemount.directory.airflow import AirflowTables, database_url_of
from statemount.errors import ConfigurationError, UnavailableError
from statemount.model import MappedTask, TaskScope
from tests.databases import Databases, run_apart
from tests.directory.airflow_tables import VERSIONS, Airflow, columns, run, statements
from tests.directory.conformance import SCOPE, DirectoryConformance, task_instance
from tests.directory.watched import Clock

pytestmark = pytest.mark.anyio

SECRET = "a secret for the tests of the directory, of at least sixty-four bytes"
ID = UUID("0192d9c0-1111-7222-8333-444455556666")


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Return a version of Airflow."""
    return str(request.param)


@pytest.fixture(scope="session")
def airflow_urls(databases: Databases) -> Callable[[str, str], str]:
    """Return what gives the URL of a database with the tables of a version of Airflow, one for the whole session."""

    @cache
    def url_of(kind: str, version: str) -> str:
        url = databases.empty(kind)

        async def make() -> None:
            connections = Connections(DatabaseUrl(url))
            await connections.open()
            await run(connections, *map(Query, statements(connections.url.dialect, version)))
            await connections.close()

        run_apart(make)
        return url

    return url_of


@pytest.fixture
async def connections(
    database_kind: str, version: str, airflow_urls: Callable[[str, str], str]
) -> AsyncIterator[Connections]:
    """Return open connections to a database with Airflow's tables and no rows, of every kind in turn."""
    connections = Connections(DatabaseUrl(airflow_urls(database_kind, version)))
    await connections.open()
    await run(connections, *(Query(f"DELETE FROM {table}") for table in columns(connections.url.dialect, version)))
    yield connections
    await connections.close()


@pytest.fixture
async def airflow(connections: Connections, version: str) -> AsyncIterator[Airflow]:
    """Return the directory, which remembers nothing, and what fills its tables."""
    directory = AirflowDirectory(connections.url.text, max_age=timedelta(0))
    await directory.open()
    yield Airflow(connections, directory, version)
    await directory.close()


class TestAirflowDirectory(DirectoryConformance):
    """Straight from the tables."""

    @pytest.fixture
    def registry(self, airflow: Airflow) -> Airflow:
        return airflow


@pytest.mark.parametrize(
    ("kept", "others"),
    [
        ("load", ["Load", "load ", " load", "loa", "load\N{ZERO WIDTH SPACE}"]),
        ("lo\N{LATIN SMALL LETTER A WITH DIAERESIS}d", ["load", "loa\N{COMBINING DIAERESIS}d"]),
    ],
)
async def test_ids_and_names_are_exact(airflow: Airflow, kept: str, others: list[str]) -> None:
    """A task and an asset are what is asked for only if every character is the same, on every database."""
    await airflow.register_task_instances([task_instance(TaskScope("d", "r", kept))])
    asset = await airflow.register_asset(name=kept, uri=f"s3://{kept}")
    assert await airflow.has_task_instance(MappedTask("d", "r", kept))
    assert await airflow.asset_by_name(kept) == await airflow.asset_by_uri(f"s3://{kept}") == asset
    for other in others:
        assert not await airflow.has_task_instance(TaskScope("d", "r", other))
        assert not await airflow.has_task_instance(MappedTask("d", "r", other))
        assert await airflow.asset_by_name(other) is None
        assert await airflow.asset_by_uri(f"s3://{other}") is None


async def test_a_name_beyond_the_column(airflow: Airflow) -> None:
    """What Airflow's columns cannot hold is unknown, and no error."""
    await airflow.register_task_instances([task_instance()])
    for text in ("\U0001f600", "\N{CYRILLIC SMALL LETTER A}" * 250, "?"):
        assert not await airflow.has_task_instance(MappedTask(text, SCOPE.run_id, SCOPE.task_id))
        assert await airflow.asset_by_name(text) is None
        assert await airflow.asset_by_uri(text) is None


async def test_answers_are_remembered(connections: Connections, version: str) -> None:
    """An answer is given again until it is as old as it may be, and asked for anew then."""
    clock = Clock()
    directory = AirflowDirectory(connections.url.text, clock=clock)
    await directory.open()
    filled = Airflow(connections, directory, version)
    assert await filled.task_scope(ID) is None
    await filled.register_task_instances([task_instance(id=ID)])
    assert await filled.task_scope(ID) is None
    clock.move(5)
    assert await filled.task_scope(ID) == SCOPE
    await directory.close()


async def test_nothing_can_be_written(connections: Connections) -> None:
    """The sessions of the directory cannot write, so that no mistake of ours changes a row of Airflow's."""
    reading = Connections(connections.url, reads_only=True)
    await reading.open()
    for write in (reading.write, reading.read):
        with pytest.raises(Exception, match="(?i)read[ -]?only"):
            await write(_insert)
    await reading.close()
    assert await run(connections, Query("SELECT name FROM asset_active")) == []


def _insert() -> Script[None]:
    yield Query("INSERT INTO asset_active (name, uri) VALUES ('a', 'a')")


async def test_other_tables(empty_database_url: str) -> None:
    """A database without Airflow's tables, or with an older version's, says so when it is opened, and is let go."""
    connections = Connections(DatabaseUrl(empty_database_url))
    await connections.open()
    directory = AirflowTables(empty_database_url)
    with pytest.raises(UnavailableError, match="the tables of Airflow 3.1 or later cannot be read"):
        await directory.open()
    await run(connections, Query("CREATE TABLE task_instance (dag_id VARCHAR(250), task_id VARCHAR(250))"))
    with pytest.raises((ConfigurationError, UnavailableError), match="the tables of Airflow 3.1 or later"):
        await directory.open()
    await run(connections, Query("DROP TABLE task_instance"))
    await connections.close()


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file is not made."""
    file = tmp_path / "airflow.db"
    with pytest.raises(UnavailableError, match="does not exist"):
        await AirflowDirectory(f"sqlite:///{file}").open()
    assert not file.exists()


@pytest.mark.parametrize(
    ("airflow_url", "ours"),
    [
        ("sqlite:////srv/airflow.db", "sqlite:////srv/airflow.db"),
        ("sqlite+aiosqlite:////srv/airflow.db", "sqlite:////srv/airflow.db"),
        ("postgresql+psycopg2://u:p%40ss@db:5432/a?sslmode=require", "postgresql://u:p%40ss@db:5432/a?sslmode=require"),
        ("postgres://db/a", "postgres://db/a"),
        ("mysql+mysqldb://u@db/a?charset=utf8mb4", "mysql://u@db/a"),
        ("mysql+mysqlconnector://u@db/a?ssl=true&charset=utf8mb4", "mysql://u@db/a?ssl=true"),
    ],
)
def test_urls(airflow_url: str, ours: str) -> None:
    """Airflow's own URL is taken as it is; the driver that SQLAlchemy would use is not ours."""
    assert database_url_of(airflow_url) == ours


@pytest.mark.parametrize(
    "url", ["", "oracle://db/a", "airflow.db", "sqlite://", "sqlite:///:memory:", "postgresqlx://a"]
)
def test_urls_of_other_databases(url: str) -> None:
    """What names no database of Airflow's is refused at once."""
    with pytest.raises(ConfigurationError):
        AirflowDirectory(url)


async def test_in_an_app(airflow: Airflow) -> None:
    """An app that the settings give the directory serves a task of Airflow's, and its next try finds the state."""
    url = airflow.connections.url.text
    settings = Settings.build({"directory": "airflow", "airflow_database_url": url, "directory_cache_seconds": 0})
    state = StateMount("memory://", settings=settings, jwt_secret=SECRET)
    asset = await airflow.register_asset(name="orders")
    other = await airflow.register_asset(name="other")
    first, second = uuid4(), uuid4()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(state), base_url="http://app/execution/store") as client:
        await airflow.register_task_instances([task_instance(id=first, outlets=(asset,))])
        job = f"/ti/{first}/job_id"
        assert (await client.put(job, json={"value": 42}, headers=worker(first))).status_code == 204
        for name, status in ((asset.name, 204), (other.name, 403), ("unknown", 404)):
            place = f"/asset/by-name/value?name={name}&key=watermark"
            answer = await client.put(place, json={"value": "2026-11-28"}, headers=worker(first))
            assert answer.status_code == status
        await airflow.register_task_instances([task_instance(id=second, outlets=(asset,))])
        assert (await client.get(job, headers=worker(first))).status_code == 404
        found = await client.get(f"/ti/{second}/job_id", headers=worker(second))
        assert found.json() == {"value": 42}
    with pytest.raises(ConfigurationError):
        await state.directory.register_asset(name="ours")
    await state.stop()


def worker(task_instance_id: UUID) -> dict[str, str]:
    """Return the headers of a task's requests."""
    return {"Authorization": f"Bearer {JWTAuth(secret=SECRET).tokens.worker(task_instance_id)}"}


def test_an_app_without_a_url() -> None:
    """An app that is to read Airflow's tables has to be told where they are."""
    with pytest.raises(ConfigurationError, match="airflow_database_url"):
        StateMount("memory://", settings=Settings(directory="airflow"))
