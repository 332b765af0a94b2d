"""A TypeScript client: types by openapi-typescript, checked by its compiler, and openapi-fetch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

ROUND_TRIP = Path(__file__).with_name("round_trip.ts")
SETTINGS = {
    "compilerOptions": {
        "strict": True,
        "target": "es2022",
        "module": "nodenext",
        "moduleResolution": "nodenext",
        "lib": ["es2022", "dom"],
        "types": [],
    },
    "files": ["round_trip.ts"],
}


def run(*command: str | Path, directory: Path, **variables: str) -> str:
    """Run a command; return what it prints."""
    result = subprocess.run(
        command, cwd=directory, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_round_trip(server: str, world: dict[str, Any], tmp_path: Path) -> None:
    """The client compiles strictly; what it writes as a worker, it reads over the public API, with the right types."""
    modules = Path(world["node"]) / "node_modules"
    (tmp_path / "node_modules").symlink_to(modules)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "tsconfig.json").write_text(json.dumps(SETTINGS))
    shutil.copy(ROUND_TRIP, tmp_path)
    for name, path in (("execution", "execution"), ("public", "api/v2")):
        generator = modules / ".bin" / "openapi-typescript"
        run(
            generator,
            f"{server}/{path}/openapi.json",
            f"--output={name}.d.ts",
            "--default-non-nullable=false",  # what has a default need not be sent
            directory=tmp_path,
        )
    run(modules / ".bin" / "tsc", directory=tmp_path)
    wanted = {"server": server, **{name: world[name] for name in ("worker", "public", "task_instance_id")}}
    printed = run("node", "round_trip.js", json.dumps(wanted), directory=tmp_path)
    assert json.loads(printed) == {
        "status": 204,
        "key": "typescript/key",
        "value": {"offset": 42},
        "expires_at": None,
        "missing": "not_found",
    }
