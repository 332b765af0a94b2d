"""Asset state for people and services."""

from __future__ import annotations

from typing import TypeVar

from statemount.errors import InvalidInputError, KeyNotFoundError, Problem
from statemount.model import Asset
from statemount.service import StateService
from statemount.service.public import asset_scope
from statemount.web.batch_bodies import PUBLIC_ASSET_BATCH
from statemount.web.batches import batch_response, operations_of
from statemount.web.bodies import VALUE_BODY, read_content
from statemount.web.conditions import condition_of, unchanged
from statemount.web.contracts import Words
from statemount.web.entries import asset_entry, asset_entry_with_writer, entry_response
from statemount.web.errors import MissingKeyError
from statemount.web.listing import asset_list
from statemount.web.parameters import (
    Integer,
    Key,
    Parameters,
    PurgeQuery,
    StatePageQuery,
    checked,
    integer_of,
    read_parameters,
    read_query,
)
from statemount.web.patches import is_merge_patch, patch_problems, read_patch
from statemount.web.public_tasks import writer_of
from statemount.web.requests import Request
from statemount.web.responses import NO_CONTENT, Response, changed, written
from statemount.web.streams import Watched


class AssetPath(Parameters):
    """An asset, active or not."""

    asset_id: Integer


class AssetKeyPath(AssetPath):
    """A key of an asset."""

    key: Key


_PathT = TypeVar("_PathT", bound=AssetPath)


class PublicAssetEndpoints:
    """Answers for assets, by their ids."""

    def __init__(self, service: StateService, words: Words, max_body_bytes: int) -> None:
        self.words = words
        self._service = service
        self._max_body_bytes = max_body_bytes
        self._entry = asset_entry_with_writer if words.shows_writer else asset_entry

    async def get_page(self, request: Request) -> Response:
        """Return a part of the entries."""
        path, asset, problems = await self._read(request, AssetPath, "state:read")
        query, others = read_query(StatePageQuery, request)
        path, query = checked(path, [*problems, *others]), checked(query, others)
        scope = asset_scope(asset, path.asset_id)
        return await asset_list(request, self._service.assets, scope, query, self.words)

    async def get(self, request: Request) -> Response:
        """Return one entry."""
        path, asset, problems = await self._read(request, AssetKeyPath, "state:read")
        path = checked(path, problems)
        scope = asset_scope(asset, path.asset_id)
        try:
            entry = await self._service.assets.get(scope, path.key)
        except KeyNotFoundError as error:
            raise MissingKeyError(self.words.key, path.key) from error
        return unchanged(request, entry.revision) or entry_response(self._entry(scope, entry), entry)

    async def put(self, request: Request) -> Response:
        """Set a key."""
        path, asset, problems = await self._read(request, AssetKeyPath, "state:write")
        content = await read_content(request, self._max_body_bytes)
        if path is None:
            VALUE_BODY.refuse(content, problems, self._service.limits)
        scope = asset_scope(asset, path.asset_id)
        value, _ = VALUE_BODY.read(content, limits=self._service.limits)
        condition = condition_of(request)
        result = await self._service.assets.set(scope, path.key, value, writer=writer_of(request), condition=condition)
        return written(result.revision)

    async def batch(self, request: Request) -> Response:
        """Do operations on the entries, all or none."""
        path, asset, problems = await self._read(request, AssetPath, "state:write")
        content = await read_content(request, self._max_body_bytes)
        if path is None:
            PUBLIC_ASSET_BATCH.refuse(content, self._service.limits, problems)
        scope = asset_scope(asset, path.asset_id)
        given = PUBLIC_ASSET_BATCH.read(content, self._service.limits)
        operations = operations_of(given, request)
        may_read = self._service.public.check_batch(request.identity, operations, asset=asset)
        condition = condition_of(request)
        outcome = await self._service.assets.batch(scope, operations, writer=writer_of(request), condition=condition)
        return batch_response(scope, given, outcome, may_read=may_read)

    async def patch(self, request: Request) -> Response:
        """Change the value of a key that exists."""
        path, asset, problems = await self._read(request, AssetKeyPath, "state:write")
        if is_merge_patch(request):
            return await self._merge(request, path, asset, problems)
        content = await read_content(request, self._max_body_bytes)
        if path is None:
            VALUE_BODY.refuse(content, problems, self._service.limits)
        scope = asset_scope(asset, path.asset_id)
        value, _ = VALUE_BODY.read(content, limits=self._service.limits)
        condition = condition_of(request)
        try:
            result = await self._service.assets.patch(
                scope, path.key, value, writer=writer_of(request), condition=condition
            )
        except KeyNotFoundError as error:
            raise MissingKeyError(self.words.key, path.key) from error
        return changed(result.revision)

    async def _merge(
        self, request: Request, path: AssetKeyPath | None, asset: Asset | None, problems: list[Problem]
    ) -> Response:
        patch = await read_patch(request, self._max_body_bytes)
        if path is None:
            raise InvalidInputError([*problems, *patch_problems(patch, self._service.limits)])
        scope = asset_scope(asset, path.asset_id)
        condition = condition_of(request)
        try:
            result = await self._service.assets.merge(
                scope, path.key, patch, writer=writer_of(request), condition=condition
            )
        except KeyNotFoundError as error:
            raise MissingKeyError(self.words.key, path.key) from error
        return changed(result.revision)

    async def delete(self, request: Request) -> Response:
        """Remove a key."""
        path, asset, problems = await self._read(request, AssetKeyPath, "state:delete")
        query, others = read_parameters(PurgeQuery, request.query(), "query")
        path, query = checked(path, [*problems, *others]), checked(query, others)
        scope = asset_scope(asset, path.asset_id)
        condition = condition_of(request)
        await self._service.assets.delete(
            scope, path.key, writer=writer_of(request), condition=condition, purge=query.purge
        )
        return NO_CONTENT

    async def clear(self, request: Request) -> Response:
        """Remove every key."""
        path, asset, problems = await self._read(request, AssetPath, "state:delete")
        query, others = read_parameters(PurgeQuery, request.query(), "query")
        path, query = checked(path, [*problems, *others]), checked(query, others)
        scope = asset_scope(asset, path.asset_id)
        condition = condition_of(request)
        await self._service.assets.clear(scope, writer=writer_of(request), condition=condition, purge=query.purge)
        return NO_CONTENT

    async def watched(self, request: Request) -> Watched:
        """Return what is to be watched: every key."""
        path, asset, problems = await self._read(request, AssetPath, "state:read")
        return Watched(asset_scope(asset, checked(path, problems).asset_id), None)

    async def watched_key(self, request: Request) -> Watched:
        """Return what is to be watched: one key."""
        path, asset, problems = await self._read(request, AssetKeyPath, "state:read")
        path = checked(path, problems)
        return Watched(asset_scope(asset, path.asset_id), path.key)

    async def _read(
        self, request: Request, model: type[_PathT], permission: str
    ) -> tuple[_PathT | None, Asset | None, list[Problem]]:
        return await read_asset(self._service, request, model, permission)


async def read_asset(
    service: StateService, request: Request, model: type[_PathT], permission: str
) -> tuple[_PathT | None, Asset | None, list[Problem]]:
    """Return what is addressed, once the caller is known to reach it, and what is wrong with it."""
    path, problems = read_parameters(model, request.parameters, "path")
    asset_id = integer_of(request.parameters["asset_id"]) if path is None else path.asset_id
    asset = await service.public.check_asset(request.identity, permission, asset_id)
    return path, asset, problems
