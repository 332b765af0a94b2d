"""Ask the app whatever might break it, for as long as there is time, on one core: ``python -m tests.fuzzing``.

The app is asked in process, with requests of every route, malformed in every way that a server lets through. What must
hold of the answers stands in :mod:`tests.fuzzing.oracle`. libFuzzer leads, by atheris
(``pip install 'statemount[fuzz]'``): a case that reaches new code is kept and changed further.

``python -m tests.fuzzing --minutes 60``  half of the time in memory, half on SQLite
``--store memory``                        on one of them alone
``--corpus DIRECTORY``                    where cases are kept that reached something new; the next run begins with them
``--unguided``                            without atheris: cases are made by chance alone, from those of the project

At the end stands what was run. The exit code is 1 if something was found: each kind of finding is a file, to be put
into ``tests/fuzzing/corpus`` once it is understood, which the tests ask again in every run.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzzing.findings import Findings
from tests.fuzzing.running import CORPUS, PROGRESS, run_unguided, until

_ROOT = Path(__file__).resolve().parents[2]
_DEFAULT = _ROOT / ".fuzzing"
_LONGEST_CASE = 16 * 1024
_LONGEST_SECONDS = 25
_RESTART_AFTER = 5.0  # seconds that must be left
_COVERED = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)/")


@dataclass
class Run:
    """What came of the time on one store.

    Args:
        edges: Of our code, that were reached; None = nobody has counted.
        corpus: How many cases were kept.
        crashes: How often the process ended before its time.
    """

    store: str
    seconds: float = 0.0
    cases: int = 0
    requests: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    edges: int | None = None
    corpus: int | None = None
    crashes: int = 0

    def lines(self) -> list[str]:
        """Return what to print."""
        told = ", ".join(f"{status}: {count:,}" for status, count in sorted(self.statuses.items()))
        reached = "" if self.edges is None else f"{self.edges:,} edges reached, {self.corpus:,} cases kept; "
        asked = f"{self.cases:,} cases with {self.requests:,} requests in {self.seconds / 60:.1f} minutes"
        found = f"{len(self.findings)} kinds of findings in {sum(self.findings.values())} cases"
        return [
            f"{self.store}: {asked}; {reached}{found}; {self.crashes} ends before time",
            f"    answers by status: {told}",
        ]


def main() -> int:
    """Fuzz; return the exit code."""
    parser = argparse.ArgumentParser(
        "python -m tests.fuzzing", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="in all; default: 10")
    parser.add_argument("--store", choices=("memory", "sqlite", "both"), default="both")
    parser.add_argument("--corpus", type=Path, default=_DEFAULT, help="default: .fuzzing in the project")
    parser.add_argument("--seed", type=int, default=0, help="of what is done by chance; 0 = another one each time")
    parser.add_argument("--unguided", action="store_true", help="without atheris")
    arguments = parser.parse_args()
    if not arguments.unguided and importlib.util.find_spec("atheris") is None:
        print("atheris is not installed (pip install 'statemount[fuzz]'); --unguided does without", file=sys.stderr)
        return 2
    _keep_to_one_core()
    directory: Path = arguments.corpus.resolve()
    stores = ("memory", "sqlite") if arguments.store == "both" else (arguments.store,)
    seconds = arguments.minutes * 60 / len(stores)
    seed = arguments.seed or time.time_ns() % 2**31
    runs = []
    for store in stores:
        if arguments.unguided:
            runs.append(_run_unguided(store, directory, seconds, seed))
        else:
            runs.append(_run_guided(store, directory, seconds, seed))
    for run in runs:
        print("\n".join(run.lines()))
    total = f"{sum(run.cases for run in runs):,} cases with {sum(run.requests for run in runs):,} requests"
    print(f"in all {total}, seed {seed}; findings, if any, are in {directory / 'findings'}")
    return 1 if any(run.findings or run.crashes for run in runs) else 0


def _keep_to_one_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _run_unguided(store: str, directory: Path, seconds: float, seed: int) -> Run:
    began = time.monotonic()
    findings = Findings(directory / "findings")
    runner = run_unguided(store, findings, seed=seed, goes_on=until(seconds))
    run = Run(store, time.monotonic() - began, runner.cases, runner.requests, findings=findings.kinds)
    run.statuses.update({str(status): count for status, count in runner.statuses.items()})
    return run


def _run_guided(store: str, directory: Path, seconds: float, seed: int) -> Run:
    """Let processes of libFuzzer run until the time is over: another one where one was ended by a case."""
    run = Run(store)
    kept, findings = directory / "corpus", directory / "findings"
    kept.mkdir(parents=True, exist_ok=True)
    findings.mkdir(exist_ok=True)
    began = time.monotonic()
    while (left := seconds - (time.monotonic() - began)) > (_RESTART_AFTER if run.cases else 0):
        work = Path(tempfile.mkdtemp(prefix="statemount-fuzzing-"))
        command = [
            *(sys.executable, "-m", "tests.fuzzing.guided", store, os.fspath(work), os.fspath(findings)),
            *(os.fspath(kept), os.fspath(CORPUS)),
            f"-max_total_time={max(int(left), 1)}",
            f"-max_len={_LONGEST_CASE}",
            f"-timeout={_LONGEST_SECONDS}",
            f"-seed={seed + run.crashes}",
            f"-artifact_prefix={findings}/",
            "-rss_limit_mb=2048",
            "-verbosity=1",
        ]
        log = directory / f"{store}.log"
        with log.open("wb") as output:
            code = subprocess.run(command, cwd=_ROOT, stdout=output, stderr=output, check=False).returncode
        _take(run, work / PROGRESS, log)
        shutil.rmtree(work, ignore_errors=True)
        if code != 0:
            run.crashes += 1
            print(f"{store}: the process ended with {code}, see {log}", flush=True)
            if not run.cases:
                break
    run.seconds = time.monotonic() - began
    return run


def _take(run: Run, progress: Path, log: Path) -> None:
    """Add what a process has written down."""
    text = log.read_text(errors="replace")
    for line in text.splitlines():
        if line.startswith("FOUND "):
            print(line, flush=True)
    if progress.exists():
        told = json.loads(progress.read_text())
        run.cases += told["cases"]
        run.requests += told["requests"]
        run.statuses.update(told["statuses"])
        run.findings.update(told["findings"])
    covered = _COVERED.findall(text)
    if covered:
        run.edges, _, run.corpus = map(int, covered[-1])


if __name__ == "__main__":
    raise SystemExit(main())
