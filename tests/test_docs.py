"""The documentation says what is true: its code runs, and its reference lists what the package has."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import click
import httpx
import pytest

import statemount
import statemount.airflow
import statemount.client
import statemount.django
import statemount.testing
import statemount.worker
from statemount import JWTAuth, StateMount, TaskInstance, TaskScope, errors
from statemount.cli.program import program
from statemount.settings import Setting, settings
from statemount.web.problems import PROBLEM_TYPES
from tests.documents import PAGES, ROOT, Block, blocks_of, run_python, run_shell, table
from tests.servers import clean_environment, serving

pytestmark = pytest.mark.anyio

REFERENCE = ROOT / "docs" / "reference"
SECRET = "a secret for the documentation's tests, of at least sixty-four bytes"


def name_of(page: Path) -> str:
    """Return what a test of a page is called."""
    return page.relative_to(ROOT).with_suffix("").as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
async def test_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python blocks of a page run one after the other, and an app that they show serves a worker."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STATEMOUNT_JWT_SECRET", SECRET)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.hosts.django_settings")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    states: list[StateMount] = []
    try:
        for block in blocks_of(page):
            if block.language == "python" and not (block.mark or "").startswith("file "):
                await run_python(block, namespace)
                states += [value for value in namespace.values() if isinstance(value, StateMount)]
                await check_app(block, namespace)
    finally:
        for state in states:
            await state.stop()


async def check_app(block: Block, namespace: dict[str, Any]) -> None:
    """Where a block is marked ``worker at <prefix>``, let a worker use the ``app`` that it has made."""
    if block.mark is None or not block.mark.startswith("worker at"):
        return
    prefix = block.mark.removeprefix("worker at").strip()
    task_instance = TaskInstance(uuid4(), TaskScope("docs", str(uuid4()), "test"))
    await namespace["state"].directory.register_task_instances([task_instance])
    token = JWTAuth(secret=SECRET).tokens.worker(task_instance.id)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(namespace["app"]),
        base_url=f"http://app{prefix}/execution/store/ti/{task_instance.id}",
        headers={"Authorization": f"Bearer {token}"},
    ) as client:
        assert (await client.put("/job_id", json={"value": "job-42"})).status_code == 204
        assert (await client.get("/job_id")).json() == {"value": "job-42"}


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "tutorial" / "first-steps.md"], ids=name_of)
def test_shell_of_a_page_runs(page: Path, server: str, tmp_path: Path) -> None:
    """The shell lines that are marked print what the page says, against the server that it starts."""
    with serving("--dev", "--server", server, directory=tmp_path) as running:
        check_shell(page, tmp_path, running.exports)


def test_shell_of_the_pipeline_runs(tmp_path: Path) -> None:
    """The pipeline's runs print what its page says, against a server with a directory of its own."""
    variables = {"STATEMOUNT_JWT_SECRET": SECRET, "STATEMOUNT_DATABASE_URL": "sqlite:///statemount.db"}
    with serving(directory=tmp_path, variables=variables) as running:
        check_shell(
            ROOT / "docs" / "tutorial" / "pipeline.md",
            tmp_path,
            {**clean_environment(variables), "STATE": running.url},
        )


def check_shell(page: Path, directory: Path, variables: Mapping[str, str]) -> None:
    """Make the files of a page, run its marked shell lines, and compare what they print with the block that follows."""
    blocks = blocks_of(page)
    for block, follower in zip(blocks, [*blocks[1:], None], strict=True):
        if block.mark is not None and block.mark.startswith("file "):
            (directory / block.mark.removeprefix("file ")).write_text(block.code)
        elif block.mark == "run":
            assert follower is not None
            printed = run_shell(block.code, directory=directory, variables=variables)
            if follower.language == "json":
                assert json.loads(printed) == json.loads(follower.code)
            else:
                assert printed == follower.code


@pytest.mark.parametrize("host", ["airflow", "dagster", "prefect"])
def test_files_of_an_orchestrators_page(host: str) -> None:
    """The files that the page of an orchestrator shows are its examples, which ``tests.orchestrators`` runs."""
    shown = {
        block.mark.removeprefix("file "): block.code
        for block in blocks_of(ROOT / "docs" / "how-to" / f"{host}.md")
        if block.mark is not None and block.mark.startswith("file ")
    }
    examples = ROOT / "examples" / host
    kept = {path.relative_to(examples).as_posix(): path.read_text("utf-8") for path in examples.rglob("*.py")}
    assert shown == kept


def test_every_block_has_a_language_that_is_checked() -> None:
    """No page has code in a language of which the tests know nothing."""
    languages = {block.language for page in PAGES for block in blocks_of(page)}
    assert languages <= {"python", "shell", "json", "text", "ini", "http"}


