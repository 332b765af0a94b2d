"""Which credentials are revoked: in memory, in every database, and remembered in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from statemount.database.connections import Connections
from statemount.database.schema import TableNames
from statemount.database.url import DatabaseUrl
from statemount.directory.database_revocations import DatabaseRevocations
from statemount.directory.revocations import CachedRevocations, MemoryRevocations
from statemount.interfaces import Credential, Revocations
from statemount.model import Run
from statemount.store.database import DatabaseStore
from tests.clock import FakeClock

pytestmark = pytest.mark.anyio

TOKEN = Credential.token("0197f3a0")
TASK = Credential.task_instance(UUID(int=7))
OTHERS = [
    Credential.token("0197f3a1"),
    Credential.token("0197F3A0"),
    Credential.token(str(UUID(int=7))),
    Credential.task_instance(UUID(int=8)),
]
_MINUTE = 60_000_000


class RevocationConformance:
    """The contract of :class:`~statemount.interfaces.Revocations`: a subclass supplies ``revocations``."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    async def test_nothing_is_revoked(self, revocations: Revocations) -> None:
        """At first nothing is."""
        assert await revocations.is_empty()
        assert not await revocations.are_any_revoked([TOKEN, TASK])
        assert not await revocations.are_any_revoked([])

    @pytest.mark.parametrize("credential", [TOKEN, TASK, Credential.token("\N{SNOWMAN} ' \\ %")], ids=repr)
    async def test_revoked(self, revocations: Revocations, clock: FakeClock, credential: Credential) -> None:
        """What is revoked is, alone or among others, and no other is."""
        await revocations.revoke(credential, until=clock() + _MINUTE)
        assert not await revocations.is_empty()
        for asked in ([credential], [*OTHERS[:3], credential], [credential, OTHERS[0]]):
            assert await revocations.are_any_revoked(asked)
        assert not await revocations.are_any_revoked(OTHERS)

    async def test_over(self, revocations: Revocations, clock: FakeClock) -> None:
        """A revocation ends at its time."""
        await revocations.revoke(TOKEN, until=clock() + _MINUTE)
        clock.advance(60)
        assert not await revocations.are_any_revoked([TOKEN])
        assert await revocations.is_empty()

    async def test_latest_time(self, revocations: Revocations, clock: FakeClock) -> None:
        """Of several times for one credential the latest counts, whatever their order."""
        for minutes in (2, 3, 1):
            await revocations.revoke(TASK, until=clock() + minutes * _MINUTE)
        clock.advance(179)
        assert await revocations.are_any_revoked([TASK])
        clock.advance(1)
        assert not await revocations.are_any_revoked([TASK])


class TestMemoryRevocations(RevocationConformance):
    """In an object."""

    @pytest.fixture
    def revocations(self, clock: FakeClock) -> Revocations:
        return MemoryRevocations(clock=clock)

    async def test_bounded(self, clock: FakeClock) -> None:
        """What is over goes by and by."""
        revocations = MemoryRevocations(clock=clock)
        for number in range(5000):
            await revocations.revoke(Credential.token(str(number)), until=clock() + _MINUTE)
            clock.advance(1)
        assert len(revocations) <= 1000
        assert await revocations.are_any_revoked([Credential.token("4999")])


@pytest.fixture
async def connections(database_url: str) -> AsyncIterator[Connections]:
    """Return open connections to an empty database with tables, of every kind in turn."""
    connections = Connections(DatabaseUrl(database_url))
    await connections.open()
    yield connections
    await connections.close()


class TestDatabaseRevocations(RevocationConformance):
    """In a table."""

    @pytest.fixture
    def revocations(self, connections: Connections, clock: FakeClock) -> Revocations:
        return DatabaseRevocations(connections, tables=TableNames(), clock=clock)

    async def test_store_beside_it(self, connections: Connections, clock: FakeClock) -> None:
        """The store's sweeper removes what is over and nothing else, and a dropped run revokes nothing."""
        revocations = DatabaseRevocations(connections, tables=TableNames(), clock=clock)
        store = DatabaseStore(connections, tables=TableNames(), clock=clock)
        await store.open()
        await revocations.revoke(TOKEN, until=clock() + _MINUTE)
        await revocations.revoke(TASK, until=clock() + 2 * _MINUTE)
        await store.drop(Run("dag", "run"))
        clock.advance(60)
        await store.sweep()
        assert await revocations.are_any_revoked([TASK])
        assert not await revocations.are_any_revoked([TOKEN, *OTHERS[:2]])
        clock.advance(60)
        await store.sweep()
        assert await revocations.is_empty()
        await store.close()


class TestCachedRevocations(RevocationConformance):
    """Remembered: what is over must not be waited for here, so nothing is remembered."""

    @pytest.fixture
    def revocations(self, clock: FakeClock) -> Revocations:
        return CachedRevocations(MemoryRevocations(clock=clock), max_age=timedelta(0))


class CountedRevocations(MemoryRevocations):
    """Counts what it is asked."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock=clock)
        self.asked: list[str] = []

    async def is_empty(self) -> bool:
        self.asked.append("is_empty")
        return await super().is_empty()

    async def are_any_revoked(self, credentials: Sequence[Credential]) -> bool:
        self.asked.append("are_any_revoked")
        return await super().are_any_revoked(credentials)


async def test_remembered() -> None:
    """Answers are five seconds old at most, and what is revoked through the cache itself counts at once."""
    clock = FakeClock()
    inner = CountedRevocations(clock)
    cached = CachedRevocations(inner, clock=clock)
    await cached.open()
    for _ in range(3):
        assert await cached.is_empty()
        assert not await cached.are_any_revoked([TOKEN])
    assert inner.asked == ["is_empty", "are_any_revoked"]
    await inner.revoke(TOKEN, until=clock() + _MINUTE)
    clock.advance(4.999)
    assert await cached.is_empty()
    clock.advance(0.001)
    assert not await cached.is_empty()
    assert await cached.are_any_revoked([TOKEN])
    assert not await cached.are_any_revoked([TASK])
    await cached.revoke(TASK, until=clock() + _MINUTE)
    assert await cached.are_any_revoked([TASK])
    await cached.close()
