"""Watching over HTTP: a GET whose ``Accept`` names server-sent events."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from statemount.errors import InvalidInputError, Problem
from statemount.interfaces import Clock, RouteSet
from statemount.watching.watches import Watches
from statemount.web.operations import Endpoint
from statemount.web.parameters import MAX_INTEGER, Integer, Parameters, read_parameters
from statemount.web.requests import Request
from statemount.web.responses import Response
from statemount.web.streams import EventStream, Locate

LAST_EVENT_ID = "last-event-id"


class WatchQuery(Parameters):
    """From where on somebody wants to be told."""

    last_event_id: Annotated[
        Integer | None,
        Field(ge=0, le=MAX_INTEGER, description="As the header Last-Event-ID, which comes first."),
    ] = None


class Watching:
    """Makes endpoints that answer with the events of a watch.

    Args:
        route_set: Each has its own callers.
        clock: Says when credentials have expired.
    """

    def __init__(self, watches: Watches, route_set: RouteSet, clock: Clock) -> None:
        self._watches = watches
        self._route_set = route_set
        self._clock = clock

    def endpoint(self, locate: Locate) -> Endpoint:
        """Return the endpoint for what can be located like this."""

        async def watch(request: Request) -> Response:
            watched = await locate(request)
            after = _last_event_id(request)
            if request.method == "HEAD":
                return EventStream(request, None, watched, locate, self._clock)
            owner = f"{self._route_set} {request.identity.subject}"
            opened = await self._watches.watch(watched.scope, key=watched.key, after=after, owner=owner)
            return EventStream(request, opened, watched, locate, self._clock)

        return watch


def _last_event_id(request: Request) -> int | None:
    """Return the revision up to which the client knows everything, or None if it does not say.

    Raises:
        InvalidInputError: It is no revision.
    """
    given = request.header(LAST_EVENT_ID.encode())
    if given:
        text = given.decode("latin-1")
        query, problems = read_parameters(WatchQuery, {"last_event_id": text}, "query")
        if query is None:
            raise InvalidInputError([_in_header(problem) for problem in problems])
        return query.last_event_id
    query, problems = read_parameters(WatchQuery, request.query(), "query")
    if query is None:
        raise InvalidInputError(problems)
    return query.last_event_id


def _in_header(problem: Problem) -> Problem:
    return Problem(problem.type, ("header", LAST_EVENT_ID), problem.msg, problem.input, problem.ctx)
