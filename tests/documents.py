"""The blocks of code in the documentation, and how they are run."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*) -->\n+)?^(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Args:
        mark: The HTML comment right before it, such as ``run``; None = without.
        line: Where its code begins in the page.
    """

    page: Path
    language: str
    code: str
    mark: str | None
    line: int


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in their order."""
    text = page.read_text("utf-8")
    return [
        Block(
            page,
            match["language"],
            re.sub(rf"^{match['indent']}", "", match["code"], flags=re.MULTILINE),
            match["mark"],
            text[: match.start("code")].count("\n"),
        )
        for match in _BLOCK.finditer(text)
    ]


def table(page: Path, heading: str) -> list[list[str]]:
    """Return the rows of the first table below a heading, without its head, as the texts of their cells."""
    section = page.read_text("utf-8").partition(f"\n{heading}\n")[2]
    rows = re.search(r"^\|.*?(?=\n\n|\Z)", section, re.MULTILINE | re.DOTALL)
    assert rows is not None, f"{page.name} has no table below {heading!r}"
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[0].splitlines()[2:]]


async def run_python(block: Block, namespace: dict[str, Any]) -> None:
    """Run a block in a namespace; it may use ``await`` at the top."""
    code = compile(
        "\n" * block.line + block.code,
        os.fspath(block.page),
        "exec",
        flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        dont_inherit=True,
    )
    result = eval(code, namespace)
    if inspect.isawaitable(result):
        await result


def run_shell(code: str, *, directory: Path, variables: Mapping[str, str]) -> str:
    """Run lines of a shell; return what they print. ``curl`` is our own, ``statemount`` the one under test.

    Args:
        directory: Where they run.
        variables: Environment variables.
    """
    commands = directory / "bin"
    commands.mkdir(exist_ok=True)
    curl = commands / "curl"
    curl.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).with_name("curl.py")}" "$@"\n')
    curl.chmod(0o755)
    path = os.pathsep.join([os.fspath(commands), os.fspath(Path(sys.executable).parent), os.environ["PATH"]])
    process = subprocess.run(
        ["/bin/sh", "-e", "-c", code],
        cwd=directory,
        env={**os.environ, **variables, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout
