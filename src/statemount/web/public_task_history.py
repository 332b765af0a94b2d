"""The history of task state, for people and services."""

from __future__ import annotations

from statemount.errors import KeyNotFoundError
from statemount.model import TaskScope
from statemount.service import StateService
from statemount.web.bodies import read_content, read_model
from statemount.web.conditions import condition_of
from statemount.web.contracts import Words
from statemount.web.errors import MissingKeyError
from statemount.web.histories import (
    RevertBody,
    TaskHistoryQuery,
    TaskKeyHistoryQuery,
    history_response,
    more_than,
    past_response,
)
from statemount.web.parameters import MapIndexQuery, checked
from statemount.web.public_tasks import TaskKeyPath, TaskPath, read_request, scope_of, writer_of
from statemount.web.requests import Request
from statemount.web.responses import NO_CONTENT, Response, written


class TaskHistoryEndpoints:
    """Answers for the histories of task instances. To read one, nobody asks whether the task instance exists.

    Args:
        words: For errors.
    """

    def __init__(self, service: StateService, words: Words, max_body_bytes: int) -> None:
        self._words = words
        self._service = service
        self._max_body_bytes = max_body_bytes

    async def get_page(self, request: Request) -> Response:
        """Return changes of a task instance's state."""
        self._check(request, "state:read")
        path, query, problems = read_request(request, TaskPath, TaskHistoryQuery)
        path, query = checked(path, problems), checked(query, problems)
        return await self._page(request, scope_of(path, query), None, query)

    async def get(self, request: Request) -> Response:
        """Return changes of one key, or its entry as it was."""
        self._check(request, "state:read")
        path, query, problems = read_request(request, TaskKeyPath, TaskKeyHistoryQuery)
        path, query = checked(path, problems), checked(query, problems)
        scope = scope_of(path, query)
        if not query.asks_for_entry:
            return await self._page(request, scope, path.key, query)
        try:
            entry = await self._service.histories.get(scope, path.key, revision=query.revision, at=query.timestamp)
        except KeyNotFoundError as error:
            raise MissingKeyError(self._words.key, path.key) from error
        return past_response(scope, entry)

    async def _page(
        self, request: Request, scope: TaskScope, key: str | None, query: TaskHistoryQuery | TaskKeyHistoryQuery
    ) -> Response:
        history = await self._service.histories.changes(
            scope, key=key, before=query.before, limit=more_than(query.limit)
        )
        return history_response(request, scope, history, query.limit)

    async def revert(self, request: Request) -> Response:
        """Bring an entry back as it was."""
        self._check(request, "state:read")
        self._check(request, "state:write")
        content = await read_content(request, self._max_body_bytes)
        path, query, problems = read_request(request, TaskKeyPath, MapIndexQuery)
        if path is None or query is None:
            read_model(RevertBody, content, problems)
        path, query = checked(path, problems), checked(query, problems)
        scope = scope_of(path, query)
        await self._service.public.require_task_instance(request.identity, scope)
        revision = read_model(RevertBody, content).revision
        condition = condition_of(request)
        entry = await self._service.histories.find(scope, path.key, revision=revision, place="body")
        if entry is None:
            self._check(request, "state:delete")
        result = await self._service.histories.restore(
            scope, path.key, entry, writer=writer_of(request), condition=condition
        )
        return NO_CONTENT if entry is None else written(result.revision)

    def _check(self, request: Request, permission: str) -> None:
        self._service.public.check(request.identity, permission, dag_id=request.parameters["dag_id"])
