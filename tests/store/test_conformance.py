"""Every store keeps the contract."""

from __future__ import annotations

import pytest

from tests.store.conformance import StoreConformance
from tests.store.history_conformance import HistoryConformance

pytestmark = pytest.mark.anyio


class TestStore(StoreConformance):
    """The memory store and the database store, on every database of the run."""


class TestHistory(HistoryConformance):
    """What they tell of the past."""