def setting_row(setting: Setting) -> list[str]:
    """Return the row of a setting in its reference."""
    variables = "<br>".join(f"`{variable}`" for variable in setting.variables)
    unit = f" {setting.unit}" if setting.unit in {"bytes", "days", "seconds"} else ""
    default = "" if setting.default is None else f"`{setting.default}`{unit}"
    return [variables, default, setting.description]


def test_settings_reference() -> None:
    """The reference of settings has every setting, with its variable, its default and its meaning, and no other."""
    expected = [setting_row(setting) for setting in settings()]
    written = table(REFERENCE / "settings.md", "## All settings")
    assert written == expected, "\n".join(f"| {' | '.join(row)} |" for row in expected)


def test_errors_reference() -> None:
    """The reference of errors has every problem type with its status, and the whole tree of exceptions."""
    assert table(REFERENCE / "errors.md", "## Over HTTP") == [
        [f"`{kind.name}`", str(kind.status), kind.title] for kind in PROBLEM_TYPES
    ]
    tree = inspect.cleandoc(errors.__doc__ or "").partition("::\n\n")[2]
    (written,) = [block.code for block in blocks_of(REFERENCE / "errors.md") if block.language == "text"]
    assert written.split() == tree.split()
    names = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}
    assert names == set(re.findall(r"\w+Error", tree))


def test_python_api_reference() -> None:
    """The reference of the Python API has every public name, and no other."""
    text = (REFERENCE / "python-api.md").read_text("utf-8")
    written = [name for row in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert sorted(written) == sorted(statemount.__all__)


@pytest.mark.parametrize(
    "module", [statemount.client, statemount.worker, statemount.airflow, statemount.django, statemount.testing]
)
def test_worker_api_reference(module: ModuleType) -> None:
    """The reference of the worker's side has every public name of each module, and no other."""
    text = (REFERENCE / "worker-python-api.md").read_text("utf-8")
    section = text.partition(f"\n## `{module.__name__}`\n")[2].partition("\n## ")[0]
    written = [
        name for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    ]
    assert sorted(written) == sorted(module.__all__)


def commands(command: click.Command, path: str) -> list[tuple[str, click.Command]]:
    """Return a command and all below it, by the words that call them."""
    found = [(path, command)] if not isinstance(command, click.Group) else []
    for name, child in getattr(command, "commands", {}).items():
        found += commands(child, f"{path} {name}")
    return found


@pytest.mark.parametrize(
    ("path", "command"), [pytest.param(*one, id=one[0]) for one in commands(program, "statemount")]
)
def test_command_line_reference(path: str, command: click.Command) -> None:
    """The reference of the command line has every command, and every option with its environment variable."""
    text = (REFERENCE / "command-line.md").read_text("utf-8")
    _, heading, section = text.partition(f"\n## `{path}`\n")
    assert heading
    section = section.partition("\n## ")[0]
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    for option in options:
        (row,) = re.findall(rf"^\| `{option.opts[0]}\b.*$", section, re.MULTILINE)
        assert option.envvar is None or f"`{option.envvar}`" in row
    assert section.count("\n| `--") == len(options)


def route_rows(heading: str) -> dict[tuple[str, str], str]:
    """Return the permission of each path and method in a table of the reference of routes."""
    rows: dict[tuple[str, str], str] = {}
    path = ""
    for first, methods, _, permission in table(REFERENCE / "routes.md", heading):
        path = first.strip("`") or path
        rows.update({(path, method.strip("`")): permission.strip("`") for method in methods.split(", ")})
    return rows


def test_routes_reference() -> None:
    """The reference of routes has every operation of the public API and the directory, with its permission."""
    state = StateMount("memory://", jwt_secret=SECRET, contracts=["airflow33"])
    paths = state.openapi_into({"openapi": "3.1.0", "info": {"title": "", "version": ""}, "paths": {}})["paths"]
    operations = {
        (path.removeprefix("/api/v2"), method.upper()): operation
        for path, methods in paths.items()
        for method, operation in methods.items()
        if path.startswith("/api/v2/") and method in ("get", "put", "post", "patch", "delete")
    }
    written = route_rows("## Public API") | route_rows("## Directory")
    assert set(written) == set(operations)
    for route, permission in written.items():
        asked = [needed for one in operations[route]["security"] for scopes in one.values() for needed in scopes]
        assert permission in ("", *asked), route


def test_every_page_is_in_the_navigation() -> None:
    """Every page of the documentation can be reached from its navigation."""
    named = re.findall(r'"([\w/-]+\.md)"', (ROOT / "zensical.toml").read_text("utf-8"))
    assert sorted(named) == sorted(page.relative_to(ROOT / "docs").as_posix() for page in PAGES[1:])


def test_links_of_the_readme_lead_somewhere() -> None:
    """Every relative link of the README names a file or folder of the project."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
