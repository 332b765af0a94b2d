"""Task state for workers: each reaches its own task instance's."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, NamedTuple, Protocol, TypeVar
from uuid import UUID

from pydantic import Field

from statemount.errors import KeyNotFoundError, NotFoundError, Problem
from statemount.interfaces import Action
from statemount.model import MappedTask, TaskScope, Writer
from statemount.service import StateService
from statemount.service.names import is_plain_key
from statemount.web.batch_bodies import TASK_BATCH
from statemount.web.batches import batch_response, operations_of
from statemount.web.bodies import TASK_BODY, read_content
from statemount.web.conditions import condition_of, condition_on_one_scope, unchanged
from statemount.web.contracts import Words
from statemount.web.entries import value_response
from statemount.web.errors import MissingKeyError
from statemount.web.listing import task_list
from statemount.web.parameters import Key, ListQuery, Parameters, checked, read_parameters, read_query, uuid_of
from statemount.web.patches import patch_problems, read_patch, require_merge_patch
from statemount.web.requests import Request
from statemount.web.responses import NO_CONTENT, Response, written
from statemount.web.streams import Watched


class TaskInstancePath(Parameters):
    """A task instance."""

    task_instance_id: UUID


class TaskInstanceKeyPath(TaskInstancePath):
    """A key of a task instance."""

    key: Key


class AllMapIndicesQuery(Parameters):
    """Whether one map index is meant, or all of them."""

    all_map_indices: Annotated[bool, Field(description="Clear every map index of the task.")] = False


_PathT = TypeVar("_PathT", bound=TaskInstancePath)


class _KeyPath(Protocol):
    """A key of a task instance, read in one way or the other."""

    @property
    def task_instance_id(self) -> UUID: ...

    @property
    def key(self) -> str: ...


class _OwnKeyPath(NamedTuple):
    """A key of the worker's own task instance, with nothing in it that a model would have to look at."""

    task_instance_id: UUID
    key: str


