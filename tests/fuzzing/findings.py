"""Cases that something came out at: each kind once, as a file to put into the corpus and what was said of it."""

from __future__ import annotations

import hashlib
import traceback
from collections import Counter
from pathlib import Path


class Findings:
    """What was found so far.

    Args:
        directory: Where the files go.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.kinds: Counter[str] = Counter()

    def add(self, data: bytes, error: BaseException) -> None:
        """Take note of a case; write it down if it is the first of its kind."""
        kind = _kind_of(error)
        self.kinds[kind] += 1
        if self.kinds[kind] > 1:
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / f"{hashlib.sha256(kind.encode()).hexdigest()[:12]}.http"
        path.write_bytes(data)
        text = "".join(traceback.format_exception(error))
        path.with_suffix(".txt").write_text(text, errors="backslashreplace")
        print(f"FOUND {path}: {kind}", flush=True)


def _kind_of(error: BaseException) -> str:
    """Return what two findings have in common that are likely to have one cause: where they came about."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} at {places}"
