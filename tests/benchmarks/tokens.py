"""Tokens by the ten thousand: signed here, as PyJWT takes several times as long."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass

from tests.benchmarks.dataset import task_instance_id

_HEADER = b'{"alg":"HS512","typ":"JWT"}'
_LIFE_SECONDS = 86_400  # so long that none is renewed


@dataclass(frozen=True)
class Issuer:
    """Signs tokens for workers and users.

    Args:
        secret: Shared with the apps.
        issued_at: Seconds since the epoch.
    """

    secret: str
    issued_at: int

    def worker(self, task: int, number: str) -> str:
        """Return a token of a task instance.

        Args:
            number: Makes it unlike every other.
        """
        return self._signed(
            f'{{"sub":"{task_instance_id(task)}","aud":"urn:airflow.apache.org:task","scope":"execution",'
            f'"jti":"{number}","iat":{self.issued_at},"nbf":{self.issued_at},"exp":{self.issued_at + _LIFE_SECONDS}}}'
        )

    def user(self, user: int, number: str) -> str:
        """Return a token of somebody who may do everything to state over the public API; likewise."""
        return self._signed(
            f'{{"sub":"user-{user:07}","aud":"apache-airflow","scope":"state:read state:write state:delete",'
            f'"jti":"{number}","iat":{self.issued_at},"nbf":{self.issued_at},"exp":{self.issued_at + _LIFE_SECONDS}}}'
        )

    def _signed(self, claims: str) -> str:
        content = _encoded(_HEADER) + b"." + _encoded(claims.encode())
        return (content + b"." + _encoded(hmac.digest(self.secret.encode(), content, "sha512"))).decode()


def _encoded(part: bytes) -> bytes:
    return urlsafe_b64encode(part).rstrip(b"=")
