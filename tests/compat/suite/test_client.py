"""The client itself."""

from __future__ import annotations

import base64
import hashlib
from importlib.metadata import distribution

from airflow.sdk.api import client


def test_the_client_is_the_published_one() -> None:
    """Every file of the Task SDK is what the package index has, and the client is one of them."""
    package = distribution("apache-airflow-task-sdk")
    assert package.version.startswith("1.3.")
    checked = set()
    for file in package.files or []:
        if file.hash is not None:
            digest = hashlib.new(file.hash.mode, file.read_binary()).digest()
            assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == file.hash.value
            checked.add(str(file.locate()))
    assert client.__file__ in checked
