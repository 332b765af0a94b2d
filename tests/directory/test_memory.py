"""The directory in memory."""

from __future__ import annotations

import asyncio

import pytest

from statemount.directory.memory import MemoryDirectory
from statemount.interfaces import Registry
from tests.clock import FakeClock
from tests.directory.conformance import RegistryConformance, task_instance


class TestMemoryDirectory(RegistryConformance):
    @pytest.fixture
    def registry(self, clock: FakeClock) -> Registry:
        return MemoryDirectory(clock=clock)


def test_several_event_loops() -> None:
    """What was registered on one event loop is there on the next."""
    registry = MemoryDirectory()
    new = task_instance()
    asyncio.run(registry.register_task_instances([new]))
    assert asyncio.run(registry.task_instance(new.id)) == new
