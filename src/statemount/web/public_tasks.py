"""Task state for people and services."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import Field

from statemount.errors import InvalidInputError, KeyNotFoundError, Problem
from statemount.model import MappedTask, TaskScope, Writer
from statemount.service import StateService
from statemount.service.expiry import DEFAULT
from statemount.web.batch_bodies import PUBLIC_TASK_BATCH
from statemount.web.batches import batch_response, operations_of
from statemount.web.bodies import PUBLIC_TASK_BODY, VALUE_BODY, read_content
from statemount.web.conditions import condition_of, condition_on_one_scope, unchanged
from statemount.web.contracts import Words
from statemount.web.entries import entry_response, task_entry
from statemount.web.errors import MissingKeyError
from statemount.web.listing import task_list
from statemount.web.parameters import (
    Id,
    Key,
    MapIndexQuery,
    Parameters,
    ParametersT,
    PurgeQuery,
    StatePageQuery,
    checked,
    read_parameters,
    read_query,
)
from statemount.web.patches import is_merge_patch, patch_problems, read_patch
from statemount.web.requests import Request
from statemount.web.responses import NO_CONTENT, Response, changed, written
from statemount.web.streams import Watched


class TaskPath(Parameters):
    """A task in a run of a dag."""

    dag_id: Id
    dag_run_id: Id
    task_id: Id


class TaskKeyPath(TaskPath):
    """A key of a task."""

    key: Key


class TaskPageQuery(StatePageQuery, MapIndexQuery):
    """Which part of a task instance's list is wanted."""


class DeleteQuery(PurgeQuery, MapIndexQuery):
    """Which of a mapped task's instances has the key, and what of it is remembered."""


class ClearQuery(DeleteQuery):
    """Which of a mapped task's instances is cleared."""

    all_map_indices: Annotated[
        bool, Field(description="Clear every map index of the task; map_index is then unused.")
    ] = False


_PathT = TypeVar("_PathT", bound=TaskPath)


