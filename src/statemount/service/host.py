"""What a host does with its runs, task instances and assets, where that concerns their state too."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from statemount.errors import AssetNotFoundError, InvalidInputError, TaskInstanceNotFoundError
from statemount.interfaces import Clock, Credential, Registry, Revocations, Store
from statemount.model import MAX_ID_LENGTH, Asset, AssetScope, Run, Timestamp
from statemount.service.names import text_problem
from statemount.service.tasks import TaskStates

REVOKED_FOR = 30 * 24 * 60 * 60 * 1_000_000
"""For how long a credential is revoked unless somebody says when its tokens end, in microseconds."""


class Host:
    """The host's side, the same over HTTP and in process. It asks nobody for permission.

    Args:
        registry: Knows the task instances and assets.
        revocations: Knows which credentials are revoked.
        clears_on_success: Whether the state of a task instance that has succeeded is cleared.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        tasks: TaskStates,
        *,
        revocations: Revocations,
        clock: Clock,
        clears_on_success: bool,
    ) -> None:
        self._store = store
        self._registry = registry
        self._tasks = tasks
        self._revocations = revocations
        self._clock = clock
        self._clears_on_success = clears_on_success

    async def drop_run(self, run: Run) -> None:
        """Forget every task instance of a run, and remove its state. A no-op if there is nothing.

        Raises:
            InvalidInputError: No run can have these ids.
        """
        ids = {"dag_id": run.dag_id, "run_id": run.run_id}
        found = (text_problem(text, ("path", name), max_length=MAX_ID_LENGTH) for name, text in ids.items())
        problems = [problem for problem in found if problem is not None]
        if problems:
            raise InvalidInputError(problems)
        await self._registry.remove_run(dag_id=run.dag_id, run_id=run.run_id)
        await self._store.drop(run)

    async def succeeded(self, task_instance_id: UUID) -> None:
        """Take note that a task instance has succeeded: its state is cleared if it is set so.

        Raises:
            TaskInstanceNotFoundError: It is not in the directory.
        """
        scope = await self._registry.task_scope(task_instance_id)
        if scope is None:
            raise TaskInstanceNotFoundError(f"Task instance {task_instance_id} not found")
        if self._clears_on_success:
            await self._tasks.clear(scope)

    async def revoke(self, credential: Credential, *, until: Timestamp | None = None) -> None:
        """Refuse a credential from now on, everywhere within the documented time. Registrations and state stay.

        Args:
            until: When everything that it could be used for has ended by itself; None = in 30 days.
        """
        if until is None:
            until = self._clock() + REVOKED_FOR
        await self._revocations.revoke(credential, until=until)

    async def deactivate_asset(self, asset_id: int) -> None:
        """Hide an asset from workers. Its state is kept for the grace period, in which it can be restored.

        Raises:
            AssetNotFoundError: There is no such asset.
        """
        await self._registry.deactivate_asset(asset_id)

    async def restore_asset(self, asset_id: int) -> Asset:
        """Make an inactive asset active again, with the state that it had, and return it.

        Raises:
            AssetNotFoundError: There is no such asset; its grace period may be over.
            ConflictError: An active asset has its name or URI by now.
        """
        return await self._registry.restore_asset(asset_id)

    async def find_asset(self, reference: AssetScope) -> Asset:
        """Return an asset: by its id, active or not, or else the active one with this name, or else with this URI.

        Raises:
            AssetNotFoundError: There is none.
        """
        if reference.asset_id is not None:
            asset = await self._registry.asset(reference.asset_id)
            said = f"id {reference.asset_id}"
        else:
            asset, said = None, ""
            if reference.uri is not None:
                said = f"uri={reference.uri!r}"
            if reference.name is not None:
                asset = await self._registry.asset_by_name(reference.name)
                said = f"name={reference.name!r}"
            if asset is None and reference.uri is not None:
                asset = await self._registry.asset_by_uri(reference.uri)
        if asset is None:
            raise AssetNotFoundError(f"Asset with {said} not found")
        return asset

    async def asset_ids(self, references: Iterable[AssetScope]) -> frozenset[int]:
        """Return the ids of assets, as :meth:`find_asset` finds them: inlets or outlets to be registered.

        Raises:
            AssetNotFoundError: One of them is not there.
        """
        return frozenset([(await self.find_asset(reference)).asset_id for reference in references])
