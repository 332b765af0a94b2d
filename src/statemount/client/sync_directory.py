"""The directory through the client, in threads. Its async twin has the same names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from statemount.client import directory_calls as calls
from statemount.client.calls import Send
from statemount.client.values import AssetPage, Registration
from statemount.model import Asset, TaskInstance


class DirectoryClient:
    """Registers task instances and assets, for hosts that do not run in the server's process.

    Every method raises :class:`~statemount.errors.NoRegistryError` where the server's directory is none that is filled
    like this.
    """

    def __init__(self, send: Send) -> None:
        self._send = send

    def register_task_instance(self, registration: Registration | TaskInstance) -> None:
        """Register a task instance. Idempotent; another id for the same scope, a retry, takes the old one's place.

        Raises:
            AssetNotFoundError: An inlet or outlet is no known asset.
        """
        self._send(calls.register_task_instance(registration))

    def register_task_instances(self, registrations: Iterable[Registration | TaskInstance]) -> None:
        """Register up to 1,000 task instances, all or none, in their order.

        Raises:
            AssetNotFoundError: An inlet or outlet is no known asset.
        """
        self._send(calls.register_task_instances(registrations))

    def task_instance(self, ti_id: UUID | str) -> TaskInstance:
        """Return a task instance as it is registered.

        Raises:
            TaskInstanceNotFoundError: There is no such task instance.
        """
        return self._send(calls.task_instance(ti_id))

    def remove_task_instance(self, ti_id: UUID | str) -> None:
        """Forget a task instance; its state stays. A no-op if it is unknown."""
        self._send(calls.remove_task_instance(ti_id))

    def succeeded(self, ti_id: UUID | str) -> None:
        """Report that a task instance has succeeded; its state is cleared if the server is set so.

        Raises:
            TaskInstanceNotFoundError: There is no such task instance.
        """
        self._send(calls.succeeded(ti_id))

    def revoke_task_instance(self, ti_id: UUID | str, *, until: datetime | None = None) -> None:
        """Refuse every token of a task instance that has ended. Its state stays.

        Args:
            until: When the last of its tokens has ended by itself, aware; None = in 30 days.
        """
        self._send(calls.revoke_task_instance(ti_id, until))

    def revoke_token(self, jti: str, *, until: datetime | None = None) -> None:
        """Refuse the token with this ``jti``, and those that it is renewed to.

        Args:
            until: As for :meth:`revoke_task_instance`.
        """
        self._send(calls.revoke_token(jti, until))

    def drop_run(self, *, dag_id: str, run_id: str) -> None:
        """Forget a run with its task instances, and remove their state. A no-op if there is no such run."""
        self._send(calls.drop_run(dag_id, run_id))

    def register_asset(self, *, name: str, uri: str | None = None, group: str = "asset") -> Asset:
        """Return the active asset of this name and URI, registered now if it is new, with the group replaced.

        Args:
            uri: None = as the name.

        Raises:
            ConflictError: The name or the URI belongs to another active asset.
        """
        return self._send(calls.register_asset(name, uri, group))

    def assets(self, *, limit: int = 50, offset: int = 0) -> AssetPage:
        """Return a part of the assets, by id, inactive ones included.

        Args:
            limit: At most so many; the server cuts it to 100. 0 = the total alone.
            offset: How many to pass over.
        """
        return self._send(calls.assets(limit, offset))

    def deactivate_asset(self, asset_id: int) -> None:
        """Hide an asset from workers; its state is kept for a grace period.

        Raises:
            AssetNotFoundError: There is no such asset.
        """
        self._send(calls.deactivate_asset(asset_id))

    def restore_asset(self, asset_id: int) -> Asset:
        """Make an inactive asset active again, and return it.

        Raises:
            AssetNotFoundError: There is no such asset.
            ConflictError: Its name or URI belongs to another active asset by now.
        """
        return self._send(calls.restore_asset(asset_id))
