"""The form in which a reference stands in a value's place on the server: Airflow 3.3's, ``{marker: reference}``."""

from __future__ import annotations

from statemount.model import JsonValue

MARKER = "__airflow_state_ref__"
"""The only key of an object that stands for a value kept by a worker-side backend."""


def marked(reference: str) -> dict[str, JsonValue]:
    """Return what is stored on the server for a reference."""
    return {MARKER: reference}


def reference_in(stored: JsonValue) -> str | None:
    """Return the reference in what the server has stored; None if it is a value itself."""
    if isinstance(stored, dict) and len(stored) == 1:
        reference = stored.get(MARKER)
        if isinstance(reference, str) and reference:
            return reference
    return None
