"""Look the pinned packages up in a database of known vulnerabilities (pip-audit), where one can be reached.

A finding fails. That no database can be reached does not: it is said instead, for pip-audit itself takes a package that
nobody could look up for one without a vulnerability. So it is asked first about a version that is known to have some.

Findings that concern nobody here stand in ``.ci/audit-ignore.txt``, one id a line, each with a reason.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KNOWN = "urllib3==1.26.4"
"""It has had several vulnerabilities for years."""

SERVICES = ("pypi", "osv")
PATIENCE = 240  # seconds, for one run


class NotReachedError(Exception):
    """The database gave no answer."""


def audited(requirements: Path, service: str, *options: str) -> list[dict[str, Any]]:
    """Return what pip-audit says of each package.

    Raises:
        NotReachedError: It says nothing that can be read, or looked up none of them.
    """
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--disable-pip", "--no-deps"]
    command += ["--vulnerability-service", service, "--format", "json", "--progress-spinner", "off", *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        raise NotReachedError(f"no answer within {PATIENCE} s") from None
    except (ValueError, KeyError, TypeError):
        raise NotReachedError((done.stderr.strip().splitlines() or ["no answer"])[-1][:300]) from None
    if not any("vulns" in package for package in packages):
        raise NotReachedError("it knows none of the packages")
    return packages


def reached(service: str) -> bool:
    """Tell whether a service knows of a vulnerability that everybody knows."""
    with tempfile.TemporaryDirectory() as directory:
        requirements = Path(directory, "requirements.txt")
        requirements.write_text(f"{KNOWN}\n")
        try:
            packages = audited(requirements, service)
        except NotReachedError as error:
            print(f"{service}: not reached: {error}")
            return False
    if any(package.get("vulns") for package in packages):
        return True
    print(f"{service}: not reached: it knows of no vulnerability of {KNOWN}")
    return False


def ignored() -> list[str]:
    """Return the ids of findings that concern nobody here."""
    lines = HERE.joinpath("audit-ignore.txt").read_text().splitlines()
    return [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]


def findings(packages: Sequence[dict[str, Any]], ids: Sequence[str]) -> list[str]:
    """Return a line for each vulnerability."""
    return [
        f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in {vulnerability['fix_versions']}"
        for package in packages
        for vulnerability in package.get("vulns", ())
        if vulnerability["id"] not in ids and not set(vulnerability.get("aliases", ())) & set(ids)
    ]


def main(requirements: Path) -> int:
    """Audit, and return the exit code."""
    service = next(filter(reached, SERVICES), None)
    if service is None:
        print("NOT AUDITED: no database of vulnerabilities can be reached from here")
        return 0
    try:
        packages = audited(requirements, service)
    except NotReachedError as error:
        print(f"NOT AUDITED: {service} was reached at first, and then not: {error}")
        return 0
    skipped = [package["name"] for package in packages if "vulns" not in package]
    found = findings(packages, ignored())
    print(*found, sep="\n")
    print(f"{len(packages) - len(skipped)} packages audited by {service}, {len(found)} findings; skipped: {skipped}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "requirements.txt"))
