"""What figures depend on: when and where they were taken, and with which options."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("granian", "uvicorn", "uvloop", "httptools", "starlette", "databases", "aiosqlite", "asyncpg", "asyncmy")


def environment(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what figures depend on.

    Args:
        options: Those of the command.
    """
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "options": {name: str(value) for name, value in options.items()},
    }


def heading(title: str, surroundings: Mapping[str, Any]) -> list[str]:
    """Return the first lines of a report.

    Args:
        surroundings: What :func:`environment` returned.
    """
    packages = ", ".join(f"{name} {found}" for name, found in surroundings["packages"].items())
    return [
        f"# {title}",
        "",
        f"{surroundings['date']}; {surroundings['processor']}, {surroundings['cores']} cores; {surroundings['system']}",
        "",
        f"Python {surroundings['python']}, {packages}",
        "",
        "Options: " + ", ".join(f"{name} {text}" for name, text in surroundings["options"].items()),
        "",
    ]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
