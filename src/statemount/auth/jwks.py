"""Keys that somebody else publishes: a JSON Web Key Set (RFC 7517) in a file or behind a URL."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import os
from collections.abc import Sequence
from contextvars import Context, ContextVar
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from statemount.auth.keys import Key, KeySet, check_algorithms, import_asymmetric, jwk_keys
from statemount.clock import system_clock
from statemount.errors import ConfigurationError, UnavailableError
from statemount.interfaces import Clock, Resource
from statemount.model import Timestamp

_logger = logging.getLogger("statemount.auth")

MAX_BYTES = 1024 * 1024
"""Largest key set that is read."""

_SECOND = 1_000_000

_is_downloading: ContextVar[bool] = ContextVar("statemount_downloads_keys", default=False)


class JWKS(Resource):
    """A key set that is fetched when it is needed, kept, and fetched again when it seems to have changed.

    A fetch belongs to the object, not to the request that caused it; everybody on one event loop waits for the same
    one. Keys outlive the event loop. When fetching again fails, the keys that are known stay.

    Args:
        source: An ``https`` URL (``http`` for a loopback address only; redirects are not followed), or the path of a
            file. Shared secrets (``oct``) are read from a file only.
        algorithms: The accepted ones; None = what each key names, or what fits it.
        timeout: For a whole fetch, in seconds.
        refresh_interval: Seconds that pass at least before an unknown key causes another fetch.
        max_age: Seconds after which the keys are fetched again in the background.

    Raises:
        ConfigurationError: The URL is not acceptable.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        *,
        algorithms: Sequence[str] | None = None,
        timeout: float = 5.0,
        refresh_interval: float = 60.0,
        max_age: float = 3600.0,
        clock: Clock = system_clock,
    ) -> None:
        text = os.fspath(source)
        self._url = text if isinstance(source, str) and "://" in source else None
        self._path = Path(text)
        self._name = repr(text) if self._url is None else _check_url(text)
        self._algorithms = None if algorithms is None else check_algorithms(algorithms)
        self._timeout = timeout
        self._refresh_interval = int(refresh_interval * _SECOND)
        self._max_age = int(max_age * _SECOND)
        self._clock = clock
        self._keys = KeySet()
        self._fetched_at: Timestamp | None = None
        self._tried_at: Timestamp | None = None
        self._fetches: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}
        import_asymmetric()
        if self._url is not None:
            import httpx  # noqa: F401 - here, for it would hold up the event loop

    def __repr__(self) -> str:
        return f"JWKS({self._name})"

    @property
    def known(self) -> KeySet:
        """The keys as last fetched, another object after every fetch; empty if they never were."""
        return self._keys

    async def open(self) -> None:
        """Read the file, or begin to fetch from the URL without waiting for it.

        Raises:
            ConfigurationError: The file cannot be read, or holds no usable key.
        """
        if self._url is None:
            self._load(self._path_bytes())
        elif not self._keys:
            self._fetch()

    async def close(self) -> None:
        """End a fetch that is under way on this event loop."""
        task = self._fetches.pop(asyncio.get_running_loop(), None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def keys(self) -> KeySet:
        """Return the keys; wait for them if they were never fetched.

        Raises:
            UnavailableError: They were never fetched, and cannot be now.
        """
        if not self._keys:
            if not self._was(self._tried_at, _SECOND) or self._is_fetching():
                await asyncio.wait([self._fetch()])
            if not self._keys:
                raise UnavailableError(f"the keys of {self!r} cannot be fetched")
        elif not self._was(self._fetched_at, self._max_age) and not self._was(self._tried_at, self._refresh_interval):
            self._fetch()
        return self._keys

    async def refreshed(self) -> KeySet:
        """Return the keys, fetched again unless that was tried a moment ago: for a token with an unknown key.

        Raises:
            UnavailableError: They were never fetched, and cannot be now.
        """
        if self._is_fetching() or not self._was(self._tried_at, self._refresh_interval):
            await asyncio.wait([self._fetch()])
        return await self.keys()

    def _was(self, moment: Timestamp | None, interval: int) -> bool:
        """Tell whether a moment lies within the last ``interval`` microseconds."""
        return moment is not None and 0 <= self._clock() - moment < interval

    def _is_fetching(self) -> bool:
        return asyncio.get_running_loop() in self._fetches

    def _fetch(self) -> asyncio.Task[None]:
        loop = asyncio.get_running_loop()
        task = self._fetches.get(loop)
        if task is None:
            for ended in [other for other in self._fetches if other.is_closed()]:
                self._fetches.pop(ended, None)
            before, self._tried_at = self._tried_at, self._clock()
            # An empty context: the fetch is nobody's span or transaction.
            task = Context().run(loop.create_task, self._refetch())
            self._fetches[loop] = task
            task.add_done_callback(partial(self._ended, tried_before=before))
        return task

    def _ended(self, task: asyncio.Task[None], *, tried_before: Timestamp | None) -> None:
        loop = task.get_loop()
        if self._fetches.get(loop) is task:
            del self._fetches[loop]
        if task.cancelled():  # with its event loop: the next one need not wait
            self._tried_at = tried_before

    async def _refetch(self) -> None:
        try:
            data = self._path_bytes() if self._url is None else await self._download(self._url)
            self._load(data)
        except (ConfigurationError, UnavailableError) as error:
            _logger.error("the keys of %r cannot be fetched; %d known keys stay: %s", self, len(self._keys), error)

    def _load(self, data: bytes) -> None:
        keys = KeySet(self._read(data))
        if len(keys) == 0:
            raise ConfigurationError(f"{self!r} holds no usable key")
        self._keys = keys
        self._fetched_at = self._tried_at = self._clock()

    def _read(self, data: bytes) -> list[Key]:
        try:
            document = json.loads(data.decode())
        except (ValueError, RecursionError):
            raise ConfigurationError(f"{self!r} is no JSON") from None
        members = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(members, list):
            raise ConfigurationError(f"{self!r} is no JSON Web Key Set")
        keys: list[Key] = []
        for member in members:
            if not isinstance(member, dict) or (self._url is not None and member.get("kty") == "oct"):
                _logger.warning("a member of %r is passed over: it is no public key", self)
                continue
            try:
                keys.extend(jwk_keys(member, self._algorithms))
            except ConfigurationError as error:
                _logger.warning("a key of %r is passed over: %s", self, error)
        return keys

    def _path_bytes(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{self!r} cannot be read ({type(error).__name__})") from None
        if len(data) > MAX_BYTES:
            raise ConfigurationError(f"{self!r} is larger than {MAX_BYTES} bytes")
        return data

    async def _download(self, url: str) -> bytes:
        import httpx

        logging.getLogger("httpx").addFilter(_tells_no_secret)  # once, however often
        quiet = _is_downloading.set(True)
        try:
            return await asyncio.wait_for(self._get(httpx, url), self._timeout)
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, asyncio.TimeoutError) as error:
            raise UnavailableError(f"the request failed ({type(error).__name__})") from error
        finally:
            _is_downloading.reset(quiet)

    async def _get(self, httpx: Any, url: str) -> bytes:
        # A body that is not compressed: its size is known before it is unpacked.
        headers = {"accept": "application/jwk-set+json, application/json", "accept-encoding": "identity"}
        async with (
            httpx.AsyncClient(timeout=self._timeout, follow_redirects=False) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            if response.status_code != 200:
                raise UnavailableError(f"the answer is {response.status_code}, not 200; redirects are not followed")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise UnavailableError("the answer is compressed")
            data = bytearray()
            async for chunk in response.aiter_raw():
                data += chunk
                if len(data) > MAX_BYTES:
                    raise UnavailableError(f"the answer is larger than {MAX_BYTES} bytes")
        return bytes(data)


def _tells_no_secret(record: logging.LogRecord) -> bool:
    """Keep httpx from logging the URL of a key set, which it does whole, with what is secret in it."""
    return not _is_downloading.get()


def _check_url(url: str) -> str:
    """Return the URL without what may be secret in it.

    Raises:
        ConfigurationError: It is neither ``https`` nor on a loopback address.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigurationError("the URL of the key set is not valid") from None
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host))):
        raise ConfigurationError("the URL of the key set must begin with https:// (http:// on a loopback address only)")
    shown = f"[{host}]" if ":" in host else host
    return repr(f"{parts.scheme}://{shown}{'' if port is None else f':{port}'}{parts.path}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
