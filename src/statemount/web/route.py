"""The app as a route of Starlette and FastAPI."""

from __future__ import annotations

import re

from starlette.routing import Mount

from statemount.web.below import AsgiApp, check_prefix


class StateRoute(Mount):
    """A mount that takes newlines too: the pattern of Starlette's own stops at the first one.

    Args:
        prefix: Where the app is mounted, such as ``/state``.
        app: The app.

    Raises:
        ConfigurationError: The prefix does not begin with a slash, or ends with one.
    """

    def __init__(self, prefix: str, app: AsgiApp) -> None:
        check_prefix(prefix)
        super().__init__(prefix, app=app)
        self.path_regex: re.Pattern[str] = re.compile(self.path_regex.pattern, re.DOTALL)
