"""Merge patches (RFC 7396) in requests: what is one, and how it is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import ConfigDict, RootModel

from statemount.errors import InvalidInputError, Problem
from statemount.model import JsonValue
from statemount.service.limits import ValueLimits
from statemount.web.bodies import EMPTY, essence_of, read_content
from statemount.web.errors import UnsupportedPatchError
from statemount.web.requests import Request

MERGE_PATCH = "application/merge-patch+json"
"""The media type of a merge patch."""

_WORKERS_ACCEPT = MERGE_PATCH
_PUBLIC_ACCEPTS = f"application/json, {MERGE_PATCH}"


class MergePatch(RootModel[dict[str, Any]]):
    """Names with null are removed, the others set, objects one by one (RFC 7396)."""

    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=True)


def is_merge_patch(request: Request) -> bool:
    """Tell whether the body of a PATCH of the public API is a merge patch, and not an object with a value.

    Raises:
        UnsupportedPatchError: It is a patch of another kind.
    """
    essence = essence_of(request.content_type)
    if essence == MERGE_PATCH:
        return True
    if essence.startswith("application/") and essence.endswith("+json") and "patch" in essence:
        raise UnsupportedPatchError(_PUBLIC_ACCEPTS)
    return False


def require_merge_patch(request: Request) -> None:
    """Refuse the body of a worker's PATCH unless it is a merge patch.

    Raises:
        UnsupportedPatchError: It is something else.
    """
    if essence_of(request.content_type) != MERGE_PATCH:
        raise UnsupportedPatchError(_WORKERS_ACCEPT)


async def read_patch(request: Request, max_bytes: int) -> JsonValue:
    """Return the patch in a body.

    Raises:
        UnreadableBodyError: The body cannot be decoded.
        InvalidInputError: It is no JSON, or there is none.
        TooLargeError: It is longer than ``max_bytes``.
        ClientDisconnectedError: The client went away.
    """
    patch = await read_content(request, max_bytes, loc=("body",), empty=EMPTY)
    if patch is EMPTY:
        raise InvalidInputError([Problem("missing", ("body",), "Field required")])
    return patch


def patch_problems(patch: JsonValue, limits: ValueLimits) -> Sequence[Problem]:
    """Return what is wrong with a patch."""
    try:
        limits.patch_text(patch)
    except InvalidInputError as error:
        return error.problems
    return ()
