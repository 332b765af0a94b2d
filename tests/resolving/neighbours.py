"""What statemount is to be installed beside, and how that is found out."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 300  # seconds for one resolution; a quiet machine needs a few
_AT_ONCE = 6  # they wait for the package index more than for the processor
_PACKAGE = re.compile(r"^([\w.-]+)==([\w.+!]+)", re.MULTILINE)

PYTHONS = ("3.10", "3.13")
EXTRAS = "server,postgresql,mysql,metrics,object-storage"


def oldest(package: str) -> str:
    """Return the oldest version of a package that the project's own file allows, as a requirement."""
    (version,) = re.findall(rf'"{package}>=([\d.]+)', (_ROOT / "pyproject.toml").read_text("utf-8"))
    return f"{package}=={version}"


@dataclass(frozen=True)
class Neighbour:
    """What statemount is installed beside.

    Args:
        title: For people.
        requirements: As pip takes them.
        packages: Whose versions are told.
        is_possible: Whether there is a way; where there is none, that has to be noticed.
    """

    title: str
    requirements: tuple[str, ...]
    packages: tuple[str, ...]
    is_possible: bool = True


NEIGHBOURS: Sequence[Neighbour] = (
    Neighbour("FastAPI and Starlette, oldest", (oldest("fastapi"), oldest("starlette")), ("fastapi", "starlette")),
    Neighbour("FastAPI and Starlette, newest", ("fastapi", "starlette"), ("fastapi", "starlette")),
    Neighbour("Airflow 3.2", ("apache-airflow~=3.2.0",), ("apache-airflow", "fastapi")),
    Neighbour("Airflow 3.3", ("apache-airflow~=3.3.0",), ("apache-airflow", "fastapi")),
    Neighbour("Dagster", ("dagster", "dagster-webserver"), ("dagster", "starlette")),
    Neighbour("Prefect", ("prefect>=3,<4",), ("prefect", "fastapi")),
    Neighbour("SQLAlchemy 1.4", ("sqlalchemy<2",), (), is_possible=False),
)


@dataclass(frozen=True)
class Resolution:
    """What came of it.

    Args:
        versions: Of what the neighbour tells; None = there is no way to install both.
        message: The resolver's.
    """

    neighbour: Neighbour
    python: str
    versions: tuple[str, ...] | None
    message: str = ""

    @property
    def is_expected(self) -> bool:
        """Whether it is as it should be."""
        return (self.versions is not None) == self.neighbour.is_possible

    def __str__(self) -> str:
        found = "cannot be installed" if self.versions is None else ", ".join(self.versions)
        return f"{self.neighbour.title}, Python {self.python}: {found}"


def resolve(program: Path, neighbour: Neighbour, python: str) -> Resolution:
    """Find the versions with which statemount and its neighbour can be installed.

    Raises:
        CalledProcessError: The resolver could not find out, such as without a network.
        TimeoutExpired: It took too long.
    """
    command = [str(program), "pip", "compile", "-q", "--no-annotate", "--no-header", "--python-version", python, "-"]
    run = subprocess.run(
        command,
        input="\n".join([f"{_ROOT}[{EXTRAS}]", *neighbour.requirements]),
        cwd=_ROOT,
        env={name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    if run.returncode:
        if "No solution found" not in run.stderr:
            raise subprocess.CalledProcessError(run.returncode, command, run.stdout, run.stderr)
        return Resolution(neighbour, python, None, run.stderr)
    found = dict(_PACKAGE.findall(run.stdout))
    return Resolution(neighbour, python, tuple(f"{name} {found[name]}" for name in neighbour.packages))


def resolve_all(program: Path) -> list[Resolution]:
    """Resolve beside every neighbour, for every Python."""
    cases = [(neighbour, python) for neighbour in NEIGHBOURS for python in PYTHONS]
    with ThreadPoolExecutor(_AT_ONCE) as executor:
        return list(executor.map(lambda case: resolve(program, *case), cases))
