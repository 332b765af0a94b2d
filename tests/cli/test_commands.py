"""The command line: what it prints, and how it fails."""

from __future__ import annotations

import json
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import jwt
import pytest

from tests.servers import COMMAND, clean_environment

SECRET = "a secret for the tests of the command line, of sixty-four bytes.."
TASK_INSTANCE = "018f5b7e-0000-7000-8000-000000000001"


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command with these arguments and environment variables."""
    return subprocess.run(
        [COMMAND, *arguments],
        env=clean_environment(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def printed(*arguments: str, **variables: str) -> str:
    """Run the command, which must succeed and say nothing on stderr; return what it prints."""
    process = run(*arguments, **variables)
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout.removesuffix("\n")


def refused(*arguments: str, **variables: str) -> str:
    """Run the command, which must fail with one line on stderr and nothing on stdout; return that line."""
    process = run(*arguments, **variables)
    assert process.returncode not in (0, None)
    assert process.stdout == ""
    assert re.fullmatch(r"statemount: [^\n]+\n", process.stderr), process.stderr
    return process.stderr.strip()


def claims_of(token: str, audience: str) -> dict[str, object]:
    """Return the claims of a token that verifies with the secret."""
    claims: dict[str, object] = jwt.decode(token, SECRET, algorithms=["HS512"], audience=audience)
    return claims


def test_version() -> None:
    """The version that is printed is the package's."""
    assert printed("version") == f"statemount {version('statemount')}"


@pytest.mark.parametrize(
    ("arguments", "commands"),
    [([], ["serve", "token", "db", "version"]), (["db"], ["upgrade", "current", "check"])],
)
def test_no_command_prints_the_help(arguments: list[str], commands: list[str]) -> None:
    """Without a command the help is printed, which names every command."""
    help_text = printed(*arguments)
    assert help_text == printed(*arguments, "--help")
    for command in commands:
        assert re.search(rf"^  {command} ", help_text, re.MULTILINE)


@pytest.mark.parametrize("command", [["serve"], ["db", "upgrade"], ["db", "current"], ["db", "check"]], ids=" ".join)
def test_help_shows_environment_variables(command: list[str]) -> None:
    """The help of a command shows the environment variable of every option that is a setting."""
    help_text = " ".join(printed(*command, "--help").split())
    options = re.findall(r"(--[a-z-]+) (?:[A-Z]{2}|\[)", help_text)
    assert "--database-url" in options
    for option in options:
        assert f"env var: STATEMOUNT_{option[2:].replace('-', '_').upper()};" in help_text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["serve", "--nonsense"], "No such option"),
        (["serve", "--port", "70000"], "--port"),
        (["serve", "--server", "apache"], "'apache' is not one of 'granian', 'uvicorn'"),
        (["serve"], "set STATEMOUNT_JWT_SECRET"),
        (["token"], "give a task instance's UUID alone, or --public"),
        (["token", "me"], "is not a valid UUID"),
        (["token", TASK_INSTANCE, "--public", "me"], "give a"),
        (["token", TASK_INSTANCE, "--permission", "state:read"], "give a"),
        (["token", TASK_INSTANCE], "no key signs tokens: set STATEMOUNT_JWT_SECRET"),
        (["db", "check", "--database-url", "nonsense://"], "nonsense"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_told_in_one_line(arguments: list[str], expected: str) -> None:
    """What cannot work is told in one line on stderr, with an exit code that is not 0."""
    assert expected in refused(*arguments)


def test_a_claim_that_is_none_is_refused() -> None:
    """A claim without a name or a value is told in one line."""
    assert "NAME=VALUE, not 'dag_id'" in refused(
        "token", TASK_INSTANCE, "--claim", "dag_id", STATEMOUNT_JWT_SECRET=SECRET
    )


def test_a_setting_that_cannot_be_used_is_named() -> None:
    """A mistake in an environment variable is told in one line that names the variable."""
    assert "STATEMOUNT_JWT_LEEWAY" in refused("serve", STATEMOUNT_JWT_LEEWAY="soon")


def test_a_server_that_cannot_listen_says_so() -> None:
    """An address that is not this machine's is told in one line."""
    assert "cannot listen on 192.0.2.1, port 8080" in refused(
        "serve", "--host", "192.0.2.1", "--database-url", "memory://", STATEMOUNT_JWT_SECRET=SECRET
    )


def test_token_for_a_worker() -> None:
    """A worker's token names its task instance, and has the lifetime and the claims that are asked for."""
    token = printed(
        *("token", TASK_INSTANCE, "--lifetime", "60", "--claim", "dag_id=etl", "--claim", 'outlets=["orders"]'),
        STATEMOUNT_JWT_SECRET=SECRET,
    )
    claims = claims_of(token, "urn:airflow.apache.org:task")
    assert claims["sub"] == TASK_INSTANCE
    assert (claims["dag_id"], claims["outlets"]) == ("etl", ["orders"])
    assert int(str(claims["exp"])) - int(str(claims["iat"])) == 60


def test_token_for_the_public_api(tmp_path: Path) -> None:
    """A public token names its subject and permissions; the secret may be in a file."""
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    token = printed(
        *("token", "--public", "me", "--permission", "state:read", "--permission", "state:write"),
        STATEMOUNT_JWT_SECRET_FILE=str(tmp_path / "secret"),
    )
    claims = claims_of(token, "apache-airflow")
    assert (claims["sub"], claims["scope"]) == ("me", "state:read state:write")


def test_schema_of_a_database(empty_database_url: str) -> None:
    """A database without a schema is refused, gets one by an upgrade, and is accepted from then on."""
    variables = {"STATEMOUNT_DATABASE_URL": empty_database_url}
    assert printed("db", "current", **variables) == "none"
    assert "statemount db upgrade" in refused("db", "check", **variables)
    assert printed("db", "upgrade", **variables) == "the schema is up to date"
    assert printed("db", "upgrade", **variables) == "the schema is up to date"
    assert printed("db", "check", **variables) == "the schema fits this version"
    assert re.fullmatch(r"\d+", printed("db", "current", **variables))
    assert printed("db", "current", "--table-prefix", "other_", **variables) == "none"


def test_serving_a_database_without_a_schema_is_refused(empty_database_url: str) -> None:
    """A server that may not make the schema itself refuses to start, and names the command that makes it."""
    message = refused(
        "serve",
        STATEMOUNT_DATABASE_URL=empty_database_url,
        STATEMOUNT_AUTO_MIGRATE="false",
        STATEMOUNT_JWT_SECRET=SECRET,
    )
    assert "statemount db upgrade" in message


def test_json_values_of_claims_that_are_no_json_are_texts() -> None:
    """A claim's value is JSON where it can be read so, and text otherwise."""
    token = printed("token", TASK_INSTANCE, "--claim", "a=1", "--claim", "b=1b", STATEMOUNT_JWT_SECRET=SECRET)
    claims = claims_of(token, "urn:airflow.apache.org:task")
    assert json.dumps([claims["a"], claims["b"]]) == '[1, "1b"]'
