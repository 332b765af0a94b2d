"""Conditions, batches, histories and watches on the command line."""

from __future__ import annotations

import io
import json
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.cli.remote import TASK, Remote, remote
from tests.client.support import PERMISSIONS
from tests.servers import COMMAND, clean_environment

PATIENCE = 30.0
FAILED = 6
"""The exit code of a command whose condition does not hold."""


@pytest.fixture(params=["task", "asset"])
def command(request: pytest.FixtureRequest) -> Iterator[Remote]:
    """Return either command, against a server that knows the task instance and an asset."""
    with remote(request.param) as found:
        with found.client() as client:
            client.directory.register_asset(name="orders")
        found.worker()[0].close()
        yield found


def place(command: Remote) -> tuple[str, ...]:
    """Return the arguments that name the scope."""
    return TASK if command.command == "task" else ("orders",)


def entry_of(command: Remote, key: str) -> Any:
    """Return an entry as it is printed for scripts."""
    return json.loads(command("get", *place(command), key, "--json"))


def test_writes_on_a_condition(command: Remote) -> None:
    """A write goes ahead at the revision that get prints, and ends with a code of its own at any other."""
    here = place(command)
    command("set", *here, "key", "1", "--if-revision", "0")
    revision = entry_of(command, "key")["revision"]
    code, message = command.ends("set", *here, "key", "2", "--if-revision", "0")
    assert (code, message) == (FAILED, f"the condition does not hold: the revision is {revision}")
    command("patch", *here, "key", "2", "--if-revision", str(revision))
    later = entry_of(command, "key")["revision"]
    for arguments in (
        ["set", *here, "key", "3"],
        ["patch", *here, "key", "3"],
        ["delete", *here, "key"],
        ["clear", *here],
    ):
        assert command.ends(*arguments, "--if-revision", str(revision))[0] == FAILED
    assert entry_of(command, "key")["value"] == 2
    command("delete", *here, "key", "--if-revision", str(later))
    command("set", *here, "key", "1")
    command("clear", *here, "--if-revision", str(entry_of(command, "key")["revision"]))
    assert command.ends("get", *here, "key")[0] == 3


def test_a_merge_patch(command: Remote) -> None:
    """A patch may be a merge patch, on a condition as well."""
    here = place(command)
    command("set", *here, "key", '{"a": 1, "b": 2}')
    command("patch", *here, "key", "--merge", '{"a": null, "c": 3}')
    entry = entry_of(command, "key")
    assert entry["value"] == {"b": 2, "c": 3}
    assert command.ends("patch", *here, "key", "--merge", "{}", "--if-revision", "7")[0] == FAILED


def test_lists_by_prefix_and_without_values(command: Remote) -> None:
    """A list may be of the keys alone that begin in a way, in a table and as JSON."""
    here = place(command)
    operations = [{"op": "set", "key": key, "value": "text"} for key in ("a/1", "a/2", "b")]
    command("batch", *here, json.dumps(operations))
    listed = json.loads(command("list", *here, "--prefix", "a/", "--json"))
    assert [(one["key"], one["value"]) for one in listed] == [("a/1", "text"), ("a/2", "text")]
    assert [one["revision"] for one in listed] == [listed[0]["revision"], listed[0]["revision"] + 1]
    (one,) = json.loads(command("list", *here, "--prefix", "b", "--keys-only", "--json"))
    assert "value" not in one
    heading, *rows = command("list", *here, "--keys-only").splitlines()
    assert heading.split()[:2] == ["KEY", "UPDATED"]
    assert [row.split()[0] for row in rows] == ["a/1", "a/2", "b"]
    assert "text" not in "".join(rows)