class WorkerTaskEndpoints:
    """Answers for task instances."""

    def __init__(self, service: StateService, words: Words, max_body_bytes: int) -> None:
        self.words = words
        self._service = service
        self._max_body_bytes = max_body_bytes

    async def get(self, request: Request) -> Response:
        """Return the value of a key."""
        path = checked(*self._read_key(request, "read"))
        scope = await self._scope(request, path.task_instance_id)
        try:
            entry = await self._service.tasks.get(scope, path.key)
        except KeyNotFoundError as error:
            raise MissingKeyError(self.words.key, path.key) from error
        return unchanged(request, entry.revision) or value_response(scope, entry)

    async def get_page(self, request: Request) -> Response:
        """Return a part of the entries."""
        path, problems = self._read(request, TaskInstancePath, "read")
        query, others = read_query(ListQuery, request)
        path, query = checked(path, [*problems, *others]), checked(query, others)
        scope = await self._scope(request, path.task_instance_id)
        return await task_list(request, self._service.tasks, scope, query, self.words)

    async def put(self, request: Request) -> Response:
        """Set a key."""
        path, problems = self._read_key(request, "write")
        content = await read_content(request, self._max_body_bytes)
        value, expires_at = TASK_BODY.read(content, problems)
        found = checked(path, problems)
        try:
            scope = await self._scope(request, found.task_instance_id)
        except NotFoundError:
            TASK_BODY.check(value)
            raise
        writer = Writer.of_task(scope)
        condition = condition_of(request)
        result = await self._service.tasks.set(
            scope, found.key, value, expires_at=expires_at, writer=writer, condition=condition
        )
        return written(result.revision)

    async def patch(self, request: Request) -> Response:
        """Change the value of a key that exists; its expiry stays."""
        path, problems = self._read_key(request, "write")
        require_merge_patch(request)
        patch = await read_patch(request, self._max_body_bytes)
        found = checked(path, [*problems, *patch_problems(patch, self._service.limits)])
        scope = await self._scope(request, found.task_instance_id)
        condition = condition_of(request)
        try:
            result = await self._service.tasks.merge(
                scope, found.key, patch, writer=Writer.of_task(scope), condition=condition
            )
        except KeyNotFoundError as error:
            raise MissingKeyError(self.words.key, found.key) from error
        return written(result.revision)

    async def batch(self, request: Request) -> Response:
        """Do operations on the entries, all or none."""
        path, problems = read_parameters(TaskInstancePath, request.parameters, "path")
        workers = self._service.workers
        workers.check_some_action(request.identity, None if path is None else path.task_instance_id)
        content = await read_content(request, self._max_body_bytes)
        given = TASK_BATCH.read(content, self._service.limits, problems)
        path = checked(path, problems)
        operations = operations_of(given, request, self._service.tasks.end_of)
        may_read = workers.check_batch(request.identity, path.task_instance_id, operations)
        scope = await self._scope(request, path.task_instance_id)
        outcome = await self._service.tasks.batch(
            scope, operations, writer=Writer.of_task(scope), condition=condition_of(request)
        )
        return batch_response(scope, given, outcome, may_read=may_read)

    async def delete(self, request: Request) -> Response:
        """Remove a key."""
        path = checked(*self._read_key(request, "delete"))
        scope = await self._scope(request, path.task_instance_id)
        condition = condition_of(request)
        await self._service.tasks.delete(scope, path.key, writer=Writer.of_task(scope), condition=condition)
        return NO_CONTENT

    async def clear(self, request: Request) -> Response:
        """Remove every key of a task instance."""
        path = checked(*self._read(request, TaskInstancePath, "delete"))
        scope = await self._scope(request, path.task_instance_id)
        await self._service.tasks.clear(scope, writer=Writer.of_task(scope), condition=condition_of(request))
        return NO_CONTENT

    async def clear_widely(self, request: Request) -> Response:
        """Remove every key of a task instance, or of all map indices of its task if the query says so."""
        path, problems = self._read(request, TaskInstancePath, "delete")
        query, others = read_parameters(AllMapIndicesQuery, request.query(), "query")
        path, query = checked(path, [*problems, *others]), checked(query, others)
        scope = await self._scope(request, path.task_instance_id)
        target = MappedTask(scope.dag_id, scope.run_id, scope.task_id) if query.all_map_indices else scope
        condition = condition_on_one_scope(request, all_map_indices=query.all_map_indices)
        await self._service.tasks.clear(target, writer=Writer.of_task(scope), condition=condition)
        return NO_CONTENT

    async def watched(self, request: Request) -> Watched:
        """Return what is to be watched: every key of a task instance."""
        path = checked(*self._read(request, TaskInstancePath, "read"))
        return Watched(await self._scope(request, path.task_instance_id), None)

    async def watched_key(self, request: Request) -> Watched:
        """Return what is to be watched: one key."""
        path = checked(*self._read_key(request, "read"))
        return Watched(await self._scope(request, path.task_instance_id), path.key)

    def _read(self, request: Request, model: type[_PathT], action: Action) -> tuple[_PathT | None, list[Problem]]:
        """Return what is addressed and what is wrong with it, once the worker is known to reach it."""
        path, problems = read_parameters(model, request.parameters, "path")
        own = uuid_of(request.parameters["task_instance_id"]) if path is None else path.task_instance_id
        self._service.authorizer.check_task_instance(request.identity, own, action)
        return path, problems

    def _read_key(self, request: Request, action: Action) -> tuple[_KeyPath | None, list[Problem]]:
        """As :meth:`_read`, of one key. The model is left out of the most frequent requests."""
        own, parameters = request.identity.task_instance_id, request.parameters
        if own is None or parameters["task_instance_id"] != request.identity.task_instance_text:
            return self._read(request, TaskInstanceKeyPath, action)
        if not is_plain_key(parameters["key"]):
            return self._read(request, TaskInstanceKeyPath, action)
        self._service.authorizer.check_task_instance(request.identity, own, action)
        return _OwnKeyPath(own, parameters["key"]), []

    def _scope(self, request: Request, task_instance_id: UUID) -> Awaitable[TaskScope]:
        return self._service.workers.task_scope(request.identity, task_instance_id)
