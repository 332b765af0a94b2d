"""The pieces that a host may replace. The docstring of an abstract method is its contract.

Nothing here knows an implementation, HTTP bodies or SQL. Every method that waits is called on the event loop of
one runtime; an object that keeps connections opens them in :meth:`Resource.open` and gives them back in
:meth:`Resource.close`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias, TypeGuard
from uuid import UUID

from statemount.model import (
    Access,
    Asset,
    AssetScope,
    Change,
    Columns,
    Entry,
    EntryColumn,
    History,
    LogTail,
    MappedTask,
    Page,
    Past,
    Run,
    Scope,
    TaskInstance,
    TaskScope,
    Timestamp,
    Writer,
)
from statemount.operations import Operation, Outcome

Clock: TypeAlias = Callable[[], Timestamp]
"""Returns the time: microseconds since the epoch, UTC."""

AsgiScope: TypeAlias = MutableMapping[str, Any]
"""The first argument of an ASGI application."""

RouteSet = Literal["execution", "public"]

Action = Literal["read", "write", "delete"]
"""What is done to state. A worker's clear is a delete."""


class Resource(ABC):
    """Something with a life: opened once on an event loop, closed on the same one."""

    async def open(self) -> None:
        """Get ready.

        Raises:
            ConfigurationError: It can never work like this.
            UnavailableError: It cannot now; another try may succeed.
        """
        return None

    async def close(self) -> None:
        """Give everything back. Called once after a successful :meth:`open`; what was accepted is finished first."""
        return None


