"""The OpenAPI 3.1 document of a route set, made from the table of its operations and the models that validate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeGuard

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from typing_extensions import override

from statemount.errors import ConfigurationError
from statemount.web.answers import (
    HTTPExceptionResponse,
    HTTPValidationError,
    ProblemDetails,
    ReasonedResponse,
    ValidationProblemDetails,
)
from statemount.web.operations import Answer, ApiOperation
from statemount.web.parameters import NoParameters, Parameters, Place
from statemount.web.patches import MERGE_PATCH, MergePatch
from statemount.web.variants import LIST, WATCH
from statemount.web.watching import LAST_EVENT_ID, WatchQuery

Json: TypeAlias = dict[str, Any]

OPENAPI_VERSION = "3.1.0"

BEARER = "Bearer"
"""What the security scheme is called."""

_REF = "#/components/schemas/{model}"

_BEARER_SCHEME: Json = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "A token, unless the host of this app has replaced how callers are authenticated.",
}
_CHALLENGE: Json = {
    "WWW-Authenticate": {"description": "What is wanted: Bearer.", "schema": {"type": "string"}},
}
_ACCEPTED: Json = {
    "Accept-Patch": {"description": "The kinds of patch that the route takes.", "schema": {"type": "string"}},
}
_ETAG: Json = {
    "ETag": {"description": "The revision, as a strong entity tag.", "schema": {"type": "string"}},
}
_LINK: Json = {
    "Link": {"description": 'Where the list goes on, if it does: <?...>; rel="next".', "schema": {"type": "string"}},
}
_CONDITIONS: tuple[Json, ...] = (
    {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "Go ahead at one of these revisions only; *: if there is one. Weak tags never match.",
        "schema": {"type": "string"},
    },
    {
        "name": "If-None-Match",
        "in": "header",
        "required": False,
        "description": "Go ahead at none of these revisions; *: if there is none.",
        "schema": {"type": "string"},
    },
)
_LAST_EVENT_ID: Json = {
    "name": LAST_EVENT_ID.title(),
    "in": "header",
    "required": False,
    "description": "Of a watch: the revision up to which the client knows everything. Without it, the first event says "
    "where the watch begins.",
    "schema": {"type": "integer", "minimum": 0},
}
_EVENTS: Json = {
    "schema": {"type": "string", "description": "Server-sent events, whose ids are revisions and whose data is JSON."}
}
_TOO_MANY_WATCHES = Answer(429, "Too many watches of the caller are open.", HTTPExceptionResponse)
_RETRY: Json = {
    "Retry-After": {"description": "Seconds after which to try again.", "schema": {"type": "integer", "minimum": 0}},
}


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An answer that many operations can have.

    Args:
        name: Of the component.
        headers: Header objects by name.
    """

    name: str
    answer: Answer
    headers: Json | None = None


_UNREADABLE = _Refusal(
    "UnreadableBody",
    Answer(400, "The body cannot be decoded, or a condition is no list of entity tags.", HTTPExceptionResponse),
)
_MALFORMED = _Refusal(
    "MalformedCondition", Answer(400, "A condition is no list of entity tags.", HTTPExceptionResponse)
)
_UNAUTHORIZED = _Refusal(
    "Unauthorized", Answer(401, "No usable credentials were shown.", HTTPExceptionResponse), _CHALLENGE
)
_FORBIDDEN = _Refusal(
    "Forbidden", Answer(403, "The credentials are not accepted, or do not allow this.", HTTPExceptionResponse)
)
_LATE = _Refusal(
    "LateBody", Answer(408, "The body has not arrived in time. Nothing was changed.", HTTPExceptionResponse)
)
_TOO_LARGE = _Refusal(
    "TooLarge", Answer(413, "The body, or what would be stored of it, is too large.", HTTPExceptionResponse)
)
_UNSUPPORTED = _Refusal(
    "UnsupportedPatch", Answer(415, "The body is no patch of a kind that is taken.", HTTPExceptionResponse), _ACCEPTED
)
_INVALID = _Refusal(
    "InvalidInput", Answer(422, "The request holds something that is not acceptable.", HTTPValidationError)
)
_UNAVAILABLE = _Refusal(
    "Unavailable",
    Answer(
        503,
        "It cannot be done now. Nothing was changed, unless the reason is write_outcome_unknown: "
        "the write may have been done then.",
        ReasonedResponse,
    ),
    _RETRY,
)
_REFUSALS = (
    _UNREADABLE,
    _MALFORMED,
    _UNAUTHORIZED,
    _FORBIDDEN,
    _LATE,
    _TOO_LARGE,
    _UNSUPPORTED,
    _INVALID,
    _UNAVAILABLE,
)


