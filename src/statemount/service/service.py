"""The service: task state, asset state, and who may reach them."""

from __future__ import annotations

from datetime import timedelta

from statemount.interfaces import Authorizer, Clock, Directory, Registry, Revocations, Store
from statemount.service.assets import AssetStates
from statemount.service.clean_up import CleanUp, CleanUpRules
from statemount.service.expiry import Retention
from statemount.service.histories import Histories
from statemount.service.host import Host
from statemount.service.limits import ValueLimits
from statemount.service.public import Public
from statemount.service.registrar import Registrar
from statemount.service.tasks import TaskStates
from statemount.service.workers import Workers
from statemount.watching.watches import Watches


class StateService:
    """Everything that can be done with state, with no HTTP at all.

    A scheduler that runs in this process may use it directly: :attr:`tasks` and :attr:`assets` ask nobody for
    permission, nor does :attr:`histories`, which tells how state was. The routes go through :attr:`workers` and
    :attr:`public` first. :attr:`host` is for what a host does with runs and assets, and :attr:`clean_up` removes what
    is over.

    Args:
        default_retention: For entries whose expiry is ``"default"``; zero = for ever.
        max_value_bytes: Longest stored text that the public API takes; 0 = no limit of its own.
        max_body_bytes: Longest stored text that anybody may write.
        clears_on_success: Whether the state of a task instance that has succeeded is cleared.
        clean_up: What is removed, and in what portions.
        watches: Where a watch begins.
    """

    def __init__(
        self,
        *,
        store: Store,
        directory: Registry,
        revocations: Revocations,
        authorizer: Authorizer,
        clock: Clock,
        default_retention: timedelta,
        max_value_bytes: int,
        max_body_bytes: int,
        clears_on_success: bool,
        clean_up: CleanUpRules,
        watches: Watches,
    ) -> None:
        limits = ValueLimits(max_value_bytes=max_value_bytes, max_body_bytes=max_body_bytes)
        self.store = store
        self.watches = watches
        self.directory: Directory = directory
        self.authorizer = authorizer
        self.tasks: TaskStates = TaskStates(store, limits, Retention(default_retention), clock)
        self.assets: AssetStates = AssetStates(store, limits)
        self.histories: Histories = Histories(store, self.tasks, self.assets, clock)
        self.limits = limits
        self.workers: Workers = Workers(directory, authorizer)
        self.public: Public = Public(directory, authorizer)
        self.host: Host = Host(
            store, directory, self.tasks, revocations=revocations, clock=clock, clears_on_success=clears_on_success
        )
        self.registrar: Registrar = Registrar(directory, self.host, self.public, authorizer)
        self.clean_up: CleanUp = CleanUp(store, directory, clock, clean_up)
