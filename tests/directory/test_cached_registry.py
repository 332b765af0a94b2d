"""The cached registry."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from statemount.directory.cache import CachedRegistry
from statemount.directory.memory import MemoryDirectory
from statemount.interfaces import Registry
from tests.clock import FakeClock
from tests.directory.conformance import RegistryConformance


class TestCachedRegistry(RegistryConformance):
    @pytest.fixture
    async def registry(self, clock: FakeClock) -> AsyncIterator[Registry]:
        registry = CachedRegistry(MemoryDirectory(clock=clock))
        await registry.open()
        yield registry
        await registry.close()
