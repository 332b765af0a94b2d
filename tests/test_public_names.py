"""The package's public names."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import statemount

SOURCE = Path(statemount.__file__)


def test_every_public_name_is_there() -> None:
    """Each name of ``__all__`` can be used, is listed by ``dir``, and says by itself what it is."""
    for name in statemount.__all__:
        assert getattr(statemount, name) is not None
        assert name in dir(statemount)


def test_type_checkers_see_the_same_names() -> None:
    """What type checkers import is what is imported at run time, from the same modules, no more and no less."""
    for_checkers: dict[str, str] = {}
    for node in ast.walk(ast.parse(SOURCE.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("statemount."):
            for_checkers.update({alias.name: node.module.removeprefix("statemount.") for alias in node.names})
    assert for_checkers == statemount._HOMES
    assert sorted([*for_checkers, "__version__"]) == sorted(statemount.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that does not exist is refused as by any module."""
    with pytest.raises(AttributeError, match="module 'statemount' has no attribute 'Nothing'"):
        statemount.Nothing  # noqa: B018


def test_an_import_is_light() -> None:
    """Neither the package nor a StateMount in memory imports drivers, servers, migrations or an HTTP client."""
    heavy = "alembic asyncpg asyncmy aiosqlite databases sqlalchemy granian uvicorn httpx click typer fastapi"
    code = f"""
import sys
import statemount
assert not {{"pydantic", "starlette", "jwt"}} & sys.modules.keys()
import statemount.asgi
state = statemount.StateMount("memory://", jwt_secret="a secret that is only for this test, " * 2)
print(*set({heavy!r}.split()) & sys.modules.keys())
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "\n"), result.stderr
