"""`statemount task`: the state of task instances on a server; and what every command has that asks a server."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.cli.commands import called
from tests.cli.remote import TASK, Remote, remote
from tests.cli.test_commands import run
from tests.client.support import AUTH, PERMISSIONS, FaultyServer, answer
from tests.servers import free_port

TOKEN = "a-token-that-nobody-else-may-see"


@pytest.fixture
def task() -> Iterator[Remote]:
    """Return the command, against a server that knows the task instance."""
    with remote("task") as found:
        found.worker()[0].close()
        yield found


def value_of(task: Remote, key: str, *options: str) -> object:
    """Return the value of a key as the command prints it."""
    return json.loads(task("get", *TASK, key, *options))


def test_a_value_is_set_got_changed_and_deleted(task: Remote) -> None:
    """A key is set, printed, changed and deleted; to delete it again changes nothing."""
    assert task("set", *TASK, "job", '{"id": 42, "tags": ["a"]}') == ""
    assert task("get", *TASK, "job") == json.dumps({"id": 42, "tags": ["a"]}, indent=2)
    assert task("patch", *TASK, "job", "[1, 2]") == ""
    assert value_of(task, "job") == [1, 2]
    for _ in range(2):
        assert task("delete", *TASK, "job") == ""
    assert task.ends("get", *TASK, "job") == (3, "key 'job' not found")
    assert task.ends("patch", *TASK, "job", "1") == (3, "key 'job' not found")


def test_values_come_from_arguments_files_and_stdin(
    task: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value is JSON in the argument, in a file or from stdin, or a text if that is asked for."""
    file = tmp_path / "value.json"
    file.write_text('{"from": "é"}', "utf-8")
    task("set", *TASK, "file", f"@{file}")
    assert value_of(task, "file") == {"from": "é"}
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"[null, 1.5]\n")))
    task("set", *TASK, "stdin", "-")
    assert value_of(task, "stdin") == [None, 1.5]
    task("set", *TASK, "text", "--text", f"@{file}")
    assert value_of(task, "text") == '{"from": "é"}'
    task("set", *TASK, "number", "--", "-5")
    assert value_of(task, "number") == -5


def test_texts_without_quotes(task: Remote) -> None:
    """With --raw a text is printed as it is, and everything else as JSON."""
    task("set", *TASK, "text", "--text", "a\tb é")
    assert task("get", *TASK, "text") == '"a\\tb \\u00e9"'
    assert task("get", *TASK, "text", "--raw") == "a\tb é"
    task("set", *TASK, "list", '["a"]')
    assert value_of(task, "list", "--raw") == ["a"]
    assert task.ends("get", *TASK, "text", "--raw", "--json") == (2, "--json and --raw are not used together")


def test_a_terminal_that_cannot_show_a_character(task: Remote) -> None:
    """Where a character cannot be written it is spelt out, or the text is refused that was to be printed as it is."""
    task("set", *TASK, "é", '"ü"')
    variables = {**task.variables(PERMISSIONS), "PYTHONIOENCODING": "ascii"}
    listed = run("task", "list", *TASK, **variables)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert listed.stdout.splitlines()[1].startswith('\\xe9  "\\xfc"  ')
    assert json.loads(run("task", "get", *TASK, "é", **variables).stdout) == "ü"
    raw = run("task", "get", *TASK, "é", "--raw", **variables)
    assert (raw.returncode, raw.stdout) == (1, "")
    assert raw.stderr == "statemount: the text has characters that cannot be written here: leave out --raw\n"


