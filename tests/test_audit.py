"""The audit of the pinned packages: findings fail it, and nothing else does; silence is not taken for an answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.documents import ROOT

SCRIPT = ROOT / ".ci" / "audit.py"
PINS = ROOT / ".ci" / "requirements.txt"

_FLAW = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2"], "description": "words"}
_KNOWN = {"name": "urllib3", "version": "1.26.4", "vulns": [_FLAW]}
_GOOD = {"name": "good", "version": "1", "vulns": []}
_BAD = {"name": "bad", "version": "1", "vulns": [_FLAW]}
_SKIPPED = {"name": "new", "skip_reason": "not found"}

_FAKE = """
import json, sys
arguments = sys.argv[1:]
text = open(arguments[arguments.index("--requirement") + 1]).read()
answers = json.loads({answers!r})
print(answers["known" if "urllib3==1.26.4" in text else "pins"])
"""


def _said(packages: list[Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


@pytest.mark.parametrize(
    ("known", "pins", "code", "output"),
    [
        (_said([_KNOWN]), _said([_GOOD, _SKIPPED]), 0, "1 packages audited by pypi, 0 findings; skipped: ['new']"),
        (
            _said([_KNOWN]),
            _said([_GOOD, _BAD]),
            1,
            "bad 1: PYSEC-1, fixed in ['2']\n2 packages audited",
        ),
        (_said([{**_KNOWN, "vulns": []}]), _said([_BAD]), 0, "NOT AUDITED: no database"),
        (_said([_SKIPPED]), _said([_BAD]), 0, "NOT AUDITED: no database"),
        ("no JSON", _said([_BAD]), 0, "NOT AUDITED: no database"),
        (_said([_KNOWN]), "no JSON", 0, "NOT AUDITED: pypi was reached at first, and then not"),
    ],
    ids=["good", "bad", "knows nothing", "looks nothing up", "not reached", "not reached any more"],
)
def test_audit(tmp_path: Path, known: str, pins: str, code: int, output: str) -> None:
    """A vulnerability of a pinned package fails the audit; that nobody could be asked is said, and does not."""
    fake = tmp_path / "pip_audit"
    fake.mkdir()
    fake.joinpath("__init__.py").touch()
    fake.joinpath("__main__.py").write_text(_FAKE.format(answers=json.dumps({"known": known, "pins": pins})))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (code, "")
    assert output in done.stdout


def test_pins() -> None:
    """Every pinned package has hashes, and nothing says where packages come from."""
    lines = PINS.read_text().splitlines()
    pinned = [line for line in lines if not line.startswith((" ", "#"))]
    assert len(pinned) > 100
    assert all("==" in line and line.endswith("\\") for line in pinned)
    assert not any("://" in line or line.startswith("-") for line in lines)