class PublicTaskEndpoints:
    """Answers for task instances, by dag, run, task and map index."""

    def __init__(self, service: StateService, words: Words, max_body_bytes: int) -> None:
        self.words = words
        self._service = service
        self._max_body_bytes = max_body_bytes

    async def get_page(self, request: Request) -> Response:
        """Return a part of the entries. Nobody asks whether the task instance exists."""
        self._check(request, "state:read")
        path, query = self._read(request, TaskPath, TaskPageQuery)
        scope = scope_of(path, query)
        return await task_list(request, self._service.tasks, scope, query, self.words)

    async def get(self, request: Request) -> Response:
        """Return one entry. Nobody asks whether the task instance exists."""
        self._check(request, "state:read")
        path, query = self._read(request, TaskKeyPath, MapIndexQuery)
        scope = scope_of(path, query)
        try:
            entry = await self._service.tasks.get(scope, path.key)
        except KeyNotFoundError as error:
            raise MissingKeyError(self.words.key, path.key) from error
        return unchanged(request, entry.revision) or entry_response(task_entry(scope, entry), entry)

    async def put(self, request: Request) -> Response:
        """Set a key, its expiry included."""
        self._check(request, "state:write")
        content = await read_content(request, self._max_body_bytes)
        path, query, problems = read_request(request, TaskKeyPath, MapIndexQuery)
        if path is None or query is None:
            PUBLIC_TASK_BODY.refuse(content, problems, self._service.limits)
        scope = scope_of(path, query)
        await self._service.public.require_task_instance(request.identity, scope)
        value, expires_at = PUBLIC_TASK_BODY.read(content, limits=self._service.limits)
        condition = condition_of(request)
        result = await self._service.tasks.set(
            scope, path.key, value, expires_at=expires_at, writer=writer_of(request), condition=condition
        )
        return written(result.revision)

    async def batch(self, request: Request) -> Response:
        """Do operations on the entries, all or none."""
        self._check(request, "state:write")
        content = await read_content(request, self._max_body_bytes)
        path, query, problems = read_request(request, TaskPath, MapIndexQuery)
        if path is None or query is None:
            PUBLIC_TASK_BATCH.refuse(content, self._service.limits, problems)
        scope = scope_of(path, query)
        await self._service.public.require_task_instance(request.identity, scope)
        given = PUBLIC_TASK_BATCH.read(content, self._service.limits)
        operations = operations_of(given, request, self._service.tasks.end_of, DEFAULT)
        may_read = self._service.public.check_batch(request.identity, operations, dag_id=path.dag_id)
        condition = condition_of(request)
        outcome = await self._service.tasks.batch(scope, operations, writer=writer_of(request), condition=condition)
        return batch_response(scope, given, outcome, may_read=may_read)

    async def patch(self, request: Request) -> Response:
        """Change the value of a key that exists; its expiry stays."""
        self._check(request, "state:write")
        if is_merge_patch(request):
            return await self._merge(request)
        content = await read_content(request, self._max_body_bytes)
        path, query, problems = read_request(request, TaskKeyPath, MapIndexQuery)
        if path is None or query is None:
            VALUE_BODY.refuse(content, problems, self._service.limits)
        scope = scope_of(path, query)
        await self._service.public.require_task_instance(request.identity, scope)
        value, _ = VALUE_BODY.read(content, limits=self._service.limits)
        condition = condition_of(request)
        try:
            result = await self._service.tasks.patch(
                scope, path.key, value, writer=writer_of(request), condition=condition
            )
        except KeyNotFoundError as error:
            raise MissingKeyError(self.words.key, path.key) from error
        return changed(result.revision)

    async def _merge(self, request: Request) -> Response:
        patch = await read_patch(request, self._max_body_bytes)
        path, query, problems = read_request(request, TaskKeyPath, MapIndexQuery)
        if path is None or query is None:
            raise InvalidInputError([*problems, *patch_problems(patch, self._service.limits)])
        scope = scope_of(path, query)
        await self._service.public.require_task_instance(request.identity, scope)
        condition = condition_of(request)
        try:
            result = await self._service.tasks.merge(
                scope, path.key, patch, writer=writer_of(request), condition=condition
            )
        except KeyNotFoundError as error:
            raise MissingKeyError(self.words.key, path.key) from error
        return changed(result.revision)

    async def delete(self, request: Request) -> Response:
        """Remove a key."""
        self._check(request, "state:delete")
        path, query = self._read(request, TaskKeyPath, DeleteQuery)
        scope = scope_of(path, query)
        await self._service.public.require_task_instance(request.identity, scope)
        condition = condition_of(request)
        await self._service.tasks.delete(
            scope, path.key, writer=writer_of(request), condition=condition, purge=query.purge
        )
        return NO_CONTENT

    async def clear(self, request: Request) -> Response:
        """Remove every key of a task instance, or of all map indices of a task."""
        self._check(request, "state:delete")
        path, query = self._read(request, TaskPath, ClearQuery)
        scope = scope_of(path, query)
        target = MappedTask(scope.dag_id, scope.run_id, scope.task_id) if query.all_map_indices else scope
        await self._service.public.require_task_instance(request.identity, target)
        condition = condition_on_one_scope(request, all_map_indices=query.all_map_indices)
        await self._service.tasks.clear(target, writer=writer_of(request), condition=condition, purge=query.purge)
        return NO_CONTENT

    async def watched(self, request: Request) -> Watched:
        """Return what is to be watched: every key. Nobody asks whether the task instance exists."""
        self._check(request, "state:read")
        return Watched(scope_of(*self._read(request, TaskPath, MapIndexQuery)), None)

    async def watched_key(self, request: Request) -> Watched:
        """Return what is to be watched: one key. Nobody asks whether the task instance exists."""
        self._check(request, "state:read")
        path, query = self._read(request, TaskKeyPath, MapIndexQuery)
        return Watched(scope_of(path, query), path.key)

    def _check(self, request: Request, permission: str) -> None:
        self._service.public.check(request.identity, permission, dag_id=request.parameters["dag_id"])

    @staticmethod
    def _read(request: Request, path_model: type[_PathT], query_model: type[ParametersT]) -> tuple[_PathT, ParametersT]:
        path, query, problems = read_request(request, path_model, query_model)
        return checked(path, problems), checked(query, problems)


def read_request(
    request: Request, path_model: type[_PathT], query_model: type[ParametersT]
) -> tuple[_PathT | None, ParametersT | None, list[Problem]]:
    """Return what a request addresses, and what is wrong with it."""
    path, problems = read_parameters(path_model, request.parameters, "path")
    query, others = read_query(query_model, request)
    return path, query, [*problems, *others]


def scope_of(path: TaskPath, query: MapIndexQuery) -> TaskScope:
    """Return the scope of a task instance."""
    return TaskScope(path.dag_id, path.dag_run_id, path.task_id, query.map_index)


def writer_of(request: Request) -> Writer:
    """Return the writer of what the caller writes."""
    return Writer("api", subject=request.identity.subject)