@pytest.mark.parametrize("argument", ["{", "job-42", "@missing.json", "@binary", ""])
def test_a_value_that_is_none_is_a_usage_error(
    argument: str, task: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no JSON, and what cannot be read, is told before anything is sent."""
    monkeypatch.chdir(tmp_path)
    Path("binary").write_bytes(b"\xff")
    code, message = task.ends("set", *TASK, "key", argument)
    assert code == 2
    assert message.startswith("VALUE ")


@pytest.mark.parametrize("value", ["null", "NaN", "[Infinity]"])
def test_a_value_that_is_not_accepted_is_refused(value: str, task: Remote) -> None:
    """What no entry can hold is refused in one line."""
    assert task.ends("set", *TASK, "key", value)[0] == 1


@pytest.mark.parametrize(
    ("expires", "seconds"),
    [("90s", 90), ("15m", 900), ("2h", 7200), ("1h30m", 5400), ("30d", 30 * 86_400), ("1w", 7 * 86_400)],
)
def test_an_entry_expires_after_a_duration(expires: str, seconds: int, task: Remote) -> None:
    """A duration counts from now on."""
    before = datetime.now(timezone.utc)
    task("set", *TASK, "key", "1", "--expires", expires)
    entry = json.loads(task("get", *TASK, "key", "--json"))
    expected = timedelta(seconds=seconds)
    assert before + expected <= datetime.fromisoformat(entry["expires_at"]) <= datetime.now(timezone.utc) + expected


def test_an_entry_expires_at_a_time_never_or_by_default(task: Remote) -> None:
    """A time needs its offset; never and default are what they say; a patch leaves the time alone."""
    for expires in ("2100-01-01T00:00:00Z", "2100-01-01T02:00:00+02:00"):
        task("set", *TASK, "key", "1", "--expires", expires)
        task("patch", *TASK, "key", "2")
        entry = json.loads(task("get", *TASK, "key", "--json"))
        assert (entry["value"], entry["expires_at"]) == (2, "2100-01-01T00:00:00+00:00")
    task("set", *TASK, "key", "1", "--expires", "never")
    entry = json.loads(task("get", *TASK, "key", "--json"))
    assert list(entry) == ["key", "value", "revision", "updated_at", "expires_at"]
    assert (entry["key"], entry["value"], entry["expires_at"]) == ("key", 1, None)
    for options in ([], ["--expires", "default"]):
        task("set", *TASK, "key", "1", *options)
        entry = json.loads(task("get", *TASK, "key", "--json"))
        lasts = datetime.fromisoformat(entry["expires_at"]) - datetime.fromisoformat(entry["updated_at"])
        assert timedelta(days=29, hours=23) < lasts < timedelta(days=30, hours=1)


@pytest.mark.parametrize(
    "expires",
    ["soon", "", "30", "30 d", "-1d", "1.5h", "2030-01-01", "2030-01-01T00:00:00", "99999999999d", "9" * 5000],
)
def test_an_expiry_that_is_none_is_a_usage_error(expires: str, task: Remote) -> None:
    """A time without its offset, and what is none at all, is refused with what can be given."""
    code, message = task.ends("set", *TASK, "key", "1", f"--expires={expires}")
    assert code == 2
    assert "a duration such as 30d" in message


def test_a_list_is_a_table(task: Remote) -> None:
    """Entries are listed by key, in columns, one line each, whatever is in them; long values are cut."""
    assert task("list", *TASK) == "KEY  VALUE  UPDATED  EXPIRES"
    assert json.loads(task("list", *TASK, "--json")) == []
    task("set", *TASK, "b\n\x1b[31m", '"line\\nline \\u001b é"', "--expires", "never")
    task("set", *TASK, "a", json.dumps("x" * 100), "--expires", "2100-01-01T00:00:00Z")
    head, first, second = task("list", *TASK).splitlines()
    assert head.split() == ["KEY", "VALUE", "UPDATED", "EXPIRES"]
    cells = [re.split(r" {2,}", line) for line in (first, second)]
    assert [cell[:2] for cell in cells] == [["a", f'"{"x" * 56}...'], ["b\\n\\x1b[31m", '"line\\nline \\u001b é"']]
    assert [cell[3] for cell in cells] == ["2100-01-01 00:00:00+00:00", "never"]
    assert first.index("2100-01-01") == second.index("never") == head.index("EXPIRES")
    listed = json.loads(task("list", *TASK, "--json"))
    assert [(entry["key"], entry["value"]) for entry in listed] == [
        ("a", "x" * 100),
        ("b\n\x1b[31m", "line\nline \x1b é"),
    ]
    assert all(list(entry) == ["key", "value", "revision", "updated_at", "expires_at"] for entry in listed)


def test_a_long_list_is_whole_unless_it_is_limited(task: Remote) -> None:
    """All entries are listed, however many requests it takes, or as many as are asked for."""
    keys = [f"{number:03}" for number in range(205)]
    with task.client() as client:
        state = client.public.task(dag_id=TASK[0], run_id=TASK[1], task_id=TASK[2])
        for key in keys:
            state.set(key, 1)
    for options, expected in (([], 205), (["--limit", "200"], 200), (["--limit", "3"], 3), (["--limit", "0"], 0)):
        listed = json.loads(task("list", *TASK, "--json", *options))
        assert [entry["key"] for entry in listed] == keys[:expected]


def test_mapped_tasks(task: Remote) -> None:
    """Each map index has a state of its own; a clear is for one of them, or for all."""
    for number in (0, 1):
        task.worker(map_index=number)[0].close()
    for map_index in ("-1", "0", "1"):
        task("set", *TASK, "--map-index", map_index, "--", "key", map_index)
    assert [value_of(task, "key", "--map-index", index) for index in ("-1", "0", "1")] == [-1, 0, 1]
    assert task("clear", *TASK, "--map-index", "0") == ""
    assert task.ends("get", *TASK, "key", "--map-index", "0")[0] == 3
    assert value_of(task, "key") == -1
    assert task("clear", *TASK, "--all-map-indices") == ""
    assert {task.ends("get", *TASK, "key", "--map-index", index)[0] for index in ("-1", "0", "1")} == {3}


def test_what_a_worker_writes_is_there(task: Remote) -> None:
    """The commands and the workers see the same entries."""
    client, ti_id = task.worker()
    with client:
        client.task_instance(ti_id).set("progress", 0.5)
        assert value_of(task, "progress") == 0.5
        task("set", *TASK, "progress", "1")
        assert client.task_instance(ti_id).get("progress") == 1


def test_exit_codes_of_refusals(task: Remote) -> None:
    """What is not there is 3, what is not allowed is 1, and a mistake in the command line is 2."""
    assert task.ends("set", "etl", "monday", "other", "key", "1")[0] == 3
    assert task.ends("set", *TASK, "key", "1", permissions=["state:read"]) == (1, "Forbidden")
    assert task.ends("get", *TASK)[0] == 2
    assert task.ends("get", *TASK, "key", "--map-index", "-2")[0] == 2


def test_a_server_that_does_not_answer(task: Remote) -> None:
    """A server that is not there is 4, and a write of which nobody knows whether it was done is 5."""
    nobody = {"STATEMOUNT_URL": f"http://127.0.0.1:{free_port()}", "STATEMOUNT_TOKEN": TOKEN}
    code, _, errors = called("task", "get", *TASK, "key", **nobody)
    assert (code, "does not answer" in errors) == (4, True)
    with FaultyServer("cut") as server:
        code, _, errors = called("task", "set", *TASK, "key", "1", STATEMOUNT_URL=server.url, STATEMOUNT_TOKEN=TOKEN)
    assert (code, "it may have been done" in errors) == (5, True)


def test_a_server_must_be_named() -> None:
    """Without an address nothing can be asked."""
    code, output, errors = called("task", "list", *TASK)
    assert (code, output, errors) == (2, "", "statemount: give --url, or set STATEMOUNT_URL\n")


def test_tokens_come_from_files_and_variables(task: Remote, tmp_path: Path) -> None:
    """A token is in a file or a variable; the command line comes before the environment."""
    good, bad = AUTH.tokens.public("me", ["state:read"]), AUTH.tokens.public("me", [])
    for name, token in (("good", good), ("bad", bad)):
        (tmp_path / name).write_text(f"{token}\n")
    files = {name: str(tmp_path / name) for name in ("good", "bad")}

    def code(*options: str, **variables: str) -> object:
        return called("task", "list", *TASK, "--url", task.url, *options, **variables)[0]

    assert code(STATEMOUNT_TOKEN=good) == code(STATEMOUNT_TOKEN_FILE=files["good"]) == 0
    assert code("--token-file", files["good"], STATEMOUNT_TOKEN=bad) == 0
    assert code("--token-file", files["good"], STATEMOUNT_TOKEN_FILE=files["bad"]) == 0
    assert code(STATEMOUNT_TOKEN=good, STATEMOUNT_TOKEN_FILE=files["good"]) == 2
    assert code() == code(STATEMOUNT_TOKEN=bad) == 1


def test_a_file_without_a_token(task: Remote, tmp_path: Path) -> None:
    """A token's file that is missing, no text or empty is told by its name."""
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "empty").write_text("\n")
    for name, reason in (("missing", "No such file"), ("binary", "it is not UTF-8"), ("empty", "the token is empty")):
        code, message = task.ends("list", *TASK, "--token-file", str(tmp_path / name))
        assert code == 1
        assert reason in message
        assert name == "empty" or str(tmp_path / name) in message


