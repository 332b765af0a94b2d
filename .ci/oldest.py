"""Print the oldest version that pyproject.toml allows of each requirement, as constraints for pip.

The extras that are named as arguments are counted in.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    from pip._vendor import tomli as tomllib

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
requirements = list(project["dependencies"])
for extra in sys.argv[1:]:
    requirements += project["optional-dependencies"][extra]
for requirement in requirements:
    if match := re.fullmatch(r"([\w-]+)(?:\[[\w,]+\])?>=([\d.]+)(?:,.*)?", requirement):
        print(f"{match[1]}=={match[2]}")