class _Schemas(GenerateJsonSchema):
    """Leaves out titles that only repeat a field's name."""

    @override
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


_Mode: TypeAlias = Literal["validation", "serialization"]


def openapi_document(operations: Sequence[ApiOperation], *, title: str, version: str, description: str) -> Json:
    """Return the document of operations, with their paths as the table has them and without ``servers``.

    Args:
        version: Of the API.
    """
    models: set[tuple[type[BaseModel], _Mode]] = {
        (ProblemDetails, "serialization"),
        (ValidationProblemDetails, "serialization"),
    }
    models.update((operation.body, "validation") for operation in operations if operation.body is not None)
    if any(operation.takes_merge_patch for operation in operations):
        models.add((MergePatch, "validation"))
    answers = [answer for operation in operations for answer in operation.answers]
    answers += [refusal.answer for refusal in _REFUSALS]
    models.update((model, "serialization") for model in (answer.model for answer in answers) if _is_model(model))
    ordered = sorted(models, key=lambda one: (one[0].__name__, one[1]))
    references, schemas = models_json_schema(ordered, ref_template=_REF, schema_generator=_Schemas)
    writer = _Writer({model: reference for (model, _), reference in references.items()})
    paths: Json = {}
    for operation in sorted(operations, key=_is_watch):
        described = paths.setdefault(path_of(operation), {})
        if operation.method == WATCH:  # where there is one, there is a GET or a list
            writer.add_watch(described["get"])
        else:
            described[_METHODS.get(operation.method, operation.method).lower()] = writer.operation(operation)
    return {
        "openapi": OPENAPI_VERSION,
        "info": {"title": title, "version": version, "description": description},
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "responses": {refusal.name: writer.answer(refusal.answer, refusal.headers) for refusal in _REFUSALS},
            "securitySchemes": {BEARER: _BEARER_SCHEME},
        },
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
    }


def _is_watch(operation: ApiOperation) -> bool:
    return operation.method == WATCH


_METHODS = {LIST: "GET"}
"""The methods that requests of a special kind really have."""

_PARAMETER = re.compile(r"\{(\w+)(?::(\w+))?\}")
_KINDS = {
    "path": "The rest of the path: a slash stands as it is, or as %2F.",
    "encoded": "A slash stands as %2F.",
}


def path_of(operation: ApiOperation) -> str:
    """Return the path of an operation as OpenAPI writes it."""
    return _PARAMETER.sub(r"{\1}", operation.path)


class _Writer:
    """Describes operations.

    Args:
        references: To the schemas of models.
    """

    def __init__(self, references: Mapping[Any, Json]) -> None:
        self._references = references

    def operation(self, operation: ApiOperation) -> Json:
        """Return an operation object."""
        described: Json = {
            "operationId": operation.operation_id,
            "summary": operation.summary,
            "tags": [operation.tag],
            "responses": dict(sorted(self._answers(operation))),
        }
        sentences = [operation.description] if operation.description else []
        if operation.permissions:
            named = " and ".join(f"`{permission}`" for permission in operation.permissions)
            sentences.append(f"Needs the permission{'s' if operation.further_permissions else ''} {named}.")
        if sentences:
            described["description"] = " ".join(sentences)
        parameters = [*_parameters(operation.path_parameters, "path"), *_parameters(operation.query, "query")]
        kinds = {name: _KINDS[kind] for name, kind in _PARAMETER.findall(operation.path) if kind}
        for parameter in parameters:
            if parameter["in"] == "path" and parameter["name"] in kinds:
                parameter["description"] = kinds[parameter["name"]]
        if any(answer.status == 412 for answer in operation.answers):
            parameters += _CONDITIONS
        if parameters:
            described["parameters"] = parameters
        if operation.takes_body:
            content: Json = {}
            if operation.body is not None:
                content["application/json"] = {"schema": self._references[operation.body]}
            if operation.takes_merge_patch:
                content[MERGE_PATCH] = {"schema": self._references[MergePatch]}
            described["requestBody"] = {"required": True, "content": content}
        if operation.needs_authentication:
            described["security"] = [{BEARER: [*operation.permissions]}]
        return described

    def add_watch(self, described: Json) -> None:
        """Add to an operation object that it can be watched what it gets.

        The events are no content of its answer: a client that is generated would have to tell them from an entry.
        """
        watching = "With `Accept: text/event-stream` it is watched: see the page *Watch* of the documentation."
        described["description"] = " ".join(filter(None, [described.get("description"), watching]))
        parameters = [_LAST_EVENT_ID, *_parameters(WatchQuery, "query")]
        described["parameters"] = [*described.get("parameters", ()), *parameters]
        described["x-watch"] = {"content": {"text/event-stream": _EVENTS}}
        described["responses"]["429"] = self.answer(_TOO_MANY_WATCHES, _RETRY)
        described["responses"] = dict(sorted(described["responses"].items()))

    def answer(self, answer: Answer, headers: Json | None = None) -> Json:
        """Return a response object."""
        described: Json = {"description": answer.description}
        if headers:
            described["headers"] = headers
        if answer.model is not None:
            schema = self._references[answer.model] if _is_model(answer.model) else {"type": "null"}
            described["content"] = {"application/json": {"schema": schema}}
            if answer.status >= 400:
                problem = ValidationProblemDetails if answer.status == 422 else ProblemDetails
                described["content"]["application/problem+json"] = {"schema": self._references[problem]}
        return described

    def _answers(self, operation: ApiOperation) -> Iterator[tuple[str, Json]]:
        own = {answer.status for answer in operation.answers}
        for refusal in _refusals(operation):
            if refusal.answer.status not in own:
                yield str(refusal.answer.status), {"$ref": f"#/components/responses/{refusal.name}"}
        for answer in operation.answers:
            headers = {
                **(_ETAG if answer.has_etag else {}),
                **(_LINK if answer.has_link else {}),
                **(_RETRY if answer.status == 503 else {}),
            }
            yield str(answer.status), self.answer(answer, headers)


