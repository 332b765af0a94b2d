"""The answer that the baselines give: the one that our app gave to the same request."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

VARIABLE = "BENCHMARK_ANSWER"
"""Names the file with the answer."""


@dataclass(frozen=True)
class Answer:
    """An answer.

    Args:
        headers: Names in lower case; without those that server and framework add themselves: ``content-length``
            is one.
        body: ASCII.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str

    def save(self, path: Path) -> None:
        """Write it where :meth:`load` finds it."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls) -> Answer:
        """Read the one that the environment names."""
        content = json.loads(Path(os.environ[VARIABLE]).read_text())
        return cls(content["status"], tuple((name, value) for name, value in content["headers"]), content["body"])
