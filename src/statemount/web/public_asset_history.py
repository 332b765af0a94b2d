"""The history of asset state, for people and services."""

from __future__ import annotations

from statemount.errors import KeyNotFoundError
from statemount.model import AssetScope
from statemount.service import StateService
from statemount.service.public import asset_scope
from statemount.web.bodies import read_content, read_model
from statemount.web.conditions import condition_of
from statemount.web.contracts import Words
from statemount.web.errors import MissingKeyError
from statemount.web.histories import KeyHistoryQuery, RevertBody, history_response, more_than, past_response
from statemount.web.parameters import HistoryQuery, checked, read_parameters
from statemount.web.public_assets import AssetKeyPath, AssetPath, read_asset
from statemount.web.public_tasks import writer_of
from statemount.web.requests import Request
from statemount.web.responses import NO_CONTENT, Response, written


class AssetHistoryEndpoints:
    """Answers for the histories of assets, by their ids.

    Args:
        words: For errors.
    """

    def __init__(self, service: StateService, words: Words, max_body_bytes: int) -> None:
        self._words = words
        self._service = service
        self._max_body_bytes = max_body_bytes

    async def get_page(self, request: Request) -> Response:
        """Return changes of an asset's state."""
        path, asset, problems = await read_asset(self._service, request, AssetPath, "state:read")
        query, others = read_parameters(HistoryQuery, request.query(), "query")
        path, query = checked(path, [*problems, *others]), checked(query, others)
        return await self._page(request, asset_scope(asset, path.asset_id), None, query)

    async def get(self, request: Request) -> Response:
        """Return changes of one key, or its entry as it was."""
        path, asset, problems = await read_asset(self._service, request, AssetKeyPath, "state:read")
        query, others = read_parameters(KeyHistoryQuery, request.query(), "query")
        path, query = checked(path, [*problems, *others]), checked(query, others)
        scope = asset_scope(asset, path.asset_id)
        if not query.asks_for_entry:
            return await self._page(request, scope, path.key, query)
        try:
            entry = await self._service.histories.get(scope, path.key, revision=query.revision, at=query.timestamp)
        except KeyNotFoundError as error:
            raise MissingKeyError(self._words.key, path.key) from error
        return past_response(scope, entry)

    async def _page(self, request: Request, scope: AssetScope, key: str | None, query: HistoryQuery) -> Response:
        history = await self._service.histories.changes(
            scope, key=key, before=query.before, limit=more_than(query.limit)
        )
        return history_response(request, scope, history, query.limit)

    async def revert(self, request: Request) -> Response:
        """Bring an entry back as it was."""
        await read_asset(self._service, request, AssetKeyPath, "state:read")
        path, asset, problems = await read_asset(self._service, request, AssetKeyPath, "state:write")
        content = await read_content(request, self._max_body_bytes)
        if path is None:
            read_model(RevertBody, content, problems)
        path = checked(path, problems)
        scope = asset_scope(asset, path.asset_id)
        revision = read_model(RevertBody, content).revision
        condition = condition_of(request)
        entry = await self._service.histories.find(scope, path.key, revision=revision, place="body")
        if entry is None:
            await read_asset(self._service, request, AssetKeyPath, "state:delete")
        result = await self._service.histories.restore(
            scope, path.key, entry, writer=writer_of(request), condition=condition
        )
        return NO_CONTENT if entry is None else written(result.revision)
