"""The app of a server process: ``tests.hosts.served:app``."""

from __future__ import annotations

from typing import Any

from tests.hosts.frameworks import FRAMEWORKS
from tests.hosts.world import Wishes

_wishes = Wishes.from_environment()
app: Any = FRAMEWORKS[_wishes.framework].make(_wishes)
