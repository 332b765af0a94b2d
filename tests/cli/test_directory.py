"""`statemount directory`: registering by hand."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID, uuid4

import pytest

from statemount.interfaces import Credential
from statemount.model import TaskScope
from statemount.mount import StateMount
from tests.cli.commands import printed, refused

TASK = ["--dag-id", "etl", "--run-id", "monday", "--task-id", "load"]


class Directory:
    """The command, on one database."""

    def __init__(self, url: str) -> None:
        self._variables = {"STATEMOUNT_DATABASE_URL": url}

    def __call__(self, *arguments: str) -> str:
        """Run a command that succeeds; return what it prints."""
        return printed("directory", *arguments, **self._variables)

    def refused(self, *arguments: str) -> str:
        """Run a command that fails; return what it says."""
        return refused("directory", *arguments, **self._variables)


@pytest.fixture
def directory(database_url: str) -> Directory:
    """Return the command on an empty database, of every kind in turn."""
    return Directory(database_url)


def test_revocations(directory: Directory, database_url: str) -> None:
    """Tokens are revoked by task instance, or one by one, for every app on the database."""
    task = uuid4()
    assert directory("revoke", "--task-instance", str(task)) == f"revoked the tokens of task instance {task}"
    assert directory("revoke", "--jti", "a\nb") == "revoked the token a\\nb"
    for arguments in ([], ["--jti", ""], ["--jti", "a", "--task-instance", str(task)]):
        assert "either --task-instance or --jti" in directory.refused("revoke", *arguments)

    async def are_revoked() -> list[bool]:
        state = StateMount(database_url, jwt_secret="x" * 64)
        async with state.lifespan():
            revocations = state._service.host._revocations
            asked = [Credential.task_instance(task), Credential.token("a\nb"), Credential.token("a")]
            return [await revocations.are_any_revoked([one]) for one in asked]

    assert asyncio.run(are_revoked()) == [True, True, False]


def test_task_instances(directory: Directory) -> None:
    """A task instance is registered, shown and removed; its assets are named by name or URI."""
    orders, lake = directory("asset", "add", "orders"), directory("asset", "add", "lake", "--uri", "s3://lake")
    assets = ["--inlet", "orders", "--inlet", "s3://lake", "--outlet", "lake"]
    added = directory("task-instance", "add", *TASK, "--map-index", "3", "--try-number", "2", *assets)
    assert json.loads(directory("task-instance", "show", added, "--json")) == {
        "id": str(UUID(added)),
        "dag_id": "etl",
        "run_id": "monday",
        "task_id": "load",
        "map_index": 3,
        "try_number": 2,
        "inlets": [int(orders), int(lake)],
        "outlets": [int(lake)],
    }
    assert directory("task-instance", "show", added).splitlines() == [
        f"id: {added}",
        "dag_id: etl",
        "run_id: monday",
        "task_id: load",
        "map_index: 3",
        "try_number: 2",
        f"inlets: {orders}, {lake}",
        f"outlets: {lake}",
    ]
    assert directory("task-instance", "remove", added) == f"removed task instance {added}"
    for command in ("show", "remove"):
        assert directory.refused("task-instance", command, added) == f"statemount: Task instance {added} not found"


def test_a_retry(directory: Directory) -> None:
    """Another UUID for the same ids replaces the one before; the UUID may be chosen."""
    first, second = directory("task-instance", "add", *TASK), str(uuid4())
    assert directory("task-instance", "add", *TASK, "--id", second) == second
    assert "not found" in directory.refused("task-instance", "show", first)
    assert json.loads(directory("task-instance", "show", second, "--json"))["map_index"] == -1


def test_assets(directory: Directory) -> None:
    """Assets are listed by id with all that is known of them; they are deactivated and restored by id."""
    assert directory("asset", "list") == ""
    assert json.loads(directory("asset", "list", "--json")) == []
    orders = int(directory("asset", "add", "orders"))
    lake = int(directory("asset", "add", "the\nlake", "--uri", "s3://lake", "--group", "g\u00e9"))
    assert int(directory("asset", "add", "orders")) == orders
    assert directory("asset", "deactivate", str(orders)) == f"deactivated asset {orders}"
    assert directory("asset", "list").splitlines() == [
        f"{orders}\tinactive\torders\torders\tasset",
        f"{lake}\tactive\tthe\\nlake\ts3://lake\tg\u00e9",
    ]
    assert json.loads(directory("asset", "list", "--json")) == [
        {"asset_id": orders, "name": "orders", "uri": "orders", "group": "asset", "active": False},
        {"asset_id": lake, "name": "the\nlake", "uri": "s3://lake", "group": "g\u00e9", "active": True},
    ]
    assert directory("asset", "restore", str(orders)) == f"restored asset {orders}"
    directory("asset", "deactivate", str(orders))
    directory("asset", "add", "orders")
    assert "an active asset has the name 'orders'" in directory.refused("asset", "restore", str(orders))


def test_runs(directory: Directory, database_url: str) -> None:
    """A run is dropped with its task instances and their state."""
    added = directory("task-instance", "add", *TASK)
    scope = TaskScope("etl", "monday", "load")

    async def write() -> None:
        state = StateMount(database_url)
        await state.service.tasks.set(scope, "key", 1)
        await state.stop()

    async def count() -> int:
        state = StateMount(database_url)
        page = await state.service.tasks.list(scope)
        await state.stop()
        return page.total

    asyncio.run(write())
    for _ in range(2):
        assert directory("run", "drop", "etl", "monday") == "dropped run monday of dag etl"
    assert "not found" in directory.refused("task-instance", "show", added)
    assert asyncio.run(count()) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["asset", "restore", "99"], "Asset with id 99 not found"),
        (["asset", "deactivate", "99"], "Asset with id 99 not found"),
        (["asset", "deactivate", "orders"], "'orders' is not a valid integer"),
        (["asset", "add", ""], "name must be a text of 1 to 1500 characters"),
        (["asset", "add", "\udcff"], "name must be a text of 1 to 1500 characters, UTF-8"),
        (["task-instance", "add", *TASK, "--inlet", "nothing"], "Asset with name='nothing' not found"),
        (["task-instance", "add", *TASK[:4]], "Missing option '--task-id'"),
        (["task-instance", "add", *TASK, "--map-index", "-2"], "-2 is not in the range x>=-1"),
        (["task-instance", "add", *TASK[:5], "t" * 251], "task_id must be a text of 1 to 250 characters"),
        (["task-instance", "show", "me"], "'me' is not a valid UUID"),
        (["run", "drop", "etl", "\udcff"], "Input should be a valid string"),
    ],
    ids=lambda value: " ".join(value).encode("ascii", "replace").decode()[:40] if isinstance(value, list) else "",
)
def test_what_cannot_work(directory: Directory, arguments: list[str], said: str) -> None:
    """What is missing or not acceptable is told in one line, with an exit code that is not 0."""
    assert said in directory.refused(*arguments)


@pytest.mark.parametrize("group", [[], ["task-instance"], ["asset"], ["run"]], ids=" ".join)
def test_no_command_prints_the_help(group: list[str]) -> None:
    """Without a command the help is printed."""
    assert printed("directory", *group) == printed("directory", *group, "--help")


def test_no_schema_is_made(empty_database_url: str) -> None:
    """A misspelt file name is no new database: one line says that the schema is missing."""
    assert "run 'statemount db upgrade'" in Directory(empty_database_url).refused("asset", "list")
