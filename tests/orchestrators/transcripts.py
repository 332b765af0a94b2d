"""What a how-to shows of a run is what the run printed, but for what is another one each time."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.documents import ROOT, blocks_of

_CHANGING = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<label>"),
)
UPDATE = "STATEMOUNT_UPDATE_TRANSCRIPTS"
"""Set to anything: the page is written anew instead of compared."""


def check(page: str, mark: str, transcript: str) -> None:
    """Compare a transcript with the block of a page that has this mark."""
    path = ROOT / "docs" / "how-to" / page
    block = next(block for block in blocks_of(path) if block.mark == mark)
    if os.environ.get(UPDATE):
        _replace(path, block.code, transcript)
        return
    assert _settled(block.code) == _settled(transcript)


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), "utf-8")


def _settled(text: str) -> str:
    for pattern, name in _CHANGING:
        text = pattern.sub(name, text)
    return text