@pytest.mark.parametrize("command", ["list", "get", "set", "patch", "delete", "clear"])
def test_help_does_not_show_the_token(command: str) -> None:
    """The help names the variable, and does not show its value."""
    code, output, _ = called("task", command, "--help", STATEMOUNT_TOKEN=TOKEN, STATEMOUNT_URL="http://host")
    assert code == 0
    assert "set STATEMOUNT_TOKEN to the token itself" in " ".join(output.split())
    assert TOKEN not in output


def test_errors_do_not_show_the_token() -> None:
    """No error shows the token: neither one about the token, nor one with what a strange server sends back."""
    task = ["task", "list", *TASK, "--url"]
    with FaultyServer(answer(418, f"you sent Bearer {TOKEN}")) as server:
        mistakes = [
            (called(*task, "ftp://host", STATEMOUNT_TOKEN=TOKEN), "begins with http"),
            (called(*task, "http://host", STATEMOUNT_TOKEN=f"{TOKEN} é"), "no header can have"),
            (called(*task, "http://host", "--limit", "x", STATEMOUNT_TOKEN=TOKEN), "--limit"),
            (called(*task, "http://host", "--token", TOKEN), "No such option"),
            (called(*task, "http://host", f"--token={TOKEN}"), "No such option"),
            (called(*task, server.url, STATEMOUNT_TOKEN=TOKEN), "you sent Bearer ***"),
        ]
    for (code, output, errors), expected in mistakes:
        assert code in (1, 2)
        assert expected in errors
        assert TOKEN not in output + errors


def test_times_are_whole_seconds_in_tables(task: Remote) -> None:
    """A table has times to the second, in UTC."""
    task("set", *TASK, "key", "1")
    assert re.search(r"  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00  ", task("list", *TASK).splitlines()[1])


def test_the_commands_load_nothing_of_the_server() -> None:
    """A command that asks a server starts fast: it imports neither Starlette nor a database."""
    heavy = {"alembic", "databases", "pydantic", "sqlalchemy", "starlette"}
    code = "import sys, statemount.cli.asset, statemount.cli.task; print(*sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(process.stdout.split())
