"""What the plugin and the tasks agree upon."""

from __future__ import annotations

PREFIX = "/statemount"
"""Where the plugin mounts the app in Airflow's API server."""

CONNECTION_ID = "statemount"
"""The connection that a task asks for; what it gets is a token of its own."""

CONNECTION_TYPE = "statemount"
"""Its type, which tells it from one that somebody has defined under that name."""

AUDIENCE = "urn:statemount:task"
"""The audience of these tokens: nothing of Airflow's accepts them."""
