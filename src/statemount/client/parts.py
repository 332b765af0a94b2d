"""Lists that are asked for in parts. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace

from statemount.client.answers import unconditional
from statemount.client.values import StatePage

PART = 100
"""What a server gives at most."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a list is wanted.

    Args:
        cursor: Of the part before; None = the first one.
        if_revision: That the scope must have; None = any.
    """

    limit: int
    offset: int = 0
    prefix: str = ""
    keys_only: bool = False
    cursor: str | None = None
    if_revision: int | None = None

    @property
    def parameters(self) -> dict[str, str | int | bool]:
        """What is asked for."""
        given: dict[str, str | int | bool] = {"limit": self.limit, "offset": self.offset, "include": "revision"}
        if self.prefix:
            given["prefix"] = self.prefix
        if self.keys_only:
            given["keys_only"] = True
        if self.cursor is not None:
            given["cursor"] = self.cursor
        return given


def part_after(part: Part, page: StatePage, *, at_one_revision: bool) -> Part | None:
    """Return the part that follows; None = there is none.

    Args:
        page: What the part was.
        at_one_revision: Whether both are to be of one moment.

    Raises:
        UnexpectedAnswerError: The server does not say whether there is more.
    """
    if page.revision is None:
        raise unconditional()
    if page.cursor is None:
        return None
    return replace(part, cursor=page.cursor, if_revision=page.revision if at_one_revision else None)