class Store(Resource):
    """Keeps entries, by scope and key, and the log of their changes.

    An entry whose ``expires_at`` has come is absent for every method but :meth:`sweep`. Every method may raise
    ``UnavailableError``; a write that was acknowledged is there for every read that begins afterwards, in any
    process.
    """

    @abstractmethod
    async def read(self, scope: Scope, key: str) -> Entry | None:
        """Return the live entry, or None. The read begins after the call: it never comes from a cache of entries."""

    @abstractmethod
    async def list(
        self,
        scope: Scope,
        *,
        limit: int,
        offset: int = 0,
        prefix: str = "",
        after: str | None = None,
        keys_only: bool = False,
    ) -> Page:
        """Return live entries by key in byte order; the page, its total and its revision are of one moment.

        Args:
            limit: At most so many entries; 0 gives the count alone.
            offset: How many to pass over; 0 to 2^63 - 1.
            prefix: Of the keys that are looked at, byte by byte; the others are not counted either.
            after: Begin with the first key that is greater than this; those before it are counted all the same.
            keys_only: Leave the values where they are, however long: each comes as an empty text.
        """

    async def list_columns(
        self,
        scope: Scope,
        *,
        columns: Collection[EntryColumn],
        limit: int,
        offset: int = 0,
        prefix: str = "",
        after: str | None = None,
    ) -> Columns:
        """Return what :meth:`list` returns, as columns: a store that has them so need not make an object of each entry.

        Args:
            columns: What is wanted besides the keys.
        """
        page = await self.list(
            scope, limit=limit, offset=offset, prefix=prefix, after=after, keys_only="values" not in columns
        )
        return Columns.of_page(page, columns)

    @abstractmethod
    async def apply(
        self,
        target: Scope | MappedTask,
        operations: Sequence[Operation],
        *,
        writer: Writer | None,
    ) -> Outcome:
        """Apply the operations in their order, all or none, as one atomic change of the scope.

        A failed operation is an outcome, not an error. A :class:`~statemount.model.MappedTask` as target takes a
        single :class:`~statemount.operations.Clear` without a condition, and clears every scope of that task.

        Raises:
            ScopeFullError: The scope would outgrow the limits.
            WriteOutcomeUnknownError: The connection broke during COMMIT.
            TaskInstanceNotFoundError: The scope's run was dropped a moment ago.
            AssetNotFoundError: The asset's scope was.
        """

    @abstractmethod
    async def changes(self, scope: Scope, *, after: int = 0, limit: int = 1000) -> Sequence[Change]:
        """Return the log's lines with a revision above ``after``, oldest first, at most ``limit``."""

    async def revisions(self, scopes: Collection[Scope]) -> Mapping[Scope, int]:
        """Return the revision of each scope; 0 for one that was never written, or was dropped."""
        return {scope: (await self.list(scope, limit=0)).revision for scope in scopes}

    async def tails(self, positions: Mapping[Scope, int], *, limit: int = 256) -> Mapping[Scope, LogTail]:
        """Return what the log of each scope has after a revision.

        Args:
            positions: The revision, by scope; 0 = everything.
            limit: At most so many lines of each scope; of more, the oldest.
        """
        found: dict[Scope, LogTail] = {}
        for scope, after in positions.items():
            # The revision comes first: a line that is written in between is not taken for one that is missing.
            revision = (await self.list(scope, limit=0)).revision
            found[scope] = LogTail.after(after, revision, await self.changes(scope, after=after, limit=limit))
        return found

    def pulse(self) -> object | None:
        """Return something that is equal to what it was before as long as nothing was written, by whomever.

        It is to be had in no time. None = there is no such thing.
        """
        return None

    @abstractmethod
    async def history(
        self, scope: Scope, *, key: str | None = None, before: int | None = None, limit: int = 1000
    ) -> History:
        """Return the log's lines newest first, at most ``limit``; the lines and the revision are of one moment.

        Args:
            key: The lines of this key alone, and clears; None = all.
            before: Lines with a smaller revision alone; None = from the newest on.
        """

    @abstractmethod
    async def past(self, scope: Scope, key: str, *, revision: int | None = None, at: Timestamp | None = None) -> Past:
        """Return what a key had as of a revision, or as of a time: right after the last change up to then.

        The values of the log tell it, and the entry that is stored where it has not changed since. An entry whose
        ``expires_at`` had come by the time, or by that of the revision, was not there. Exactly one of the two must
        be given. A revision that is yet to come counts as the newest.
        """

    @abstractmethod
    async def trim(self, *, before: Timestamp, limit: int = 1000) -> int:
        """Remove lines of the log from before a time, at most ``limit``; return how many.

        What goes of a scope's log are always its oldest lines. Fewer than ``limit`` means that none was left. Several
        processes may do so at once. That there are not too many lines of a scope, writes see to by themselves.
        """

    async def count_changes(self, *, before: Timestamp) -> int | None:
        """Return how many lines :meth:`trim` would remove by and by; None if the store does not count them."""
        return None

    @abstractmethod
    async def sweep(self, *, limit: int = 1000) -> int:
        """Remove entries that are expired, at most ``limit``, logging each; return how many.

        Fewer than ``limit`` means that none was left. Several processes may sweep at once. An entry that was written
        again meanwhile stays.
        """

    async def count_expired(self) -> int | None:
        """Return how many entries :meth:`sweep` would remove by and by; None if the store does not count them."""
        return None

    @abstractmethod
    async def drop(self, target: Run | AssetScope) -> None:
        """Remove the scopes of a run, or of an asset, with their entries and log. A no-op if there are none.

        Writes to them are refused for a while: as long as a cache may still know them.
        """

    async def check(self) -> None:
        """Ask the store whether it can answer.

        Raises:
            UnavailableError: It cannot.
        """
        return None


class Directory(Resource):
    """Knows which task instances and assets exist, and which asset a task instance is registered with.

    ``identity`` is who asks; a directory that trusts tokens finds its answers in the identity's claims. Every
    method may raise ``UnavailableError``. Answers may be up to the documented time old (5 s by default).
    """

    @abstractmethod
    async def task_scope(self, task_instance_id: UUID, identity: Identity | None = None) -> TaskScope | None:
        """Return the scope of a task instance, or None if there is none with this id."""

    @abstractmethod
    async def has_task_instance(self, target: TaskScope | MappedTask, identity: Identity | None = None) -> bool:
        """Tell whether such a task instance exists; for a mapped task, whether one exists with any map index."""

    @abstractmethod
    async def asset(self, asset_id: int, identity: Identity | None = None) -> Asset | None:
        """Return the asset with this id, active or not, or None."""

    @abstractmethod
    async def asset_by_name(self, name: str, identity: Identity | None = None) -> Asset | None:
        """Return the active asset with this name, or None."""

    @abstractmethod
    async def asset_by_uri(self, uri: str, identity: Identity | None = None) -> Asset | None:
        """Return the active asset with this URI, or None."""

    @abstractmethod
    async def access(self, task_instance_id: UUID, asset: Asset, identity: Identity | None = None) -> frozenset[Access]:
        """Return how the task instance is registered with the asset: empty if it is not."""

    async def try_number(self, task_instance_id: UUID, identity: Identity | None = None) -> int | None:
        """Return which attempt a task instance is at; None if it is unknown, or if nobody counts attempts.

        It is asked for identities that are bound to an attempt only.
        """
        return None


