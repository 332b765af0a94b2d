"""What goes wrong with a database is told as 503 in time, ends by itself, and costs nothing that was acknowledged.

The long form, with the app's own time limits and a table of what was measured: ``python -m tests.faults``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.catalogue import FAULTS, LOCK, SILENT
from tests.faults.programs import MissingProgramError, NoSmallDiskError
from tests.faults.sites import site
from tests.faults.trial import Fault, Result, Trial

pytestmark = pytest.mark.anyio

_SETTINGS = {"STATEMOUNT_STATEMENT_TIMEOUT_SECONDS": "1.5"}  # much less than by default, for the sake of the time
_REPEATS = 8
_ALL, _MOST = "all", "most"
_LONGEST = 20.0
"""Seconds that an answer may take: the limit of a statement, that of a connection, and a machine that is busy."""

_TESTED_ELSEWHERE = (LOCK, SILENT)
"""In tests/processes and tests/database."""


@pytest.fixture
def shared_path() -> Iterator[Path]:
    """A directory that a server which is run by somebody else can get to.

    ``tmp_path`` is not: whenever another pytest starts, it shuts others out of the directory of them all.
    """
    with tempfile.TemporaryDirectory(prefix="statemount-faults-") as path:
        directory = Path(path)
        directory.chmod(0o755)
        for name in (_ALL, _MOST):
            (directory / name).mkdir()
        yield directory


async def test_faults(database_kind: str, shared_path: Path) -> None:
    """One fault after the other: everybody is answered in time, nothing is lost, done twice or left over."""
    faults = [fault for fault in FAULTS if database_kind in fault.kinds and fault not in _TESTED_ELSEWHERE]
    try:
        await _suffer(database_kind, faults, shared_path / _ALL)
    except NoSmallDiskError as error:
        most = [fault for fault in faults if not fault.needs_small_disk]
        await _suffer(database_kind, most, shared_path / _MOST)
        pytest.skip(f"all is well but for a full disk, which was not tried: {error}")
    except MissingProgramError as error:
        pytest.skip(str(error))


async def _suffer(kind: str, faults: Sequence[Fault], directory: Path) -> None:
    is_small = any(fault.needs_small_disk for fault in faults)
    async with site(kind, directory, on_small_disk=is_small, settings=_SETTINGS) as place:
        place.repeats = _REPEATS
        trial = Trial(place)
        async with trial.running():
            for fault in faults:
                await trial.suffer(replace(fault, seconds=0.2))
    assert len(trial.results) == len(faults)
    for result in trial.results:
        _check(result)


def _check(result: Result) -> None:
    assert result.longest < _LONGEST, result
    assert result.first_refusal is not None or not result.fault.is_felt