def _refusals(operation: ApiOperation) -> Iterator[_Refusal]:
    if operation.needs_authentication:
        yield from (_UNAUTHORIZED, _FORBIDDEN, _UNAVAILABLE)
    if operation.takes_merge_patch:
        yield _UNSUPPORTED
    if operation.takes_body:
        yield from (_UNREADABLE, _LATE, _TOO_LARGE)
    elif any(answer.status == 412 for answer in operation.answers):
        yield _MALFORMED
    if operation.takes_body or {operation.path_parameters, operation.query} != {NoParameters}:
        yield _INVALID


def _parameters(model: type[Parameters], place: Place) -> Iterator[Json]:
    schema = model.model_json_schema(ref_template=_REF, schema_generator=_Schemas)
    for name, described in schema.get("properties", {}).items():
        parameter: Json = {"name": name, "in": place, "required": name in schema.get("required", ())}
        text = described.pop("description", None)
        if text is not None:
            parameter["description"] = text
        yield {**parameter, "schema": described}


def _is_model(model: type[Any] | None) -> TypeGuard[type[BaseModel]]:
    return model is not None and issubclass(model, BaseModel)


def renamed(document: Json, *, components: str, operations: str) -> Json:
    """Return a document whose components and operation ids begin with something else.

    Args:
        components: What the name of every component begins with.
        operations: What every operation id begins with.
    """

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(one) for one in node]
        if not isinstance(node, dict):
            return node
        changed = {key: walk(value) for key, value in node.items()}
        if isinstance(node.get("$ref"), str):
            kind, _, name = node["$ref"].rpartition("/")
            changed["$ref"] = f"{kind}/{components}{name}"
        if isinstance(node.get("operationId"), str):
            changed["operationId"] = operations + node["operationId"]
        if isinstance(node.get("security"), list):
            changed["security"] = [
                {components + name: needs for name, needs in one.items()} for one in node["security"]
            ]
        return changed

    walked: Json = walk(document)
    walked["components"] = {
        kind: {components + name: component for name, component in named.items()}
        for kind, named in walked["components"].items()
    }
    return walked


def merged(host: Mapping[str, Any], documents: Iterable[tuple[str, Json]]) -> Json:
    """Return a host's document with further documents in it. None of them is changed.

    Args:
        documents: Each with what its paths begin with in the host.

    Raises:
        ConfigurationError: The host's document is not OpenAPI 3.1, or it has one of the names or paths with another
            meaning.
    """
    if not str(host.get("openapi")).startswith("3.1."):
        raise ConfigurationError(f"the document is OpenAPI {host.get('openapi')}: 3.1 is needed")
    paths = dict(host.get("paths", {}))
    components = {kind: dict(named) for kind, named in host.get("components", {}).items()}
    tags = list(host.get("tags", []))
    for prefix, document in documents:
        _add(paths, {prefix + path: item for path, item in document["paths"].items()}, "path")
        for kind, named in document["components"].items():
            _add(components.setdefault(kind, {}), named, "component")
        tags += [tag for tag in document["tags"] if tag["name"] not in {known["name"] for known in tags}]
    return {**host, "paths": paths, "components": components, "tags": tags}


def _add(known: Json, further: Json, what: str) -> None:
    for name, value in further.items():
        if known.setdefault(name, value) != value:
            raise ConfigurationError(f"the document has the {what} {name!r} already")
