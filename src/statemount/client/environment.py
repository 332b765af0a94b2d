"""The server's address and the token, as environment variables give them."""

from __future__ import annotations

import os

from statemount.client.credentials import Token, token_file
from statemount.errors import ConfigurationError

URL = "STATEMOUNT_URL"
TOKEN = "STATEMOUNT_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_FILE = "STATEMOUNT_TOKEN_FILE"  # noqa: S105 - likewise


def server_of_environment() -> tuple[str, Token | None]:
    """Return the URL, and the token if there is one: the variable's, or what its file holds at each request.

    Raises:
        ConfigurationError: No URL is set, or two tokens are.
    """
    url, token, file = (os.environ.get(name) for name in (URL, TOKEN, TOKEN_FILE))
    if not url:
        raise ConfigurationError(f"{URL} is not set: where the app is mounted, such as https://host/state")
    if token and file:
        raise ConfigurationError(f"{TOKEN} and {TOKEN_FILE} are not used together")
    if file:
        return url, token_file(file)
    return url, token or None