def test_a_batch(command: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch comes from the argument, a file or stdin, is done as a whole, and prints what came of it."""
    here = place(command)
    printed = json.loads(
        command("batch", *here, '[{"op": "increment", "key": "n", "by": 2}, {"op": "get", "key": "x"}]')
    )
    first, second = printed["results"]
    assert first == {"op": "increment", "key": "n", "status": "changed", "revision": printed["revision"], "value": 2}
    assert second == {"op": "get", "key": "x", "status": "unchanged", "revision": None, "value": None}
    file = tmp_path / "operations.json"
    file.write_text('{"operations": [{"op": "set", "key": "x", "value": 1}]}')
    (result,) = json.loads(command("batch", *here, f"@{file}"))["results"]
    assert result == {"op": "set", "key": "x", "status": "changed", "revision": printed["revision"] + 1}
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'[{"op": "check", "key": "n", "if_revision": 1}]')))
    code, message = command.ends("batch", *here, "-")
    assert (code, message.split(":")[0]) == (FAILED, "operation 0 (check 'n')")
    assert command.ends("batch", *here, '[{"op": "delete", "key": "x"}]', "--if-revision", "1")[0] == FAILED
    assert command.ends("batch", *here, '[{"op": "increment", "key": "x", "by": "y"}]')[0] == 1
    assert entry_of(command, "x")["value"] == 1


@pytest.mark.parametrize("argument", ["{", "{}", "[1]", '{"operations": 1}', "@missing"])
def test_a_batch_that_is_none_is_a_usage_error(argument: str, command: Remote) -> None:
    """What is no list of operations is told before anything is sent."""
    code, message = command.ends("batch", *place(command), argument)
    assert code == 2
    assert message.startswith("OPERATIONS ")


def test_a_history(command: Remote) -> None:
    """A history is printed newest first, of everything or of one key, in a table and as JSON."""
    here = place(command)
    command("set", *here, "a", '"first"')
    command("set", *here, "b", "2")
    command("delete", *here, "a")
    heading, *rows = command("history", *here).splitlines()
    assert heading.split() == ["REVISION", "AT", "WHAT", "KEY", "VALUE", "BY"]
    words = [row.split() for row in rows]
    assert [(one[3], one[4]) for one in words] == [("delete", "a"), ("set", "b"), ("set", "a")]
    assert {" ".join(one[-2:]) for one in words} == {"api somebody"}
    is_kept = command.command == "asset"
    assert ('"first"' in rows[-1]) == is_kept
    documents = json.loads(command("history", *here, "a", "--json"))
    assert [one["operation"] for one in documents] == ["delete", "set"]
    assert documents[1]["size"] == 7
    assert documents[1]["writer"] == {"kind": "api", "subject": "somebody"}
    assert ("value" in documents[1]) == is_kept
    assert len(json.loads(command("history", *here, "--limit", "1", "--json"))) == 1
    command("clear", *here)
    assert command("history", *here, "--limit", "1").splitlines()[1].split()[3:6] == ["clear", "-", "-"]


def test_what_was_and_back_to_it() -> None:
    """A key is printed as it was, made that again, and its old values removed."""
    with remote("asset") as asset:
        with asset.client() as client:
            client.directory.register_asset(name="orders")
        asset("set", "orders", "key", '"right"')
        first = json.loads(asset("get", "orders", "key", "--json"))
        moment = datetime.now(timezone.utc)
        time.sleep(0.001)
        asset("set", "orders", "key", '"wrong"')
        assert asset("get", "orders", "key", "--raw", "--revision", str(first["revision"])) == "right"
        assert asset("get", "orders", "key", "--raw", "--at", moment.isoformat()) == "right"
        assert asset.ends("get", "orders", "key", "--at", "yesterday")[0] == 2
        assert asset.ends("get", "orders", "key", "--at", moment.isoformat(), "--revision", "1")[0] == 2
        assert asset.ends("revert", "orders", "key", str(first["revision"]), "--if-revision", "1")[0] == FAILED
        assert asset("revert", "orders", "key", str(first["revision"])) == ""
        assert asset("get", "orders", "key", "--raw") == "right"
        asset("delete", "orders", "key", "--purge")
        code, message = asset.ends("get", "orders", "key", "--revision", str(first["revision"]))
        assert (code, message) == (1, "the history does not tell what key 'key' was then")
        asset("set", "orders", "key", "1")
        asset("clear", "orders", "--purge")
        assert not any("value" in one for one in json.loads(asset("history", "orders", "--json")))


def test_a_watch(command: Remote) -> None:
    """A watch prints a line for each change at once, for people or for scripts, until there are enough."""
    here = place(command)
    command("set", *here, "old", "1")
    before = entry_of(command, "old")["revision"]
    program = [COMMAND, command.command, "watch", *here, "--count", "3"]
    environment = clean_environment(command.variables(PERMISSIONS))
    for options in ([], ["--json"]):
        with subprocess.Popen([*program, *options], env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            command("set", *here, "key", "[1]")
            lines.append(process.stdout.readline())
            command("clear", *here)
            lines.append(process.stdout.readline())
            assert process.wait(PATIENCE) == 0
        if options:
            events = [json.loads(line) for line in lines]
            assert [one["event"] for one in events] == ["ready", "set", "clear"]
            assert (events[1]["key"], events[1]["size"], events[2]["key"]) == ("key", 3, None)
            assert ("value" in events[1]) == (command.command == "asset")
        else:
            assert [line.split()[1] for line in lines] == ["ready", "set", "clear"]
            assert lines[1].split()[2] == "key"
            assert lines[0].split()[0] == str(before)
    printed = command("watch", *here, "old", "--after", str(before), "--count", "1")
    assert printed.split()[1] == "clear"


def test_a_watch_that_may_not_be(command: Remote) -> None:
    """A watch that is refused ends like any command."""
    assert command.ends("watch", *place(command), permissions=["state:write", "directory:read"]) == (1, "Forbidden")
