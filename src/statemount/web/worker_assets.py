"""Asset state for workers: each reaches the assets that its task is registered with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, TypeVar

from statemount.errors import ForbiddenError, InvalidInputError, KeyNotFoundError, NotFoundError, Problem
from statemount.interfaces import Action
from statemount.model import AssetScope
from statemount.service import StateService
from statemount.web.batch_bodies import ASSET_BATCH
from statemount.web.batches import batch_response, operations_of
from statemount.web.bodies import VALUE_BODY, read_content
from statemount.web.conditions import condition_of, unchanged
from statemount.web.contracts import Words
from statemount.web.entries import value_response
from statemount.web.errors import MissingKeyError
from statemount.web.listing import asset_list
from statemount.web.parameters import (
    AssetText,
    Key,
    ListQuery,
    NoParameters,
    Parameters,
    Place,
    checked,
    read_parameters,
    read_query,
)
from statemount.web.patches import patch_problems, read_patch, require_merge_patch
from statemount.web.requests import Request
from statemount.web.responses import NO_CONTENT, Response, written
from statemount.web.streams import Watched


class AssetNamePath(Parameters):
    """An asset; a slash of its name stands as ``%2F``."""

    name: AssetText


class AssetNameKeyPath(AssetNamePath):
    """A key of an asset."""

    key: Key


class AssetNameQuery(Parameters):
    """An asset, by its name."""

    name: AssetText


class AssetNameKeyQuery(AssetNameQuery):
    """A key of an asset."""

    key: Key


class AssetNameListQuery(ListQuery, AssetNameQuery):
    """The list of an asset, by its name."""


class AssetUriQuery(Parameters):
    """An asset, by its URI."""

    uri: AssetText


class AssetUriKeyQuery(AssetUriQuery):
    """A key of an asset."""

    key: Key


class AssetUriListQuery(ListQuery, AssetUriQuery):
    """The list of an asset, by its URI."""


@dataclass(frozen=True, slots=True)
class Addressing:
    """How a contract version addresses assets.

    Args:
        place: Where that stands, and the key.
        by: What an asset is addressed by: the name of its parameter.
        asset: Reads it alone.
        key: Reads it with a key.
        listed: Reads the query of its list.
    """

    place: Place
    by: Literal["name", "uri"]
    asset: type[Parameters]
    key: type[Parameters]
    listed: type[ListQuery]

    @property
    def of_asset(self) -> tuple[type[Parameters], type[Parameters]]:
        """What reads the path and the query of what concerns a whole asset."""
        return (self.asset, NoParameters) if self.place == "path" else (NoParameters, self.asset)

    @property
    def of_list(self) -> tuple[type[Parameters], type[Parameters]]:
        """What reads the path and the query of its list."""
        return (self.of_asset[0], self.listed)

    @property
    def of_key(self) -> tuple[type[Parameters], type[Parameters]]:
        """What reads the path and the query of what concerns one key."""
        return (self.key, NoParameters) if self.place == "path" else (NoParameters, self.key)


BY_NAME = Addressing("query", "name", AssetNameQuery, AssetNameKeyQuery, AssetNameListQuery)
BY_URI = Addressing("query", "uri", AssetUriQuery, AssetUriKeyQuery, AssetUriListQuery)
BY_PATH = Addressing("path", "name", AssetNamePath, AssetNameKeyPath, ListQuery)


_ReachedT = TypeVar("_ReachedT")


class _Address(NamedTuple):
    """What a request names; an empty text stands for what is missing, once the problems are known.

    Args:
        asset: The asset's name or URI.
    """

    asset: str
    key: str
    problems: list[Problem]


class WorkerAssetEndpoints:
    """Answers for assets.

    Args:
        addressing: How assets are addressed.
    """

    def __init__(self, service: StateService, words: Words, max_body_bytes: int, addressing: Addressing) -> None:
        self.words = words
        self.addressing = addressing
        self._service = service
        self._max_body_bytes = max_body_bytes
        by_name = addressing.by == "name"
        workers = service.workers
        self._look_up = workers.asset_by_name if by_name else workers.asset_by_uri
        self._look_up_for_batch = workers.batch_by_name if by_name else workers.batch_by_uri

    async def get(self, request: Request) -> Response:
        """Return the value of a key."""
        address = self._address(request)
        scope = await self._scope(request, address, "read")
        try:
            entry = await self._service.assets.get(scope, address.key)
        except KeyNotFoundError as error:
            raise MissingKeyError(self.words.key, address.key) from error
        return unchanged(request, entry.revision) or value_response(scope, entry)

    async def get_page(self, request: Request) -> Response:
        """Return a part of the entries."""
        address = self._address(request, has_key=False)
        query, others = read_query(ListQuery, request)
        address.problems.extend(others)
        scope = await self._scope(request, address, "read")
        return await asset_list(request, self._service.assets, scope, checked(query, others), self.words)

    async def put(self, request: Request) -> Response:
        """Set a key."""
        content = await read_content(request, self._max_body_bytes)
        address = self._address(request)
        value, _ = VALUE_BODY.read(content, address.problems)
        try:
            scope = await self._scope(request, address, "write")
            writer = await self._service.workers.writer(request.identity)
        except (NotFoundError, ForbiddenError):
            VALUE_BODY.check(value)
            raise
        condition = condition_of(request)
        result = await self._service.assets.set(scope, address.key, value, writer=writer, condition=condition)
        return written(result.revision)

    async def patch(self, request: Request) -> Response:
        """Change the value of a key that exists."""
        require_merge_patch(request)
        patch = await read_patch(request, self._max_body_bytes)
        address = self._address(request)
        address.problems.extend(patch_problems(patch, self._service.limits))
        scope = await self._scope(request, address, "write")
        writer = await self._service.workers.writer(request.identity)
        condition = condition_of(request)
        try:
            result = await self._service.assets.merge(scope, address.key, patch, writer=writer, condition=condition)
        except KeyNotFoundError as error:
            raise MissingKeyError(self.words.key, address.key) from error
        return written(result.revision)

    async def batch(self, request: Request) -> Response:
        """Do operations on the entries, all or none."""
        content = await read_content(request, self._max_body_bytes)
        address = self._address(request, has_key=False)
        given = ASSET_BATCH.read(content, self._service.limits, address.problems)
        operations = operations_of(given, request)
        reach = partial(self._look_up_for_batch, request.identity, address.asset, operations)
        scope, may_read = await self._reached(request, reach)
        writer = await self._service.workers.writer(request.identity)
        condition = condition_of(request)
        outcome = await self._service.assets.batch(scope, operations, writer=writer, condition=condition)
        return batch_response(scope, given, outcome, may_read=may_read)

    async def delete(self, request: Request) -> Response:
        """Remove a key."""
        address = self._address(request)
        scope = await self._scope(request, address, "delete")
        writer = await self._service.workers.writer(request.identity)
        await self._service.assets.delete(scope, address.key, writer=writer, condition=condition_of(request))
        return NO_CONTENT

    async def clear(self, request: Request) -> Response:
        """Remove every key of an asset."""
        scope = await self._scope(request, self._address(request, has_key=False), "delete")
        writer = await self._service.workers.writer(request.identity)
        await self._service.assets.clear(scope, writer=writer, condition=condition_of(request))
        return NO_CONTENT

    async def watched(self, request: Request) -> Watched:
        """Return what is to be watched: every key of an asset."""
        return Watched(await self._scope(request, self._address(request, has_key=False), "read"), None)

    async def watched_key(self, request: Request) -> Watched:
        """Return what is to be watched: one key."""
        address = self._address(request)
        return Watched(await self._scope(request, address, "read"), address.key)

    def _address(self, request: Request, *, has_key: bool = True) -> _Address:
        addressing = self.addressing
        given = request.query() if addressing.place == "query" else request.parameters
        model = addressing.key if has_key else addressing.asset
        read, problems = read_parameters(model, given, addressing.place)
        return _Address(getattr(read, addressing.by, ""), getattr(read, "key", ""), problems)

    async def _scope(self, request: Request, address: _Address, action: Action) -> AssetScope:
        """Return the scope of what is addressed, if nothing is wrong with the request and the worker reaches it."""
        if address.problems:
            raise InvalidInputError(address.problems)
        return await self._reached(request, partial(self._look_up, request.identity, address.asset, action))

    async def _reached(self, request: Request, look_up: Callable[[], Awaitable[_ReachedT]]) -> _ReachedT:
        try:
            return await look_up()
        except ForbiddenError:
            # A task instance that is gone is registered with nothing: it is told so, as it is on its own routes.
            await self._service.workers.writer(request.identity)
            raise
