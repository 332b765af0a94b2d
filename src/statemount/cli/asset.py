"""`statemount asset`: the state of assets, on a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import wraps
from typing import Any

import click

from statemount.cli.entries import ASSET_ENTRIES, entries_of
from statemount.cli.remote import on_server
from statemount.cli.shared_commands import add_shared_commands, entry_as_of
from statemount.cli.state_group import (
    entry_json_option,
    if_revision_option,
    if_scope_revision_option,
    key_argument,
    keys_only_option,
    limit_option,
    list_json_option,
    merge_option,
    past_revision_option,
    past_time_option,
    prefix_option,
    purge_option,
    raw_option,
    state_group,
    text_option,
    value_argument,
)
from statemount.cli.values import read_value
from statemount.client import PublicAssetState, StateClient, StatePage
from statemount.errors import AssetNotFoundError, ConflictError, ForbiddenError
from statemount.model import Asset

asset: click.Group = state_group("asset", "Read and edit the state of assets, on a server.")

_PAGE = 100  # what a server gives at most


def _on_asset(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument that names an asset; the function takes its state, and its own arguments."""

    @click.argument("asset", metavar="ASSET")
    @on_server
    @wraps(function)
    def command(client: StateClient, *, asset: str, **given: Any) -> None:
        function(client.public.asset(_asset_id(client, asset)), **given)

    return command


@asset.command("list")
@limit_option
@prefix_option
@keys_only_option
@list_json_option
@_on_asset
def _list(state: PublicAssetState, *, limit: int | None, prefix: str, keys_only: bool, as_json: bool) -> None:
    """Print the entries of ASSET (an id, a name or a URI) by key. Long values are cut."""

    def part(size: int, offset: int) -> StatePage:
        return state.list(limit=size, offset=offset, prefix=prefix, keys_only=keys_only)

    ASSET_ENTRIES.print_list(entries_of(part, limit), as_json=as_json, keys_only=keys_only)


@asset.command("get")
@entry_json_option
@raw_option
@past_revision_option
@past_time_option
@_on_asset
@key_argument
def _get(
    state: PublicAssetState, *, key: str, as_json: bool, is_raw: bool, revision: int | None, at: datetime | None
) -> None:
    """Print the value of a key of ASSET (an id, a name or a URI), as JSON."""
    ASSET_ENTRIES.print_one(entry_as_of(state, key, revision, at), as_json=as_json, is_raw=is_raw)


@asset.command("set")
@text_option
@if_revision_option
@_on_asset
@key_argument
@value_argument
def _set(state: PublicAssetState, *, key: str, value: str, is_text: bool, if_revision: int | None) -> None:
    """Create or overwrite a key of ASSET (an id, a name or a URI).

    VALUE is JSON; @FILE is what is in a file, - what comes from stdin.
    """
    state.set(key, read_value(value, is_text=is_text), if_revision=if_revision)


@asset.command("patch")
@text_option
@merge_option
@if_revision_option
@_on_asset
@key_argument
@value_argument
def _patch(
    state: PublicAssetState, *, key: str, value: str, is_text: bool, is_merge: bool, if_revision: int | None
) -> None:
    """Set the value of a key of ASSET (an id, a name or a URI) that exists. VALUE is as for set."""
    change = state.merge if is_merge else state.patch
    change(key, read_value(value, is_text=is_text), if_revision=if_revision)


@asset.command("delete")
@if_revision_option
@purge_option
@_on_asset
@key_argument
def _delete(state: PublicAssetState, *, key: str, if_revision: int | None, purge: bool) -> None:
    """Remove a key of ASSET (an id, a name or a URI), if it is there."""
    state.delete(key, if_revision=if_revision, purge=purge)


@asset.command("clear")
@if_scope_revision_option
@purge_option
@_on_asset
def _clear(state: PublicAssetState, *, if_revision: int | None, purge: bool) -> None:
    """Remove every key of ASSET (an id, a name or a URI)."""
    state.clear(if_revision=if_revision, purge=purge)


add_shared_commands(asset, _on_asset, "ASSET (an id, a name or a URI)")


def _asset_id(client: StateClient, text: str) -> int:
    """Return the id of an asset that is named by id, name or URI: an active one if there is, by its name first.

    Raises:
        AssetNotFoundError: There is none.
        ConflictError: There are several, none of them active.
        ForbiddenError: A name or URI takes the permission to list the assets.
    """
    if text.isascii() and text.isdigit():
        return int(text)
    named = [asset for asset in _assets(client) if text in (asset.name, asset.uri)]
    if not named:
        raise AssetNotFoundError(f"no asset has the name or URI {text!r}")
    active = sorted((asset for asset in named if asset.active), key=lambda asset: asset.name != text)
    if not active and len(named) > 1:
        ids = ", ".join(str(asset.asset_id) for asset in named)
        raise ConflictError(f"several inactive assets have the name or URI {text!r}: choose one of the ids {ids}")
    return (active or named)[0].asset_id


def _assets(client: StateClient) -> Iterator[Asset]:
    offset = 0
    try:
        while assets := client.directory.assets(limit=_PAGE, offset=offset).assets:
            yield from assets
            offset += len(assets)
    except ForbiddenError as error:
        raise ForbiddenError(f"{error}: a name or URI takes the permission directory:read; or give the id") from None