class Registry(Directory):
    """A directory that a host fills.

    Changes made through this object are seen through it at once, elsewhere within the documented time.
    """

    @abstractmethod
    async def register_task_instances(self, task_instances: Sequence[TaskInstance]) -> None:
        """Register task instances in their order, all or none. Idempotent.

        Another UUID for a scope that is known (a retry) replaces the old one, which is unknown from then on; the
        state stays. The same UUID again replaces its registration.

        Raises:
            AssetNotFoundError: An inlet or outlet is no known asset.
            InvalidInputError: An id or a map index is not acceptable.
        """

    @abstractmethod
    async def task_instance(self, task_instance_id: UUID) -> TaskInstance | None:
        """Return the registration, or None."""

    @abstractmethod
    async def remove_task_instance(self, task_instance_id: UUID) -> None:
        """Forget a task instance. Its state stays. A no-op if it is unknown."""

    @abstractmethod
    async def remove_run(self, *, dag_id: str, run_id: str) -> None:
        """Forget every task instance of a run. A no-op if there are none."""

    @abstractmethod
    async def register_asset(self, *, name: str, uri: str | None = None, group: str = "asset") -> Asset:
        """Return the active asset of this name and URI, made if need be. Idempotent; the group is replaced.

        Args:
            uri: None = the name.

        Raises:
            ConflictError: The name or the URI belongs to another active asset.
            InvalidInputError: The name, the URI or the group is not acceptable.
        """

    @abstractmethod
    async def assets(self, *, limit: int = 100, offset: int = 0) -> Sequence[Asset]:
        """Return assets by id, inactive ones included."""

    async def count_assets(self) -> int:
        """Return how many assets there are, inactive ones included."""
        total = 0
        while page := await self.assets(limit=1000, offset=total):
            total += len(page)
        return total

    @abstractmethod
    async def deactivate_asset(self, asset_id: int) -> None:
        """Hide an asset from workers. Its state stays. A no-op if it is inactive.

        Raises:
            AssetNotFoundError: There is no such asset.
        """

    @abstractmethod
    async def restore_asset(self, asset_id: int) -> Asset:
        """Make an inactive asset active again, and return it.

        Raises:
            AssetNotFoundError: There is no such asset.
            ConflictError: An active asset has its name or URI by now.
        """

    @abstractmethod
    async def remove_task_instances_before(self, before: Timestamp, *, limit: int = 1000) -> int:
        """Forget task instances last registered before a time, at most ``limit``; return how many. Their state stays.

        Fewer than ``limit`` means that none was left. Several processes may do so at once.
        """

    @abstractmethod
    async def retire_assets(self, before: Timestamp, *, limit: int = 1000) -> Sequence[int]:
        """Hide for ever assets that have been inactive since before a time; return ids, at most ``limit``.

        A retired asset is unknown to every other method and cannot be restored: its state may be dropped. It is
        returned again until :meth:`forget_asset` is called, so that nothing is left where a process ends in between.
        """

    @abstractmethod
    async def forget_asset(self, asset_id: int) -> None:
        """Remove what is left of a retired asset. Its id is not used again. A no-op for any other."""

    async def count_overdue(
        self, *, registered_before: Timestamp, inactive_before: Timestamp
    ) -> tuple[int, int] | None:
        """Return how many task instances and assets there are to forget; None if the registry does not count them.

        Args:
            registered_before: As for :meth:`remove_task_instances_before`.
            inactive_before: As for :meth:`retire_assets`; those that are retired already count too.
        """
        return None


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
        object.__setattr__(self, "task_instance_text", text)

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
    return isinstance(value, str) and 0 < len(value) <= MAX_JTI_LENGTH and "\0" not in value and _is_unicode(value)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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


