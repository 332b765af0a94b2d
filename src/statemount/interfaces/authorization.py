"""Who may do what."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal
from uuid import UUID

from statemount.interfaces.identity import Identity
from statemount.model import Access, Asset

Action = Literal["read", "write", "delete"]
"""What is done to state. A worker's clear is a delete."""


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
