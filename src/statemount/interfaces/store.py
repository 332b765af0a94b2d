"""Where entries are kept."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence

from statemount.interfaces.resource import Resource
from statemount.model import (
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
    Timestamp,
    Writer,
)
from statemount.operations import Operation, Outcome


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
