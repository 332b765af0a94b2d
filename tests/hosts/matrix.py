"""The page that says what was tried: framework by server, and which Pythons. It is made of the outcomes of a run."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from tests.hosts.checks import CHECKS, SERVED
from tests.hosts.frameworks import FRAMEWORKS
from tests.hosts.recorder import IN_PROCESS
from tests.hosts.servers import SERVERS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "compatibility.md"
STOP = "stop"

_STOP = "A stop answers every accepted request, loses no acknowledged write and ends every watch; the host stops first."
_HEAD = """# Compatibility

What is here was tried, with the versions below, by `python -m tests.hosts`, which writes this page.

"""


def summaries() -> dict[str, str]:
    """Return what each check asks for, by its name."""
    texts = {name: (check.__doc__ or "").strip() for name, check in {**CHECKS, **SERVED}.items()}
    return {**texts, STOP: _STOP}


def page(
    outcomes: Mapping[tuple[str, str, str], bool],
    pythons: Mapping[str, str],
    neighbours: Mapping[tuple[str, str], Sequence[str]],
) -> str:
    """Return the page.

    Args:
        outcomes: Whether a check has passed, by framework, server (or ``in process``) and check.
        pythons: What was tried with each version of Python.
        neighbours: What is installed beside statemount, by its title and Python.
    """
    sections = [_matrix(outcomes), _checks(), _lacking(), _versions(), _pythons(pythons), _neighbours(neighbours)]
    return _HEAD + "\n".join(sections)


def _matrix(outcomes: Mapping[tuple[str, str, str], bool]) -> str:
    places = [IN_PROCESS, *SERVERS]
    lines = ["## Frameworks and servers", ""]
    lines += ["How many of the checks below passed, with a root path of the server and without.", ""]
    lines += [f"| | {' | '.join(places)} |", "|---" * (len(places) + 1) + "|"]
    for name, framework in FRAMEWORKS.items():
        cells = []
        for place in places:
            wanted = [each for each in summaries() if each not in framework.lacks]
            if place == IN_PROCESS:
                wanted = [each for each in wanted if each in CHECKS]
            passed = sum(outcomes.get((name, place, each), False) for each in wanted)
            cells.append(f"{passed} of {len(wanted)}")
        lines.append(f"| {framework.title} | {' | '.join(cells)} |")
    lines += [
        "",
        "With two worker processes, the stop was tried behind each server, in Starlette, on each database.",
        "",
    ]
    lines += [f"- {name}: at a stop, {server.drops}." for name, server in SERVERS.items() if server.drops]
    return "\n".join([*lines, ""])


def _checks() -> str:
    lines = ["## Checks", "", "| check | what holds |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {text} |" for name, text in summaries().items()), ""])


def _lacking() -> str:
    lines = ["## What a framework lacks", "", "| | check | why |", "|---|---|---|"]
    for framework in FRAMEWORKS.values():
        lines += [f"| {framework.title} | {check} | {why} |" for check, why in framework.lacks.items()]
    return "\n".join([*lines, ""])


def packages() -> list[str]:
    """Return the packages whose versions the page tells."""
    frameworks = [package for framework in FRAMEWORKS.values() for package in framework.packages]
    return sorted({*frameworks, *SERVERS})


def _versions() -> str:
    lines = ["## Versions", "", "| package | version |", "|---|---|"]
    lines.append(f"| Python | {'.'.join(map(str, sys.version_info[:3]))} |")
    return "\n".join([*lines, *(f"| {package} | {version(package)} |" for package in packages()), ""])


def _pythons(pythons: Mapping[str, str]) -> str:
    lines = ["## Pythons", ""]
    lines += ["The store, the directory, authentication, the rules and the routes, on SQLite and in memory.", ""]
    lines += ["| Python | tests |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {text} |" for name, text in pythons.items()), ""])


def _neighbours(neighbours: Mapping[tuple[str, str], Sequence[str]]) -> str:
    lines = ["## Beside others", ""]
    lines += ["What the package index offers, with all of statemount's extras, in one environment.", ""]
    lines += ["| beside | Python | versions |", "|---|---|---|"]
    rows = [f"| {title} | {python} | {', '.join(found)} |" for (title, python), found in neighbours.items()]
    return "\n".join([*lines, *rows, ""])
