"""The operations of the HTTP API, described once: for the router, for whoever validates, and for the OpenAPI document.

Each route set has one table of them. The models in it are those that its endpoints read requests with.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import BaseModel

from statemount.web.parameters import NoParameters, Parameters
from statemount.web.requests import Request
from statemount.web.responses import Response
from statemount.web.routing import Router

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of an operation.

    Args:
        model: Of the body: a pydantic model, or None if it is empty (``type(None)``: it is ``null``).
        has_etag: Whether it carries a revision.
        has_link: Whether it may name a part that follows.
    """

    status: int
    description: str
    model: type[Any] | None = None
    has_etag: bool = False
    has_link: bool = False


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """One method of one path.

    Args:
        method: Of HTTP, or one of :data:`~statemount.web.variants.VARIANTS`.
        path: Below its route set, as :meth:`~statemount.web.routing.Router.add` takes it.
        operation_id: Airflow's, where Airflow has the operation. Unique in its route set.
        summary: A few words.
        description: More of them.
        tag: The group that it is shown in.
        endpoint: What answers.
        path_parameters: Of the path.
        query: Of the query.
        body: Of the request, as ``application/json``; None = it takes none.
        takes_merge_patch: Whether the request may be a merge patch, besides or in place of a body.
        answers: Besides those that every operation can have; the successful one first. With 412 among them, the
            request may have conditions.
        permission: What the caller's identity must have; None = the operation knows more than a name.
        further_permissions: What it must have besides.
        needs_authentication: Whether anybody is asked who they are.
    """

    method: str
    path: str
    operation_id: str
    summary: str
    tag: str
    endpoint: Endpoint
    answers: tuple[Answer, ...]
    path_parameters: type[Parameters] = NoParameters
    query: type[Parameters] = NoParameters
    body: type[BaseModel] | None = None
    permission: str | None = None
    description: str = ""
    needs_authentication: bool = True
    takes_merge_patch: bool = False
    further_permissions: tuple[str, ...] = ()

    @property
    def takes_body(self) -> bool:
        """Whether the request has a body."""
        return self.body is not None or self.takes_merge_patch

    @property
    def permissions(self) -> tuple[str, ...]:
        """All that the caller's identity must have."""
        return () if self.permission is None else (self.permission, *self.further_permissions)


def router_of(operations: Iterable[ApiOperation]) -> Router[Endpoint]:
    """Return what finds these operations."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for operation in operations:
        endpoints = by_path.setdefault(operation.path, {})
        if operation.method in endpoints:
            raise ValueError(f"{operation.method} {operation.path} is described twice")
        endpoints[operation.method] = operation.endpoint
    router: Router[Endpoint] = Router()
    for path, endpoints in by_path.items():
        router.add(path, endpoints)
    return router