class Revocations(Resource):
    """Knows which credentials were withdrawn before their time.

    Every method may raise ``UnavailableError``. Answers may be up to the documented time old (5 s by default).
    """

    @abstractmethod
    async def revoke(self, credential: Credential, *, until: Timestamp) -> None:
        """Refuse a credential until a time, after which it is of no use anyway. Of several times the latest counts."""

    @abstractmethod
    async def are_any_revoked(self, credentials: Sequence[Credential]) -> bool:
        """Tell whether one of these, at most four, is revoked now."""

    async def is_empty(self) -> bool:
        """Tell whether nothing at all is revoked, so that nobody need be asked about; False = it is not known."""
        return False

    def is_known_to_be_empty(self) -> bool:
        """Tell whether :meth:`is_empty` would say so without a look-up: it is not asked then."""
        return False


class Authenticator(Resource):
    """Turns a request into a verified identity."""

    @abstractmethod
    async def authenticate(self, asgi_scope: AsgiScope, route_set: RouteSet) -> Identity:
        """Return who is asking. The body is never read.

        Raises:
            AuthenticationError: No credentials (the client may try with some).
            InvalidTokenError: Credentials that are not accepted.
            ForbiddenError: Accepted, but not for this route set; the message is for the client.
            UnavailableError: The keys cannot be fetched now.
        """

    def renew(self, identity: Identity) -> str | None:
        """Return a fresh token for an identity whose own is about to expire, or None."""
        return None


class Authorizer(ABC):
    """Decides what an identity may do. Deny by default: what no rule grants is refused."""

    @abstractmethod
    def check_task_instance(self, identity: Identity, task_instance_id: UUID | None, action: Action) -> None:
        """Let a worker act on a task instance's state, before anything says whether it exists.

        Args:
            task_instance_id: None for an id that is no UUID.

        Raises:
            ForbiddenError: It is not the worker's own.
        """

    def check_attempt(self, identity: Identity, try_number: int | None) -> None:
        """Let a worker act whose task instance is at an attempt, wherever its task instance counts.

        Args:
            try_number: As the directory says; None = it does not count attempts, or does not know the task instance.

        Raises:
            ForbiddenError: The worker is bound to another attempt.
        """
        return None

    def is_bound_to_attempt(self, identity: Identity) -> bool:
        """Tell whether :meth:`check_attempt` is to be asked: the directory is left alone for everybody else."""
        return False

    @abstractmethod
    def check_asset(self, identity: Identity, asset: Asset, access: frozenset[Access], action: Action) -> None:
        """Let a worker act on the state of an asset that exists.

        Args:
            access: How the directory says that its task instance is registered with the asset.

        Raises:
            ForbiddenError: The task is not registered with it, or not for this action.
        """

    @abstractmethod
    def check_public(self, identity: Identity, permission: str, *, dag_id: str | None = None) -> None:
        """Let an identity of the public route set act, before anything says whether what it names exists.

        Args:
            permission: ``state:read`` and so on.
            dag_id: Of the dag whose task instances it concerns, empty if that is not known to exist; None = it concerns
                none, or an asset.

        Raises:
            ForbiddenError: It lacks the permission, or has it for other dags only.
        """

    def limits_dags(self, identity: Identity) -> bool:
        """Tell whether :meth:`check_public` may say of one dag what it does not say of another.

        Where it does not, look-ups are left out that would only find out which dag something belongs to.
        """
        return True

    @abstractmethod
    def check_public_asset(self, identity: Identity, permission: str, asset: Asset | None) -> None:
        """Let an identity that has the permission act on an asset.

        Args:
            asset: Active or not; None = there is no such asset. Who may not reach every asset is refused then too, so
                that the answer does not say which ones exist.

        Raises:
            ForbiddenError: It has the permission for other assets only.
        """
