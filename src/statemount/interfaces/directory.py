"""Which task instances and assets exist."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from uuid import UUID

from statemount.interfaces.identity import Identity
from statemount.interfaces.resource import Resource
from statemount.model import Access, Asset, MappedTask, TaskInstance, TaskScope, Timestamp


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
