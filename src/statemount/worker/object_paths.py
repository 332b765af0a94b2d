"""Where the value of a key is kept in an object storage.

::

    task/<dag id>/<run id>/<task id>/<map index>/<key>
    asset/name/<name>/<key>      an asset by the name it was addressed with,
    asset/uri/<uri>/<key>        or by its URI

Every segment is quoted, so that two never become one and none is special: small letters, digits, ``-``, ``_`` and inner
dots stand for themselves, ``!`` and a small letter for the capital letter (file systems may not tell them apart), ``=``
and two hexadecimal digits for any other byte of its UTF-8 form. A long one is cut, and ends in ``~`` and its SHA-256.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from statemount.model import Scope

MAX_SEGMENT_LENGTH = 180
"""Longest segment, in bytes: four and a prefix fit into the 1,024 of S3, GCS and Azure, one into a file's name."""

_KEPT = 100
_OTHER = re.compile(r"[^a-z0-9_.-]|^\.|\.$")
_SEGMENT = r"(?!\.)[a-z0-9_.!=~-]+(?<!\.)"
_PATH = re.compile(rf"task(?:/{_SEGMENT}){{5}}|asset/(?:name|uri|id)(?:/{_SEGMENT}){{2}}")


def quoted(text: str) -> str:
    """Return the path segment for any text, the empty one included."""
    segment = _OTHER.sub(_quoted_character, text) or "="
    if len(segment) <= MAX_SEGMENT_LENGTH:
        return segment
    return f"{segment[:_KEPT]}~{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _quoted_character(match: re.Match[str]) -> str:
    character = match[0]
    if "A" <= character <= "Z":
        return f"!{character.lower()}"
    return "".join(f"={byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))


def path_of(scope: Scope, key: str) -> str:
    """Return the path of a key's value."""
    return f"{folder_of(scope)}/{quoted(key)}"


def folder_of(scope: Any, *, all_map_indices: bool = False) -> str:
    """Return the path below which all values of a scope are.

    Args:
        scope: A scope of ours or of Airflow's, which has the same fields.
        all_map_indices: Whether the values of the task's other map indices are meant, too.
    """
    if hasattr(scope, "dag_id"):
        folder = "/".join(("task", quoted(scope.dag_id), quoted(scope.run_id), quoted(scope.task_id)))
        return folder if all_map_indices else f"{folder}/{scope.map_index}"
    if scope.name is not None:
        return f"asset/name/{quoted(scope.name)}"
    if scope.uri is not None:
        return f"asset/uri/{quoted(scope.uri)}"
    return f"asset/id/{scope.asset_id}"


def is_path(text: str) -> bool:
    """Return whether a text is a path that :func:`path_of` may have made, and so names nothing but a value."""
    return _PATH.fullmatch(text) is not None
