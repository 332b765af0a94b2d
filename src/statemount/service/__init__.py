"""The rules of task state and asset state, free of HTTP and SQL."""

from __future__ import annotations

from statemount.service.service import StateService

__all__ = ["StateService"]
