"""Who is asking, and what they can be refused by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeGuard
from uuid import UUID

from statemount.json_values import is_unicode


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking, verified.

    Args:
        subject: The token's ``sub``, or the host's name for its user.
        task_instance_id: For a worker: its task instance; None for a watcher or on the public route set.
        is_watcher: A trigger without a task instance (execution route set only).
        permissions: For the public route set: ``state:read``, ``state:write``, ``state:delete``,
            ``directory:read``, ``directory:write``.
        claims: The token's claims, read-only; empty for a host's own identity unless it gives some.
        expires_at: When the credentials end, seconds since the epoch; None = unknown.
        issued_at: When they were issued, seconds since the epoch; None = unknown.

    Attributes:
        task_instance_text: The usual text of ``task_instance_id``; empty if there is none.
    """

    subject: str
    task_instance_id: UUID | None = None
    is_watcher: bool = False
    permissions: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), hash=False, compare=False)
    expires_at: float | None = None
    issued_at: float | None = None
    task_instance_text: str = field(init=False, repr=False, hash=False, compare=False)

    def __post_init__(self) -> None:
        text = "" if self.task_instance_id is None else str(self.task_instance_id)
        # One text instead of two, for thousands are remembered.
        object.__setattr__(self, "task_instance_text", self.subject if self.subject == text else text)

    @property
    def credentials(self) -> Sequence[Credential]:
        """What it can be refused by: its token, the one that this was renewed from, its task instance."""
        tokens = (self.claims.get(name) for name in ("jti", "origin_jti"))
        found = [Credential.token(jti) for jti in tokens if _is_jti(jti)]
        if self.task_instance_id is not None:
            found.append(Credential.task_instance(self.task_instance_id))
        return found


def _is_jti(value: object) -> TypeGuard[str]:
    """Tell whether a claim is one by which a token can be revoked."""
    return isinstance(value, str) and 0 < len(value) <= MAX_JTI_LENGTH and "\0" not in value and is_unicode(value)


MAX_JTI_LENGTH = 250
"""Longest ``jti`` by which a token can be revoked, in characters."""


class Credential(NamedTuple):
    """Something by which an identity can be refused before its time.

    Args:
        kind: ``token`` (its ``jti``) or ``task_instance``.
        name: The ``jti``, or the UUID as text.
    """

    kind: Literal["token", "task_instance"]
    name: str

    @classmethod
    def token(cls, jti: str) -> Credential:
        """Return the credential of one token, and of what it is renewed to."""
        return cls("token", jti)

    @classmethod
    def task_instance(cls, task_instance_id: UUID) -> Credential:
        """Return the credential of every token of a task instance."""
        return cls("task_instance", str(task_instance_id))
