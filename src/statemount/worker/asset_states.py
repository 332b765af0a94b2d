"""The state of all assets of a task: its inlets and its outlets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, TypeVar

from typing_extensions import override

from statemount.client import AsyncWorkerAssetState, StateValue, WorkerAssetState
from statemount.client.contention import ATTEMPTS
from statemount.model import JsonValue
from statemount.worker.accessor import StateAccessor
from statemount.worker.asset_state import AssetStateAccessor

T = TypeVar("T")


class _Address(NamedTuple):
    name: str | None
    uri: str | None


class AssetStateAccessors(StateAccessor):
    """The state of each inlet and outlet, by asset; and that of the asset itself where there is exactly one.

    An asset is given as its name, as its URI (a text with ``://``), or as an object with a ``name``, a ``uri`` or both,
    such as an :class:`~statemount.AssetScope`, what the client gives for an asset, or an Airflow ``Asset``. One with
    both is addressed by its name, and found by either.

    Args:
        accessor: Returns the accessor of one asset, from its ``name`` or its ``uri``.

    Raises:
        TypeError: One of them is no asset.
        ValueError: One of them has neither a name nor a URI.
    """

    def __init__(
        self,
        accessor: Callable[..., AssetStateAccessor],
        inlets: Iterable[object] = (),
        outlets: Iterable[object] = (),
    ) -> None:
        self._by_name: dict[str, AssetStateAccessor] = {}
        self._by_uri: dict[str, AssetStateAccessor] = {}
        self._accessors: list[AssetStateAccessor] = []
        for asset in (*inlets, *outlets):
            address = _address_of(asset)
            found = self._find(address)
            if found is None:
                found = accessor(uri=address.uri) if address.name is None else accessor(name=address.name)
                self._accessors.append(found)
            if address.name is not None:
                self._by_name.setdefault(address.name, found)
            if address.uri is not None:
                self._by_uri.setdefault(address.uri, found)

    def __getitem__(self, asset: object) -> AssetStateAccessor:
        """Return the accessor of an inlet or outlet.

        Raises:
            KeyError: It is neither.
            TypeError: It is no asset.
            ValueError: It has neither a name nor a URI.
        """
        # A text that was given as a name is one, whatever it looks like.
        address = _Address(asset, asset) if isinstance(asset, str) else _address_of(asset)
        found = self._find(address)
        if found is None:
            raise KeyError(f"{asset!r} is none of this task's inlets and outlets, which are {self._known()}")
        return found

    def __repr__(self) -> str:
        return f"<AssetStateAccessors [{self._known()}]>"

    @property
    @override
    def server(self) -> WorkerAssetState:
        return self._only().server

    @property
    @override
    def aserver(self) -> AsyncWorkerAssetState:
        return self._only().aserver

    @override
    def get(self, key: str, default: JsonValue = None) -> JsonValue:
        return self._only().get(key, default)

    @override
    def get_entry(self, key: str, default: JsonValue = None) -> StateValue:
        return self._only().get_entry(key, default)

    @override
    def set(self, key: str, value: JsonValue, *, if_revision: int | None = None) -> int | None:
        return self._only().set(key, value, if_revision=if_revision)

    @override
    def update(
        self,
        key: str,
        change: Callable[[JsonValue], JsonValue],
        *,
        default: JsonValue = None,
        attempts: int = ATTEMPTS,
    ) -> JsonValue:
        return self._only().update(key, change, default=default, attempts=attempts)

    @override
    def delete(self, key: str, *, if_revision: int | None = None) -> None:
        self._only().delete(key, if_revision=if_revision)

    @override
    def clear(self, *, if_revision: int | None = None) -> None:
        self._only().clear(if_revision=if_revision)

    @override
    def contend(self, attempt: Callable[[], T], *, attempts: int = ATTEMPTS) -> T:
        return self._only().contend(attempt, attempts=attempts)

    @override
    async def aget(self, key: str, default: JsonValue = None) -> JsonValue:
        return await self._only().aget(key, default)

    @override
    async def aget_entry(self, key: str, default: JsonValue = None) -> StateValue:
        return await self._only().aget_entry(key, default)

    @override
    async def aset(self, key: str, value: JsonValue, *, if_revision: int | None = None) -> int | None:
        return await self._only().aset(key, value, if_revision=if_revision)

    @override
    async def aupdate(
        self,
        key: str,
        change: Callable[[JsonValue], JsonValue],
        *,
        default: JsonValue = None,
        attempts: int = ATTEMPTS,
    ) -> JsonValue:
        return await self._only().aupdate(key, change, default=default, attempts=attempts)

    @override
    async def adelete(self, key: str, *, if_revision: int | None = None) -> None:
        await self._only().adelete(key, if_revision=if_revision)

    @override
    async def aclear(self, *, if_revision: int | None = None) -> None:
        await self._only().aclear(if_revision=if_revision)

    @override
    async def acontend(self, attempt: Callable[[], Awaitable[T]], *, attempts: int = ATTEMPTS) -> T:
        return await self._only().acontend(attempt, attempts=attempts)

    def _only(self) -> AssetStateAccessor:
        """Return the accessor of the only asset.

        Raises:
            ValueError: There is none, or more than one.
        """
        if not self._accessors:
            raise ValueError("this task has no inlet and no outlet, so there is no asset state to use")
        if len(self._accessors) > 1:
            raise ValueError(
                f"this task has {len(self._accessors)} inlets and outlets ({self._known()});"
                " say which one you mean: asset_states[asset].get(key)"
            )
        return self._accessors[0]

    def _find(self, address: _Address) -> AssetStateAccessor | None:
        found = None if address.name is None else self._by_name.get(address.name)
        return self._by_uri.get(address.uri) if found is None and address.uri is not None else found

    def _known(self) -> str:
        return ", ".join(accessor.address for accessor in self._accessors) or "none"


def _address_of(asset: object) -> _Address:
    """Return how a worker can address an asset.

    Raises:
        TypeError: It is no asset.
        ValueError: It has neither a name nor a URI.
    """
    if isinstance(asset, str):
        return _Address(None, asset) if "://" in asset else _Address(asset, None)
    if not hasattr(asset, "name") and not hasattr(asset, "uri"):
        raise TypeError(f"expected an asset's name, its URI, or an object with either; got {type(asset).__name__}")
    name, uri = getattr(asset, "name", None), getattr(asset, "uri", None)
    if not name and not uri:
        raise ValueError(f"{asset!r} has neither a name nor a URI: a worker cannot address it")
    return _Address(name or None, uri or None)
